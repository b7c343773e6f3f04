# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.4: the kernel learns without its daemon, and the next daemon knows what it learned."""
import os
import subprocess

import pytest

from daemon import Snooperd
from servers import unbound
from snoplab import wait_until

ZONES = {'restart.test': '* A 192.0.2.10\n* AAAA 2001:db8::10\nto CNAME here\nhere AAAA 2001:db8::11\n'}


@pytest.fixture
def server(lab):
    lab.node.resolve_by(lab.outside.ip4, lab.outside.ip6)
    return unbound(lab.outside, [lab.outside.ip4, lab.outside.ip6], ZONES).start()


def attached(cgroup):
    """The programs on a cgroup, as bpftool lists them."""
    out = subprocess.run(['/usr/sbin/bpftool', 'cgroup', 'show', cgroup], text=True,
                         capture_output=True).stdout
    return [line for line in out.splitlines() if 'snp_' in line]


def resolve_some(lab, prefix, count=20):
    names = [f'{prefix}{i}.restart.test' for i in range(count)]
    assert len(lab.node.getaddrinfo(*names, family=4)) == count
    return names


def test_1_4_kill_9_stops_no_learning(lab, server, snooperd):
    before = resolve_some(lab, 'before')
    snooperd.wait_for(*before)
    snooperd.kill9()
    meanwhile = resolve_some(lab, 'meanwhile') + ['to.restart.test']
    assert lab.node.dig('to.restart.test', 'AAAA', lab.outside.ip6)

    snooperd.start()
    listed = snooperd.wait_for(*before, *meanwhile)
    for name in meanwhile[:20]:
        addresses = listed[name]['addresses']
        assert [a['address'] for a in addresses] == ['192.0.2.10']
        assert addresses[0]['origin'] == 'kernel'
        assert 0 < addresses[0]['expires_in_ms'] <= 300000
    assert listed['to.restart.test']['cnames'] == ['here.restart.test']


def test_1_4_five_deaths_in_a_row(lab, server, snooperd):
    everything = []
    for life in range(5):
        everything += resolve_some(lab, f'life{life}x')
        snooperd.kill9()
        everything += resolve_some(lab, f'death{life}x')
        snooperd.start()
    snooperd.wait_for(*everything)
    assert len(attached(lab.node.cgroup)) == len(set(attached(lab.node.cgroup)))


def test_1_4_sigterm_keeps_learning_too(lab, server, snooperd):
    assert snooperd.stop() == 0
    meanwhile = resolve_some(lab, 'stopped')
    snooperd.start().wait_for(*meanwhile)


def test_1_4_keep_on_stop_false_leaves_nothing(lab, server):
    snooperd = Snooperd(lab, {'state': {'keep_on_stop': False}}).start()
    assert attached(lab.node.cgroup)
    assert snooperd.stop() == 0
    assert not attached(lab.node.cgroup)
    assert not os.path.exists(snooperd.bpffs)


@pytest.mark.parametrize('dead', [False, True], ids=['after-stop', 'after-kill-9'])
def test_1_4_uninstall_removes_everything(lab, server, snooperd, dead):
    snooperd.wait_for(*resolve_some(lab, 'gone'))
    snooperd.kill9() if dead else snooperd.stop()
    assert attached(lab.node.cgroup) and os.listdir(snooperd.bpffs)

    done = snooperd.once('--uninstall')
    assert done.returncode == 0, done.stderr
    assert not attached(lab.node.cgroup)
    assert not os.path.exists(snooperd.bpffs)
    assert snooperd.once('--uninstall').returncode == 0, 'nothing to remove is no failure'

    resolve_some(lab, 'unseen')
    snooperd.start()
    assert not snooperd.names(), 'a fresh start knows nothing'


def test_1_4_expiry_counts_down_over_a_restart(lab, server, snooperd):
    resolve_some(lab, 'aging', 1)
    name = 'aging0.restart.test'

    def left():
        return snooperd.names()[name]['addresses'][0]['expires_in_ms']
    snooperd.wait_for(name)
    first = left()
    snooperd.kill9()
    snooperd.start()
    wait_until(lambda: left() < first, what='the expiry is nearer than before the restart')
