# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.17, attacks by packets: huge datagrams, several in one buffer, fragments."""
import socket
import struct

import pytest

import dnswire as w
import rawip
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import Lab
from test_1_17_answers import Counted, client, listed

SERVER4, SERVER6 = '10.53.0.66', 'fd53::66'
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
GOOD = '192.0.2.66'


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        made.outside.add_addresses(f'{SERVER4}/24', f'{SERVER6}/64')
        made.attacker = made.add_host('attacker')
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {'observe': {'resolvers': [SERVER4, SERVER6]},
                          'limits': {'addresses_per_name': 5000}}).start()


@pytest.fixture(params=[SERVER4, SERVER6], ids=['ipv4', 'ipv6'])
def address(snooperd, request):
    return request.param


def label(address):
    return address.replace(':', '').replace('.', '-')


def many(count):
    return [f'198.18.{i >> 8}.{i & 255}' for i in range(count)]


# The largest message that one UDP datagram can carry.
LARGEST = {SERVER4: 65535 - 20 - 8, SERVER6: 65535 - 8}


def filled(query, address):
    """An answer of the very largest size: as many addresses as fit, and a text for the rest."""
    room = LARGEST[address] - 12 - len(w.question_of(query)) - 12
    texts = many(room // 16)
    rest = w.rr(w.QNAME, w.TXT, b'x' * (room % 16))
    message = w.answer(query, [w.a(w.QNAME, t) for t in texts] + [rest])
    assert len(message) == LARGEST[address]
    return message, texts


def test_1_17_a16_64_kb_over_udp(lab, snooperd, address):
    """One datagram, fragmented on the wire, not linear at the hook: read whole."""
    name = f'a16-{label(address)}.test'
    query = w.query(1, name, edns=65535)
    message, texts = filled(query, address)
    with Scripted(lab.outside, address, lambda q: [message]):
        (came, _), = lab.node.call(ask, address, [query])
    assert came == message
    assert len(texts) > 4000
    listed(snooperd, name, *texts)


def test_1_17_a16_64_kb_with_a_flaw_at_its_end(lab, snooperd, address):
    """What is wrong in the last bytes spoils all of the message, and is counted."""
    name = f'a16bad-{label(address)}.test'
    query = w.query(1, name, edns=65535)
    whole, _ = filled(query, address)
    flaws = [whole[:-1], whole[:6] + struct.pack('>H', len(whole)) + whole[8:]]
    with Counted(snooperd, short=len(flaws)):
        for flaw in flaws:
            with Scripted(lab.outside, address, lambda q: [flaw]):
                (came, _), = lab.node.call(ask, address, [query])
            assert came == flaw
    assert name not in snooperd.names()


def gro_client(server, queries, gro):
    """Ask all of it from one socket; then the bytes that come, however many messages a buffer holds."""
    with socket.socket(socket.AF_INET6 if ':' in server else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(SOL_UDP, UDP_GRO, int(gro))
        sock.settimeout(5)
        sock.connect((server, 53))
        for query in queries:
            sock.send(query)
        yield 'asked'
        size, buffers = 0, []
        while True:
            data = sock.recv(65535)
            buffers.append(data)
            size += len(data)
            if size >= 4 * 200:
                yield buffers


def padded(query, address, size=200):
    """An answer of exactly that size: a buffer of segments holds messages of one size."""
    room = size - 12 - len(w.question_of(query)) - 16 - 12
    return w.answer(query, [w.a(w.QNAME, address), w.rr(w.QNAME, w.TXT, b'x' * room)])


@pytest.mark.parametrize('gro', [False, True], ids=['plain', 'udp-gro'])
def test_1_17_a17_answers_in_one_buffer(lab, snooperd, address, gro):
    """
    Four answers leave the server as one buffer. A plain socket gets them one by
    one, and all are learned; with UDP_GRO it gets them as one: counted, never misread.
    """
    names = [f'a17-{i}-{gro}-{label(address)}.test'.lower() for i in range(4)]
    queries = [w.query(i, name) for i, name in enumerate(names)]
    with Scripted(lab.outside, address) as server, \
            lab.node.steps(gro_client, address, queries, gro) as steps:
        steps.next()
        taken = [server.take() for _ in names]
        burst = b''.join(padded(q, f'192.0.2.{q[1] + 1}') for q, _ in taken)
        server.sock.setsockopt(SOL_UDP, UDP_SEGMENT, 200)
        with Counted(snooperd, segmented=int(gro), misdirected=0, unasked=0):
            server.send(burst, taken[0][1])
            buffers = steps.next()
    assert b''.join(buffers) == burst
    assert len(buffers) == (1 if gro else 4), 'the premise of this test'
    if gro:
        assert not set(names) & set(snooperd.names())
        return
    for i, name in enumerate(names):
        listed(snooperd, name, f'192.0.2.{i + 1}')


def test_1_17_a17_questions_in_one_buffer(lab, snooperd, address):
    """Questions sent as one buffer (UDP_SEGMENT) are not noted, and counted: their answers teach nothing."""
    names = [f'a17q{i}-{label(address)}.test' for i in range(4)]
    queries = [w.query(i, name) for i, name in enumerate(names)]
    assert len({len(q) for q in queries}) == 1

    def segmented_client():
        with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(SOL_UDP, UDP_SEGMENT, len(queries[0]))
            sock.settimeout(5)
            sock.connect((address, 53))
            sock.send(b''.join(queries))
            return len([sock.recv(512) for _ in queries])
    with Scripted(lab.outside, address, lambda q: [w.answer(q, [w.a(w.QNAME, GOOD)])]):
        with Counted(snooperd, segmented=1, unasked=4):
            assert lab.node.call(segmented_client) == 4
    assert not set(names) & set(snooperd.names())


# Where the 8-byte UDP header, the header of the message, the question end; and everywhere.
CUTS = {'tiny first': [8], 'inside the message': [24], 'eight bytes each': None}


@pytest.mark.parametrize('cuts', CUTS.values(), ids=CUTS)
@pytest.mark.parametrize('backwards', [False, True], ids=['in-order', 'last-first'])
def test_1_17_a18_answer_in_fragments(lab, snooperd, address, cuts, backwards):
    """However an answer was cut on its way: one datagram at the hook, under all the usual rules."""
    name = f'a18-{list(CUTS.values()).index(cuts)}-{int(backwards)}-{label(address)}.test'
    victim = lab.node.address(6 if ':' in address else 4)
    with Scripted(lab.outside, address) as server, \
            lab.node.steps(client, address, w.query(0x77, name)) as steps:
        port = steps.next()
        query, _ = server.take()

        def cut(message, ident):
            datagram = rawip.udp(address, 53, victim, port, message)
            packets = rawip.fragments(address, victim, datagram, cuts or range(8, len(datagram), 8), ident)
            return packets[::-1] if backwards else packets
        forged = w.answer(query, [w.a(w.QNAME, '203.0.113.1')], ident=0x78)
        answer = w.answer(query, [w.a(w.QNAME, GOOD)])
        with Counted(snooperd, unasked=1, fragment=0):
            lab.outside.call(rawip.send, victim, cut(forged, 1))
            assert steps.next() == [forged]
        lab.outside.call(rawip.send, victim, cut(answer, 2))
        assert steps.next() == [answer]
    listed(snooperd, name, GOOD)


def test_1_17_a18_atomic_fragment(lab, snooperd):
    """A fragment header with nothing before or after (RFC 6946): the whole datagram, read through it."""
    with Scripted(lab.outside, SERVER6) as server, \
            lab.node.steps(client, SERVER6, w.query(1, 'a18-atomic.test')) as steps:
        port = steps.next()
        query, _ = server.take()
        answer = w.answer(query, [w.a(w.QNAME, GOOD)])
        datagram = rawip.udp(SERVER6, 53, lab.node.ip6, port, answer)
        lab.outside.call(rawip.send, lab.node.ip6,
                         [rawip.ipv6(SERVER6, lab.node.ip6, datagram, fragment=0)])
        assert steps.next() == [answer]
    listed(snooperd, 'a18-atomic.test', GOOD)


def test_1_17_a18_raw_fragments_out(lab, snooperd, address):
    """Fragments made by hand on an observed host: no question is read from them, each is counted."""
    source = lab.node.address(6 if ':' in address else 4)
    query = w.query(1, f'a18-raw-{label(address)}.test')
    datagram = rawip.udp(source, 4053, address, 53, query)
    packets = rawip.fragments(source, address, datagram, range(8, len(datagram), 8))
    before = snooperd.counter('queries_noted')
    with Scripted(lab.outside, address) as server, Counted(snooperd, fragment=len(packets)):
        lab.node.call(rawip.send, address, packets)
        assert server.take()[0] == query, 'the packets must leave as they were sent'
    assert snooperd.counter('queries_noted') == before
