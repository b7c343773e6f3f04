# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.6: what must not be learned is not, is counted under its reason, and reaches its socket."""
import socket
import time

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted
from snoplab import PATIENCE, Lab, wait_until

EVIL, OTHER, STRANGER = '10.53.0.66', '10.53.0.67', '10.53.0.68'
ADDRESS = '192.0.2.66'
FLAGS = 0x8180
LATE_AFTER = 2 * PATIENCE


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        for server in EVIL, OTHER, STRANGER:
            made.outside.add_addresses(f'{server}/24')
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {'observe': {'resolvers': [EVIL, OTHER],
                                      'query_timeout': f'{int(LATE_AFTER * 1000)}ms'}}).start()


@pytest.fixture(scope='module')
def evil(lab):
    with Scripted(lab.outside, EVIL) as server:
        yield server


def client(server, query):
    """Ask once from a socket that is not connected; then, each step, what came next."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5 * PATIENCE)
        sock.bind(('', 0))
        sock.sendto(query, (server, 53))
        yield 'asked'
        while True:
            yield sock.recv(65535)


def good(query):
    return w.answer(query, [w.a(w.QNAME, ADDRESS)])


def with_records(*records, **options):
    return lambda query: w.answer(query, list(records), **options)


def pointer(offset):
    return bytes([0xc0 | offset >> 8, offset & 0xff])


def answer_start(query):
    """Where the first record of an answer to it stands."""
    return 12 + len(w.question_of(query))


def self_pointer(query):
    return w.answer(query, [w.a(pointer(answer_start(query)), ADDRESS)])


def forward_pointer(query):
    return w.answer(query, [w.a(pointer(answer_start(query) + 16), ADDRESS), w.a(w.QNAME, ADDRESS)])


def pointer_circle(query):
    """Two pointers in a text record that name each other, and an owner that leads there."""
    at = answer_start(query) + 12
    return w.answer(query, [w.rr(w.QNAME, w.TXT, pointer(at + 2) + pointer(at)),
                            w.a(pointer(at), ADDRESS)])


def many_pointers(query):
    at = answer_start(query) + 12
    chain = w.QNAME + b''.join(pointer(at + 2 * i) for i in range(20))
    return w.answer(query, [w.rr(w.QNAME, w.TXT, chain), w.a(pointer(at + 40), ADDRESS)])


def cut(at):
    return lambda query: good(query)[:at]


def chain(length, end):
    """A CNAME chain from the question; end(last name) is its last record."""
    names = [w.QNAME] + [f'n{i}.chain.test' for i in range(length)]
    records = [w.cname(a, b) for a, b in zip(names, names[1:])]
    return with_records(*records, end(names[-1]))


MALFORMED = [
    # (what, counted as, the message)
    ('only a header, cut', 'short', cut(11)),
    ('question cut', 'short', cut(20)),
    ('record cut', 'short', lambda q: good(q)[:-1]),
    ('counts lie by one', 'short', with_records(w.a(w.QNAME, ADDRESS), counts=(1, 2, 0, 0))),
    ('counts lie by all', 'short', with_records(w.a(w.QNAME, ADDRESS), counts=(1, 65535, 0, 0))),
    ('additional records missing', 'short', with_records(w.a(w.QNAME, ADDRESS), counts=(1, 1, 0, 9))),
    ('rdlength past the end', 'short', with_records(w.rr(w.QNAME, w.TXT, b'x', rdlength=60000))),
    ('A of 5 bytes', 'rdlength', with_records(w.rr(w.QNAME, w.A, b'\xc0\0\2\1\1'))),
    ('A of 0 bytes', 'rdlength', with_records(w.rr(w.QNAME, w.A, b''))),
    ('AAAA of 4 bytes', 'rdlength', with_records(w.rr(w.QNAME, w.AAAA, b'\xc0\0\2\1'))),
    ('CNAME and a byte', 'rdlength', with_records(w.rr(w.QNAME, w.CNAME, b'\1x\0\0'))),
    ('label type 01', 'label_type', with_records(w.a(b'\x41a\0', ADDRESS))),
    ('label type 10', 'label_type', with_records(w.a(b'\x81a\0', ADDRESS))),
    ('owner of 256 bytes', 'name_long',
     with_records(w.a('.'.join(['x' * 63] * 3 + ['y' * 62]), ADDRESS))),
    ('pointer to itself', 'pointer', self_pointer),
    ('pointer forwards', 'pointer', forward_pointer),
    ('pointers in a circle', 'pointer', pointer_circle),
    ('pointer into the header', 'pointer', with_records(w.a(pointer(0), ADDRESS))),
    ('20 pointers', 'jumps', many_pointers),
    ('CNAME to itself', 'chain_loop', with_records(w.cname(w.QNAME, w.QNAME), w.a(w.QNAME, ADDRESS))),
    ('CNAME circle', 'chain_loop', chain(3, lambda last: w.cname(last, w.QNAME))),
    ('100 CNAMEs', 'chain_long', chain(100, lambda last: w.a(last, ADDRESS))),
    ('service keys out of order', 'svcb',
     with_records(w.rr(w.QNAME, w.HTTPS, b'\0\1\0' + b'\0\4\0\4' + b'\xc0\0\2\1' + b'\0\1\0\0'))),
    ('service hint of 3 bytes', 'svcb',
     with_records(w.rr(w.QNAME, w.HTTPS, b'\0\1\0' + b'\0\4\0\3' + b'\xc0\0\2'))),
    ('records without end', 'steps',
     with_records(*[w.rr('', w.TXT, b'')] * 5900, counts=(1, 0, 0, 5900))),
    ('a query', 'not_answer', with_records(w.a(w.QNAME, ADDRESS), flags=0x0100)),
    ('opcode NOTIFY', 'opcode', with_records(w.a(w.QNAME, ADDRESS), flags=FLAGS | 4 << 11)),
    ('no question', 'qdcount', with_records(w.a('evil.test', ADDRESS), asked=b'', counts=(0, 1, 0, 0))),
    ('two questions', 'qdcount',
     lambda q: w.answer(q, [w.a(w.QNAME, ADDRESS)], asked=w.question_of(q) * 2, counts=(2, 1, 0, 0))),
    ('class CHAOS', 'qclass',
     lambda q: w.answer(q, [w.a(w.QNAME, ADDRESS)], asked=w.question_of(q)[:-2] + b'\0\3')),
    ('SERVFAIL', 'rcode', with_records(w.a(w.QNAME, ADDRESS), flags=FLAGS | w.SERVFAIL)),
    ('NXDOMAIN', 'rcode', with_records(w.a(w.QNAME, ADDRESS), flags=FLAGS | w.NXDOMAIN)),
    ('another id', 'unasked', lambda q: w.answer(q, [w.a(w.QNAME, ADDRESS)], ident=4242)),
    ('another name', 'misdirected',
     lambda q: w.answer(q, [w.a(w.QNAME, ADDRESS)], asked=w.question('victim.test'))),
    ('another type', 'misdirected',
     lambda q: w.answer(q, [w.a(w.QNAME, ADDRESS)], asked=w.question_of(q)[:-4] + b'\0\x1c\0\1')),
    ('owner not asked for', 'off_chain', with_records(w.a('victim.test', ADDRESS))),
    ('class CHAOS in a record', 'rr_class', with_records(w.a(w.QNAME, ADDRESS, rclass=w.CH))),
    ('address before its CNAME', 'off_chain',
     with_records(w.a('target.test', ADDRESS), w.cname(w.QNAME, 'target.test'))),
]
REBINDING = ['0.0.0.0', '127.0.0.1', '169.254.169.254', '224.0.0.1', '255.255.255.255', '::', '::1',
             'fe80::1', 'ff02::1', 'fd00:ec2::254', '::ffff:192.0.2.1', '64:ff9b::1']


def exchange(lab, snooperd, evil, name, message, reason, by=1):
    """One question, answered with the message: it arrives as it is, is counted, and learns nothing."""
    before = snooperd.refused(reason)
    with lab.node.steps(client, EVIL, w.query(7, name)) as steps:
        steps.next()
        query, asker = evil.take()
        wire = message(query)
        evil.send(wire, asker)
        assert steps.next() == wire, 'the packet must reach its socket as it was sent'
    wait_until(lambda: snooperd.refused(reason) >= before + by, what=f'counted as {reason}')
    assert snooperd.refused(reason) == before + by
    listed = snooperd.names()
    assert name not in listed and 'victim.test' not in listed and 'target.test' not in listed


@pytest.mark.parametrize('what, reason, message', MALFORMED, ids=[row[0] for row in MALFORMED])
def test_1_6_refused_and_counted(lab, snooperd, evil, what, reason, message):
    number = MALFORMED.index((what, reason, message))
    exchange(lab, snooperd, evil, f'evil{number}.test', message, reason)


@pytest.mark.parametrize('address', REBINDING)
def test_1_6_rebinding_is_refused(lab, snooperd, evil, address):
    make = w.aaaa if ':' in address else w.a
    name = f'rebind{REBINDING.index(address)}.test'
    exchange(lab, snooperd, evil, name, with_records(make(w.QNAME, address)), 'rebind_blocked')


def test_1_6_good_record_beside_a_refused_one(lab, snooperd, evil):
    with lab.node.steps(client, EVIL, w.query(7, 'mixed.test')) as steps:
        steps.next()
        query, asker = evil.take()
        evil.send(w.answer(query, [w.a(w.QNAME, '127.0.0.1'), w.a(w.QNAME, ADDRESS),
                                   w.a('victim.test', ADDRESS)]), asker)
        steps.next()
    listed = snooperd.wait_for('mixed.test')
    assert [a['address'] for a in listed['mixed.test']['addresses']] == [ADDRESS]
    assert 'victim.test' not in listed


def test_1_6_glue_is_not_learned(lab, snooperd, evil):
    """Authority and additional sections are walked, and teach nothing."""
    with lab.node.steps(client, EVIL, w.query(7, 'glue.test')) as steps:
        steps.next()
        query, asker = evil.take()
        evil.send(w.answer(query, [w.a(w.QNAME, ADDRESS), w.a('victim.test', ADDRESS),
                                   w.a(w.QNAME, '192.0.2.67')], counts=(1, 1, 1, 1)), asker)
        steps.next()
    listed = snooperd.wait_for('glue.test')
    assert [a['address'] for a in listed['glue.test']['addresses']] == [ADDRESS]
    assert 'victim.test' not in listed


def test_1_6_second_answer_teaches_nothing(lab, snooperd, evil):
    before = snooperd.refused('doubled')
    with lab.node.steps(client, EVIL, w.query(7, 'twice.test')) as steps:
        steps.next()
        query, asker = evil.take()
        second = w.answer(query, [w.a(w.QNAME, '192.0.2.99')])
        for wire in good(query), good(query), second:
            evil.send(wire, asker)
            assert steps.next() == wire
    wait_until(lambda: snooperd.refused('doubled') == before + 2, what='both counted')
    snooperd.wait_for('twice.test')
    assert snooperd.addresses('twice.test') == {ADDRESS}


def test_1_6_late_answer_teaches_nothing(lab, snooperd, evil):
    before = snooperd.refused('late')
    with lab.node.steps(client, EVIL, w.query(7, 'late.test')) as steps:
        steps.next()
        query, asker = evil.take()
        too_late = time.monotonic() + LATE_AFTER + 0.05
        wait_until(lambda: time.monotonic() > too_late, what='the question is too old')
        evil.send(good(query), asker)
        assert steps.next() == good(query)
    wait_until(lambda: snooperd.refused('late') == before + 1, what='counted as late')
    assert 'late.test' not in snooperd.names()


@pytest.mark.parametrize('address, reason', [(OTHER, 'misdirected'), (STRANGER, 'untrusted_server')],
                         ids=['of another resolver', 'of a stranger'])
def test_1_6_answer_from_another_server(lab, snooperd, evil, address, reason):
    before = snooperd.refused(reason)
    with Scripted(lab.outside, address) as server, \
            lab.node.steps(client, EVIL, w.query(7, 'spoofed.test')) as steps:
        steps.next()
        query, asker = evil.take()
        server.send(good(query), asker)
        assert steps.next() == good(query)
    wait_until(lambda: snooperd.refused(reason) == before + 1, what=f'counted as {reason}')
    assert 'spoofed.test' not in snooperd.names()


def test_1_6_strangers_are_listed(lab, snooperd):
    """Who answers here without being trusted: the first thing to look at when nothing is learned."""
    with Scripted(lab.outside, STRANGER) as server, \
            lab.node.steps(client, STRANGER, w.query(7, 'stranger.test')) as steps:
        steps.next()
        query, asker = server.take()
        server.send(good(query), asker)
        assert steps.next() == good(query)
    servers = {s['address']: s['answers'] for s in snooperd.status()['untrusted_servers']}
    assert servers.get(STRANGER, 0) >= 1
    assert EVIL not in servers
    assert 'stranger.test' not in snooperd.names()


def test_1_6_answer_from_another_port(lab, snooperd, evil):
    with Scripted(lab.outside, EVIL, port=5300) as server, \
            lab.node.steps(client, EVIL, w.query(7, 'port.test')) as steps:
        steps.next()
        query, asker = evil.take()
        server.send(good(query), asker)
        assert steps.next() == good(query)
        evil.send(w.answer(query, [w.a(w.QNAME, '192.0.2.68')]), asker)
        steps.next()
    snooperd.wait_for('port.test')
    assert snooperd.addresses('port.test') == {'192.0.2.68'}, 'only the asked server taught'


def test_1_6_answer_to_another_socket(lab, snooperd, evil):
    """The question of one socket does not make another one believe its answer."""
    before = snooperd.refused('unasked')
    with lab.node.steps(client, EVIL, w.query(7, 'mine.test')) as mine, \
            lab.node.steps(client, EVIL, w.query(8, 'yours.test')) as yours:
        mine.next()
        query, _ = evil.take()
        yours.next()
        _, other = evil.take()
        evil.send(good(query), other)
        assert yours.next() == good(query)
    wait_until(lambda: snooperd.refused('unasked') == before + 1, what='counted as unasked')
    assert 'mine.test' not in snooperd.names()


def test_1_6_still_learning_after_all_that(lab, snooperd, evil):
    with lab.node.steps(client, EVIL, w.query(7, 'fine.test')) as steps:
        steps.next()
        query, asker = evil.take()
        evil.send(good(query), asker)
        steps.next()
    snooperd.wait_for('fine.test')
    assert snooperd.addresses('fine.test') == {ADDRESS}
