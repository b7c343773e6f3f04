# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.15: packets that are not what they look like when they are judged. None needs a right, unless it says so."""
import ctypes
import mmap
import os
import socket
import struct

import pytest

import dnswire as w
import judging
import rawip
from judging import outcome, refusals
from policing import DNS_ANY, IPV6_FREEBIND, Servers, ask, far, inside, names, policy, start
from servers import Scripted
from snoplab import CLONE_NEWNET, ip
from stalls import may_stall

MAY, MAY6, EVIL, EVIL6, PORT = '10.55.0.1', 'fd55::1', '10.55.9.9', 'fd55::99', 4443
ONLY_MAY = policy(f'  - toCIDR: ["{MAY}/32", "{MAY6}/128"]\n' + DNS_ANY)
RULES = policy(names('*.policed.test') + DNS_ANY.replace('"*"', '"w*.policed.test"'))
CLONE_NEWUSER = 0x10000000
SO_BINDTODEVICE, IP_OPTIONS, IPV6_RTHDR, IP_TOS = 25, 4, 57, 1
STOLEN = b'what nobody may know'
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside, ports=(443, PORT)):
        yield lab


@pytest.fixture
def wire(world):
    made = judging.Wire(world.outside)
    yield made
    made.close()


def lonely(function, *args):
    judging.become_nobody()
    return function(*args)


GROUP = 'ff15::5:3'


def device_of(address):
    """The index of the device by which an address is reached."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.connect((address, 9))
        own = socket.inet_pton(socket.AF_INET6, s.getsockname()[0]).hex()
    with open('/proc/net/if_inet6') as f:
        return next(int(line.split()[1], 16) for line in f if line.startswith(own))


def in_anothers_name(to):
    """From the forbidden address, which is not ours, to ourselves; then to it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ear, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as mouth:
        ear.bind(('::', 8080))
        mouth.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        mouth.bind((EVIL6, PORT))
        return outcome(mouth.sendto, STOLEN, (to, 8080)), outcome(mouth.sendto, STOLEN, (to, 9999)), \
            outcome(judging.way_udp, EVIL6, port=PORT)


def test_3_15_heard_of_oneself(world, wire):
    """Nobody is answered who was not there; and no ICMP takes the packet to whom it claims to be from."""
    start(world, ONLY_MAY)
    assert inside(world, lonely, in_anothers_name, '::1') == ('EPERM', 'EPERM', 'EPERM')
    assert wire.went(STOLEN) == set()


def test_3_15_heard_of_oneself_where_the_host_is_allowed(world):
    start(world, policy('  - toEntities: [host]\n' + DNS_ANY))
    assert inside(world, lonely, in_anothers_name, world.node.ip6)[2] == 'EPERM'


def test_3_15_heard_of_oneself_by_a_group(world):
    """What is sent to a group comes back to its own host by the device that it left by, not by loopback."""
    start(world, policy('  - toCIDR: ["ff15::/16"]\n' + DNS_ANY))
    device = world.node.call(device_of, world.outside.ip6)

    def in_a_group():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ear, \
                socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as mouth:
            ear.bind(('::', 8080))
            ear.settimeout(2)
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                           socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack('@I', device))
            mouth.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, device)
            mouth.bind((EVIL6, PORT))
            sent = outcome(mouth.sendto, STOLEN, (GROUP, 8080))
            return sent, ear.recvfrom(64)[1][0], outcome(judging.way_udp, EVIL6, port=PORT)
    assert inside(world, lonely, in_a_group) == (len(STOLEN), EVIL6, 'EPERM')


def test_3_15_heard_of_oneself_in_a_namespace(world):
    """Any address can be had in a network namespace of one's own: what is heard there counts there."""
    start(world, ONLY_MAY + f'  egressDeny:\n  - toCIDR: ["{EVIL}/32"]\n')

    def apart():
        judging.become_nobody()
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        for name, text in ('setgroups', 'deny'), ('uid_map', '0 65534 1'), ('gid_map', '0 65534 1'):
            with open(f'/proc/self/{name}', 'w') as f:
                f.write(text)
        os.system(f'ip link set lo up; ip address add {EVIL}/32 dev lo')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            ear.bind(('127.0.0.1', 8080))
            mouth.bind((EVIL, 443))
            mouth.sendto(b'x', ('127.0.0.1', 8080))
            ear.settimeout(5)
            return ear.recvfrom(1)[1]

    assert inside(world, apart) == (EVIL, 443)
    assert inside(world, outcome, judging.way_udp, EVIL) == 'EPERM'


def by_a_device(address):
    with socket.socket(judging.family_of(address), socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b'eth0\0')
        return outcome(s.sendto, STOLEN, (address, 443))


def test_3_15_loopback_by_another_device(world, wire):
    start(world, ONLY_MAY)
    with world.outside.inside(), open('/proc/sys/net/ipv4/conf/all/route_localnet', 'w') as f:
        f.write('1')
    ip('address add 127.9.9.9/32 dev br0', netns=world.outside.netns)
    assert inside(world, lonely, by_a_device, '127.9.9.9') == 'EPERM'
    assert wire.went(STOLEN) == set()


def led_astray(address, level, option, route):
    """A connection to where it may, whose packets then go elsewhere."""
    with socket.create_connection((address, 443), 5) as s:
        s.sendall(b'hello')
        assert s.recv(100) == b'hello'
        s.setsockopt(level, option, route)
        if level == socket.SOL_IP:
            s.setsockopt(socket.SOL_IP, IP_TOS, 0x10)  # has it look for its way again
        s.sendall(STOLEN)
        return 'sent'


def test_3_15_a_connection_led_astray(world, wire):
    start(world, ONLY_MAY)
    segments = struct.pack('BBBBBBH', 0, 4, 4, 1, 1, 0, 0) + rawip.packed(MAY6) + rawip.packed(EVIL6)
    assert inside(world, lonely, led_astray, MAY6, socket.IPPROTO_IPV6, IPV6_RTHDR, segments) == 'sent'
    # This one takes CAP_NET_RAW.
    hops = bytes([1, 131, 7, 4]) + socket.inet_aton(EVIL)
    assert inside(world, led_astray, MAY, socket.SOL_IP, IP_OPTIONS, hops) == 'sent'
    assert wire.went(STOLEN) == set()


def with_a_change_of_mind(server, kind):
    """The bytes of an allowed question, in a page that becomes another's once it was sent."""
    allowed, forbidden = (w.query(7, f'{n}.policed.test') for n in ('web', 'bad'))
    if kind == socket.SOCK_STREAM:
        allowed, forbidden = (struct.pack('>H', len(m)) + m for m in (allowed, forbidden))
    fd = os.memfd_create('question')
    os.write(fd, allowed)
    page = mmap.mmap(fd, len(allowed))
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(5)
        s.connect((server, 53))
        sent = outcome(os.sendfile, s.fileno(), fd, 0, len(allowed))
        page[:] = forbidden
        yield sent
        if kind == socket.SOCK_STREAM:
            yield outcome(s.recv, 1)


def test_3_15_a_question_that_changes(world):
    """What was read when it was judged must be what arrives: pages that its sender can still write do not go."""
    start(world, RULES)
    server = world.outside.ip4
    with world.outside.inside(), socket.create_server((server, 53)) as listener, \
            world.node.steps(with_a_change_of_mind, server, socket.SOCK_STREAM,
                             cgroup=f'{world.node.cgroup}/bot') as app:
        app.next()
        assert app.next() == 'ECONNABORTED', 'it is told'
        with listener.accept()[0] as s:
            s.settimeout(5)
            assert outcome(s.recv, 100) in ('ok', 'ECONNRESET', b''), 'nothing came'
    with Scripted(world.outside, server) as scripted:
        with world.node.steps(with_a_change_of_mind, server, socket.SOCK_DGRAM,
                              cgroup=f'{world.node.cgroup}/bot') as app:
            if app.next() != 'EPERM':  # a kernel that copies datagrams, pages or not
                assert b'\3web\7policed' in scripted.take()[0]
        assert inside(world, ask, server, 'bad.policed.test') == 'EPERM'


@may_stall
def test_3_15_a_byte_out_of_the_stream(world):
    """An urgent byte is judged in its place, and its receiver reads the stream without it: none goes."""
    daemon = start(world, RULES)
    question = w.query(7, 'web.policed.test')

    def urgent(server):
        with socket.create_connection((server, 53), 5) as s:
            s.sendall(struct.pack('>H', len(question) + 1) + question)
            s.send(b'!', socket.MSG_OOB)
            yield outcome(s.recv, 1)

    with world.outside.inside(), socket.create_server((world.outside.ip4, 53)) as listener, \
            world.node.steps(urgent, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 'ECONNABORTED', 'it is told'
        assert daemon.status()['policy']['connections_ended'] == 1
        with listener.accept()[0] as s:
            s.settimeout(5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            got = b''
            try:
                while part := s.recv(100):
                    got += part
            except ConnectionResetError:
                pass
    assert got in (b'', struct.pack('>H', len(question) + 1) + question)
    assert refusals(daemon) == {'deny-dns': 1}


def test_3_15_the_resolver_by_another_address_of_loopback(world):
    """One that listens on every address is asked by names on each of them."""
    start(world, RULES, changes={'observe': {'resolvers': ['127.0.0.1', '::1']}})
    with Scripted(world.node, '0.0.0.0') as resolver:
        for address in '127.0.0.1', '127.0.0.2':
            for name, may in ('web.policed.test', 'ok'), ('bad.policed.test', 'EPERM'):
                assert inside(world, outcome, question_to, address, w.query(7, name)) == may, (address, name)
        asked = [resolver.take()[0] for _ in range(2)]
    assert all(w.name('web.policed.test') in a for a in asked)
    got = inside(world, stream_question, '127.0.0.2', w.query(7, 'bad.policed.test'))
    assert got == 'ECONNREFUSED', 'nobody listens: where somebody does, the same as for 127.0.0.1'


def question_to(address, message):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(message, (address, 53))


def stream_question(address, message):
    def way():
        with socket.create_connection((address, 53), 5) as s:
            s.sendall(struct.pack('>H', len(message)) + message)
    return outcome(way)
