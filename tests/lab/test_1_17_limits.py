# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.17, attacks by number: random names, floods, full maps, names made to collide."""
import itertools
import json
import os
import resource
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import PATIENCE, wait_until
from stalls import may_stall
from test_1_17_answers import Counted

COLD = '10.53.0.66'  # never answers


def own_address(query):
    """An address that belongs to the question's id: 198.18.x.y."""
    return f'198.18.{query[0]}.{query[1]}'


def one_each(query):
    return [w.answer(query, [w.a(w.QNAME, own_address(query), ttl=3000)])]


@pytest.fixture
def server(lab):
    lab.outside.add_addresses(f'{COLD}/24')
    with Scripted(lab.outside, lab.outside.ip4, one_each) as scripted:
        yield scripted


def ask_all(server, names, at_once=64):
    """Every name, a few at a time from one socket; how many answers came."""
    came = 0
    for start in range(0, len(names), at_once):
        some = names[start:start + at_once]
        came += len(ask(server, [w.query(start + i, name) for i, name in enumerate(some)]))
    return came


def start(lab, **limits):
    return Snooperd(lab, {'observe': {'resolvers': [lab.outside.ip4, COLD]}, 'limits': limits}).start()


def wait_for_degraded(snooperd, reason):
    wait_until(lambda: reason in snooperd.status()['degraded'], what=f'degraded: {reason}')


def numbered(prefix, count):
    return [f'{prefix}{i}.limits.test' for i in range(count)]


@pytest.mark.parametrize('kind', ['addresses', 'chains'])
def test_1_17_a21_random_names_of_one_cgroup(lab, server, kind):
    """
    Somebody asks for random names without end, with an address each or with
    long chains to nothing: its quota is full, and nobody else notices.
    """
    if kind == 'chains':
        def chains(query):
            if b'noisy' not in query:
                return one_each(query)
            names = [w.QNAME] + [f'{i}-{query[0]}-{query[1]}.noisy.test' for i in range(15)]
            return [w.answer(query, [w.cname(a, b) for a, b in zip(names, names[1:])])]
        server.handler = chains
    snooperd = start(lab, per_endpoint=100, facts=2000, names=1000)
    noisy, quiet = lab.node.sub_cgroup('noisy'), lab.node.sub_cgroup('quiet')
    before, after = numbered('before', 20), numbered('after', 60)
    assert lab.node.call(ask_all, server.address, before, cgroup=quiet) == len(before)
    flood = numbered('noisy', 3000)
    assert lab.node.call(ask_all, server.address, flood, cgroup=noisy) == len(flood), \
        'answers are delivered, learned or not'
    assert snooperd.refused('per_endpoint') > 0
    assert lab.node.call(ask_all, server.address, after, cgroup=quiet) == len(after)
    listed = snooperd.wait_for(*before, *after)
    assert len([name for name in listed if name.startswith('noisy')]) <= 100
    assert snooperd.refused('names_full') == snooperd.refused('map_full') == 0
    wait_for_degraded(snooperd, 'per-endpoint-limit')


def test_1_17_a21_addresses_per_name(lab, server):
    snooperd = start(lab, addresses_per_name=10)
    server.handler = lambda q: [w.answer(q, [w.a(w.QNAME, f'192.0.2.{i}') for i in range(1, 51)])]
    with Counted(snooperd, addresses_per_name=40):
        assert lab.node.call(ask_all, server.address, ['many.test']) == 1
    assert len(snooperd.wait_for('many.test')['many.test']['addresses']) == 10
    kept = snooperd.addresses('many.test')
    with Counted(snooperd, addresses_per_name=40):
        assert lab.node.call(ask_all, server.address, ['many.test']) == 1
    assert snooperd.addresses('many.test') == kept, 'a cap refuses the new and keeps the old'
    server.handler = one_each
    assert lab.node.call(ask_all, server.address, ['other.test']) == 1
    snooperd.wait_for('other.test')
    wait_for_degraded(snooperd, 'addresses-per-name-limit')


def test_1_17_a21_names_per_address(lab, server):
    snooperd = start(lab, names_per_address=10)
    names = numbered('shared', 30)
    server.handler = lambda q: [w.answer(q, [w.a(w.QNAME, '192.0.2.1'), w.a(w.QNAME, own_address(q))])]
    with Counted(snooperd, names_per_address=20):
        assert lab.node.call(ask_all, server.address, names) == 30
    snooperd.wait_for(*names)
    sharing = [n for n in names if '192.0.2.1' in snooperd.addresses(n)]
    assert sharing == names[:10]
    wait_for_degraded(snooperd, 'names-per-address-limit')


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat') as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@may_stall
def test_1_17_a22_event_flood(lab, server):
    """20,000 new names as fast as they come: the daemon answers all the while, and rests afterwards."""
    snooperd = start(lab, ring='64KiB')
    names = [numbered(f'flood{k}x', 5000) for k in range(4)]

    def flood():
        for some in names:
            assert ask_all(server.address, some) == len(some)
            yield True
    slowest = 0
    before = cpu_seconds(snooperd.pid)
    with ThreadPoolExecutor(1) as pool, lab.node.steps(flood, deadline=60) as steps:
        for _ in names:
            going = pool.submit(steps.next)
            while not going.done():
                asked = time.monotonic()
                snooperd.status()
                slowest = max(slowest, time.monotonic() - asked)
            going.result()
    everything = {name for some in names for name in some}
    wait_until(lambda: snooperd.status()['cache']['names'] == len(everything), 20, 'all in the cache')
    assert everything <= set(snooperd.names())
    assert slowest < 2, 'snooperd must answer within 2 s under a flood'
    spent = cpu_seconds(snooperd.pid) - before
    assert spent < 10 * PATIENCE, f'{spent} s of CPU for 20,000 names'

    # The same answers again are no news: the daemon sleeps through them.
    records, before = snooperd.counter('ring_records'), cpu_seconds(snooperd.pid)
    began = time.monotonic()
    assert lab.node.call(ask_all, server.address, names[0], deadline=60) == 5000
    took = time.monotonic() - began
    assert snooperd.counter('ring_records') == records
    assert cpu_seconds(snooperd.pid) - before < 0.2 + took / 4


def test_1_17_f21_full_map(lab, server):
    """limits.facts reached: the new is refused and counted, the old stands, every answer arrives."""
    snooperd = start(lab, facts=100, rows=1000, per_endpoint=100, addresses_per_name=100,
                     names_per_address=100)
    first, more = numbered('first', 100), numbered('more', 50)
    # Two cgroups, so that the map is full before a quota is.
    half = lab.node.sub_cgroup('half')
    assert lab.node.call(ask_all, server.address, first[:50]) == 50
    assert lab.node.call(ask_all, server.address, first[50:], cgroup=half) == 50
    snooperd.wait_for(*first)
    assert snooperd.refused('map_full') == 0
    with Counted(snooperd, map_full=50):
        assert lab.node.call(ask_all, server.address, more[:25]) == 25
        assert lab.node.call(ask_all, server.address, more[25:], cgroup=half) == 25
    wait_for_degraded(snooperd, 'map-full')
    assert snooperd.ctl('status').returncode == 5
    assert set(snooperd.names()) == set(first)

    # What stands is renewed in a full map too.
    with Counted(snooperd, map_full=0):
        assert lab.node.call(ask_all, server.address, first[:50]) == 50
    assert set(snooperd.names()) == set(first)
    # A daemon killed and started over a full map: the same.
    snooperd.kill9()
    assert lab.node.call(ask_all, server.address, more[:25]) == 25
    snooperd.start()
    assert set(snooperd.wait_for(*first)) == set(first)


@pytest.mark.long
def test_1_17_f21_full_map_heals(lab, server):
    """What expired is collected, new names take its room, and no live fact is lost meanwhile."""
    snooperd = start(lab, facts=100, rows=1000, per_endpoint=100, addresses_per_name=100,
                     names_per_address=100)
    server.handler = lambda q: [w.answer(q, [
        w.a(w.QNAME, own_address(q), 1 if b'brief' in q else 3600)])]
    brief, lasting, new = numbered('brief', 60), numbered('lasting', 40), numbered('new', 60)
    half = lab.node.sub_cgroup('half')
    assert lab.node.call(ask_all, server.address, brief) == 60
    assert lab.node.call(ask_all, server.address, lasting, cgroup=half) == 40
    # A flood of refused ones meanwhile, each with an address of its own, must leave nothing behind.
    refused = numbered('refused', 3000)
    queries = [w.query(1000 + i, name) for i, name in enumerate(refused)]
    with Counted(snooperd, map_full=len(refused)):
        for first in range(0, len(queries), 50):
            crowd = lab.node.sub_cgroup(f'crowd{first // 100}')
            lab.node.call(ask, server.address, queries[first:first + 50], cgroup=crowd)
    wait_until(lambda: set(snooperd.names()) == set(lasting), 20, 'the brief ones are over')

    fresh = lab.node.sub_cgroup('fresh')  # what expired counts against its asker's names a minute longer
    queries = [w.query(5000 + i, name) for i, name in enumerate(new)]

    def all_learned():
        assert set(lasting) <= set(snooperd.names()), 'a live fact was lost'
        assert len(lab.node.call(ask, server.address, queries, cgroup=fresh)) == 60
        return set(new) <= set(snooperd.names())
    wait_until(all_learned, 90, 'the new names learned')
    assert set(snooperd.names()) == set(new) | set(lasting)


# Names that meet under hashes which everybody can compute.

def times_33():
    """Under h * 33 + c, of any width: 2^9 names of one length, one hash."""
    return [b'\x12' + b''.join(pairs) + b'\5djb33\0' for pairs in itertools.product((b'#[', b'$:'), repeat=9)]


def times_31():
    return [b'\x12' + b''.join(pairs) + b'\5mul31\0' for pairs in itertools.product((b'#[', b'$<'), repeat=9)]


def same_bytes():
    """Under every sum, product or xor of bytes or of aligned words: the same ones in another order."""
    return [b''.join(b'\7' + label for label in labels) + b'\0'
            for labels in itertools.permutations((b'alpha--', b'beta---', b'gamma--', b'delta--', b'epsilon'))]


def other_ends():
    """Where a hash loses a length, a label's end, or zero bytes behind the name."""
    rows = [bytes([n]) + b'\0' * n + b'\0' for n in range(1, 64)]
    text = b'abcdefghijklmnop'
    for cuts in itertools.product((0, 1), repeat=7):
        labels = [b'']
        for i, cut in enumerate(cuts):
            labels[-1] += text[2 * i:2 * i + 2]
            if cut:
                labels.append(b'')
        rows.append(b''.join(bytes([len(x)]) + x for x in labels if x) + b'\0')
    return list(dict.fromkeys(rows))


def fnv1a_32():
    """Birthdays under 32-bit FNV-1a: what half a hash without a key would be worth."""
    seen, rows = {}, []
    for i in range(300000):
        wire = b'\x08%08x\3fnv\0' % (i * 2654435761 & 0xffffffff)
        h = 0x811c9dc5
        for byte in wire:
            h = (h ^ byte) * 0x01000193 & 0xffffffff
        if h in seen:
            rows += [seen[h], wire]
        seen[h] = wire
    assert rows, 'no birthday at all'
    return rows


def test_1_17_hash_collisions(lab, server):
    """An attacker who picks names makes none of them meet another: all are listed, each with its own address."""
    wires = list(dict.fromkeys(times_33() + times_31() + same_bytes() + other_ends() + fnv1a_32()))
    snooperd = start(lab, names=65536)
    assert lab.node.call(ask_all, server.address, wires, deadline=60) == len(wires)
    wait_until(lambda: len(snooperd.names()) == len(wires), 20, f'{len(wires)} names')
    assert snooperd.refused('name_collision') == 0
    found = [line['addresses'] for line in snooperd.names().values()]
    assert all(len(addresses) == 1 for addresses in found)
    assert {a[0]['address'] for a in found} == \
        {f'198.18.{i >> 8}.{i & 255}' for i in range(len(wires))}


def pinned(snooperd, name):
    out = subprocess.run(['/usr/sbin/bpftool', '-j', 'map', 'dump', 'pinned', f'{snooperd.bpffs}/{name}'],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def test_1_17_hash_key_is_drawn_per_set(lab, server):
    """Two sets, two keys, kept from others; the same name has other numbers in each."""
    conf = {'observe': {'resolvers': [lab.outside.ip4]}}
    both = [Snooperd(lab, conf, name).start() for name in ('one', 'two')]
    assert lab.node.call(ask_all, server.address, ['same.test']) == 1
    keys, ids = [], []
    for snooperd in both:
        snooperd.wait_for('same.test')
        assert os.stat(snooperd.bpffs).st_mode & 0o077 == 0
        keys.append(bytes(int(x, 16) for x in pinned(snooperd, 'snp_meta')[0]['value'])[-16:])
        ids += [tuple(row['key'][:8]) for row in pinned(snooperd, 'snp_names')]
    assert keys[0] != keys[1] and b'\0' * 8 not in (keys[0][:8], keys[0][8:], keys[1][:8], keys[1][8:])
    assert len(set(ids)) == 2
    for snooperd in both:
        snooperd.stop()
        assert snooperd.once('--uninstall').returncode == 0


def flood_without_answers(address, sockets):
    """Questions that nobody answers, from some sockets, until the end of the process; a step a thousand."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sockets)]
    for number in itertools.count():
        for k in range(1000):
            socks[k % sockets].sendto(w.query((number * 1000 + k) & 0xffff, f'f{number}-{k}.flood.test'),
                                      (address, 53))
        yield number


def test_1_17_question_flood_of_another_process(lab, server):
    """Somebody's questions without end push out nobody else's."""
    snooperd = start(lab)
    names = numbered('calm', 200)
    with ThreadPoolExecutor(1) as pool, Scripted(lab.outside, COLD), \
            lab.node.steps(flood_without_answers, COLD, 3) as flood:
        for first in range(0, len(names), 20):
            going = pool.submit(flood.next)
            some = names[first:first + 20]
            assert lab.node.call(ask_all, server.address, some) == len(some)
            going.result()
    assert snooperd.refused('question_evicted') > 0, 'the flood was none: this proved nothing'
    snooperd.wait_for(*names)


def open_questions(address, sockets, each):
    """Questions that nobody answers, on so many sockets that no line of the table of all has room left."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (sockets + 100,) * 2)
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sockets)]
    for number, sock in enumerate(socks):
        for ident in range(each):
            sock.sendto(w.query(ident, f'n{number}-{ident}.open.test'), (address, 53))
    yield sockets * each
    while True:
        yield 0


def test_1_17_question_flood_of_many_sockets(lab, server):
    """The table of all is full of somebody's open questions: others' wait in their own sockets, none evicted."""
    snooperd = start(lab)
    before = snooperd.counter('queries_noted')
    with lab.node.steps(open_questions, COLD, 1500, 24, deadline=60) as flood:
        asked = flood.next()
        wait_until(lambda: snooperd.counter('queries_noted') - before == asked, what='all noted')
        names = numbered('victim', 200)
        for name in names[:50]:  # a socket each, as stub resolvers make them
            assert lab.node.call(ask_all, server.address, [name]) == 1
        assert lab.node.call(ask_all, server.address, names[50:]) == 150
        snooperd.wait_for(*names)
    assert snooperd.refused('question_evicted') == 0
    assert snooperd.refused('unasked') == 0 and snooperd.refused('question_storage') == 0


def test_1_17_question_flood_of_one_socket(lab):
    """Within one process too: a question waits in its own socket while another is flooded."""
    lab.outside.add_addresses(f'{COLD}/24')
    snooperd = start(lab)

    def client(calm_server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as calm, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            calm.settimeout(5)
            calm.sendto(w.query(7, 'calm.limits.test'), (calm_server, 53))
            for i in range(20000):
                busy.sendto(w.query(i, f'{i}.busy.test'), (COLD, 53))
            yield 'flooded'
            yield calm.recv(512)
    with Scripted(lab.outside, lab.outside.ip4) as server, Scripted(lab.outside, COLD), \
            lab.node.steps(client, server.address) as steps:
        assert steps.next() == 'flooded'
        query, asker = server.take()
        server.send(one_each(query)[0], asker)
        assert steps.next() == one_each(query)[0]
    assert snooperd.refused('question_evicted') > 10000
    snooperd.wait_for('calm.limits.test')
