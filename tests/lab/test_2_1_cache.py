# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.1: what is over goes in time, a million facts take little, and no turn of the loop is long."""
import http.client
import os
import re
import socket
import subprocess
import time

import pytest

import dnswire as w
from daemon import SNOOPERCTL, Snooperd
from servers import Scripted, ask, unbound
from snoplab import PATIENCE, Program, wait_until

PORT = 9953
TURN_MAX = 0.010 * PATIENCE  # seconds of CPU; the daemon measures them itself, whoever else has the CPU meanwhile
LIMIT = 300 << 20
ROOM = 1 << 21  # of every limit: nothing is refused here


def samples(snooperd):
    """{name: value} of the metrics that have no label."""
    with snooperd.host.inside():
        sock = socket.create_connection(('127.0.0.1', PORT), 20 * PATIENCE)
    connection = http.client.HTTPConnection('127.0.0.1', PORT)
    connection.sock = sock
    connection.request('GET', '/metrics')
    text = connection.getresponse().read().decode()
    return {name: float(value) for name, value in re.findall(r'^(\w+) ([0-9.]+)$', text, re.M)}


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
    """Answers whatever is asked below load., each name with the same address."""
    return unbound(lab.outside, [lab.outside.ip4], {},
                   ' local-zone: "load." redirect\n local-data: "load. 3600 A 198.18.0.1"\n').start()


def dnsperf(lab, count, prefix):
    """So many names, each asked for once; how many were answered."""
    path = f'{lab.dir}/{prefix}.txt'
    with open(path, 'w') as f:
        f.writelines(f'{prefix}-{i}.load A\n' for i in range(count))
    done = lab.node.run('dnsperf', '-s', lab.outside.ip4, '-d', path, '-c', '20', '-q', '100', '-n', '1', timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.search(r'Queries completed: +(\d+)', done.stdout).group(1))


def roomy(lab):
    return Snooperd(lab, {
        'limits': {'names': ROOM, 'facts': ROOM, 'rows': ROOM, 'names_per_address': ROOM, 'per_endpoint': ROOM},
        'export': {'metrics': f'127.0.0.1:{PORT}'}, 'log': {'level': 'info'}}).start(60)


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


def assert_no_turn_was_long(snooperd):
    after = samples(snooperd)
    print(f'longest turn {after["snooper_loop_longest_turn_seconds"] * 1000:.2f} ms of CPU')
    assert after['snooper_loop_longest_turn_seconds'] > 0
    assert after['snooper_loop_longest_turn_seconds'] <= TURN_MAX
    if PATIENCE == 1:
        assert after['snooper_loop_slow_turns_total'] == 0


def test_2_1_no_turn_of_the_loop_takes_10_ms(lab, wildcard):
    snooperd = roomy(lab)
    assert busy(lab, snooperd, 30000) >= 33000
    assert_no_turn_was_long(snooperd)


@pytest.mark.long
def test_2_1_a_million_names_in_300_mib_without_a_long_turn(lab, wildcard):
    """Anonymous memory: what is shared with the kernel's maps is not the daemon's own."""
    snooperd = roomy(lab)
    assert busy(lab, snooperd, 950000) >= 1000000
    with open(f'/proc/{snooperd.pid}/status') as f:
        resident = int(re.search(r'RssAnon:\s+(\d+)', f.read()).group(1)) << 10
    print(f'{resident >> 20} MiB resident')
    assert resident <= LIMIT
    assert_no_turn_was_long(snooperd)
    assert snooperd.stop(60) == 0
