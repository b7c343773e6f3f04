# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.13, F31: no descriptors, a full disk, directories that cannot be written: it runs, says so, and root still gets in."""
import contextlib
import os
import resource
import socket
import subprocess

import pytest

import dnswire as w
from daemon import SNOOPERCTL, Snooperd
from judging import outcome
from policing import DNS_ANY, inside, policy, start
from servers import Scripted, ask
from snoplab import _mount, wait_until

NOBODY = 65534
PROXY = '10.53.9.53'


def own_address(query):
    return [w.answer(query, [w.a(w.QNAME, f'198.51.{query[0]}.{query[1]}')])]


@pytest.fixture
def server(lab):
    with Scripted(lab.outside, lab.outside.ip4, own_address) as scripted:
        yield scripted


def learn(lab, server, name):
    assert len(lab.node.call(ask, server.address, [w.query(1, name)])) == 1


def as_nobody(snooperd, *verb):
    return subprocess.run([SNOOPERCTL, '-s', snooperd.socket, *verb], user=NOBODY, group=NOBODY, extra_groups=[],
                          capture_output=True, text=True, timeout=30)


def descriptors(pid):
    return {int(fd) for fd in os.listdir(f'/proc/{pid}/fd')}


@contextlib.contextmanager
def crowd(snooperd):
    """Users of the group, who hold their connections until snooperd has no descriptor left for one more."""
    go_on, stop = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(stop)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            socks = []
            for _ in range(30):
                socks.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                socks[-1].connect(snooperd.socket)
                with contextlib.suppress(ConnectionError):  # turned away already
                    socks[-1].send(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0')
            os.read(go_on, 1)
        finally:
            os._exit(0)
    os.close(go_on)
    try:
        yield
    finally:
        os.close(stop)
        os.waitpid(pid, 0)


def test_2_13_f31_no_descriptors(lab, server):
    """With the last descriptor gone root's snooperctl is served, one call after the other; learning and looking go on."""
    snooperd = Snooperd(lab, {
        'export': {'socket_group': 'nogroup', 'metrics': '127.0.0.1:9953'},
        'proxy': {'addresses': [f'{PROXY}:53'], 'fallback': [f'{lab.outside.ip4}:53']}}).start()
    learn(lab, server, 'before.f31.test')
    snooperd.wait_for('before.f31.test')
    assert 'no-descriptors' not in snooperd.status()['degraded']
    before = resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE)
    # Room for five more; whoever asks for one above the limit gets EMFILE.
    resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE, (max(descriptors(snooperd.pid)) + 6, before[1]))
    with crowd(snooperd):
        wait_until(lambda: 'reason=accept_failed' in snooperd.output(), 20, 'the last descriptor is gone')
        wait_until(lambda: 'event=no-descriptors' in snooperd.output(), 20, snooperd.output)
        for _ in range(10):
            status = snooperd.status()
            assert 'no-descriptors' in status['degraded'] and status['export']['accept_failed'] > 0
        learn(lab, server, 'meanwhile.f31.test')
        assert 'before.f31.test' in snooperd.wait_for('meanwhile.f31.test')
        # A reload needs descriptors to read files with: it is refused, and the old configuration stays.
        done = snooperd.ctl('reload')
        assert done.returncode == 2 and 'Too many open files' in done.stderr, done.stderr
        assert 'event=reload-refused' in snooperd.output()
        assert set(snooperd.names()) >= {'before.f31.test', 'meanwhile.f31.test'}
        # Who may only read has to wait.
        assert as_nobody(snooperd, 'status').returncode not in (0, 5)
    wait_until(lambda: as_nobody(snooperd, 'status').returncode in (0, 5), 20, 'places for everybody again')
    resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE, before)
    assert snooperd.ctl('reload').returncode == 0
    assert snooperd.output().count('event=no-descriptors') == 1, 'said once'


def test_2_13_f31_our_own_addresses_are_followed_when_there_are_descriptors_again(lab):
    """A new table of policy needs one. What could not be followed is tried again, and said once."""
    new, late = '10.53.0.98', '10.53.0.99'
    snooperd = start(lab, policy('  - toEntities: [host]\n' + DNS_ANY), changes={'export': {'socket_group': 'nogroup'}})

    def can_reach(address):
        with lab.node.inside(), socket.create_server((address, 443)):
            return inside(lab, connects, address) != 'EPERM'

    lab.node.add_addresses(f'{new}/24')
    wait_until(lambda: 'event=policy generation=2 reason=addresses' in snooperd.output(), 30, 'it is followed')
    assert can_reach(new)
    before = resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE)
    used = descriptors(snooperd.pid)
    none_left = next(n for n in range(max(used) + 2) if n not in used)
    resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE, (none_left, before[1]))
    lab.node.add_addresses(f'{late}/24')
    wait_until(lambda: 'event=policy-not-followed ' in snooperd.output(), 60, 'it was tried')
    assert not can_reach(late) and can_reach(new), 'what was in force stays'
    resource.prlimit(snooperd.pid, resource.RLIMIT_NOFILE, before)
    assert snooperd.status()['policy']['not_followed'] >= 1
    assert 'own addresses could not be followed' in snooperd.ctl('status', json_output=False).stdout
    wait_until(lambda: can_reach(late), 30, 'it was tried again')
    assert snooperd.output().count('event=policy-not-followed ') == 1, 'said once'
    assert snooperd.stop() == 0


def connects(address):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        return outcome(s.connect, (address, 443))


def test_2_13_f31_log_on_a_full_disk(lab, server):
    """Lines that cannot be written are counted, status says so, and nothing else is different."""
    full = f'{lab.dir}/full'
    os.mkdir(full)
    _mount('full', full, 'tmpfs')
    subprocess.run(['mount', '-o', 'remount,size=16k', full], check=True)
    try:
        with contextlib.suppress(OSError), open(f'{full}/filler', 'wb', buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        snooperd = Snooperd(lab, {'state': {'directory': f'{full}/state'}, 'export': {'metrics': '127.0.0.1:9953'}})
        snooperd.argv = ['sh', '-c', f'exec "$@" 2>>{full}/log', 'sh', *snooperd.argv]
        snooperd.start()
        learn(lab, server, 'full.f31.test')
        snooperd.wait_for('full.f31.test')
        status = snooperd.ctl('status')
        assert status.returncode == 5 and snooperd.status()['degraded'] == ['log-lost']
        assert snooperd.ctl('reload').returncode == 0
        assert os.path.getsize(f'{full}/log') == 0
        # With room again it goes on saying what happens.
        os.unlink(f'{full}/filler')
        assert snooperd.ctl('reload').returncode == 0
        with open(f'{full}/log') as log:
            assert 'event=reloaded' in log.read()
        assert snooperd.stop() == 0
    finally:
        subprocess.run(['umount', '-l', full], check=True)


def test_2_13_f31_state_directory_read_only(lab, server):
    """It starts, learns, reloads, restarts."""
    state = f'{lab.dir}/read-only'
    os.mkdir(state)
    _mount('state', state, 'tmpfs')
    subprocess.run(['mount', '-o', 'remount,ro', state], check=True)
    try:
        snooperd = Snooperd(lab, {'state': {'directory': state}}).start()
        learn(lab, server, 'state.f31.test')
        snooperd.wait_for('state.f31.test')
        assert snooperd.ctl('reload').returncode == 0
        assert snooperd.stop() == 0
        snooperd.start()
        assert 'state.f31.test' in snooperd.names()
        assert os.listdir(state) == []
    finally:
        subprocess.run(['umount', '-l', state], check=True)


def test_2_13_f31_socket_directory_read_only(lab):
    """The one thing it cannot do without: it says which key and why, and ends."""
    where = f'{lab.dir}/no-socket'
    os.mkdir(where)
    _mount('run', where, 'tmpfs')
    subprocess.run(['mount', '-o', 'remount,ro', where], check=True)
    try:
        done = Snooperd(lab, {'export': {'socket': f'{where}/snooper.sock'}}).once()
        assert done.returncode == 1
        assert f'event=export-failed key=export.socket path={where}/snooper.sock reason="Read-only file system"' \
            in done.stderr
    finally:
        subprocess.run(['umount', '-l', where], check=True)
