# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Points 2.2 and 2.3: what was learned is compared with an independent look-up, and renewed by it."""
import re
import socket
import threading
import time
import urllib.request

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask, unbound
from snoplab import HERE, PATIENCE, wait_until
from stalls import may_stall

JUDGE = '10.53.0.77'  # asked by snooperd only
NOBODY = '10.53.0.78'
OURS, THEIRS, MORE = '192.0.2.1', '198.51.100.1', '192.0.2.2'


def start(lab, servers=(JUDGE,), mode='verify', **changes):
    lab.outside.add_addresses(f'{JUDGE}/24')
    return Snooperd(lab, {'reconcile': {'mode': mode, 'servers': [f'{s}:53' for s in servers]},
                          **changes}).start()


def addresses(snooperd, name):
    """{address: its line} of a name, {} when it is not there."""
    line = snooperd.names().get(name)
    return {a['address']: a for a in line['addresses']} if line else {}


def outcome(snooperd, name, address=OURS):
    return addresses(snooperd, name).get(address, {}).get('reconcile')


def answers(*records, **options):
    return lambda query: [w.answer(query, list(records), **options)]


def learned_by_client(lab, name, records=None, **options):
    """The client asks its own resolver."""
    handler = answers(*(records or [w.a(w.QNAME, OURS)]), **options)
    with Scripted(lab.outside, lab.outside.ip4, handler):
        assert len(lab.node.call(ask, lab.outside.ip4, [w.query(7, name)])) == 1


class Judge(Scripted):
    """Scripted on JUDGE: what records(n) gives for the nth question for A records, and when each came."""

    def __init__(self, lab, records):
        self.times = []

        def handler(query):
            if w.question_of(query)[-4:-2] != b'\0\1':
                return [w.answer(query, [])]
            self.times.append(time.monotonic())
            return [w.answer(query, records(len(self.times)))]
        super().__init__(lab.outside, JUDGE, handler)

    def asked(self, times, deadline=15):
        wait_until(lambda: len(self.times) >= times, deadline,
                   lambda: f'asked {times} times: {self.times}')


VERDICTS = {
    'confirmed': answers(w.a(w.QNAME, THEIRS), w.a(w.QNAME, OURS)),
    'unconfirmed': answers(w.a(w.QNAME, THEIRS)),  # GeoDNS
    'conflict': answers(flags=0x8183),
    'unreachable': answers(flags=0x8182),
}


@pytest.mark.parametrize('said', VERDICTS)
def test_2_2_outcome(lab, said):
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE, VERDICTS[said]):
        learned_by_client(lab, 'one.test')
        wait_until(lambda: outcome(snooperd, 'one.test') == said, what=said)
    # Whatever it says, the fact is the kernel's and stays as it is.
    line = addresses(snooperd, 'one.test')
    assert set(line) == {OURS} and line[OURS]['origin'] == 'kernel'


def test_2_2_refused_ranges_conflict(lab):
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, '127.0.0.1'))):
        learned_by_client(lab, 'loopback.test')
        wait_until(lambda: outcome(snooperd, 'loopback.test') == 'conflict', what='conflict')


def test_2_2_no_record_of_the_type(lab):
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE, answers()):
        learned_by_client(lab, 'empty.test')
        wait_until(lambda: outcome(snooperd, 'empty.test') == 'unconfirmed', what='unconfirmed')


def test_2_2_off_asks_nobody(lab):
    snooperd = start(lab, mode='off')
    came = []
    with Scripted(lab.outside, JUDGE, lambda q: came.append(q) or []):
        learned_by_client(lab, 'one.test')
        wait_until(lambda: outcome(snooperd, 'one.test') == 'off', what='off')
        learned_by_client(lab, 'two.test')
        wait_until(lambda: outcome(snooperd, 'two.test') == 'off', what='off')
    assert not came


def test_2_2_pending_while_it_is_asked(lab):
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE) as judge:
        learned_by_client(lab, 'slow.test')
        query, asker = judge.take()
        assert outcome(snooperd, 'slow.test') == 'pending'
        judge.send(VERDICTS['confirmed'](query)[0], asker)
        wait_until(lambda: outcome(snooperd, 'slow.test') == 'confirmed', what='confirmed')


def test_2_2_a_and_aaaa_over_tcp_when_truncated(lab):
    """A real server with more addresses than a datagram takes: c-ares asks again over TCP."""
    zone = ''.join(f'big A 192.0.2.{i}\nbig AAAA 2001:db8::{i:x}\n' for i in range(1, 200))
    lab.outside.add_addresses(f'{JUDGE}/24')
    unbound(lab.outside, [lab.outside.ip4, JUDGE], {'many.test': zone}).start()
    snooperd = Snooperd(lab, {'reconcile': {'mode': 'verify', 'servers': [f'{JUDGE}:53']}}).start()
    for kind in 'A', 'AAAA':
        assert len(lab.node.dig('big.many.test', kind, lab.outside.ip4, '+bufsize=16384', '+ignore')) == 199
    wait_until(lambda: [a['reconcile'] for a in addresses(snooperd, 'big.many.test').values()]
               == ['confirmed'] * 398,
               what=lambda: f'all confirmed: {snooperd.ctl("names").stdout[:2000]}')


def test_2_2_f28_dead_resolver_degrades_and_nothing_else(lab):
    snooperd = start(lab, servers=[NOBODY])
    lab.outside.add_addresses(f'{NOBODY}/24')  # the host is there, and nobody listens
    names = [f'n{i}.test' for i in range(20)]
    for name in names:
        learned_by_client(lab, name)
    wait_until(lambda: 'reconcile-unreachable' in snooperd.status()['degraded'], what='degraded')
    assert outcome(snooperd, names[0]) in ('unreachable', 'pending')
    assert set(names) <= set(snooperd.names())
    learned_by_client(lab, 'later.test')
    wait_until(lambda: OURS in addresses(snooperd, 'later.test'), what='learned all the same')
    # It backs off: far fewer questions than names and seconds would make.
    with Scripted(lab.outside, NOBODY, VERDICTS['confirmed']):
        wait_until(lambda: all(outcome(snooperd, n) == 'confirmed' for n in names),
                   60, 'asked again when it is back')
    wait_until(lambda: 'reconcile-unreachable' not in snooperd.status()['degraded'], what='well')


def test_2_2_f29_other_addresses_are_a_union_when_renewed(lab):
    """GeoDNS: what the client got and what the look-up gets both stand, each with its origin."""
    snooperd = start(lab, mode='refresh')
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, THEIRS, ttl=60))):
        learned_by_client(lab, 'geo.test')
        wait_until(lambda: set(addresses(snooperd, 'geo.test')) == {OURS, THEIRS}, what='both')
    line = addresses(snooperd, 'geo.test')
    assert line[OURS]['origin'] == 'kernel' and line[OURS]['reconcile'] == 'unconfirmed'
    assert line[THEIRS]['origin'] == 'resolver' and line[THEIRS]['reconcile'] == 'confirmed'
    assert 0 < line[THEIRS]['expires_in_ms'] <= 60000


def test_2_2_killed_and_back_knows_what_it_found(lab):
    """kill -9 between a look-up and its end: the next snooperd shows the fact, its origin and what is left of it."""
    snooperd = start(lab, mode='refresh')
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, THEIRS, ttl=60))):
        learned_by_client(lab, 'geo.test')
        wait_until(lambda: set(addresses(snooperd, 'geo.test')) == {OURS, THEIRS}, what='both')
    snooperd.kill9()
    snooperd.start()
    line = addresses(snooperd, 'geo.test')
    assert line[OURS]['origin'] == 'kernel' and line[THEIRS]['origin'] == 'resolver'
    assert 0 < line[THEIRS]['expires_in_ms'] <= 60000
    assert {a['reconcile'] for a in line.values()} <= {'pending', 'unreachable'}


@pytest.mark.long
def test_2_2_refresh_renews_for_ten_lifetimes(lab):
    """A name of TTL 1 lives on without its client, and ends ten lifetimes after the client asked."""
    snooperd = start(lab, mode='refresh')
    asked = []

    def judge(query):
        asked.append(query)
        return [w.answer(query, [w.a(w.QNAME, OURS, ttl=1)])]
    with Scripted(lab.outside, JUDGE, judge):
        learned_by_client(lab, 'short.test', [w.a(w.QNAME, OURS, ttl=1)])
        wait_until(lambda: len(asked) >= 8, deadline=15, what=lambda: f'renewed several times: {len(asked)} {snooperd.ctl("names").stdout}')
        assert addresses(snooperd, 'short.test')[OURS]['origin'] == 'kernel'
        wait_until(lambda: 'short.test' not in snooperd.names(), deadline=20, what='ended')


@may_stall
def test_2_2_refresh_goes_on_when_it_finds_others(lab):
    """GeoDNS: what the client got is long over, and what look-ups give is renewed; for ten lifetimes."""
    snooperd = start(lab, mode='refresh')
    with Judge(lab, lambda n: [w.a(w.QNAME, THEIRS, ttl=1)]) as judge:
        learned_by_client(lab, 'geo.test', [w.a(w.QNAME, OURS, ttl=1)])
        judge.asked(6)
        wait_until(lambda: set(addresses(snooperd, 'geo.test')) == {THEIRS}, what='renewed')
        wait_until(lambda: 'geo.test' not in snooperd.names(), deadline=20, what='ended')


@pytest.mark.long
def test_2_2_refresh_goes_on_after_a_restart(lab):
    """The next snooperd goes on where the last one was, though the kernel's own fact is over."""
    ttl = 2 * PATIENCE
    snooperd = start(lab, mode='refresh')
    with Judge(lab, lambda n: [w.a(w.QNAME, THEIRS, ttl=ttl)]) as judge:
        learned_by_client(lab, 'geo.test', [w.a(w.QNAME, OURS, ttl=ttl)])
        wait_until(lambda: set(addresses(snooperd, 'geo.test')) == {THEIRS}, what='renewed')
        snooperd.kill9()
        judge.times.clear()
        snooperd.start()
        judge.asked(3)
        assert set(addresses(snooperd, 'geo.test')) == {THEIRS}
        # Its start is no question of a client's.
        wait_until(lambda: 'geo.test' not in snooperd.names(), deadline=30, what='ended')


def test_2_2_ttl_zero_is_asked_less_and_less(lab):
    """There is nothing to renew: it is asked after a second, then half as often each time."""
    start(lab, mode='refresh')
    with Judge(lab, lambda n: [w.a(w.QNAME, THEIRS, ttl=0)]) as judge:
        learned_by_client(lab, 'zero.test')
        judge.asked(3)
    assert judge.times[1] - judge.times[0] > 0.9 and judge.times[2] - judge.times[1] > 1.9


@may_stall
def test_2_2_cap_holds_over_look_ups(lab):
    """Other addresses each time, and the ones before still alive: no more than limits.addresses_per_name."""
    snooperd = start(lab, mode='refresh', limits={'addresses_per_name': 3})
    held = []

    def two_more(n):
        return [w.a(w.QNAME, f'198.51.100.{2 * n + i}', ttl=2) for i in (0, 1)]
    with Judge(lab, two_more) as judge:
        learned_by_client(lab, 'turns.test')
        wait_until(lambda: held.append(len(addresses(snooperd, 'turns.test'))) or len(judge.times) >= 5,
                   30, lambda: f'asked five times: {held}')
    assert max(held) == 3


def test_2_2_reload_to_refresh(lab):
    """Names that were only compared so far are renewed, without a client asking again."""
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE, VERDICTS['unconfirmed']):
        learned_by_client(lab, 'geo.test')
        wait_until(lambda: outcome(snooperd, 'geo.test') == 'unconfirmed', what='unconfirmed')
        snooperd.conf['reconcile']['mode'] = 'refresh'
        snooperd.write_conf()
        assert snooperd.ctl('reload').returncode == 0
        wait_until(lambda: set(addresses(snooperd, 'geo.test')) == {OURS, THEIRS}, what='both')


def test_2_2_sockets_that_cannot_be_marked_are_told_once(lab):
    """SO_MARK refused: looks at the proxy fail, and nobody can be asked; each is counted, and logged once."""
    def failures():
        with urllib.request.urlopen('http://127.0.0.1:9953/metrics') as page:
            text = page.read().decode()
        return [int(float(re.search(f'^snooper_{word}_total (.*)', text, re.M).group(1)))
                for word in ('proxy_looks_failed', 'reconcile_no_reply')]
    snooperd = Snooperd(lab, {'reconcile': {'mode': 'verify', 'servers': [f'{NOBODY}:53']},
                              'proxy': {'addresses': ['127.0.0.1:53']},
                              'export': {'metrics': '127.0.0.1:9953'}})
    snooperd.argv = ['/usr/bin/python3', f'{HERE}/without_mark.py', *snooperd.argv]
    snooperd.start()
    for name in 'one.test', 'two.test':
        learned_by_client(lab, name)
        wait_until(lambda: outcome(snooperd, name) == 'unreachable', what='unreachable')
    wait_until(lambda: all(n >= 2 for n in lab.node.call(failures)), what='counted')
    for event in 'proxy-look-failed', 'reconcile-mark-failed':
        assert snooperd.output().count(f'event={event} errno=1 ') == 1, event


def test_2_2_reload_changes_servers(lab):
    snooperd = start(lab, servers=[NOBODY])
    lab.outside.add_addresses(f'{NOBODY}/24')
    with Scripted(lab.outside, JUDGE, VERDICTS['confirmed']):
        learned_by_client(lab, 'one.test')
        snooperd.conf['reconcile']['servers'] = [f'{JUDGE}:53']
        snooperd.write_conf()
        assert snooperd.ctl('reload').returncode == 0
        wait_until(lambda: outcome(snooperd, 'one.test') == 'confirmed', what='confirmed')


def test_2_2_reload_switches_it_off_and_on(lab):
    """What is shown follows the mode, without a client asking again."""
    snooperd = start(lab)

    def switch(mode):
        snooperd.conf['reconcile']['mode'] = mode
        snooperd.write_conf()
        assert snooperd.ctl('reload').returncode == 0
    with Scripted(lab.outside, JUDGE, VERDICTS['confirmed']):
        learned_by_client(lab, 'one.test')
        wait_until(lambda: outcome(snooperd, 'one.test') == 'confirmed', what='confirmed')
        switch('off')
        wait_until(lambda: outcome(snooperd, 'one.test') == 'off', what='off')
        switch('verify')
        wait_until(lambda: outcome(snooperd, 'one.test') == 'confirmed', what='confirmed again')


@may_stall
def test_2_2_rate(lab):
    """No more questions than rate allows; the names wait for their turn."""
    snooperd = start(lab, reconcile={'mode': 'verify', 'servers': [f'{JUDGE}:53'], 'rate': 40})
    names = [f'n{i}.rate.test' for i in range(120)]
    times = []
    clock = threading.Event()

    def judge(query):
        times.append(time.monotonic())
        if len(times) == len(names):
            clock.set()
        return VERDICTS['confirmed'](query)
    with Scripted(lab.outside, JUDGE, judge):
        with Scripted(lab.outside, lab.outside.ip4, answers(w.a(w.QNAME, OURS))):
            lab.node.call(ask, lab.outside.ip4, [w.query(i, n) for i, n in enumerate(names)])
        assert clock.wait(20 * PATIENCE)
    took = times[-1] - times[0]
    assert len(times) <= took * 40 * 1.1 + 5
    wait_until(lambda: all(outcome(snooperd, n) == 'confirmed' for n in names), what='all')


def test_2_2_own_questions_are_not_learned(lab):
    """snooperd in an observed cgroup, asking a trusted server: what it finds is the resolver's."""
    snooperd = start(lab, mode='refresh', observe={'cgroups': [lab.cgroup],
                                                   'resolvers': [lab.outside.ip4, JUDGE]})
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, THEIRS))):
        learned_by_client(lab, 'own.test')
        wait_until(lambda: THEIRS in addresses(snooperd, 'own.test'), what='found')
    assert addresses(snooperd, 'own.test')[THEIRS]['origin'] == 'resolver'
    status = snooperd.status()['kernel']
    assert status['answers_learned'] == 1 and status['refused']['unasked'] == 0
    assert snooperd.counter('own_lookups') >= 1


def test_2_3_truncated_names_are_asked_by_the_daemon(lab):
    """TC=1 and no retry by the client: the daemon asks, over TCP, for what was cut off."""
    zone = ''.join(f'cut A 192.0.2.{i}\n' for i in range(1, 200))
    lab.outside.add_addresses(f'{JUDGE}/24')
    unbound(lab.outside, [JUDGE], {'many.test': zone}).start()
    snooperd = Snooperd(lab, {'reconcile': {'mode': 'verify', 'servers': [f'{JUDGE}:53']}}).start()
    learned_by_client(lab, 'cut.many.test', flags=0x8380)
    wait_until(lambda: len(addresses(snooperd, 'cut.many.test')) == 199, what='all of them')
    line = addresses(snooperd, 'cut.many.test')
    assert line[OURS]['origin'] == 'kernel' and line[MORE]['origin'] == 'resolver'
    assert snooperd.names()['cut.many.test']['truncated'] is True


def test_2_3_truncated_and_empty(lab):
    """TC=1 with nothing in it, as servers answer that limit their rate: asked for at once, not by the next scan."""
    snooperd = start(lab)
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, THEIRS))), \
            Scripted(lab.outside, lab.outside.ip4, answers(flags=0x8380)):
        assert len(lab.node.call(ask, lab.outside.ip4, [w.query(7, 'empty.test')])) == 1
        wait_until(lambda: set(addresses(snooperd, 'empty.test')) == {THEIRS}, what='found')


def test_2_3_unreadable_answers_are_asked_by_the_daemon(lab):
    snooperd = start(lab)
    broken = [w.rr(w.QNAME, w.A, socket.inet_aton(OURS), rdlength=3)]
    with Scripted(lab.outside, JUDGE, answers(w.a(w.QNAME, THEIRS))):
        learned_by_client(lab, 'broken.test', broken)
        wait_until(lambda: set(addresses(snooperd, 'broken.test')) == {THEIRS}, what='found')
    assert addresses(snooperd, 'broken.test')[THEIRS]['origin'] == 'resolver'


@may_stall
def test_2_3_unreadable_names_are_asked_again(lab):
    """The kernel tells of such a name once. What was found for it is renewed, while it was asked for not long ago."""
    snooperd = start(lab)
    broken = [w.rr(w.QNAME, w.A, socket.inet_aton(OURS), rdlength=3)]
    with Judge(lab, lambda n: [w.a(w.QNAME, THEIRS, ttl=1)]) as judge:
        learned_by_client(lab, 'broken.test', broken)
        judge.asked(6)
        wait_until(lambda: set(addresses(snooperd, 'broken.test')) == {THEIRS}, what='renewed')
