# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.9: the unit is valid, grants what snooperd needs and no more, and is told what it wants to hear."""
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from daemon import SNOOPERD, Snooperd
from sanitize import NO_LEAKS, asan_options
from servers import dnsmasq
from snoplab import PATIENCE, Program, TOP, wait_until

UNIT = f'{TOP}/snooper/conf/snooperd.service.in'
# What systemd-analyze counts, 0.0 (best) to 10.0; without a network, the BPF and the sight of others there is no snooperd.
EXPOSURE_MAX = 2.7
PROXY = '10.53.9.53'


def settings(name):
    with open(UNIT) as f:
        return [value for line in f for key, _, value in [line.rstrip('\n').partition('=')]
                if key == name]


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The tree of `make install`, with the programs that are built already."""
    top = tmp_path_factory.mktemp('install')
    subprocess.run(['make', '-s', 'install', f'DESTDIR={top}', 'PREFIX=/opt/snooper'], cwd=TOP,
                   check=True, capture_output=True)
    return top


def test_2_9_make_install_puts_the_unit_below_prefix(installed):
    unit = (installed / 'opt/snooper/lib/systemd/system/snooperd.service').read_text()
    assert '\nExecStart=/opt/snooper/sbin/snooperd\n' in unit and '@SBINDIR@' not in unit
    assert (installed / 'opt/snooper/sbin/snooperd').exists()
    assert 'g snooper -' in (installed / 'opt/snooper/lib/sysusers.d/snooper.conf').read_text()


def analyze(tmp_path, *arguments):
    """systemd-analyze on the unit, its program being the one built here."""
    with open(UNIT) as f:
        text = f.read().replace('@SBINDIR@/snooperd', os.path.realpath(SNOOPERD))
    unit = tmp_path / 'snooperd.service'
    unit.write_text(text)
    return subprocess.run(['systemd-analyze', *arguments, str(unit)], capture_output=True, text=True)


def test_2_9_the_unit_is_valid(tmp_path):
    done = analyze(tmp_path, 'verify', '--man=no')
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_2_9_the_unit_exposes_little(tmp_path):
    done = analyze(tmp_path, 'security', '--offline=true', '--no-pager',
                   f'--threshold={round(EXPOSURE_MAX * 10)}')
    assert done.returncode == 0, done.stdout


# The capabilities, by a start under just these: what systemd does to a service of root.

ALL = [cap[len('CAP_'):].lower() for line in settings('CapabilityBoundingSet') for cap in line.split()]


class Bounded(Snooperd):
    """snooperd with a proxy that runs as somebody else, under a bounding set."""

    def __init__(self, lab, capabilities, changes=None, name='snooperd'):
        proxy = {'addresses': [f'{PROXY}:53'], 'cgroup': lab.node.sub_cgroup('proxy'),
                 'fallback': [f'{lab.outside.ip4}:53']}
        super().__init__(lab, {'proxy': proxy, **(changes or {})}, name)
        self.argv = ['setpriv', '--bounding-set', ','.join(['-all', *(f'+{c}' for c in capabilities)]),
                     '--inh-caps=-all', *self.argv]


@pytest.fixture
def proxy(lab):
    lab.node.add_addresses(f'{PROXY}/32', device='lo')
    server = dnsmasq(lab.node, [PROXY], [lab.outside.ip4], cgroup=lab.node.sub_cgroup('proxy'))
    server.argv[server.argv.index('--user=root')] = '--user=nobody'
    return server.start()


GROUP = {'export': {'socket_group': 'nogroup'}}


def test_2_9_the_units_capabilities_are_enough(lab, proxy):
    with open(f'/proc/{proxy.pid}/status') as f:
        assert int(re.search(r'^Uid:\s+(\d+)', f.read(), re.M)[1]) != 0, 'the proxy is not root'
    snooperd = Bounded(lab, ALL, GROUP).start()
    assert re.search(r'event=proxy-sockets found=2\b', snooperd.output()), 'UDP and TCP'


def test_2_9_what_was_kept_is_enough_for_a_reload(lab, proxy):
    """A proxy and a cgroup that the first configuration did not know: attached to, and sockets found, by reload."""
    snooperd = Bounded(lab, ALL)
    known = snooperd.conf.pop('proxy')
    snooperd.start()
    snooperd.conf['proxy'] = known
    snooperd.conf['observe']['cgroups'].append(lab.outside.cgroup)
    snooperd.write_conf()
    assert snooperd.ctl('reload').returncode == 0
    assert re.search(r'event=proxy-sockets found=2\b', snooperd.output())
    assert snooperd.status()['proxy']['state'] == 'active'


@pytest.mark.parametrize('missing', ALL)
def test_2_9_each_of_the_units_capabilities_is_needed(lab, proxy, missing):
    snooperd = Bounded(lab, [c for c in ALL if c != missing], GROUP)
    try:
        snooperd.start()
    except AssertionError:
        assert 'event=start-failed' in snooperd.output() or 'event=export-failed' in snooperd.output()
        return
    assert missing == 'sys_ptrace' and 'event=proxy-sockets' not in snooperd.output()


def calls_of(*names):
    """System call sets, as systemd-analyze lists them."""
    calls = set()
    for name in names:
        out = subprocess.run(['systemd-analyze', 'syscall-filter', '--no-pager', name], check=True,
                             capture_output=True, text=True).stdout
        for line in out.splitlines()[1:]:
            word = line.strip()
            if word.startswith('@'):
                calls |= calls_of(word)
            elif word and not word.startswith('#'):
                calls.add(word)
    return calls


def allowed_by_unit():
    allowed = set()
    for line in settings('SystemCallFilter'):
        for word in line.lstrip('~').split():
            calls = calls_of(word) if word.startswith('@') else {word}
            allowed = allowed - calls if line.startswith('~') else allowed | calls
    return allowed | calls_of('@default')


def test_2_9_the_units_system_calls_are_enough(lab, proxy, monkeypatch):
    """From its first to its last call: start, reload, stop, with the kernel side removed. So are the families of sockets."""
    monkeypatch.setenv('ASAN_OPTIONS', asan_options(NO_LEAKS))
    monkeypatch.setenv('SNOOPERD_SECCOMP', 'on')
    trace = f'{lab.dir}/trace'
    snooperd = Bounded(lab, ALL, {'state': {'keep_on_stop': False}})
    snooperd.argv = ['strace', '-D', '-q', '-f', '-o', trace, SNOOPERD, '-c', snooperd.file]
    snooperd.start()
    assert snooperd.ctl('reload').returncode == 0
    assert snooperd.names() == {}
    assert snooperd.stop() == 0
    ended = re.compile(r'\+\+\+ exited')
    wait_until(lambda: ended.search(open(trace).read()), what='the trace is written')
    calls = set(re.findall(r'^\d+\s+(\w+)\(', open(trace).read(), re.M)) - {'execve'}
    assert {'bpf', 'seccomp', 'capset', 'pidfd_getfd'} <= calls, 'the trace has the interesting ones'
    assert sorted(calls - allowed_by_unit()) == []
    families = set(re.findall(r'\bsocket\((AF_\w+),', open(trace).read()))
    assert 'AF_INET' in families
    assert families <= {f for line in settings('RestrictAddressFamilies') for f in line.split()}


def test_2_9_the_units_filter_has_all_of_our_own(lab):
    """What the daemon lets itself do, the unit must not refuse."""
    with open(f'{TOP}/snooper/io/confine.c') as f:
        text = f.read()
    own = set(re.findall(r'CALL\((\w+)\)', text)) | set(re.findall(r'\{__NR_(\w+),', text))
    own.discard('name')
    assert len(own) > 50
    assert sorted(own - allowed_by_unit()) == []


# What it tells the manager.

class Manager:
    """The socket of a service manager, as sd_notify(3) sees it."""

    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)

    def next(self, deadline=15):
        assert select.select([self.sock], [], [], deadline * PATIENCE)[0], 'nothing was told'
        return dict(line.split('=', 1) for line in self.sock.recv(4096).decode().splitlines())

    def next_with(self, key):
        while key not in (message := self.next()):
            pass
        return message


@contextlib.contextmanager
def watching(lab, name):
    """A snooperd, started by a manager that watches it; the manager."""
    manager = Manager(f'{lab.dir}/{name}.manager')
    snooperd = Snooperd(lab, name=name)
    snooperd.write_conf()
    snooperd.options['env'] = dict(os.environ, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC='100000')
    Program.start(snooperd)
    with manager.sock:
        assert manager.next()['READY'] == '1'
        yield snooperd, manager


@pytest.fixture
def watched(lab):
    with watching(lab, 'snooperd') as pair:
        yield pair


def test_2_9_watchdog_is_fed_while_the_loop_turns(watched):
    _, manager = watched
    for _ in range(5):
        assert manager.next() == {'WATCHDOG': '1'}


def test_2_9_watchdog_is_not_fed_by_a_stopped_loop(lab, watched):
    """
    What was told before it stopped is all there is, while another one's loop turns and feeds
    its own, again and again; when it goes on, so does the feeding.
    """
    snooperd, manager = watched
    manager.next_with('WATCHDOG')
    snooperd.signal(signal.SIGSTOP)

    def is_stopped():
        with open(f'/proc/{snooperd.pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0] == 'T'
    wait_until(is_stopped, what='snooperd is stopped')
    while select.select([manager.sock], [], [], 0)[0]:
        manager.next()
    with watching(lab, 'other') as (other, clock):
        for _ in range(10):
            clock.next_with('WATCHDOG')
        assert other.is_running()
    assert not select.select([manager.sock], [], [], 0)[0], 'it was silent for ten times what feeds another'
    snooperd.signal(signal.SIGCONT)
    manager.next_with('WATCHDOG')


def test_2_9_reload_and_stop_are_told(watched):
    snooperd, manager = watched
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    snooperd.signal(signal.SIGHUP)
    reloading = manager.next_with('RELOADING')
    assert reloading['RELOADING'] == '1'
    assert before <= int(reloading['MONOTONIC_USEC']) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.next_with('READY')['READY'] == '1'
    snooperd.signal(signal.SIGTERM)
    assert manager.next_with('STOPPING')['STOPPING'] == '1'
