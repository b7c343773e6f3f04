# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.18: the lab leaves nothing behind, also when its runner is killed in the middle."""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys

import pytest

import leftovers
from servers import dnsmasq, unbound
from snoplab import HERE, wait_until

RUNNER = '''
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from daemon import Snooperd
from servers import dnsmasq, unbound
from snoplab import Lab, Run

with Run() as run, Lab(run) as lab:
    unbound(lab.outside, [lab.outside.ip4], {'left.test': '* A 192.0.2.1'}).start()
    dnsmasq(lab.node, ['127.0.0.1'], [lab.outside.ip4]).start()
    snooperd = Snooperd(lab).start()
    client = lab.node.popen(['/usr/bin/dig', '+tries=100', '+time=5', '@10.53.0.250', 'x.test'],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(run.name, flush=True)
    command = sys.stdin.readline()
    assert command != 'fail\\n', 'a test that fails'
    assert command != 'stop\\n' or snooperd.signal(19) is None
    sys.stdin.readline()
'''


def interruptible():
    """What a shell began in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_runner():
    """A runner of its own, in the middle of a test: (process, name of its run)."""
    runner = subprocess.Popen(['/usr/bin/python3', '-c', RUNNER, HERE], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, preexec_fn=interruptible)
    name = runner.stdout.readline().strip()
    assert name == f'snl{runner.pid}'
    kinds = {kind for kind, _ in leftovers.find(name)}
    assert {'process', 'mount', 'netns', 'cgroup', 'directory'} <= kinds, 'it has something to leave'
    return runner, name


def bpftool(*arguments):
    out = subprocess.run(['/usr/sbin/bpftool', '-j', *arguments], capture_output=True).stdout
    return json.loads(out)


def programs_of(run):
    """The ids of the programs on a run's node."""
    return {p['id'] for p in bpftool('cgroup', 'show', f'{leftovers.cgroup2()}/{run}/1/node')}


def loaded():
    """The ids of all programs in the kernel."""
    return {p['id'] for p in bpftool('prog', 'show')}


def state(pid):
    """R, S, T, ...; None when it is gone."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0]
    except OSError:
        return None


@pytest.mark.parametrize('how', ['kill', 'stopped-daemon', 'fail', 'interrupt', 'end'])
def test_1_18_nothing_is_left(how):
    runner, name = start_runner()
    programs = programs_of(name)
    assert programs and programs <= loaded(), 'snooperd has loaded its programs'
    with runner:
        if how == 'stopped-daemon':
            runner.stdin.write('stop\n')
            runner.stdin.flush()
            cgroup = f'{leftovers.cgroup2()}/{name}'
            wait_until(lambda: 'T' in map(state, leftovers.processes(cgroup)),
                       what='snooperd is stopped')
        if how in ('kill', 'stopped-daemon'):
            runner.kill()
        elif how == 'interrupt':
            runner.send_signal(signal.SIGINT)
        else:
            runner.stdin.write('fail\n' if how == 'fail' else 'end\n\n')
            runner.stdin.flush()
        runner.wait(20)
    wait_until(lambda: not leftovers.find(name), what=f'nothing left of {name}')
    wait_until(lambda: not programs & loaded(), what='its programs are unloaded')


def dead_run():
    """The name of a run whose runner and janitor were both killed: nobody has cleaned up."""
    runner, name = start_runner()
    with runner:
        janitor = subprocess.run(['pgrep', '-f', f'leftovers.py --after {runner.pid}$'],
                                 capture_output=True, text=True).stdout.split()
        assert len(janitor) == 1
        os.kill(int(janitor[0]), signal.SIGKILL)
        runner.kill()
        runner.wait()
    assert not leftovers.is_alive(name)
    return name


def test_1_18_next_run_cleans_up_after_a_dead_one():
    """The next run does it, or leftovers.py by hand."""
    name = dead_run()
    listed = subprocess.run([sys.executable, f'{HERE}/leftovers.py', '--list'],
                            capture_output=True, text=True)
    assert listed.returncode == 1 and name in listed.stdout
    removed = subprocess.run([sys.executable, f'{HERE}/leftovers.py'], capture_output=True, text=True)
    assert removed.returncode == 0 and name in removed.stdout
    assert not leftovers.find(name)


def test_1_18_several_clean_up_at_once():
    """As runs do that begin in the same moment: none trips over another."""
    name = dead_run()
    with concurrent.futures.ThreadPoolExecutor(8) as cleaners:
        assert set(cleaners.map(leftovers.main, [[]] * 8)) == {0}
    assert not leftovers.find(name)


def listening_on_the_host():
    """Addresses of the host's own sockets on port 53, UDP and TCP."""
    lines = [line.split() for kind in ('udp', 'udp6', 'tcp', 'tcp6') for line in open(f'/proc/net/{kind}')]
    return sorted(fields[1] for fields in lines if fields[1].endswith(':0035'))


def test_1_18_servers_do_not_listen_on_the_host(lab):
    before = listening_on_the_host()
    unbound(lab.outside, [lab.outside.ip4, lab.outside.ip6], {'left.test': '* A 192.0.2.1'}).start()
    dnsmasq(lab.node, ['127.0.0.1', '::1'], [lab.outside.ip4]).start()
    assert lab.node.dig('x.left.test', 'A', '127.0.0.1') == ['192.0.2.1']
    assert listening_on_the_host() == before
