# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""HTTP/2 frame by frame, so that each may lie: a client that follows no rule but those the test wants."""
import socket
import struct

from snoplab import PATIENCE

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 1, 3, 8, 11
INITIAL_WINDOW_SIZE = 4

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'


def frame(kind, flags=0, stream=0, payload=b''):
    return struct.pack('!I', len(payload))[1:] + struct.pack('!BBI', kind, flags, stream) + payload


def _text(data):
    """A string of HPACK (RFC 7541 5.2), not compressed."""
    assert len(data) < 127 + 128 * 128
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest = len(data) - 127
    return bytes([127] + ([rest] if rest < 128 else [rest % 128 | 128, rest // 128])) + data


def field(name, value, index=False):
    """A field by its letters; index=True: the table of the other side keeps it."""
    return (b'\x40' if index else b'\x00') + _text(name.encode()) + _text(value.encode())


def request(path):
    """The block of headers of a call."""
    return b''.join(field(*pair) for pair in [
        (':method', 'POST'), (':scheme', 'http'), (':path', path), (':authority', 'x'),
        ('content-type', 'application/grpc'), ('te', 'trailers')])


def call(stream, path, message=b''):
    """A whole call: headers, and a message that ends it."""
    return frame(HEADERS, END_HEADERS, stream, request(path)) + \
        frame(DATA, END_STREAM, stream, struct.pack('!BI', 0, len(message)) + message)


def settings(**values):
    return frame(SETTINGS, 0, 0, b''.join(struct.pack('!HI', globals()[k.upper()], v)
                                          for k, v in values.items()))


class Raw:
    """with Raw(SOCKET) as c: c.send(...); c.until_end() -> the frames that came, to the last."""

    def __init__(self, path, hello=settings(), timeout=30):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect(path)
        self.sock.sendall(PREFACE + hello)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """False: the other side has closed."""
        try:
            self.sock.sendall(data)
        except ConnectionError:
            return False
        return True

    def flood(self, chunks, at_most):
        """Send chunks until we are cut off, and no more bytes than that: how many it took."""
        sent = 0
        for chunk in chunks:
            if not self.send(chunk):
                return sent
            sent += len(chunk)
            assert sent <= at_most, f'still served after {sent} bytes'
        return sent

    def read(self, n):
        """n bytes, less at the end."""
        data = b''
        while len(data) < n:
            try:
                part = self.sock.recv(n - len(data))
            except ConnectionResetError:
                part = b''
            if not part:
                break
            data += part
        return data

    def frame(self):
        """(kind, flags, stream, payload), None at the end."""
        head = self.read(9)
        if len(head) < 9:
            return None
        return head[3], head[4], struct.unpack('!I', head[5:])[0], \
            self.read(struct.unpack('!I', b'\0' + head[:3])[0])

    def until_end(self):
        return list(iter(self.frame, None))

    def end_code(self):
        """The error code of the GOAWAY that was the last word."""
        frames = self.until_end()
        assert frames and frames[-1][0] == GOAWAY, frames[-3:]
        return struct.unpack('!I', frames[-1][3][4:8])[0]
