# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.15: what sockets can be talked into, that want to reach another address than the one that was judged."""
import contextlib
import ctypes
import errno
import os
import socket
import struct

import pytest

import judging
import rawip
from judging import outcome, refusals
from policing import DNS_ANY, Servers, far, inside, policy, start, write
from snoplab import ip, wait_until

MAY, MAY6, EVIL, EVIL6 = '10.55.0.1', 'fd55::1', '10.55.9.9', 'fd55::99'
ONLY_MAY = policy(f'  - toCIDR: ["{MAY}/32", "{MAY6}/128"]\n' + DNS_ANY)
MSG_MORE, MSG_ZEROCOPY = 0x8000, 0x4000000
SO_ZEROCOPY, UDP_SEGMENT, TCP_REPAIR, SENDMSG_ZC = 60, 103, 19, 48
IP_OPTIONS, IP_RETOPTS, IP_TRANSPARENT, IPV6_RTHDR, IPV6_DSTOPTS, IPV6_TRANSPARENT = 4, 7, 19, 57, 59, 75
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside) as servers:
        lab.servers = servers
        yield lab


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def datagrams(address=MAY):
    with judging.open_socket(address, socket.SOCK_DGRAM) as s:
        yield s


def unconnect(s):
    """connect(AF_UNSPEC)"""
    must(libc.connect(s.fileno(), bytes(16), 16))


def source_route(*hops):
    """IPv4's loose one, padded (RFC 791)."""
    return bytes([1, 131, 3 + 4 * len(hops), 4]) + b''.join(map(socket.inet_aton, hops))


def segment_route(first, last):
    """A routing header of type 4 (RFC 8754) by way of first."""
    return struct.pack('BBBBBBH', 0, 4, 4, 1, 1, 0, 0) + rawip.packed(last) + rawip.packed(first)


def datagram_connected_twice():
    with datagrams() as s:
        s.connect((MAY, 443))
        s.send(b'hello')
        assert judging.echoed(s) == 'ok'
        s.connect((EVIL, 443))


def datagram_after_its_peer_is_taken_away():
    with datagrams() as s:
        s.connect((MAY, 443))
        unconnect(s)
        s.sendto(b'x', (EVIL, 443))


def datagram_to_an_address_without_a_family():
    with datagrams() as s:
        to = struct.pack('=HH4s8x', 0, socket.htons(443), rawip.packed(EVIL))
        must(libc.sendto(s.fileno(), b'x', 1, 0, to, len(to)))


def stream_connected_again():
    with judging.open_socket(MAY, socket.SOCK_STREAM) as s:
        s.connect((MAY, 443))
        unconnect(s)
        s.connect((EVIL, 443))


def segments_of_one_datagram():
    with datagrams() as s:
        s.setsockopt(socket.SOL_UDP if hasattr(socket, 'SOL_UDP') else 17, UDP_SEGMENT, 8)
        s.sendto(b'x' * 64, (EVIL, 443))


def without_a_copy(address=EVIL):
    with datagrams() as s:
        s.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        s.sendto(b'x' * 1000, MSG_ZEROCOPY, (address, 443))


def by_a_ring_without_a_copy():
    ring, message = judging.Ring(), judging._Message(EVIL, 443, b'hello')
    held = ctypes.create_string_buffer(message.bytes, len(message.bytes))
    with datagrams() as s:
        ring.do(SENDMSG_ZC, s.fileno(), ctypes.addressof(held), 1)


def from_an_address_of_nobody():
    with datagrams() as s:
        s.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        s.bind(('10.55.77.7', 4443))
        s.sendto(b'x', (EVIL, 443))


def from_loopback():
    with datagrams() as s:
        s.bind(('127.0.0.1', 0))
        s.sendto(b'x', (EVIL, 443))


def by_a_source_route():
    with datagrams() as s:
        s.setsockopt(socket.SOL_IP, IP_OPTIONS, source_route(EVIL))
        s.sendto(b'x', (MAY, 443))


def by_a_source_route_for_one_datagram():
    with datagrams() as s:
        s.sendmsg([b'x'], [(socket.SOL_IP, IP_RETOPTS, source_route(EVIL))], 0, (MAY, 443))


def by_a_routing_header():
    with datagrams(MAY6) as s:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RTHDR, segment_route(EVIL6, MAY6))
        s.sendto(b'x', (MAY6, 443))


def with_options_for_the_destination():
    with datagrams(MAY6) as s:
        s.sendmsg([b'x'], [(socket.IPPROTO_IPV6, IPV6_DSTOPTS, b'\0\0\1\4\0\0\0\0')], 0, (EVIL6, 443))


def repaired():
    with judging.open_socket(MAY, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        s.bind(('0.0.0.0', 0))
        s.connect((EVIL, 443))


def protocol(kind, number):
    def way():
        with socket.socket(socket.AF_INET, kind, number) as s:
            s.settimeout(1)
            s.connect((EVIL, 443))
    way.__name__ = f'protocol_{number}'
    return way


def to(address, port=443):
    def way():
        with datagrams(address) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            scope = (0, socket.if_nametoindex('eth0')) if address.startswith('ff') else ()
            s.sendto(b'x', (address, port, *scope))
    way.__name__ = f'to_{address}'
    return way


TRICKS = [datagram_connected_twice, datagram_after_its_peer_is_taken_away, datagram_to_an_address_without_a_family,
          stream_connected_again, segments_of_one_datagram, without_a_copy, by_a_ring_without_a_copy,
          from_an_address_of_nobody, from_loopback, by_a_source_route, by_a_source_route_for_one_datagram,
          by_a_routing_header, with_options_for_the_destination, repaired,
          protocol(socket.SOCK_STREAM, 132), protocol(socket.SOCK_SEQPACKET, 132), protocol(6, 33),
          to('224.0.0.251', 5353), to('ff02::fb', 5353), to('255.255.255.255'), to('10.53.0.255'),
          to('2002:a37:909::1'), to('64:ff9b::a37:909'), to('2001:0:a37:909::1'), to('::10.55.9.9')]


def each(tricks):
    return {trick.__name__: outcome(trick) for trick in tricks}


def test_3_15_a23_tricks_of_sockets(world):
    """None gets a packet out: what the packet says is judged, whatever the call said."""
    start(world, ONLY_MAY)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as probe:
        assert probe  # root: the tricks that need a right have it
    wire = judging.Wire(world.outside)
    with contextlib.closing(wire):
        got = inside(world, each, TRICKS, deadline=60)
        assert MAY in (went := wire.went()) and not went & {EVIL, EVIL6}, went
    refused = {name: r for name, r in got.items() if r != 'EPERM'}
    # Not every kernel has every protocol, and SCTP does not tell who waits; loopback leads nowhere else.
    assert all(name.startswith('protocol_') or name == 'from_loopback' and r == 'EINVAL'
               for name, r in refused.items()), refused
    assert world.servers.heard == [b'hello'], 'the first of datagram_connected_twice, to where it may'


def test_3_15_a23_many_in_one_call(world):
    """sendmmsg goes on to the one that is refused; corked data has one destination, the first."""
    start(world, ONLY_MAY)

    def mixed():
        messages = [judging._Message(a, 443, b'm') for a in (MAY, EVIL, MAY)]
        vector = ctypes.create_string_buffer(b''.join(m.bytes + bytes(8) for m in messages))
        with datagrams() as s:
            first = libc.sendmmsg(s.fileno(), vector, 3, 0)
            rest = ctypes.create_string_buffer(vector.raw[64:])
            return first, libc.sendmmsg(s.fileno(), rest, 2, 0), errno.errorcode[ctypes.get_errno()]

    def corked():
        with datagrams() as s:
            s.sendto(b'hel', MSG_MORE, (MAY, 443))
            s.sendto(b'lo', (EVIL, 443))
            data, who = s.recvfrom(100)
            return data, who[0]

    assert inside(world, mixed) == (1, -1, 'EPERM')
    assert inside(world, corked) == (b'hello', MAY)


def test_3_15_a24_packets_that_no_hook_sees(world):
    """A limit: with CAP_NET_RAW a packet socket sends what it likes. It is told at the next look."""
    daemon = start(world, ONLY_MAY)

    def hold(source):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind(('eth0', 0))
            mine = s.getsockname()[4]
            packet = judging.ipv4(source, EVIL, 17, rawip.udp(source, 40000, EVIL, 443, b'unseen'))
            packet = packet[:10] + struct.pack('>H', rawip.checksum(packet[:20])) + packet[12:]
            yield mine
            yield s.send(b'\xff' * 6 + mine + b'\x08\x00' + packet) > 0

    with world.node.steps(hold, world.node.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        app.next()
        assert app.next() is True
        assert daemon.ctl('reload').returncode == 0
        assert daemon.status()['degraded'] and 'endpoint-sockets-outside' in str(daemon.status()['degraded'])
    assert refusals(daemon) == {}


def test_3_15_a25_a_socket_from_outside(world):
    """A limit: made elsewhere, passed in. It stays whose it was, and is told at the next look."""
    daemon = start(world, ONLY_MAY)
    here, there = socket.socketpair()

    def take():
        _, fds, _, _ = socket.recv_fds(there, 16, 1)
        with socket.socket(fileno=fds[0]) as s:
            s.settimeout(5)
            s.sendto(b'hello', (EVIL, 443))
            yield judging.echoed(s)
            yield 'held'

    with world.node.steps(take, cgroup=f'{world.node.cgroup}/bot') as app, world.node.inside(), \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        socket.send_fds(here, [b'.'], [s.fileno()])
        assert app.next() == 'ok'
        assert daemon.ctl('reload').returncode == 0
        assert 'endpoint-sockets-outside' in str(daemon.status()['degraded'])
    here.close()
    there.close()


def tries(s):
    """Of struct tcp_info, tcpi_probes: how often TCP has tried again what it could not send."""
    return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[3]


def test_3_15_a_connection_cut_in_another_namespace_carries_nothing_more(world):
    """snooperd can end those of its own network namespace only; elsewhere its owner waits, and TCP tries in vain."""
    pod = world.add_host('pod')
    ip(f'route add 10.55.0.0/16 via {world.outside.ip4}', netns=pod.netns)
    daemon = start(world, ONLY_MAY, endpoints=(('bot', 'pod', {'app': 'bot'}),))

    def app():
        with socket.create_connection((MAY, 9000), 5) as s:
            s.sendall(b'before')
            yield 'connected'
            s.sendall(b'after')
            s.setblocking(False)
            while True:
                yield tries(s), outcome(s.recv, 1)

    with world.outside.inside(), socket.create_server((MAY, 9000)) as listener, \
            pod.steps(app, cgroup=pod.cgroup) as steps:
        assert steps.next() == 'connected'
        with listener.accept()[0] as s:
            assert s.recv(100) == b'before'
            write(daemon, policy('  - toCIDR: ["10.55.0.2/32"]\n' + DNS_ANY))
            assert daemon.ctl('reload').returncode == 0
            # Its owner is told nothing: what it sends is held back again and again.
            assert wait_until(lambda: (r := steps.next())[0] >= 2 and r, what='TCP tries again')[1] == 'EAGAIN'
            assert outcome(s.recv, 1, socket.MSG_DONTWAIT) == 'EAGAIN'
    assert refusals(daemon) == {'deny-withdrawn': 1}
    state = daemon.status()['policy']
    assert state['connections_ended'] == 0 < state['connections_not_ended']
    assert ' 0 connections ended, ' in daemon.ctl('status', json_output=False).stdout
