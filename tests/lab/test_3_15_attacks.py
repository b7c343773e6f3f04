# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.15: what an application tries that wants to go where it may not."""
import ctypes
import os
import socket
import struct

import pytest

import dnswire as w
import judging
import rawip
from judging import outcome
from policing import DNS_ANY, IPV6_FREEBIND, Servers, ask, far, inside, names, policy, start
from servers import Scripted
from snoplab import CLONE_NEWNET

MAY, EVIL, EVIL6 = '10.55.0.1', '10.55.9.9', 'fd55::99'
WEB = 'web.policed.test'
POLICY = policy(names(WEB) + DNS_ANY.replace('"*"', '"**"'))
TWO = (('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'}))


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside, ports=(80, 443, 853)):
        yield lab


def teach(lab, records, sections=None):
    """The resolver says this, whatever is asked."""
    return Scripted(lab.outside, lab.outside.ip4, lambda q: [w.answer(q, records, counts=sections)])


def ask_then_begin(server, name, addresses, qtype=w.A):
    """What the addresses are good for after the question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((server, 53))
        s.settimeout(5)
        s.send(w.query(7, name, qtype))
        s.recv(65536)
    return [outcome(judging.way_udp, a) for a in addresses]


def begin(lab, name, *addresses, **options):
    return inside(lab, ask_then_begin, lab.outside.ip4, name, addresses, **options)


@pytest.mark.parametrize('sections', [(1, 2, 0, 0), (1, 1, 1, 0), (1, 1, 0, 1)])
def test_3_15_a4_records_that_nobody_asked_for(world, sections):
    """Neither in the answer beside the chain, nor as authority, nor as glue."""
    start(world, POLICY)
    with teach(world, [w.a(w.QNAME, MAY), w.a(WEB.replace('web', 'ns'), EVIL)], sections):
        assert begin(world, WEB, MAY, EVIL) == ['ok', 'EPERM']


def test_3_15_a5_an_alias_of_an_allowed_name_is_nobody(world):
    start(world, POLICY)
    with teach(world, [w.cname(w.QNAME, WEB), w.a(WEB, EVIL)]):
        assert begin(world, 'evil.policed.test', EVIL) == ['EPERM']
    with teach(world, [w.cname(w.QNAME, WEB)]):
        assert begin(world, 'evil.policed.test') == [], 'evil leads to web, and gives it nothing'
    with teach(world, [w.cname(w.QNAME, 'cdn.elsewhere.test'), w.a('cdn.elsewhere.test', MAY)]):
        assert begin(world, WEB, MAY) == ['ok'], 'where an allowed name leads may be gone to'


@pytest.mark.parametrize('records', [
    [w.cname(w.QNAME, 'a.test'), w.cname('a.test', WEB), w.a(WEB, EVIL)],
    [w.cname(w.QNAME, 'c1.test')] + [w.cname(f'c{i}.test', f'c{i + 1}.test') for i in range(1, 100)]
    + [w.a('c100.test', EVIL)]], ids=['loop', 'hundred'])
def test_3_15_a6_chains_without_an_end(world, records):
    start(world, POLICY)
    with teach(world, records):
        assert begin(world, WEB, EVIL) == ['EPERM']


def test_3_15_a7_another_endpoints_name(world):
    start(world, POLICY, endpoints=TWO)
    with teach(world, [w.a(w.QNAME, MAY)]):
        assert begin(world, WEB, MAY) == ['ok']
        assert inside(world, outcome, judging.way_tcp, MAY, cgroup='two') == 'EPERM'


def forge(server, here, name, address):
    """Ask on a socket, and put the answer on the wire oneself, in the resolver's name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((server, 53))
        query = w.query(7, name)
        s.send(query)
        forged = w.answer(query, [w.a(w.QNAME, address)])
        packet = judging.ipv4(server, here, 17, rawip.udp(server, 53, here, s.getsockname()[1], forged))
        sent = outcome(judging.send_raw, packet)
        s.settimeout(5)
        return sent, outcome(s.recv, 65536) if sent == 'ok' else None, outcome(judging.way_udp, address)


def test_3_15_a8_answers_forged_by_who_asked(world):
    """With CAP_NET_RAW: its own host is an address like any other to it."""
    start(world, POLICY)
    assert inside(world, forge, world.outside.ip4, world.node.ip4, WEB, EVIL) == ('EPERM', None, 'EPERM')


def test_3_15_a8_at_worst_its_own_scope_and_never_what_is_denied(world):
    deny = '  egressDeny:\n  - toCIDR: ["10.55.7.0/24"]\n'
    start(world, policy(names(WEB) + '  - toEntities: [host]\n' + DNS_ANY + deny), endpoints=TWO)
    for address in EVIL, '10.55.7.7':
        inside(world, forge, world.outside.ip4, world.node.ip4, WEB, address)
    assert inside(world, outcome, judging.way_udp, '10.55.7.7') == 'EPERM'
    assert inside(world, outcome, judging.way_udp, EVIL, cgroup='two') == 'EPERM'


@pytest.mark.parametrize('address', ['169.254.169.254', '127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1',
                                     'fd00:ec2::254', 'fe80::1', '::ffff:10.55.9.9', '64:ff9b::a37:909', '::'])
def test_3_15_a9_rebinding(world, address):
    """What is never learned is not allowed by any name; loopback is open anyhow, the others stay shut."""
    daemon = start(world, POLICY)
    kind, record = (w.AAAA, w.aaaa) if ':' in address else (w.A, w.a)
    with teach(world, [record(w.QNAME, address)]):
        got = inside(world, ask_then_begin, world.outside.ip4, WEB, [], kind)
    assert got == [] and daemon.refused('rebind_blocked') == 1
    if address not in ('127.0.0.1', '0.0.0.0', '::1', '::'):
        assert inside(world, outcome, knock, address) == 'EPERM'
    assert inside(world, outcome, judging.way_udp, EVIL) == 'EPERM'


def knock(address):
    with judging.open_socket(address, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        scope = (0, socket.if_nametoindex('eth0')) if address.startswith('fe80') else ()
        s.sendto(b'x', (address, 443, *scope))


def test_3_15_a18_a_question_in_fragments(world):
    """A raw socket cuts it before its name: no part of it leaves."""
    start(world, policy(names(WEB) + DNS_ANY.replace('"*"', f'"{WEB}"')))
    here, there = world.node.ip4, world.outside.ip4
    with Scripted(world.outside, there) as resolver:
        for cuts in [8], [16], [24]:
            whole = rawip.udp(here, 40000, there, 53, w.query(7, 'forbidden.policed.test'))
            parts = [judging.ipv4(here, there, 17, p[20:], struct.unpack('>H', p[6:8])[0])
                     for p in rawip.fragments(here, there, whole, cuts)]
            assert [inside(world, outcome, judging.send_raw, p) for p in parts] == ['EPERM'] * 2
        asked = judging.ipv4(here, there, 17, rawip.udp(here, 40000, there, 53, w.query(7, WEB)))
        assert inside(world, outcome, judging.send_raw, asked) == 'ok'
        assert w.name(WEB) in resolver.take()[0], 'nothing came before what is allowed'


def test_3_15_a26_other_ways_to_resolve(world):
    """DoH, DoT, a resolver of its own choice: default deny; and what that one says is not learned."""
    start(world, POLICY)
    assert inside(world, _all, [('way_tcp', EVIL, 443), ('way_tcp', EVIL, 853), ('way_udp', EVIL, 0, 853),
                                ('way_udp', EVIL, 0, 53), ('way_tcp', EVIL, 53)]) == ['EPERM'] * 5


def _all(tries):
    return [outcome(getattr(judging, way), *args) for way, *args in tries]


def test_3_15_a26_an_open_resolver_that_is_not_trusted(world):
    daemon = start(world, policy(names(WEB) + f'  - toCIDR: ["{EVIL}/32"]\n' + DNS_ANY))
    with Scripted(world.outside, EVIL, lambda q: [w.answer(q, [w.a(w.QNAME, '10.55.8.8')])]):
        assert inside(world, ask, EVIL, WEB) == ['10.55.8.8']
    assert inside(world, outcome, judging.way_udp, '10.55.8.8') == 'EPERM'
    assert daemon.refused('untrusted_server') == 1


def test_3_15_a27_what_an_allowed_host_relays_is_its_own(world):
    """A limit by design: to an allowed address everything may be said."""
    start(world, POLICY)
    with teach(world, [w.a(w.QNAME, MAY)]):
        assert begin(world, WEB, MAY) == ['ok']
    assert inside(world, outcome, judging.way_tcp, MAY, 80) == 'ok'


def test_3_15_addresses_as_they_are(world):
    """No name at all: in every spelling, of both families."""
    start(world, POLICY)
    assert inside(world, _all, [('way_tcp', a) for a in (EVIL, EVIL6, judging.mapped(EVIL), MAY)]) == ['EPERM'] * 4


@pytest.mark.parametrize('resolvers', [['127.0.0.53'], []], ids=['trusted in the host', 'not trusted'])
def test_3_15_a_dns_server_of_its_own_in_a_namespace_of_its_own(world, resolvers):
    start(world, POLICY, changes={'observe': {'resolvers': [world.outside.ip4, *resolvers]}})

    def alone():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        os.system('ip link set lo up')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            server.bind(('127.0.0.53', 53))
            asker.connect(('127.0.0.53', 53))
            asker.send(w.query(7, WEB))
            query, who = server.recvfrom(512)
            server.sendto(w.answer(query, [w.a(w.QNAME, EVIL)]), who)
            return len(asker.recv(512)) > 0

    assert inside(world, alone)
    assert inside(world, outcome, judging.way_udp, EVIL) == 'EPERM'


def test_3_15_a_namespace_that_has_the_resolvers_address(world):
    """Nothing tells it from a pod's: what it teaches is its own endpoint's, and never what is denied."""
    deny = '  egressDeny:\n  - toCIDR: ["10.55.7.0/24"]\n'
    start(world, policy(names(WEB) + DNS_ANY + deny), endpoints=TWO)

    def pretend(address):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        os.system(f'ip link set lo up; ip address add {address}/32 dev lo')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            server.bind((address, 53))
            asker.connect((address, 53))
            for taught in EVIL, '10.55.7.7', '169.254.169.254':
                asker.send(w.query(7, WEB))
                query, who = server.recvfrom(512)
                server.sendto(w.answer(query, [w.a(w.QNAME, taught)]), who)
                assert asker.recv(512)

    inside(world, pretend, world.outside.ip4)
    for address in '10.55.7.7', '169.254.169.254':
        assert inside(world, outcome, judging.way_udp, address) == 'EPERM'
    assert inside(world, outcome, judging.way_udp, EVIL, cgroup='two') == 'EPERM'


def test_3_15_a_dns_server_of_its_own_on_its_own_host(world):
    start(world, POLICY)

    def serve(address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            server.bind((address, 53))
            asker.bind((address, 0))
            sent = outcome(asker.sendto, w.query(7, WEB), (address, 53))
            if sent == 'EPERM':
                return sent
            query, who = server.recvfrom(512)
            server.sendto(w.answer(query, [w.a(w.QNAME, EVIL)]), who)
            return len(asker.recv(512)) > 0

    assert inside(world, serve, world.node.ip4) == 'EPERM'
    assert inside(world, serve, '127.0.0.1') is True
    assert inside(world, outcome, judging.way_udp, EVIL) == 'EPERM'


NEARLY = ['wb.policed.test', 'weeb.policed.test', 'wed.policed.test', 'web.policed.tes', 'web.policed.testt',
          'xweb.policed.test', 'web.policed.test.evil.test', 'a.web.policed.test', 'policed.test',
          'web-policed.test', 'webpoliced.test']
WITHIN = [b'\x10web.policed.test\x00', b'\x0bweb.policed\x04test\x00', b'\x03web\x0cpoliced.test\x00',
          b'\x01*\x07policed\x04test\x00', b'\x04web\x00\x07policed\x04test\x00', b'\x04web \x07policed\x04test\x00',
          b'\x05we\\.b\x07policed\x04test\x00', b'\x04web\n\x07policed\x04test\x00', b'\x04web\xff\x07policed\x04test\x00']


@pytest.mark.parametrize('rule', [f'matchName: "{WEB}"', f'matchPattern: "{WEB}"', 'matchPattern: "w*b.policed.test"'])
def test_3_15_names_one_edit_away(world, rule):
    kind, pattern = rule.split(': ')
    start(world, policy(names(pattern.strip('"'), kind=kind)))
    wild = '*' in rule
    with teach(world, [w.a(w.QNAME, EVIL)]):
        for name in NEARLY + WITHIN:
            may = 'ok' if wild and name in ('wb.policed.test', 'weeb.policed.test') else 'EPERM'
            # One address for all: what is open once stays open.
            if may == 'EPERM':
                assert begin(world, name, EVIL) == [may], name
        assert begin(world, WEB, EVIL) == ['ok']


# Each gives what the resolver says to its question, for an address that only this row names.
ODD_ANSWERS = {
    'to another question': (WEB, w.A, lambda q, a: w.answer(q, [w.a(WEB, a)], asked=w.question('other.policed.test'))),
    'as another id': (WEB, w.A, lambda q, a: w.answer(q, [w.a(WEB, a)], ident=8)),
    'of its parent': (WEB, w.A, lambda q, a: w.answer(q, [w.a('policed.test', a)])),
    'of a child': (WEB, w.A, lambda q, a: w.answer(q, [w.a('x.' + WEB, a)])),
    'an address before its alias': (WEB, w.A, lambda q, a: w.answer(q, [w.a('x.test', a), w.cname(w.QNAME, 'x.test')])),
    'of another class': (WEB, w.A, lambda q, a: w.answer(q, [w.a(w.QNAME, a, rclass=w.CH)])),
    'that says there is no such name': (WEB, w.A, lambda q, a: w.answer(q, [w.a(w.QNAME, a)], flags=0x8183)),
    'in a second message': (WEB, w.A, lambda q, a: w.answer(q, [], tail=w.answer(q, [w.a(w.QNAME, a)]))),
    'in options': (WEB, w.A, lambda q, a: w.answer(q, [w.rr('', 41, w.a(WEB, a), 0, 4096)], counts=(1, 0, 0, 1))),
    'a hint of another service': (WEB, w.HTTPS, lambda q, a: w.answer(q, [w.https('x.test', [a])])),
    'a hint that leads to an allowed name': ('evil.policed.test', w.HTTPS,
                                             lambda q, a: w.answer(q, [w.https(w.QNAME, [a], target=WEB)])),
    'an escaped dot': (b'\x0bweb.policed\x04test\x00', w.A, lambda q, a: w.answer(q, [w.a(w.QNAME, a)])),
    'a final dot in a label': (b'\x03web\x07policed\x05test.\x00', w.A, lambda q, a: w.answer(q, [w.a(w.QNAME, a)])),
    'letters that look alike': (b'\x03web\x0exn--policd-bva\x04test\x00', w.A, lambda q, a: w.answer(q, [w.a(w.QNAME, a)])),
}


def test_3_15_odd_answers_open_nothing(world):
    start(world, policy(names(WEB)))  # any name may be asked
    rows = {f'10.55.8.{i + 1}': row for i, row in enumerate(ODD_ANSWERS.values())}

    def each(server):
        opened = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((server, 53))
            for address, (name, qtype, _) in rows.items():
                s.send(w.query(7, name, qtype))
                s.recv(65536)
                if outcome(judging.way_udp, address) != 'EPERM':
                    opened.append(address)
            s.send(w.query(7, WEB))  # and the resolver is listened to all the time
            s.recv(65536)
            return opened, outcome(judging.way_udp, MAY)

    answers = iter([(address, make) for address, (_, _, make) in rows.items()])

    def handler(query):
        address, make = next(answers, (MAY, lambda q, a: w.answer(q, [w.a(w.QNAME, a)])))
        return [make(query, address)]

    with Scripted(world.outside, world.outside.ip4, handler):
        opened, after = inside(world, each, world.outside.ip4)
    assert [list(ODD_ANSWERS)[list(rows).index(a)] for a in opened] == [] and after == 'ok'


def test_3_15_a8_an_answer_from_this_host_in_the_resolvers_name(world):
    """IPV6_FREEBIND, and a port that anybody may have: an answer comes back by the device that the question took."""
    daemon = start(world, POLICY)
    with world.node.inside(), open('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'w') as f:
        f.write('0')

    def pretend(server):
        judging.become_nobody()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asker, \
                socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as forger:
            asker.bind(('::', 0))
            query = w.query(7, WEB)
            asker.sendto(query, (server, 53))
            forger.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            forger.bind((server, 53))
            sent = outcome(forger.sendto, w.answer(query, [w.a(w.QNAME, EVIL)]), ('::1', asker.getsockname()[1]))
            asker.settimeout(5)
            return sent == 'EPERM' or asker.recvfrom(512)[1][0] == server, outcome(judging.way_udp, EVIL)

    assert inside(world, pretend, world.outside.ip6) == (True, 'EPERM')
    assert daemon.names() == {}
