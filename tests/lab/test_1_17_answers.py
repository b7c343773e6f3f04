# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.17, attacks by answers: forged, unasked, padded, rebinding, malformed, many-faced names."""
import socket
import struct

import pytest

import dnswire as w
import rawip
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import Lab, wait_until
from test_1_6_refusals import MALFORMED, REBINDING, chain, good

EVIL4, EVIL6, STRANGER = '10.53.0.66', 'fd53::66', '10.53.0.68'
GOOD, BAD = '192.0.2.66', '203.0.113.66'


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        made.outside.add_addresses(f'{EVIL4}/24', f'{EVIL6}/64', f'{STRANGER}/24')
        made.attacker = made.add_host('attacker')
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {'observe': {'resolvers': [EVIL4, EVIL6]}}).start()


@pytest.fixture(params=[EVIL4, EVIL6], ids=['ipv4', 'ipv6'])
def evil(lab, snooperd, request):
    with Scripted(lab.outside, request.param) as server:
        yield server


def client(server, query):
    """Ask once; then, each step, everything that came since."""
    with socket.socket(socket.AF_INET6 if ':' in server else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.settimeout(5)
        sock.bind(('', 0))
        sock.sendto(query, (server, 53))
        yield sock.getsockname()[1]
        while True:
            came = [sock.recv(65535)]
            sock.setblocking(False)
            try:
                while True:
                    came.append(sock.recv(65535))
            except BlockingIOError:
                sock.settimeout(5)
            yield came


def teach(lab, evil, query, *messages):
    """One question, answered with these messages, each made from the query; all of them arrive."""
    with lab.node.steps(client, evil.address, query) as steps:
        steps.next()
        asked, asker = evil.take()
        sent = [make(asked) for make in messages]
        for message in sent:
            evil.send(message, asker)
        came = []
        while len(came) < len(sent):
            came += steps.next()
        assert came == sent, 'every packet must reach its socket as it was sent'


def listed(snooperd, name, *addresses):
    """As soon as it has all of the addresses: it has no others."""
    wait_until(lambda: snooperd.addresses(name) >= set(addresses), what=f'{name} with {addresses}')
    assert snooperd.addresses(name) == set(addresses)


class Counted:
    """with Counted(snooperd, reason=3): the block makes the count rise by 3."""

    def __init__(self, snooperd, **reasons):
        self.snooperd, self.reasons = snooperd, reasons

    def __enter__(self):
        self.before = {reason: self.snooperd.refused(reason) for reason in self.reasons}

    def risen(self):
        return {reason: self.snooperd.refused(reason) - self.before[reason] for reason in self.reasons}

    def __exit__(self, kind, *_):
        if kind is None:
            wait_until(lambda: all(self.risen()[r] >= n for r, n in self.reasons.items()),
                       what=lambda: f'{self.reasons}, counted {self.risen()}')
            assert self.risen() == self.reasons


def records(*rrs, **options):
    return lambda query: w.answer(query, list(rrs), **options)


def test_1_17_a1_off_path_spoof(lab, snooperd, evil):
    """Forged with the resolver's address and port: neither id nor port nor name can be guessed."""
    name = f'a1-{evil.address}.test'.replace(':', '')
    query, victim = w.query(0x1234, name), lab.node.address(6 if ':' in evil.address else 4)
    header = rawip.ipv6 if ':' in evil.address else rawip.ipv4

    def forge(message, port):
        datagram = rawip.udp(evil.address, 53, victim, port, message)
        return header(evil.address, victim, datagram)

    def bad(question, ident):
        return w.answer(question, [w.a(w.QNAME, BAD)], ident=ident)

    with lab.node.steps(client, evil.address, query) as steps, \
            lab.node.steps(client, evil.address, w.query(9, f'other-{name}')) as other:
        port, other_port = steps.next(), other.next()
        evil.take()
        with Counted(snooperd, unasked=501, misdirected=3):
            wrong_id = [forge(bad(query, ident), port) for ident in range(0x2000, 0x2000 + 500)]
            right_id = [forge(bad(query, 0x1234), other_port),
                        forge(bad(w.query(0, 'victim.test'), 0x1234), port),
                        forge(bad(w.query(0, name, w.AAAA), 0x1234), port),
                        forge(bad(w.query(0, f'x{name}'), 0x1234), port)]
            lab.attacker.call(rawip.send, victim, wrong_id + right_id)
        assert not {name, f'other-{name}', 'victim.test', f'x{name}'} & set(snooperd.names())
        lab.attacker.call(rawip.send, victim, [forge(good(query), port)])
        listed(snooperd, name, GOOD)


def test_1_17_a2_untrusted_server(lab, snooperd):
    with Scripted(lab.outside, STRANGER, lambda q: [good(q)]), Counted(snooperd, untrusted_server=3):
        for ident in range(3):
            assert lab.node.call(ask, STRANGER, [w.query(ident, 'a2.test')])
    assert 'a2.test' not in snooperd.names()
    assert {'address': STRANGER, 'answers': 3} in snooperd.status()['untrusted_servers']


def test_1_17_a3_unsolicited_and_second_answers(lab, snooperd, evil):
    name = f'a3-{evil.address}.test'.replace(':', '')
    second = records(w.a(w.QNAME, BAD))
    with Counted(snooperd, doubled=3, unasked=1):
        teach(lab, evil, w.query(7, name), lambda q: w.answer(q, [w.a(w.QNAME, BAD)], ident=8),
              good, good, second, second)
    listed(snooperd, name, GOOD)
    # The same question again is a new one, and learned from once more.
    teach(lab, evil, w.query(7, name), records(w.a(w.QNAME, '192.0.2.67')))
    listed(snooperd, name, GOOD, '192.0.2.67')


def test_1_17_a4_records_not_asked_for(lab, snooperd, evil):
    name = f'a4-{evil.address}.test'.replace(':', '')
    extra = [w.a('bank.test', BAD), w.a('test', BAD), w.a(f'sub.{name}', BAD), w.aaaa('', '2001:db8::bad'),
             w.rr('bank.test', w.NS, w.name(name)), w.a(f'to.{name}', BAD), w.cname(w.QNAME, f'to.{name}'),
             w.a(f'to.{name}', GOOD), w.a(w.QNAME, BAD), w.cname('bank.test', f'to.{name}')]
    glue = [w.rr('test', w.NS, w.name('bank.test')), w.a('bank.test', BAD), w.a(w.QNAME, BAD),
            w.a(f'to.{name}', BAD), w.rr('', 41, b'')]
    with Counted(snooperd, off_chain=7):
        teach(lab, evil, w.query(7, name),
              lambda q: w.answer(q, extra + glue, counts=(1, len(extra), 2, 3)))
    listed(snooperd, name, GOOD)
    assert snooperd.names()[name]['cnames'] == [f'to.{name}']
    assert not {'bank.test', 'test', f'sub.{name}', f'to.{name}', '.'} & set(snooperd.names())


def test_1_17_a5_cname_to_an_allowed_name(lab, snooperd, evil):
    """evil.test CNAME allowed.test, A: the address is evil's, whatever it points at."""
    name = f'a5-{evil.address}.test'.replace(':', '')
    allowed = f'allowed-{name}'
    teach(lab, evil, w.query(7, allowed), records(w.a(w.QNAME, GOOD)))
    listed(snooperd, allowed, GOOD)
    teach(lab, evil, w.query(8, name), records(w.cname(w.QNAME, allowed), w.a(allowed, BAD)))
    listed(snooperd, name, BAD)
    assert snooperd.addresses(allowed) == {GOOD}
    assert snooperd.names()[name]['cnames'] == [allowed]
    assert snooperd.names()[allowed]['cnames'] == []


def test_1_17_a6_cname_loops_and_long_chains(lab, snooperd, evil):
    name = f'a6-{evil.address}.test'.replace(':', '')
    for length, reason in (17, 'chain_long'), (100, 'chain_long'):
        with Counted(snooperd, **{reason: 1}):
            teach(lab, evil, w.query(7, f'{length}.{name}'), chain(length, lambda last: w.a(last, BAD)))
    with Counted(snooperd, chain_loop=3):
        teach(lab, evil, w.query(7, f'self.{name}'), records(w.cname(w.QNAME, w.QNAME), w.a(w.QNAME, BAD)))
        teach(lab, evil, w.query(7, f'two.{name}'), chain(1, lambda last: w.cname(last, w.QNAME)))
        teach(lab, evil, w.query(7, f'rho.{name}'),
              records(w.cname(w.QNAME, 'x.test'), w.cname('x.test', 'y.test'), w.cname('y.test', 'X.test'),
                      w.a('x.test', BAD)))
    teach(lab, evil, w.query(7, f'16.{name}'), chain(16, lambda last: w.a(last, GOOD)))
    listed(snooperd, f'16.{name}', GOOD)
    assert len(snooperd.names()[f'16.{name}']['cnames']) == 16
    assert [n for n in snooperd.names() if n.endswith(name)] == [f'16.{name}']


# The first and the last address of every range that is never learned by default, and their neighbours.
NEVER = [*REBINDING, '0.255.255.255', '127.255.255.255', '169.254.0.0', '169.254.255.255', '224.0.0.0',
         '239.255.255.255', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ff00::',
         'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::ffff:0.0.0.0', '::ffff:127.0.0.1',
         '::ffff:169.254.169.254', '::ffff:255.255.255.255', '64:ff9b::', '64:ff9b::7f00:1',
         '64:ff9b::a9fe:a9fe', '64:ff9b::ffff:ffff']
FINE = ['1.0.0.0', '126.255.255.255', '128.0.0.0', '169.253.255.255', '169.255.0.0', '223.255.255.255',
        '240.0.0.0', '255.255.255.254', '10.0.0.1', '192.168.0.1', '::2', 'fe7f::1', 'fec0::', 'fd00:ec2::253',
        'fd00:ec2::255', '64:ff9b:1::1', '64:ff9b::1:0:0', 'feff::1', '::1:0:0:0']


def addresses_of(texts):
    return [(w.aaaa if ':' in t else w.a)(w.QNAME, t) for t in texts]


def test_1_17_a9_rebinding(lab, snooperd, evil):
    name = f'a9-{evil.address}.test'.replace(':', '')
    with Counted(snooperd, rebind_blocked=len(NEVER)):
        teach(lab, evil, w.query(7, name), records(*addresses_of(NEVER + FINE)))
    listed(snooperd, name, *FINE)


def test_1_17_a9_rebinding_by_other_ways(lab, snooperd, evil):
    """Behind a CNAME, as a service binding's hint: the same ranges."""
    name = f'a9w-{evil.address}.test'.replace(':', '')
    four, six = ['127.0.0.1', '169.254.169.254', GOOD], ['::1', 'fd00:ec2::254', '::ffff:127.0.0.1', '2001:db8::66']
    with Counted(snooperd, rebind_blocked=5 + 2):
        teach(lab, evil, w.query(7, f'svc.{name}', w.HTTPS), records(w.https(w.QNAME, four, six)))
        teach(lab, evil, w.query(7, f'cname.{name}'),
              records(w.cname(w.QNAME, 'localhost'), w.a('localhost', '127.0.0.1'),
                      w.aaaa('localhost', '::1'), w.a('localhost', GOOD)))
    listed(snooperd, f'svc.{name}', GOOD, '2001:db8::66')
    listed(snooperd, f'cname.{name}', GOOD)


def test_1_17_a9_rebinding_to_private_addresses(lab):
    """learn_private: false refuses RFC 1918 and ULA as well."""
    private = ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255',
               'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']
    public = ['9.255.255.255', '11.0.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '192.169.0.0',
              'fbff::1', 'fe00::']
    strict = Snooperd(lab, {'observe': {'resolvers': [EVIL4], 'learn_private': False}}, 'strict').start()
    with Scripted(lab.outside, EVIL4) as server, Counted(strict, rebind_blocked=len(private)):
        teach(lab, server, w.query(7, 'private.test'), records(*addresses_of(private + public)))
    listed(strict, 'private.test', *public)
    strict.stop()
    assert strict.once('--uninstall').returncode == 0


def test_1_17_a10_mixed_case(lab, snooperd, evil):
    """A resolver that plays with case (0x20), and one that does not echo it: one lower-case name."""
    name = f'a10-{evil.address}.test'.replace(':', '')
    mixed = ''.join(c.upper() if i % 2 else c for i, c in enumerate(name))
    teach(lab, evil, w.query(7, mixed), records(w.a(name.upper(), '192.0.2.1')))
    teach(lab, evil, w.query(7, name.upper()), records(w.a(mixed, '192.0.2.2'), asked=w.question(name)))
    teach(lab, evil, w.query(7, name), records(w.cname(mixed, f'X.{mixed}'), w.a(f'x.{name}', '192.0.2.3')))
    listed(snooperd, name, '192.0.2.1', '192.0.2.2', '192.0.2.3')
    assert snooperd.names()[name]['cnames'] == [f'x.{name}']
    assert not any(c.isupper() for listed_name in snooperd.names() for c in listed_name)
    # Bytes next to the letters are not letters: @ and `, [ and {.
    for near in b'\3@[a', b'\3`{a':
        teach(lab, evil, w.query(7, near + w.name(name)), good)
    snooperd.wait_for(f'@[a.{name}', f'`{{a.{name}')


def test_1_17_a11_lifetimes_at_their_ends(lab, snooperd, evil):
    name = f'a11-{evil.address}.test'.replace(':', '')
    rows = [(0, 0), (1, 1), (0x7fffffff, 86400), (0x80000000, 0), (0xffffffff, 0), (86399, 86399), (86401, 86400)]
    for ttl, seconds in rows:
        teach(lab, evil, w.query(7, f'ttl{ttl}.{name}'), records(w.a(w.QNAME, GOOD, ttl)))
        snooperd.wait_for(f'ttl{ttl}.{name}') if seconds != 1 else None
        line = snooperd.names().get(f'ttl{ttl}.{name}')
        if line:
            left = line['addresses'][0]['expires_in_ms']
            assert max(0, seconds * 1000 - 10000) <= left <= seconds * 1000, f'ttl {ttl}'
    # A later answer with a shorter life, or a huge one, leaves the longer as it is.
    teach(lab, evil, w.query(8, f'ttl86401.{name}'), records(w.a(w.QNAME, GOOD, 0xffffffff)))
    assert snooperd.names()[f'ttl86401.{name}']['addresses'][0]['expires_in_ms'] > 86000 * 1000


def shapes(reasons):
    """The malformed messages counted under one of the reasons."""
    return [(reason, message) for _, reason, message in MALFORMED if reason in reasons]


def refuse_all(lab, snooperd, evil, name, rows):
    for number, (reason, message) in enumerate(rows):
        with Counted(snooperd, **{reason: 1}):
            teach(lab, evil, w.query(7, f'{number}.{name}'), message)
    teach(lab, evil, w.query(7, f'fine.{name}'), good)
    listed(snooperd, f'fine.{name}', GOOD)
    assert [n for n in snooperd.names() if n.endswith(name)] == [f'fine.{name}']


def test_1_17_a12_compression(lab, snooperd, evil):
    """Loops, forward pointers, long ways: at no name of a message, in no section."""
    def at(query):
        return 12 + len(w.question_of(query))

    def pointer(offset):
        return struct.pack('>H', 0xc000 | offset)
    rows = shapes({'pointer', 'jumps'}) + [
        ('pointer', lambda q: w.answer(q, [w.a(w.QNAME, BAD), w.a(pointer(0x3fff), BAD)])),
        ('pointer', lambda q: w.answer(q, [w.a(w.QNAME, BAD), w.rr(pointer(at(q) + 16), w.TXT, b'')],
                                       counts=(1, 1, 1, 0))),
        ('pointer', lambda q: w.answer(q, [w.a(pointer(0), BAD)])),
        ('pointer', lambda q: w.answer(q, [w.rr(w.QNAME, w.CNAME, pointer(at(q) + 12)), w.a(w.QNAME, BAD)])),
    ]
    refuse_all(lab, snooperd, evil, f'a12-{evil.address}.test'.replace(':', ''), rows)


def test_1_17_a13_names_too_long(lab, snooperd, evil):
    long = b'\x3f' + b'x' * 63
    rows = shapes({'name_long', 'label_type'}) + [
        ('name_long', records(w.a(w.QNAME, BAD), w.a(long * 4 + b'\0', BAD))),
        ('name_long', records(w.cname(w.QNAME, long * 3 + b'\x3e' + b'y' * 62 + b'\0'), w.a(w.QNAME, BAD))),
        ('label_type', records(w.a(w.QNAME, BAD), w.a(b'\x40' + b'z' * 64 + b'\0', BAD))),
        ('label_type', records(w.a(w.QNAME, BAD), w.a(b'\x80zz\0', BAD))),
    ]
    refuse_all(lab, snooperd, evil, f'a13-{evil.address}.test'.replace(':', ''), rows)


def test_1_17_a14_bytes_that_mislead(lab, snooperd, evil):
    """A dot in a label is no separator; what is shown or logged is one line of printable text."""
    suffix = f'a14-{evil.address}.test'.replace(':', '')
    end = w.name(suffix)
    rows = {rf'a\.b.{suffix}': b'\3a.b' + end, rf'a.b.{suffix}': b'\1a\1b' + end,
            rf'a\000.{suffix}': b'\2a\0' + end, rf'a.{suffix}': b'\1a' + end,
            rf'a\\.{suffix}': b'\2a\\' + end, rf'a\010level=err\032event=forged.{suffix}':
            b'\x18a\nlevel=err event=forged' + end, rf'*.{suffix}': b'\1*' + end,
            rf'\027[31m"\027[0m.{suffix}': b'\x0a\x1b[31m"\x1b[0m' + end,
            rf'\009\013\127\255.{suffix}': b'\4\t\r\x7f\xff' + end}
    addresses = {}
    for number, (text, wire) in enumerate(rows.items()):
        addresses[text] = f'198.51.100.{number + 1}'
        teach(lab, evil, w.query(7, wire), records(w.a(w.QNAME, addresses[text])))
    # A name with the dot in its label answered by the one without it, and the other way round.
    with Counted(snooperd, off_chain=2):
        teach(lab, evil, w.query(7, b'\3c.d' + end), records(w.a(b'\1c\1d' + end, BAD)))
        teach(lab, evil, w.query(7, b'\1e\1f' + end), records(w.a(b'\3e.f' + end, BAD)))
    wait_until(lambda: len([n for n in snooperd.names() if n.endswith(suffix)]) >= len(rows), what='all listed')
    ours = {n: snooperd.addresses(n) for n in snooperd.names() if n.endswith(suffix)}
    assert ours == {text: {address} for text, address in addresses.items()}

    table = snooperd.ctl('names', json_output=False).stdout
    for text in table, snooperd.output():
        assert all(line.isprintable() for line in text.replace('\t', ' ').split('\n'))
        assert not any(line.startswith('level=err') for line in text.split('\n'))


def test_1_17_a15_counts_and_lengths(lab, snooperd, evil):
    rows = shapes({'short', 'rdlength'}) + [
        ('short', records(w.a(w.QNAME, BAD), counts=(1, 1, 65535, 65535))),
        ('short', records(w.a(w.QNAME, BAD), counts=(1, 1, 0, 1), tail=b'\0')),
        ('short', records(w.a(w.QNAME, BAD), w.rr(w.QNAME, w.TXT, b'', rdlength=65535))),
        ('short', records(w.a(w.QNAME, BAD), w.rr('', 41, b'', rdlength=1), counts=(1, 1, 0, 1))),
        ('rdlength', records(w.a(w.QNAME, BAD), w.rr(w.QNAME, w.A, b'\1\2\3'))),
        ('rdlength', records(w.a(w.QNAME, BAD), w.rr(w.QNAME, w.AAAA, b'x' * 17))),
        ('rdlength', records(w.rr(w.QNAME, w.CNAME, b'\1a\0\0'), w.a('a', BAD))),
    ]
    refuse_all(lab, snooperd, evil, f'a15-{evil.address}.test'.replace(':', ''), rows)
