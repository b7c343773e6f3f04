# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.1: what is over goes in time, a million facts take little, and no turn of the loop is long."""
import re
import subprocess
import time

import pytest

import dnswire as w
from daemon import SNOOPERCTL, Snooperd
from servers import Scripted, ask
from snoplab import PATIENCE, Program, wait_until
from stalls import may_stall
from turns import METRICS, assert_no_turn_was_long, dnsperf, long_every_time, samples, wildcard_server

LIMIT = 300 << 20
ROOM = 1 << 20  # of every limit: nothing is refused here


@may_stall
def test_2_1_what_is_over_goes_in_time(lab):
    """Never before its time, and soon after; nothing is listed that is over, and who watches is told."""
    snooperd = Snooperd(lab).start()
    ttls = {f'ttl{ttl}.over.test': ttl for ttl in (1, 2, 3)}

    def handler(query):
        ttl = next(ttl for name, ttl in ttls.items() if name.split('.')[0].encode() in query)
        return [w.answer(query, [w.a(w.QNAME, f'192.0.2.{ttl}', ttl)])]
    watch = Program(lab.node, [SNOOPERCTL, '-s', snooperd.socket, 'watch', '--json'], 'watch')
    watch.argv = [SNOOPERCTL, '-s', snooperd.socket, '--json', 'watch']
    watch.start()
    wait_until(lambda: '"change":"synced"' in watch.output(), what=watch.output)
    asked = time.monotonic()
    with Scripted(lab.outside, lab.outside.ip4, handler) as server:
        lab.node.call(ask, server.address, [w.query(i, name) for i, name in enumerate(ttls)])
    answered, gone = time.monotonic(), {}

    def look():
        listed = snooperd.names()
        now = time.monotonic()
        assert all(a['expires_in_ms'] >= 0 for line in listed.values() for a in line['addresses'])
        gone.update({name: now for name in ttls if name not in listed and name not in gone})
        return len(gone) == len(ttls)
    snooperd.wait_for('ttl3.over.test', deadline=2)
    wait_until(look, 20, lambda: f'gone: {gone}')
    for name, ttl in ttls.items():
        assert gone[name] >= asked + ttl, f'{name} went too soon'
        assert gone[name] <= answered + ttl + 5 * PATIENCE, f'{name} stayed too long'
    wait_until(lambda: all(f'"change":"gone","name":"{name}"' in watch.output() for name in ttls), 10, watch.output)
    assert snooperd.status()['cache'] == {'names': 0, 'addresses': 0, 'evicted_names': 0, 'refused_names': 0,
                                          'refused_addresses': 0}


@pytest.fixture
def wildcard(lab):
    return wildcard_server(lab)


def roomy(lab):
    return Snooperd(lab, {
        'limits': {'names': ROOM, 'facts': ROOM, 'rows': ROOM, 'names_per_address': ROOM, 'per_endpoint': ROOM},
        'export': {'metrics': METRICS}, 'log': {'level': 'info'}}).start(60)


def busy(lab, snooperd, count):
    """News, a crowd of lists, a watch, scrapes and reloads, all at once; how many names are known then."""
    watch = Program(lab.node, [SNOOPERCTL, '-s', snooperd.socket, '--json', 'watch'], 'watch').start()
    answered = dnsperf(lab, count, 'first')
    lists = [subprocess.Popen([SNOOPERCTL, '-s', snooperd.socket, '--json', 'names', *pattern],
                              stdout=subprocess.DEVNULL) for pattern in [[]] * 2 + [['*-7.load']] * 20]
    answered += dnsperf(lab, count // 10, 'second')
    for _ in range(3):
        assert snooperd.ctl('reload').returncode == 0
        assert samples(snooperd)['snooper_cache_names'] > 0
    assert {done.wait(600) for done in lists} == {0}
    wait_until(lambda: snooperd.status()['cache']['names'] >= answered, 60, lambda: str(snooperd.status()['cache']))
    watch.stop()
    return answered


@long_every_time
def test_2_1_no_turn_of_the_loop_takes_10_ms(lab, wildcard):
    snooperd = roomy(lab)
    assert busy(lab, snooperd, 30000) >= 33000
    assert_no_turn_was_long(snooperd)


@pytest.mark.long
@long_every_time
def test_2_1_a_million_names_in_300_mib_without_a_long_turn(lab, wildcard):
    """Anonymous memory: what is shared with the kernel's maps is not the daemon's own."""
    snooperd = roomy(lab)
    assert busy(lab, snooperd, 910000) >= 1000000
    with open(f'/proc/{snooperd.pid}/status') as f:
        resident = int(re.search(r'RssAnon:\s+(\d+)', f.read()).group(1)) << 10
    print(f'{resident >> 20} MiB resident')
    assert resident <= LIMIT
    assert_no_turn_was_long(snooperd)
    assert snooperd.stop(60) == 0
