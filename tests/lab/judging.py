# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every way in which a program begins a flow, and what the kernel counted of it.

The ways are called on a host (policing.inside): they give 'ok', 'timeout', or the name of an errno.
"""
import contextlib
import ctypes
import errno
import mmap
import os
import re
import socket
import struct

import rawip
from endpointing import bpftool, numbers_of
from snoplab import TOP

IPPROTO_MPTCP = 262
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT = 30
_libc = ctypes.CDLL(None, use_errno=True)


class Wire:
    """Where packets with a mark in them went, as they left the node."""

    def __init__(self, host):
        with host.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL

    def went(self, mark=b''):
        """Each read to the end of what has come: what a socket sent has, when its call is over."""
        found = set()
        while True:
            try:
                packet, (_, protocol, *_) = self.sock.recvfrom(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            if protocol in (0x0800, 0x86dd) and mark in packet:
                found.add(socket.inet_ntoa(packet[16:20]) if packet[0] >> 4 == 4
                          else socket.inet_ntop(socket.AF_INET6, packet[24:40]))

    def close(self):
        self.sock.close()


# --- what was counted ---

def verdict_names():
    """Names of enum snp_verdict, by number."""
    with open(f'{TOP}/bpf/snp_policy.h') as f:
        return re.findall(r'^\tX\([A-Z_]+,\s*"([a-z-]+)"', f.read(), re.M)


def verdicts(daemon):
    """{(number of the endpoint, verdict): how often}, from the pinned map: the daemon may be dead."""
    names, counted = verdict_names(), {}
    for row in bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/snp_verdicts') or []:
        key = row['formatted']['key']
        n = sum(v['value'] for v in row['formatted']['values'])
        if n:
            counted[key['endpoint'], names[key['verdict']]] = n
    return counted


def whose(daemon, sock, address):
    """The endpoint by whose policy a datagram socket is judged, whoever holds it; '' of none. Nothing may be allowed."""
    before = verdicts(daemon)
    outcome(sock.sendto, b'x', (address, 9))
    told = {number for (number, name), n in verdicts(daemon).items() if n != before.get((number, name), 0)}
    assert len(told) <= 1, told
    return numbers_of(daemon)[told.pop()] if told else ''


def refusals(daemon):
    """{reason: how often} of all endpoints."""
    total = {}
    for (_, name), n in verdicts(daemon).items():
        if name.startswith('deny-'):
            total[name] = total.get(name, 0) + n
    return total


def netstat(*names):
    """Counters of the caller's network namespace, by name: /proc/net/snmp and netstat."""
    found = {}
    for path in '/proc/self/net/snmp', '/proc/self/net/netstat':
        with open(path) as f:
            lines = [line.split() for line in f]
        for keys, values in zip(lines[::2], lines[1::2]):
            found.update({keys[0][:-1] + k: int(v) for k, v in zip(keys[1:], values[1:])})
    return {name: found.get(name, 0) for name in names}


# --- ways to begin a flow ---

def become_nobody():
    """For good: any program of any user, without a right. Its /proc stays its own (a user namespace wants that)."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    _libc.prctl(4, 1)  # PR_SET_DUMPABLE


def outcome(function, *args, **options):
    try:
        return function(*args, **options) or 'ok'
    except socket.timeout:
        return 'timeout'
    except OSError as e:
        return errno.errorcode[e.errno]


def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def mapped(address):
    return f'::ffff:{address}'


@contextlib.contextmanager
def open_socket(address, *kind):
    with socket.socket(family_of(address), *kind) as s:
        s.settimeout(5)
        yield s


def echoed(s, payload=b'hello'):
    """A stream or a datagram that comes back."""
    return 'ok' if s.recv(65536) == payload else 'other'


def way_tcp(address, port=443, protocol=0):
    with open_socket(address, socket.SOCK_STREAM, protocol) as s:
        s.connect((address, port))
        s.sendall(b'hello')
        return echoed(s)


def way_mptcp(address):
    return way_tcp(address, protocol=IPPROTO_MPTCP)


def way_tcp_nonblocking(address):
    with open_socket(address, socket.SOCK_STREAM) as s:
        s.setblocking(False)
        e = s.connect_ex((address, 443))
        if e != errno.EINPROGRESS:
            return errno.errorcode.get(e, 'ok')
        s.settimeout(5)
        s.sendall(b'hello')
        return echoed(s)


def way_fastopen_connect(address):
    with open_socket(address, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        s.connect((address, 443))
        s.sendall(b'hello')
        return echoed(s)


def way_fastopen_send(address):
    with open_socket(address, socket.SOCK_STREAM) as s:
        s.sendto(b'hello', MSG_FASTOPEN, (address, 443))
        return echoed(s)


def way_udp(address, protocol=0, port=443):
    with open_socket(address, socket.SOCK_DGRAM, protocol) as s:
        s.sendto(b'hello', (address, port))
        return echoed(s)


def way_udp_connected(address, protocol=0):
    with open_socket(address, socket.SOCK_DGRAM, protocol) as s:
        s.connect((address, 443))
        s.send(b'hello')
        return echoed(s)


def way_udplite(address):
    return way_udp(address, socket.IPPROTO_UDPLITE)


def way_udp_large(address):
    """Larger than the wire takes: what the hook sees is cut afterwards."""
    with open_socket(address, socket.SOCK_DGRAM) as s:
        s.sendto(b'x' * 4000, (address, 443))
        return echoed(s, b'x' * 4000)


def way_sendmsg(address):
    with open_socket(address, socket.SOCK_DGRAM) as s:
        s.sendmsg([b'hel', b'lo'], [], 0, (address, 443))
        return echoed(s)


def _sockaddr(address, port):
    if ':' in address:
        return struct.pack('=HHI16sI', socket.AF_INET6, socket.htons(port), 0, rawip.packed(address), 0)
    return struct.pack('=HH4s8x', socket.AF_INET, socket.htons(port), rawip.packed(address))


class _Message:
    """A struct msghdr of one datagram, and what it points at."""

    def __init__(self, address, port, payload):
        self.to = ctypes.create_string_buffer(_sockaddr(address, port), len(_sockaddr(address, port)))
        self.payload = ctypes.create_string_buffer(payload, len(payload))
        self.iov = ctypes.create_string_buffer(
            struct.pack('=QQ', ctypes.addressof(self.payload), len(payload)), 16)
        self.bytes = struct.pack('=QI4xQQQQi4x', ctypes.addressof(self.to), len(self.to),
                                 ctypes.addressof(self.iov), 1, 0, 0, 0)


def way_sendmmsg(address):
    messages = [_Message(address, 443, b'hello') for _ in range(2)]
    vector = ctypes.create_string_buffer(b''.join(m.bytes + bytes(8) for m in messages))
    with open_socket(address, socket.SOCK_DGRAM) as s:
        sent = _libc.sendmmsg(s.fileno(), vector, len(messages), 0)
        if sent != len(messages):
            raise OSError(ctypes.get_errno() if sent < 0 else errno.EIO, 'sendmmsg')
        return echoed(s) if echoed(s) == 'ok' else 'other'


def _echo_request(address, ident=7):
    kind = 128 if ':' in address else 8
    head = struct.pack('>BBHHH', kind, 0, 0, ident, 1)
    return head[:2] + struct.pack('>H', rawip.checksum(head + b'hello')) + head[4:] + b'hello'


def _ping(address, kind):
    protocol = socket.IPPROTO_ICMPV6 if ':' in address else socket.IPPROTO_ICMP
    with open_socket(address, kind, protocol) as s:
        s.sendto(_echo_request(address), (address, 0))
        while True:
            came = s.recv(65536)
            if kind == socket.SOCK_RAW and ':' not in address:
                came = came[20:]
            if came[0] in (0, 129):  # an echo reply
                return 'ok'


def way_ping(address):
    return _ping(address, socket.SOCK_DGRAM)


def way_ping_raw(address):
    return _ping(address, socket.SOCK_RAW)


def way_ping_connected(address):
    with open_socket(address, socket.SOCK_DGRAM,
                     socket.IPPROTO_ICMPV6 if ':' in address else socket.IPPROTO_ICMP) as s:
        s.connect((address, 0))
        s.send(_echo_request(address))
        return 'ok' if s.recv(65536)[0] in (0, 129) else 'other'


class Ring:
    """io_uring, one request at a time (linux/io_uring.h)."""
    SENDMSG, CONNECT = 9, 16

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = _libc.syscall(425, 4, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), 'io_uring_setup')
        self.entries, cq_entries = struct.unpack_from('=II', params)
        self.sq = struct.unpack_from('=10I', params, 40)  # head tail ring_mask ... array
        self.cq = struct.unpack_from('=10I', params, 80)  # head tail ring_mask ... cqes
        size = max(self.sq[6] + self.entries * 4, self.cq[5] + cq_entries * 16)
        self.rings = mmap.mmap(self.fd, size, offset=0)
        self.sqes = mmap.mmap(self.fd, self.entries * 64, offset=0x10000000)

    def do(self, operation, fd, address, length=0, offset=0):
        tail, = struct.unpack_from('=I', self.rings, self.sq[1])
        slot = tail & (self.entries - 1)
        struct.pack_into('=BBHiQQI28x', self.sqes, slot * 64, operation, 0, 0, fd, offset, address, length)
        struct.pack_into('=I', self.rings, self.sq[6] + slot * 4, slot)
        struct.pack_into('=I', self.rings, self.sq[1], tail + 1)
        if _libc.syscall(426, self.fd, 1, 1, 1, None, 0) != 1:
            raise OSError(ctypes.get_errno(), 'io_uring_enter')
        head, = struct.unpack_from('=I', self.rings, self.cq[0])
        mask, = struct.unpack_from('=I', self.rings, self.cq[2])
        _, result = struct.unpack_from('=Qi', self.rings, self.cq[5] + (head & mask) * 16)
        struct.pack_into('=I', self.rings, self.cq[0], head + 1)
        if result < 0:
            raise OSError(-result, 'io_uring')


def way_uring_connect(address):
    ring, to = Ring(), _sockaddr(address, 443)
    held = ctypes.create_string_buffer(to, len(to))
    with open_socket(address, socket.SOCK_STREAM) as s:
        ring.do(Ring.CONNECT, s.fileno(), ctypes.addressof(held), offset=len(to))
        s.sendall(b'hello')
        return echoed(s)


def way_uring_sendmsg(address):
    ring, message = Ring(), _Message(address, 443, b'hello')
    held = ctypes.create_string_buffer(message.bytes, len(message.bytes))
    with open_socket(address, socket.SOCK_DGRAM) as s:
        ring.do(Ring.SENDMSG, s.fileno(), ctypes.addressof(held), 1)
        return echoed(s)


# Every way that carries both addresses of a kind; what comes back proves that it went.
WAYS = (way_tcp, way_mptcp, way_tcp_nonblocking, way_fastopen_connect, way_fastopen_send, way_udp,
        way_udp_connected, way_udplite, way_udp_large, way_sendmsg, way_sendmmsg, way_uring_connect,
        way_uring_sendmsg)
PINGS = (way_ping, way_ping_connected, way_ping_raw)


# --- whole packets, by a raw socket with its own headers ---

def tcp_syn(source, target, port=443):
    head = struct.pack('>HHIIBBHHH', 40000, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = rawip.packed(source) + rawip.packed(target) + struct.pack('>BBH', 0, 6, len(head))
    return head[:16] + struct.pack('>H', rawip.checksum(pseudo + head)) + head[18:]


def ipv4(source, target, protocol, body, fragment=0):
    packet = rawip.ipv4(source, target, body, fragment=fragment)
    return packet[:9] + bytes([protocol]) + packet[10:]


def send_raw(packet):
    """A packet whose header says where to."""
    if packet[0] >> 4 == 6:
        to = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        to = socket.inet_ntoa(packet[16:20])
    rawip.send(to, [packet])


def try_all(ways, addresses):
    """{name of the way: what came of it, by address}."""
    return {way.__name__[4:]: [outcome(way, address) for address in addresses] for way in ways}
