# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.5: every kind of answer is learned, over IPv4 and IPv6."""
import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask, unbound
from snoplab import Lab, wait_until

LABELS_127 = '.'.join('a' * 127)
LONGEST = '.'.join(['x' * 63] * 3 + ['y' * 61])  # 255 bytes on the wire
ZONES = {
    'answers.test': '''
a4 A 192.0.2.1
a4 A 192.0.2.2
a6 AAAA 2001:db8::1
a6 AAAA 2001:db8::2
c1 CNAME c2
c2 CNAME c3.other.test.
tree DNAME other.test.
svc HTTPS 1 . alpn=h2 ipv4hint=192.0.2.31,192.0.2.32 ipv6hint=2001:db8::31
''' + ''.join(f'big AAAA 2001:db8::{i:x}\n' for i in range(1, 201)),
    'other.test': 'c3 A 192.0.2.3\nc3 AAAA 2001:db8::3\nleaf A 192.0.2.4\n',
}


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        made.outside.add_addresses('10.53.0.7/24', 'fd53::7/64')  # of the scripted server
        unbound(made.outside, [made.outside.ip4, made.outside.ip6], ZONES).start()
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {
        'observe': {'resolvers': [lab.outside.ip4, lab.outside.ip6, '10.53.0.7', 'fd53::7']},
        'policy': {'min_ttl': '30s', 'max_ttl': '2h'}}).start()


@pytest.fixture(params=[4, 6], ids=['ipv4', 'ipv6'])
def family(request, lab, snooperd):
    """The transport. Everything learned over the other one is forgotten first: other names are used."""
    return request.param


def script(lab, family, records, query, **options):
    """Ask a server that answers with exactly these records; the answer reached the client."""
    address = '10.53.0.7' if family == 4 else 'fd53::7'
    with Scripted(lab.outside, address, lambda q: [w.answer(q, records, **options)]) as server:
        (data, sender), = lab.node.call(ask, server.address, [query])
    assert sender == address
    return data


def listed(snooperd, name, count=1):
    """Its line, as soon as it has that many addresses."""
    def there():
        line = snooperd.names(name).get(name)
        return line if line and len(line['addresses']) >= count else None
    return wait_until(there, what=f'{name} listed with {count} addresses')


def addresses(line):
    return sorted(a['address'] for a in line['addresses'])


# From a real server.

def test_1_5_a_and_aaaa(lab, snooperd, family):
    server = lab.outside.address(family)
    assert len(lab.node.dig('a4.answers.test', 'A', server)) == 2
    assert len(lab.node.dig('a6.answers.test', 'AAAA', server)) == 2
    assert addresses(listed(snooperd, 'a4.answers.test', 2)) == ['192.0.2.1', '192.0.2.2']
    assert addresses(listed(snooperd, 'a6.answers.test', 2)) == ['2001:db8::1', '2001:db8::2']


def test_1_5_cname_chain(lab, snooperd, family):
    server = lab.outside.address(family)
    assert lab.node.dig('c1.answers.test', 'A' if family == 4 else 'AAAA', server)
    address = '192.0.2.3' if family == 4 else '2001:db8::3'
    wait_until(lambda: address in addresses(listed(snooperd, 'c1.answers.test')), what=address)
    line = listed(snooperd, 'c1.answers.test')
    assert line['cnames'] == ['c2.answers.test', 'c3.other.test']


def test_1_5_dname(lab, snooperd, family):
    assert lab.node.dig('leaf.tree.answers.test', 'A', lab.outside.address(family))
    line = listed(snooperd, 'leaf.tree.answers.test')
    assert addresses(line) == ['192.0.2.4']
    assert line['cnames'] == ['leaf.other.test']


def test_1_5_https_hints(lab, snooperd, family):
    assert lab.node.dig('svc.answers.test', 'HTTPS', lab.outside.address(family))
    assert addresses(listed(snooperd, 'svc.answers.test', 3)) == \
        ['192.0.2.31', '192.0.2.32', '2001:db8::31']


def test_1_5_big_edns_answer(lab, snooperd, family):
    found = lab.node.dig('big.answers.test', 'AAAA', lab.outside.address(family),
                         '+bufsize=16384', '+ignore')
    assert len(found) == 200
    assert len(addresses(listed(snooperd, 'big.answers.test', 200))) == 200


# Byte by byte.

def test_1_5_uncompressed_names(lab, snooperd, family):
    name = f'plain{family}.test'
    script(lab, family, [w.cname(name, f'target{family}.test'),
                         w.a(f'target{family}.test', '192.0.2.50')], w.query(1, name))
    line = listed(snooperd, name)
    assert addresses(line) == ['192.0.2.50'] and line['cnames'] == [f'target{family}.test']


def test_1_5_dname_without_its_cname(lab, snooperd, family):
    name = f'a.tree{family}.test'
    script(lab, family, [w.dname(f'tree{family}.test', 'wood.test'),
                         w.a('a.wood.test', '192.0.2.51')], w.query(1, name))
    assert addresses(listed(snooperd, name)) == ['192.0.2.51']


@pytest.mark.parametrize('asked, owner', [('MiXeD', 'MiXeD'), ('lower', 'LOWER'), ('UPPER', 'upper')])
def test_1_5_mixed_case(lab, snooperd, family, asked, owner):
    query = w.query(1, f'{asked}{family}.CaSe.test')
    script(lab, family, [w.a(f'{owner}{family}.cAsE.TEST', '192.0.2.52')], query,
           asked=w.question(f'{owner}{family}.case.Test'))
    assert addresses(listed(snooperd, f'{asked.lower()}{family}.case.test')) == ['192.0.2.52']


@pytest.mark.parametrize('kind, count', [(w.A, 1000), (w.AAAA, 1000)], ids=['A', 'AAAA'])
def test_1_5_thousand_addresses_in_a_message(lab, snooperd, family, kind, count):
    name = f'thousand{family}-{kind}.test'
    if kind == w.A:
        records = [w.a(w.QNAME, f'198.51.{100 + i // 250}.{i % 250}') for i in range(count)]
    else:
        records = [w.aaaa(w.QNAME, f'2001:db8:1::{i + 1:x}') for i in range(count)]
    data = script(lab, family, records, w.query(1, name, kind, edns=65000))
    assert len(data) > 16000
    line = listed(snooperd, name, count)
    assert len(set(addresses(line))) == count
    assert not line['truncated']


@pytest.mark.parametrize('name', [LONGEST, LABELS_127, 'a', '.'],
                         ids=['255-bytes', '127-labels', 'one-label', 'root'])
def test_1_5_names_of_every_size(lab, snooperd, family, name):
    address = '192.0.2.60' if family == 4 else '192.0.2.61'
    script(lab, family, [w.a(w.QNAME, address)], w.query(1, name))
    wait_until(lambda: address in addresses(listed(snooperd, name)), what=f'{address} under the name')


def test_1_5_bytes_that_need_escaping(lab, snooperd, family):
    label = bytes([1 + 4, 48 + family]) + b'.\\\n\x80'
    script(lab, family, [w.a(w.QNAME, '192.0.2.62')], w.query(1, label + b'\3esc\0'))
    name = f'{family}\\.\\\\\\010\\128.esc'
    assert addresses(snooperd.wait_for(name)[name]) == ['192.0.2.62']


@pytest.mark.parametrize('ttl, low, high', [
    (0, 1, 30), (29, 1, 30), (3000, 2990, 3000), (100000, 7190, 7200),
    (0x7fffffff, 7190, 7200), (0x80000000, 1, 30), (0xffffffff, 1, 30)])
def test_1_5_ttl_is_clamped_and_bit_31_means_0(lab, snooperd, family, ttl, low, high):
    name = f'ttl{ttl}-{family}.test'
    script(lab, family, [w.a(w.QNAME, '192.0.2.70', ttl)], w.query(1, name))
    left = listed(snooperd, name)['addresses'][0]['expires_in_ms']
    assert low * 1000 <= left <= high * 1000


def test_1_5_ttl_is_the_least_of_the_chain(lab, snooperd, family):
    name = f'least{family}.test'
    script(lab, family, [w.cname(w.QNAME, 'x.test', 3000), w.cname('x.test', 'y.test', 40),
                         w.a('y.test', '192.0.2.71', 5000)], w.query(1, name))
    assert listed(snooperd, name)['addresses'][0]['expires_in_ms'] <= 40000


def test_1_5_truncated_is_learned_as_far_as_it_goes(lab, snooperd, family):
    name = f'cut{family}.test'
    script(lab, family, [w.a(w.QNAME, '192.0.2.72'), w.a(w.QNAME, '192.0.2.73')],
           w.query(1, name), flags=0x8380, counts=(1, 5, 0, 0))
    line = listed(snooperd, name, 2)
    assert line['truncated'] and addresses(line) == ['192.0.2.72', '192.0.2.73']


def test_1_5_not_connected_socket(lab, snooperd, family):
    name = f'sendto{family}.test'
    address = '10.53.0.7' if family == 4 else 'fd53::7'
    with Scripted(lab.outside, address, lambda q: [w.answer(q, [w.a(w.QNAME, '192.0.2.74')])]):
        assert lab.node.call(ask, address, [w.query(1, name)], None, 5, False)
    assert addresses(listed(snooperd, name)) == ['192.0.2.74']


def test_1_5_many_questions_on_one_socket(lab, snooperd, family):
    names = [f'many{i}-{family}.test' for i in range(64)]
    address = '10.53.0.7' if family == 4 else 'fd53::7'
    with Scripted(lab.outside, address, lambda q: [w.answer(q, [w.a(w.QNAME, '192.0.2.75')])]):
        queries = [w.query(1000 + i, name) for i, name in enumerate(names)]
        assert len(lab.node.call(ask, address, queries)) == 64
    snooperd.wait_for(*names)
