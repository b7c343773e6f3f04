# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.9: once it has started, snooperd holds little, can do little, and says so."""
import grp
import os
import re

import pytest

from daemon import Snooperd
from servers import unbound

# linux/capability.h
NET_ADMIN, SYS_PTRACE, BPF = 1 << 12, 1 << 19, 1 << 39

# Sanitizers need it off (make check-lab-asan).
SECCOMP = os.environ.get('SNOOPERD_SECCOMP', 'on')
NO = {'on': 'no', 'off': 'yes'}
NOGROUP = grp.getgrnam('nogroup').gr_gid


def process(snooperd):
    """The lines of /proc/PID/status."""
    with open(f'/proc/{snooperd.pid}/status') as f:
        return {key: value.strip() for key, _, value in (line.partition(':') for line in f)}


def test_2_9_running_snooperd_holds_three_capabilities(snooperd):
    status = process(snooperd)
    for kind in 'CapPrm', 'CapEff', 'CapBnd':
        assert int(status[kind], 16) == NET_ADMIN | SYS_PTRACE | BPF, kind
    for kind in 'CapInh', 'CapAmb':
        assert int(status[kind], 16) == 0, kind
    assert status['NoNewPrivs'] == '1'
    assert (status['Seccomp'], status['Seccomp_filters']) == {'on': ('2', '1'), 'off': ('0', '0')}[SECCOMP]
    told = re.findall(r'level=info event=confined (.*)', snooperd.output())
    assert len(told) == 1
    assert told[0].startswith('capabilities=net_admin,sys_ptrace,bpf bounding_set=narrowed '
                              f'no_new_privs=yes dumpable={NO[SECCOMP]} seccomp={SECCOMP} ')


@pytest.mark.parametrize('seccomp, group', [(SECCOMP, 0 if SECCOMP == 'on' else NOGROUP), ('off', NOGROUP)])
def test_2_9_a_confined_process_is_not_dumpable(lab, monkeypatch, seccomp, group):
    """The files of such a process in /proc are root's, whatever its group; its socket is its group's."""
    monkeypatch.setenv('SNOOPERD_SECCOMP', seccomp)
    snooperd = Snooperd(lab)
    snooperd.argv = ['setpriv', f'--regid={NOGROUP}', '--clear-groups', *snooperd.argv]
    snooperd.start()
    assert os.stat(f'/proc/{snooperd.pid}/maps').st_gid == group
    assert os.stat(snooperd.socket).st_gid == NOGROUP


def test_2_9_seccomp_can_be_turned_off_and_says_so(lab, monkeypatch):
    monkeypatch.setenv('SNOOPERD_SECCOMP', 'off')
    unbound(lab.outside, [lab.outside.ip4], {'off.test': '* A 192.0.2.1\n'}).start()
    lab.node.resolve_by(lab.outside.ip4)
    snooperd = Snooperd(lab).start()
    assert process(snooperd)['Seccomp'] == '0'
    assert int(process(snooperd)['CapEff'], 16) == NET_ADMIN | SYS_PTRACE | BPF
    assert re.search(r'event=confined .* dumpable=yes seccomp=off ', snooperd.output())
    lab.node.getaddrinfo('a.off.test', family=4)
    snooperd.wait_for('a.off.test')


def test_2_9_check_and_uninstall_are_not_confined(snooperd):
    """They end at once, and --uninstall runs where the daemon that pinned may have been another build's."""
    assert snooperd.stop() == 0
    for option in '-n', '--uninstall':
        done = snooperd.once(option)
        assert done.returncode == 0 and 'event=confined' not in done.stderr
