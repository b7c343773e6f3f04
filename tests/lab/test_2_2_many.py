# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.2: what a look-up finds may be thousands of addresses."""
import dnswire as w
from policing import DNS_ANY, ask, inside, names, policy, start
from servers import Scripted, unbound
from snoplab import wait_until
from turns import METRICS, assert_no_turn_was_long, long_every_time, samples

JUDGE = '10.53.0.77'  # asked by snooperd only
OURS = '192.0.2.1'
MANY = 3500  # addresses in one answer, over TCP; 4095 would fit


def found(daemon):
    line = daemon.names().get('many.test')
    return len(line['addresses']) if line else 0


def start_with_many(lab):
    """A client has asked for a name, and was told one address; snooperd will find MANY others."""
    lab.outside.add_addresses(f'{JUDGE}/24')
    unbound(lab.outside, [JUDGE], {}, ' local-zone: "test." static\n' + ''.join(
        f' local-data: "many.test. 300 A 198.18.{i >> 8}.{i & 255}"\n' for i in range(MANY))).start()
    daemon = start(lab, policy(names('many.test') + DNS_ANY), changes={
        'reconcile': {'mode': 'refresh', 'servers': [f'{JUDGE}:53']},
        'limits': {'addresses_per_name': MANY + 1}, 'export': {'metrics': METRICS}})
    with Scripted(lab.outside, lab.outside.ip4, lambda query: [w.answer(query, [w.a(w.QNAME, OURS, 300)])]):
        assert inside(lab, ask, lab.outside.ip4, 'many.test') == [OURS]
    return daemon


@long_every_time
def test_2_2_thousands_of_addresses_are_granted_without_a_long_turn(lab):
    daemon = start_with_many(lab)
    wait_until(lambda: found(daemon) == MANY + 1, what=lambda: f'all are granted: {found(daemon)}')
    assert_no_turn_was_long(daemon)
    assert samples(daemon)['snooper_reconcile_granted_total'] == MANY


def test_2_2_granting_is_interrupted(lab):
    """By reloads to other servers, and by the end: what was not granted is, by the next look-up."""
    daemon = start_with_many(lab)
    for number in range(4):
        wait_until(lambda: found(daemon) > 1, what='some are granted')
        daemon.conf['reconcile']['servers'] = [f'{JUDGE}:53'] + ['10.53.0.1:53'] * (number % 2)
        daemon.write_conf()
        assert daemon.ctl('reload').returncode == 0
    wait_until(lambda: found(daemon) == MANY + 1, 60, lambda: f'all are granted: {found(daemon)}')
    assert daemon.stop() == 0
