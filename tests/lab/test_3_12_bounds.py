# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.12: no room and no time for a new cgroup are counted, shown, and made good."""
import os

from endpointing import delete_row, endpoint_of, endpoints, numbers_of, row_of, start, write_row
from snoplab import wait_until

MEMBERS = 65536  # SNP_MEMBERS_MAX


def test_3_12_no_room_for_a_member(lab):
    daemon = start(lab, ('pods', 'pod-*'))
    number, = numbers_of(daemon)
    fakes = range(1 << 48, (1 << 48) + MEMBERS)
    assert [write_row(daemon, fake, number) for fake in fakes] == [0] * MEMBERS
    pod = lab.node.sub_cgroup('pod-a')
    assert row_of(daemon, os.stat(pod).st_ino) is None
    status = daemon.status()
    assert status['degraded'] == ['endpoint-cgroups-missed']
    assert status['kernel']['counters']['endpoint_cgroups_missed'] == 1
    wait_until(lambda: 'event=endpoint-cgroups-incomplete reason="more cgroups than fit"' in daemon.output(), 60,
               what='the daemon has tried')
    assert daemon.status()['degraded'] == ['endpoint-cgroups-missed']
    assert delete_row(daemon, fakes[0]) == 0
    wait_until(lambda: endpoint_of(daemon, pod) == 'pods', 60, what='it has found room')
    wait_until(lambda: not daemon.status()['degraded'], what='nothing is missing')


def test_3_12_globs_that_take_too_long(lab):
    """Backtracking over all of a long name, glob after glob, until the kernel gives up."""
    slow = [(f'slow{i}', f'*{"a" * 120}{i}') for i in range(10)]
    daemon = start(lab, *slow, ('pods', 'a*'))
    quick, long = lab.node.sub_cgroup('a'), lab.node.sub_cgroup('a' * 250)
    assert endpoint_of(daemon, quick) == 'pods'
    assert daemon.counter('endpoint_cgroups_missed') == 1
    wait_until(lambda: endpoint_of(daemon, long) == 'pods', 60, what='the daemon takes its time')
    wait_until(lambda: not daemon.status()['degraded'], what='nothing is missing')
    assert endpoint_of(daemon, lab.node.sub_cgroup(f'{"a" * 250}/below')) == 'pods', 'parents are quick'


def test_3_12_as_many_endpoints_as_there_can_be(lab):
    daemon = start(lab, *[(f'e{i}', f'pod-{i}') for i in range(4095)])
    last = lab.node.sub_cgroup('pod-4094')
    assert endpoint_of(daemon, last) == 'e4094'
    assert len(daemon.status()['endpoints']) == 4095
    daemon.conf['endpoints'] = endpoints(lab, ('one-more', 'pod-*'))
    daemon.write_conf()
    done = daemon.ctl('reload')
    assert done.returncode == 1 and 'number' in done.stdout + done.stderr, 'numbers stay with their names'
    assert endpoint_of(daemon, last) == 'e4094'
