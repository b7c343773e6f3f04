# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.6: streams, messages, headers and frames of a gRPC client have their limits: below it is served, above counted and cut off."""
import itertools
import struct

import grpc
import pytest

import h2frames as h2
from daemon import Snooperd
from grpc_client import Client
from snoplab import Lab, wait_until

STATUS = '/snooper.v1.Status/Get'
MIB = 1 << 20
# snooper/rpc/grpc_session.h, grpc_limit.c
STREAMS, MESSAGE_BYTES, HEADER_BYTES, BLOCK_BYTES = 16, 65536, 8192, 32768
FIELD_COST = 32  # of a header field beyond its bytes (RFC 9113 10.5.1)


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab).start()


class Counted:
    """with Counted(snooperd, reason): what happens in it is refused once for that reason, and for no other."""

    def __init__(self, snooperd, reason):
        self.snooperd, self.reason = snooperd, reason

    def grown(self):
        now = self.snooperd.status()['export']
        return {reason: now[reason] - n for reason, n in self.before.items() if now[reason] != n}

    def __enter__(self):
        self.before = self.snooperd.status()['export']

    def __exit__(self, kind, *_):
        if kind is None:
            wait_until(lambda: self.grown() == {self.reason: 1}, 10, lambda: f'{self.grown()}')


def headers(stream, *more):
    return h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.request(STATUS) + b''.join(more))


def is_alive(raw):
    """It answers a PING, after whatever else it had to say."""
    raw.send(h2.frame(h2.PING, 0, 0, b'are you?'))
    frames = iter(raw.frame, None)
    return any(kind == h2.PING and flags & h2.ACK and payload == b'are you?'
               for kind, flags, _, payload in frames)


def test_2_6_streams_at_once(snooperd):
    with h2.Raw(snooperd.socket) as raw:
        raw.send(h2.frame(h2.SETTINGS, h2.ACK))
        for i in range(STREAMS):
            raw.send(headers(2 * i + 1))
        assert is_alive(raw), 'as many calls at once as were announced'
        with Counted(snooperd, 'streams'):
            raw.send(headers(2 * STREAMS + 1))
            assert raw.end_code() == h2.ENHANCE_YOUR_CALM


def test_2_6_calls_one_after_the_other_have_no_limit(snooperd):
    with h2.Raw(snooperd.socket) as raw:
        raw.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 16 * MIB)))
        for i in range(20 * STREAMS):
            raw.send(h2.call(2 * i + 1, STATUS))
            ends = (f for f in iter(raw.frame, None) if f[0] == h2.HEADERS and f[1] & h2.END_STREAM)
            assert next(ends)[2] == 2 * i + 1
        assert is_alive(raw)


def unknown_fields(n):
    """A message of n bytes, made of fields that nobody knows."""
    return b'\xa8\x1f\x01' * ((n - n % 3) // 3 - n % 3) + b'\xa8\x1f\x81\x00' * (n % 3)


def test_2_6_message_of_64_kib_and_no_more(snooperd):
    """By a library: the largest message is served, one more byte costs the connection; the next one serves again."""
    with Client(snooperd.socket) as client:
        largest = unknown_fields(MESSAGE_BYTES)
        assert len(largest) == MESSAGE_BYTES
        for _ in range(3):
            assert client.unary(STATUS[1:], largest)
        with Counted(snooperd, 'message_size'), pytest.raises(grpc.RpcError) as refused:
            client.unary(STATUS[1:], unknown_fields(MESSAGE_BYTES + 1))
        # It may notice the end of the connection first.
        assert refused.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
        assert client.unary(STATUS[1:], b'')


@pytest.mark.parametrize('length', [MESSAGE_BYTES + 1, 1 << 30, (1 << 32) - 1])
def test_2_6_huge_message_ends_the_connection_when_announced(snooperd, length):
    """Its call is told why; then GOAWAY, whatever else was going on: nothing waits for the bytes."""
    with h2.Raw(snooperd.socket) as raw, Counted(snooperd, 'message_size'):
        raw.send(headers(1) + headers(3))
        assert is_alive(raw)
        raw.send(h2.frame(h2.DATA, 0, 3, struct.pack('!BI', 0, length)))
        frames = raw.until_end()
        answer = next(f for f in frames if f[2] == 3)
        assert answer[0] == h2.HEADERS and answer[1] & h2.END_STREAM
        assert frames[-1][0] == h2.GOAWAY
        assert struct.unpack('!I', frames[-1][3][4:8])[0] == h2.ENHANCE_YOUR_CALM


def test_2_6_request_that_is_no_message_ends_the_connection(snooperd):
    with h2.Raw(snooperd.socket) as raw, Counted(snooperd, 'malformed'):
        raw.send(h2.call(1, STATUS, b'\x0b' * 1000))  # a group in a group in a group
        assert raw.end_code() == h2.ENHANCE_YOUR_CALM


def test_2_6_headers_of_8_kib_and_no_more(snooperd):
    """Above it the call is refused, and nothing of it kept; a block above 32 KiB ends the connection."""
    plain = sum(len(name) + len(value) + FIELD_COST for name, value in [
        (':method', 'POST'), (':scheme', 'http'), (':path', STATUS), (':authority', 'x'),
        ('content-type', 'application/grpc'), ('te', 'trailers')])
    room = HEADER_BYTES - plain - FIELD_COST - 1

    def call(stream, value_bytes):
        return headers(stream, h2.field('x', 'v' * value_bytes)) + \
            h2.frame(h2.DATA, h2.END_STREAM, stream, bytes(5))
    with h2.Raw(snooperd.socket) as raw:
        raw.send(call(1, room))
        answer = [f for f in itertools.takewhile(lambda f: not f[1] & h2.END_STREAM or f[2] != 1, iter(raw.frame, None))
                  if f[2] == 1]
        assert [kind for kind, *_ in answer] == [h2.HEADERS, h2.DATA], 'a message, before its trailers'
        with Counted(snooperd, 'header_size'):
            raw.send(call(3, room + 1))
            refused = next(f for f in iter(raw.frame, None) if f[2] == 3)
            assert refused[0] == h2.HEADERS and refused[1] & h2.END_STREAM, 'refused at once'
        assert is_alive(raw)
        with Counted(snooperd, 'headers'):
            big = h2.request(STATUS) + h2.field('x', 'v' * 16000)
            raw.send(h2.frame(h2.HEADERS, 0, 5, big) +
                     h2.frame(h2.CONTINUATION, 0, 5, h2.field('y', 'v' * 16000)) +
                     h2.frame(h2.CONTINUATION, h2.END_HEADERS, 5, h2.field('z', 'v' * 1000)))
            assert raw.end_code() == h2.ENHANCE_YOUR_CALM


def resets():
    for stream in itertools.count(3, 2):
        yield headers(stream) + h2.frame(h2.RST_STREAM, 0, stream, struct.pack('!I', h2.CANCEL))


# How many at once are nothing to worry about (half of what grpc_limit.c lets pass), and what comes of more.
FRAMES = {
    'ping': (50, 'pings', lambda: itertools.repeat(h2.frame(h2.PING, 0, 0, bytes(8)))),
    'settings': (50, 'settings', lambda: itertools.repeat(h2.settings())),
    'priority': (50, 'priorities', lambda: itertools.repeat(
        h2.frame(h2.PRIORITY, 0, 1, struct.pack('!IB', 0, 1)))),
    'window-update': (500, 'window_updates', lambda: itertools.repeat(
        h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 1)))),
    'empty-data': (50, 'empty_data', lambda: itertools.repeat(h2.frame(h2.DATA, 0, 1))),
    'unknown': (50, 'other_frames', lambda: itertools.repeat(h2.frame(0x77, 0, 0, b'x'))),
    'reset': (100, 'resets', resets),
}


@pytest.mark.parametrize('kind', FRAMES)
def test_2_6_frame_rate(snooperd, kind):
    """A burst of a kind is served; who goes on is told to calm down, counted once, and cut off."""
    burst, reason, make = FRAMES[kind]
    with h2.Raw(snooperd.socket) as raw:
        chunks = make()
        raw.send(headers(1) + b''.join(itertools.islice(chunks, burst)))
        assert is_alive(raw), 'a burst as honest clients make'
        with Counted(snooperd, reason):
            raw.flood(chunks, 2 * MIB)
            assert raw.end_code() == h2.ENHANCE_YOUR_CALM

