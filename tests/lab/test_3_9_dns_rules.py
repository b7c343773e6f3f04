# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.9: rules.dns say which names may be asked; a name that they do not allow never leaves."""
import contextlib
import socket
import struct

import pytest

import dnswire as w
from judging import outcome, refusals
from policing import DNS_ANY, addresses_in, ask, far, inside, names, policy, resolver, start, zone
from stalls import may_stall

ZONE = zone(web='10.55.0.1', api=['10.55.0.2', 'fd55::2'], other='10.55.0.3')
RULES = DNS_ANY.replace('matchPattern: "*"', 'matchPattern: "w*.policed.test"')


def message(name, ident=7):
    m = w.query(ident, w.name(name))
    return struct.pack('>H', len(m)) + m


def read_message(s):
    size = b''
    while len(size) < 2:
        part = s.recv(2 - len(size))
        if not part:
            return b''
        size += part
    body, want = b'', struct.unpack('>H', size)[0]
    while len(body) < want:
        body += s.recv(want - len(body))
    return body


def writes(server, *parts, answers=1, timeout=4):
    """Each part in a write, and a segment, of its own: the addresses of the answers, or why there are none."""
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(timeout)
        try:
            s.connect((server, 53))
            for part in parts:
                s.sendall(part)
            return [addresses_in(read_message(s)) for _ in range(answers)]
        except socket.timeout:
            return 'timeout'
        except OSError as e:
            return type(e).__name__


class Listener:
    """What comes to TCP port 53 of an address of the outside, byte for byte."""

    def __init__(self, host, address):
        with host.inside():
            self.sock = socket.create_server((address, 53), family=socket.AF_INET6 if ':' in address else socket.AF_INET)
        self.sock.settimeout(10)

    def accept(self):
        s = self.sock.accept()[0]
        s.settimeout(10)
        return s


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, ZONE)
    return lab


@pytest.mark.parametrize('family', [4, 6])
def test_3_9_udp(world, family):
    start(world, policy(names('*.policed.test') + RULES))
    at = world.outside.address(family)
    assert inside(world, ask, at, 'web.policed.test') == ['10.55.0.1']
    assert inside(world, ask, at, 'WEB.policed.TEST') == ['10.55.0.1']
    for name in ('other.policed.test', 'api.policed.test', 'policed.test', 'x.web.policed.test', '.'):
        assert inside(world, ask, at, name) == 'EPERM', name
    assert world.node.call(ask, at, 'other.policed.test') == ['10.55.0.3'], 'of no endpoint'


@pytest.mark.parametrize('family', [4, 6])
def test_3_9_tcp(world, family):
    start(world, policy(names('*.policed.test') + RULES))
    at = world.outside.address(family)
    web, other = message('web.policed.test'), message('other.policed.test')
    ok = ['10.55.0.1']
    assert inside(world, writes, at, web) == [ok]
    assert inside(world, writes, at, web[:2], web[2:]) == [ok], 'length and message, as Go and Java write'
    assert inside(world, writes, at, web[:1], web[1:9], web[9:]) == [ok]
    assert inside(world, lambda: writes(at, web + web + web, answers=3)) == [ok] * 3
    assert inside(world, lambda: writes(at, web + web[:5], web[5:], answers=2)) == [ok] * 2
    assert inside(world, lambda: writes(at, web * 200, answers=200)) == [ok] * 200
    assert inside(world, writes, at, other) == 'ConnectionAbortedError', 'it is told at once'
    assert world.node.call(writes, at, other) == [['10.55.0.3']], 'of no endpoint'


def test_3_9_no_byte_of_a_forbidden_name_leaves(world):
    """Cut in every place, and behind allowed ones: the resolver sees what is allowed, and no more."""
    listener = Listener(world.outside, '10.55.9.9')
    start(world, policy(names('*.policed.test') + RULES),
          changes={'observe': {'resolvers': ['10.55.9.9', world.outside.ip4]}})
    web, other = message('web.policed.test'), message('other.policed.test')
    cuts = [[other], [web, other], [web + other], [web + other[:14], other[14:]], [other[:2], other[2:]],
            [other[:14], other[14:]], [other[:20], other[20:]], [web + other[:20], other[20:]],
            [other, web], [struct.pack('>H', 5) + b'other' + web], [b'\x00\x00' + other]]

    def send(parts):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.connect(('10.55.9.9', 53))
            with contextlib.suppress(ConnectionAbortedError):  # it may be ended after a part
                for part in parts:
                    s.sendall(part)
            yield 'sent'
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        yield 'closed'

    for parts in cuts:
        with world.node.steps(send, parts, cgroup=f'{world.node.cgroup}/bot') as app:
            assert app.next() == 'sent'
            with listener.accept() as s:
                assert app.next() == 'closed'
                got = b''
                try:
                    while part := s.recv(65536):
                        got += part
                except ConnectionResetError:
                    pass
        assert b'other' not in got, parts
        if parts in ([web, other], [web + other[:14], other[14:]]):
            assert got.startswith(web), 'what is allowed went ahead'


def test_3_9_audit_lets_them_go(world):
    start(world, policy(names('*.policed.test') + RULES), mode='audit')
    assert inside(world, ask, world.outside.ip4, 'other.policed.test') == ['10.55.0.3']
    assert inside(world, writes, world.outside.ip4, message('other.policed.test')) == [['10.55.0.3']]


def test_3_9_a_connection_of_audit_goes_on_under_enforce(world):
    """Whatever it sent before, and however it was cut: an allowed question is answered, a forbidden one is not."""
    rules = policy(names('*.policed.test') + RULES)
    daemon = start(world, rules, mode='audit')
    web, other = message('web.policed.test'), message('other.policed.test')

    def talk():
        with socket.create_connection((world.outside.ip4, 53), 5) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in web[:20], web[20:], other[:20], other[20:]:
                s.sendall(part)
            yield [addresses_in(read_message(s)) for _ in range(2)]
            s.sendall(web)
            yield outcome(lambda: addresses_in(read_message(s)))
            s.sendall(other)
            yield outcome(s.recv, 1)

    with world.node.steps(talk, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == [['10.55.0.1'], ['10.55.0.3']]
        daemon.conf['policy']['mode'] = 'enforce'
        daemon.write_conf()
        assert daemon.ctl('reload').returncode == 0
        assert app.next() == ['10.55.0.1']
        assert app.next() == 'ECONNABORTED'


def test_3_9_with_snooperd_dead(world):
    daemon = start(world, policy(names('*.policed.test') + RULES))
    daemon.kill9()
    assert inside(world, ask, world.outside.ip4, 'web.policed.test') == ['10.55.0.1']
    assert inside(world, ask, world.outside.ip4, 'other.policed.test') == 'EPERM'
    assert inside(world, writes, world.outside.ip4, message('web.policed.test')) == [['10.55.0.1']]
    assert inside(world, writes, world.outside.ip4, message('other.policed.test')) == 'timeout'


def test_3_9_without_rules_any_name_may_be_asked(world):
    start(world, policy(names('web.policed.test')))
    assert inside(world, ask, world.outside.ip4, 'other.policed.test') == ['10.55.0.3']
    assert inside(world, writes, world.outside.ip4, message('other.policed.test')) == [['10.55.0.3']]


def test_3_9_what_is_no_question_is_refused(world):
    start(world, policy(names('*.policed.test') + RULES))

    def junk(server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.sendto(b'hidden in no question', (server, 53))
                return 'sent'
            except PermissionError:
                return 'EPERM'
    assert inside(world, junk, world.outside.ip4) == 'EPERM'


@pytest.mark.parametrize('what', [
    b'GET / HTTP/1.1\r\nHost: policed.test\r\n\r\n', b'\x00\x05other', b'\x00\x00' + message('web.policed.test'),
    message('web.policed.test')[:4] + b'\x80' + message('web.policed.test')[5:]])
@may_stall
def test_3_9_over_tcp_what_is_no_question_is_told_at_once(world, what):
    """Not held back for more: no more will make it one."""
    daemon = start(world, policy(names('*.policed.test') + RULES))
    assert inside(world, writes, world.outside.ip4, what) == 'ConnectionAbortedError'
    assert refusals(daemon) == {'deny-dns': 1}
