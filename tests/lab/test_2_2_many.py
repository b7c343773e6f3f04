# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.2: what look-ups find may be thousands of addresses, of several names at once."""
import signal

import pytest

import dnswire as w
from policing import DNS_ANY, ask, inside, names, policy, start
from servers import Scripted, unbound
from snoplab import wait_until
from turns import METRICS, assert_no_turn_was_long, long_every_time, samples

JUDGE = '10.53.0.77'  # asked by snooperd only
NOBODY = '10.53.0.78'
OURS = '192.0.2.1'
MANY = 3500  # addresses in one answer, over TCP; 4095 would fit
NAMES = 16
ROOM = 1 << 20


@pytest.fixture
def judge(lab):
    """It has MANY addresses for whatever is below many.test."""
    lab.outside.add_addresses(f'{JUDGE}/24')
    return unbound(lab.outside, [JUDGE], {}, ' local-zone: "many.test." redirect\n' + ''.join(
        f' local-data: "many.test. 300 A 198.18.{i >> 8}.{i & 255}"\n' for i in range(MANY))).start()


def start_daemon(lab):
    return start(lab, policy(names('*.many.test') + DNS_ANY), changes={
        'reconcile': {'mode': 'refresh', 'servers': [f'{JUDGE}:53']}, 'export': {'metrics': METRICS},
        'limits': {'addresses_per_name': MANY + 1, 'facts': ROOM, 'rows': ROOM, 'per_endpoint': ROOM,
                   'names_per_address': ROOM}})


def reconcile(daemon, counter):
    return samples(daemon)[f'snooper_reconcile_{counter}_total']


def begin(lab, daemon, judge, prefix='n'):
    """A client asks for NAMES of them, and is told one address of each; all answers of the judge come at once."""
    granted, asked = reconcile(daemon, 'granted'), reconcile(daemon, 'lookups')

    def ask_all():
        return [ask(lab.outside.ip4, f'{prefix}{i}.many.test') for i in range(NAMES)]
    judge.signal(signal.SIGSTOP)
    with Scripted(lab.outside, lab.outside.ip4, lambda query: [w.answer(query, [w.a(w.QNAME, OURS, 300)])]):
        assert inside(lab, ask_all) == [[OURS]] * NAMES
    wait_until(lambda: reconcile(daemon, 'lookups') >= asked + 2 * NAMES, what='both types of each are asked for')
    judge.signal(signal.SIGCONT)
    wait_until(lambda: reconcile(daemon, 'granted') > granted, 30, 'some are granted')


def known(daemon):
    return samples(daemon)['snooper_cache_addresses']


@long_every_time
def test_2_2_thousands_of_addresses_are_granted_without_a_long_turn(lab, judge):
    daemon = start_daemon(lab)
    begin(lab, daemon, judge)
    wait_until(lambda: known(daemon) == NAMES * (MANY + 1), 60, lambda: f'all are granted: {known(daemon)}')
    assert_no_turn_was_long(daemon)
    assert (reconcile(daemon, 'granted'), reconcile(daemon, 'refused')) == (NAMES * MANY, 0)


def test_2_2_granting_is_interrupted(lab, judge):
    """By a reload to other servers: what was not granted is counted, and is after the next look-up."""
    daemon = start_daemon(lab)
    for attempt in range(1, 6):
        begin(lab, daemon, judge, f'r{attempt}-')
        daemon.conf['reconcile']['servers'] = [f'{JUDGE}:53'] + [f'{NOBODY}:53'] * (attempt % 2)
        daemon.write_conf()
        assert daemon.ctl('reload').returncode == 0
        if reconcile(daemon, 'refused'):
            break
    assert reconcile(daemon, 'refused') > 0
    everything = attempt * NAMES * (MANY + 1)
    wait_until(lambda: known(daemon) == everything, 60, lambda: f'all are granted: {known(daemon)}')


def test_2_2_granting_is_ended(lab, judge):
    daemon = start_daemon(lab)
    begin(lab, daemon, judge)
    granted = reconcile(daemon, 'granted')
    assert daemon.stop() == 0
    assert granted < NAMES * MANY
