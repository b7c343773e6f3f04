# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.12: whose a cgroup is, and whose a socket, from the first moment of either."""
import contextlib
import os
import signal
import socket
import subprocess

import pytest

from daemon import Snooperd
from endpointing import (bpftool, endpoint_of, endpoints, members_of, numbers_of, programs_of, reload,
                         row_of, shown, start, start_audit, strays, tracepoints)
from judging import whose
from policing import ask, resolver, zone
from snoplab import BUILD, wait_until


def test_3_12_cgroups_that_are_there_belong(lab):
    node = lab.node
    paths = {name: node.sub_cgroup(name) for name in
             ('pod-a', 'pod-a/inner/deep', 'pod-b', 'other', 'sets/x/web1', 'sets/y/web2', 'sets/y/db')}
    daemon = start(lab, ('pods', 'pod-*'), ('web', 'sets/*/web?'))
    assert {name: endpoint_of(daemon, path) for name, path in paths.items()} == {
        'pod-a': 'pods', 'pod-a/inner/deep': 'pods', 'pod-b': 'pods', 'other': None,
        'sets/x/web1': 'web', 'sets/y/web2': 'web', 'sets/y/db': None}
    assert endpoint_of(daemon, f'{node.cgroup}/pod-a/inner') == 'pods'
    assert shown(daemon) == {'pods': 4, 'web': 2}
    text = daemon.ctl('status', json_output=False).stdout
    assert 'endpoint    pods with 4 cgroups\n' in text


@pytest.mark.parametrize('state', ['alive', 'stopped', 'dead'])
def test_3_12_new_cgroups_belong_when_mkdir_returns(lab, state):
    daemon = start(lab, ('pods', 'pod-*'), ('deep', 'a/b?/c*'), ('same', 'exact'))
    if state == 'dead':
        daemon.kill9()
    elif state == 'stopped':
        daemon.signal(signal.SIGSTOP)
    expected = {'pod-1': 'pods', 'pod-1/x': 'pods', 'pod-1/x/y': 'pods', 'pod-': 'pods', 'po': None,
                'xpod-1': None, 'a': None, 'a/b': None, 'a/b/c': None, 'a/b1': None, 'a/b1/c': 'deep',
                'a/b2': None, 'a/b2/cc': 'deep', 'a/b2/cc/any': 'deep', 'a/b2/d': None,
                'exact': 'same', 'exactly': None, 'a/exact': None}
    for name, endpoint in expected.items():
        os.mkdir(f'{lab.node.cgroup}/{name}')
        assert endpoint_of(daemon, f'{lab.node.cgroup}/{name}') == endpoint, name
    if state == 'stopped':
        daemon.signal(signal.SIGCONT)
    elif state == 'dead':
        before = members_of(daemon)
        daemon.start()
        assert members_of(daemon) == before, 'the tree says what the kernel said'
    assert shown(daemon) == {'pods': 4, 'deep': 3, 'same': 1}
    assert daemon.counter('endpoint_cgroups_made') == 8
    assert not daemon.status()['degraded']


def test_3_12_walk_and_kernel_agree_on_globs(lab):
    """The same directories, once found by the daemon and once by the kernel as they are made."""
    globs = ['*', '?', 'a*', '*a', '*a*', 'a?c', '?*?', '*b/*', 'a*/b?', '*/?/c', 'a\\x2db*']
    names = ['a', 'b', 'ab', 'abc', 'ba', 'a\\x2dbc', 'cab', 'a/b', 'ab/bc', 'ab/b/c', 'b/x', 'b/x/c']
    for i, glob in enumerate(globs):
        for name in names:
            lab.node.sub_cgroup(f'old{i}/{name}')
    daemon = start(lab, *[(f'e{i}', f'{age}{i}/{glob}') for i, glob in enumerate(globs)
                          for age in ('old',)],
                   *[(f'n{i}', f'new{i}/{glob}') for i, glob in enumerate(globs)])
    for i, _ in enumerate(globs):
        for name in names:
            lab.node.sub_cgroup(f'new{i}/{name}')
    both = {age: {} for age in ('old', 'new')}
    members = members_of(daemon)
    for i, glob in enumerate(globs):
        for age in both:
            for where, _, _ in os.walk(f'{lab.node.cgroup}/{age}{i}'):
                relative = where.partition(f'/{age}{i}')[2]
                both[age][glob, relative] = os.stat(where).st_ino in members
    assert both['old'] == both['new']
    assert 40 < sum(both['new'].values()) < len(both['new']) - 40


def test_3_12_first_entry_of_the_file_has_it(lab, snooperd):
    snooperd.stop()
    lab.node.sub_cgroup('pod-web/in')
    daemon = start(lab, ('first', 'pod-*'), ('second', '*-web'), ('third', 'pod-web/in'))
    assert endpoint_of(daemon, f'{lab.node.cgroup}/pod-web') == 'first'
    assert endpoint_of(daemon, f'{lab.node.cgroup}/pod-web/in') == 'first'
    assert endpoint_of(daemon, lab.node.sub_cgroup('pod-web2-web')) == 'first'
    assert endpoint_of(daemon, lab.node.sub_cgroup('x-web')) == 'second'
    said = [line for line in daemon.output().splitlines() if 'event=endpoint-overlap' in line]
    assert len(said) == 2 and 'endpoint=first also=second' in said[0] and 'also=third' in said[1]


def hold_a_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        yield s.getsockname()


def test_3_12_row_goes_with_the_last_socket(lab):
    daemon = start_audit(lab, ('pods', 'pod-*'))
    pod = lab.node.sub_cgroup('pod-1')
    number = os.stat(pod).st_ino
    ours, theirs = socket.socketpair()
    with ours, theirs:
        def give_a_socket():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                socket.send_fds(theirs, [b'x'], [s.fileno()])
        lab.node.call(give_a_socket, cgroup=pod)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=fds[0]) as kept:
        os.rmdir(pod)
        assert row_of(daemon, number), 'a socket of it is left'
        assert whose(daemon, kept, lab.outside.ip4) == 'pods'
        reload(daemon, ('pods', 'pod-*'), ('more', 'more-*'))
        assert row_of(daemon, number), 'still is, after the daemon has read the tree'
    wait_until(lambda: row_of(daemon, number) is None, what='the row is gone')
    assert daemon.counter('endpoint_cgroups_gone') == 1
    assert shown(daemon) == {'pods': 0, 'more': 0}


def test_3_12_removal_while_the_daemon_is_dead(lab):
    daemon = start(lab, ('pods', 'pod-*'))
    daemon.kill9()
    for i in range(50):
        lab.node.sub_cgroup(f'pod-{i}')
    assert len(members_of(daemon)) == 50
    for i in range(50):
        os.rmdir(f'{lab.node.cgroup}/pod-{i}')
    wait_until(lambda: not members_of(daemon), what='all rows are gone')
    daemon.start()
    assert shown(daemon) == {'pods': 0}


def make_and_remove(lab, count):
    for i in range(count):
        os.mkdir(f'{lab.node.cgroup}/pod-{i}')
        os.mkdir(f'{lab.node.cgroup}/pod-{i}/c')
        os.rmdir(f'{lab.node.cgroup}/pod-{i}/c')
        os.rmdir(f'{lab.node.cgroup}/pod-{i}')


def test_3_12_thousands_come_and_go(lab):
    count = 10000
    daemon = start(lab, ('pods', 'pod-*'))
    make_and_remove(lab, count)
    assert daemon.counter('endpoint_cgroups_made') == 2 * count
    wait_until(lambda: not members_of(daemon), 60, lambda: f'rows left: {len(members_of(daemon))}')
    status = daemon.status()
    counters = status['kernel']['counters']
    assert counters['endpoint_cgroups_gone'] == 2 * count and counters['endpoint_cgroups_missed'] == 0
    assert not status['degraded'] and shown(daemon) == {'pods': 0}


def test_3_12_thousands_at_once(lab):
    daemon = start(lab, ('pods', 'pod-*'))
    paths = [f'{lab.node.cgroup}/pod-{i}' for i in range(2000)]
    for path in paths:
        os.mkdir(path)
    assert shown(daemon) == {'pods': 2000}
    reload(daemon, ('first', 'pod-1*'), ('pods', 'pod-*'))
    assert shown(daemon) == {'first': 1111, 'pods': 889}
    reload(daemon, ('pods', 'pod-*'))
    assert shown(daemon) == {'pods': 2000}
    for path in paths:
        os.rmdir(path)
    wait_until(lambda: not members_of(daemon), what='all rows are gone')


def test_3_12_reload_changes_endpoints(lab):
    a, b = lab.node.sub_cgroup('pod-a/in'), lab.node.sub_cgroup('pod-b')
    daemon = start(lab)
    assert not tracepoints(daemon) and shown(daemon) == {}
    reload(daemon, ('one', 'pod-a'))
    assert tracepoints(daemon) == ['cgroup_mkdir', 'cgroup_release']
    assert (endpoint_of(daemon, a), endpoint_of(daemon, b)) == ('one', None)
    reload(daemon, ('two', 'pod-b'), ('one', 'pod-*'))
    assert (endpoint_of(daemon, a), endpoint_of(daemon, b)) == ('one', 'two')
    assert endpoint_of(daemon, lab.node.sub_cgroup('pod-c')) == 'one'
    numbers = numbers_of(daemon)
    reload(daemon, ('two', 'pod-*'))
    assert set(members_of(daemon).values()) == {'two'}
    assert numbers_of(daemon) == numbers, 'a number stays with its name'
    daemon.kill9()
    daemon.start()
    reload(daemon, ('three', 'x'), ('one', 'pod-*'))
    assert {v: k for k, v in numbers_of(daemon).items()}['one'] == {v: k for k, v in numbers.items()}['one']
    reload(daemon)
    assert not tracepoints(daemon) and not members_of(daemon)
    assert shown(daemon) == {}


def test_3_12_no_new_cgroup_is_missed_while_reloading(lab):
    """Cgroups are made as fast as one can while the daemon reads the tree again and again."""
    daemon = start(lab, ('one', 'pod-*'), ('two', 'x-*'))

    def make():
        for i in range(10**9):
            os.mkdir(f'{lab.node.cgroup}/pod-{i}')
            os.mkdir(f'{lab.node.cgroup}/pod-{i}/c')
            yield f'{lab.node.cgroup}/pod-{i}'

    made = []
    maker = make()
    for turn in range(20):
        daemon.conf['endpoints'] = endpoints(lab, *([('two', 'x-*'), ('one', 'pod-*')] if turn % 2 else
                                                    [('one', 'pod-*'), ('two', 'x-*')]))
        daemon.write_conf()
        with subprocess.Popen([f'{BUILD}/snooperctl', '-s', daemon.socket, 'reload'],
                              stdout=subprocess.DEVNULL) as reloading:
            while reloading.poll() is None:
                made.append(next(maker))
                assert row_of(daemon, os.stat(made[-1]).st_ino), 'known at once'
        assert reloading.returncode == 0
    assert shown(daemon) == {'one': 2 * len(made), 'two': 0}


def test_3_12_a_cgroup_cannot_be_renamed(lab):
    lab.node.sub_cgroup('pod-a')
    with pytest.raises(PermissionError):
        os.rename(f'{lab.node.cgroup}/pod-a', f'{lab.node.cgroup}/free')


def test_3_12_cgroups_of_v1_are_no_members(lab):
    daemon = start(lab, ('all', '*'))
    v1 = [line.split()[1] for line in open('/proc/mounts') if line.split()[2] == 'cgroup']
    name = f'{lab.run.name}-v1'
    if not v1:
        assert shown(daemon)['all'] == 0  # there is no v1 here to be confused by
        return
    # Where the same path in v2 would match: the run's own cgroups, made below v1's root.
    inside = os.path.relpath(lab.node.cgroup, [line.split()[1] for line in open('/proc/mounts')
                                               if line.split()[2] == 'cgroup2'][0])
    made = []
    try:
        for part in inside.split('/') + [name]:
            made.append(f'{made[-1] if made else v1[0]}/{part}')
            os.mkdir(made[-1])
        assert shown(daemon) == {'all': 0}
        assert daemon.counter('endpoint_cgroups_made') == 0
    finally:
        for path in reversed(made):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(path)


def test_3_12_upgrade_has_no_gap(lab):
    """A new snooperd's tracepoints are there before the old ones go; the links name the new programs."""
    daemon = start(lab, ('pods', 'pod-*'))
    before = programs_of(daemon)
    daemon.stop()
    assert tracepoints(daemon) == ['cgroup_mkdir', 'cgroup_release']

    def made():
        return [entry for entry in os.scandir(lab.node.cgroup) if entry.name.startswith('pod-')]
    with subprocess.Popen(['/bin/sh', '-c', 'i=0; while mkdir "$0/pod-$i"; do i=$((i+1)); done',
                           lab.node.cgroup], stderr=subprocess.DEVNULL) as maker:
        try:
            wait_until(made, what='the first one')
            daemon.start()
            meanwhile = len(made())
            wait_until(lambda: len(made()) > meanwhile, what='one more')
        finally:
            maker.kill()
    assert tracepoints(daemon) == ['cgroup_mkdir', 'cgroup_release']
    assert not before & programs_of(daemon), 'all of them replaced'
    assert {entry.stat().st_ino for entry in made()} == set(members_of(daemon))
    assert not [name for name in os.listdir(daemon.bpffs) if name.startswith('link-new')]


def test_3_12_uninstall_leaves_no_tracepoint(lab):
    daemon = start(lab, ('pods', 'pod-*'))
    programs = programs_of(daemon)
    daemon.kill9()
    assert daemon.once('--uninstall').returncode == 0
    assert not os.path.exists(daemon.bpffs)
    wait_until(lambda: not programs & {p['id'] for p in bpftool('prog', 'show')},
               what='its programs are unloaded')


def make_sockets(*kinds):
    def run():
        made = [socket.socket(*kind) for kind in kinds]
        yield [s.fileno() for s in made]
        yield None
    return run


def test_3_12_audit_tells_what_was_moved_in(lab):
    pod = lab.node.sub_cgroup('pod-a')
    with lab.node.steps(make_sockets((socket.AF_INET, socket.SOCK_DGRAM),
                                     (socket.AF_INET6, socket.SOCK_STREAM),
                                     (socket.AF_PACKET, socket.SOCK_RAW),
                                     (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                                     (socket.AF_UNIX, socket.SOCK_STREAM),
                                     (socket.AF_NETLINK, socket.SOCK_RAW))) as process:
        fds = process.next()
        with open(f'{pod}/cgroup.procs', 'w') as f:
            f.write(str(process.pid))
        daemon = start(lab, ('pods', 'pod-*'))
        found = {(int(s['fd']), s['family'], s['type']) for s in strays(daemon)}
        assert found == {(fds[0], 'inet', 'dgram'), (fds[1], 'inet6', 'stream'),
                         (fds[2], 'packet', 'raw'), (fds[3], 'inet', 'raw')}
        assert {(int(s['pid']), s['endpoint'], s['belongs_to']) for s in strays(daemon)} == {
            (process.pid, 'pods', 'none')}
        status = daemon.status()
        assert status['degraded'] == ['endpoint-sockets-outside']
        assert status['endpoints'] == [{'name': 'pods', 'cgroups': 1, 'sockets_outside': 4,
                                        'connections_before_policy': 0}]
        reload(daemon, ('pods', 'pod-*'))
        assert len(strays(daemon)) == 4, 'told once'
    reload(daemon, ('pods', 'pod-*'))
    assert not daemon.status()['degraded'], 'they are gone, and a reload looks again'


def test_3_12_audit_tells_what_was_passed_in(lab):
    a, b = lab.node.sub_cgroup('pod-a'), lab.node.sub_cgroup('job-b')
    ours, theirs = socket.socketpair()

    def pass_on():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            socket.send_fds(theirs, [b'x'], [s.fileno()])
            yield None
            yield None

    def take():
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        yield fds[0]
        yield None

    with ours, theirs, lab.node.steps(pass_on, cgroup=b) as giver, lab.node.steps(take, cgroup=a) as taker:
        giver.next()
        fd = taker.next()
        daemon = start(lab, ('pods', 'pod-*'), ('jobs', 'job-*'))
        found = strays(daemon)
        assert len(found) == 1
        assert (found[0]['endpoint'], found[0]['belongs_to'], int(found[0]['fd'])) == ('pods', 'jobs', fd)
        assert int(found[0]['pid']) == taker.pid


def test_3_12_own_sockets_are_no_news(lab):
    pod = lab.node.sub_cgroup('pod-a')
    with lab.node.steps(make_sockets((socket.AF_INET, socket.SOCK_DGRAM),
                                     (socket.AF_INET6, socket.SOCK_STREAM)), cgroup=pod) as process:
        process.next()
        daemon = start(lab, ('pods', 'pod-*'))
        assert not strays(daemon) and not daemon.status()['degraded']


def give(sock, make):
    """A generator: make a socket, give it away, wait."""
    def run():
        with make() as s:
            socket.send_fds(sock, [b'x'], [s.fileno()])
            yield None
            yield None
    return run


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def taken(sock):
    _, fds, _, _ = socket.recv_fds(sock, 1, 1)
    return socket.socket(fileno=fds[0])


def test_3_12_a_socket_knows_its_endpoint(lab):
    """Made before the daemon, or after; in an endpoint, or in none; when endpoints change."""
    pod, free = lab.node.sub_cgroup('pod-a'), lab.node.sub_cgroup('free')
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.ExitStack() as stack:
        def made_in(cgroup):
            stack.enter_context(lab.node.steps(give(theirs, udp), cgroup=cgroup)).next()
            return stack.enter_context(taken(ours))
        old, old_free = made_in(pod), made_in(free)
        daemon = start_audit(lab, ('pods', 'pod-*'))
        new, new_free = made_in(pod), made_in(free)

        def all_of(*sockets):
            return [whose(daemon, s, lab.outside.ip4) for s in sockets]
        assert all_of(old, new) == ['pods', 'pods']
        assert all_of(old_free, new_free) == ['', '']

        daemon.kill9()
        meanwhile = made_in(lab.node.sub_cgroup('pod-meanwhile'))
        assert all_of(meanwhile) == ['pods'], 'with no daemon'
        daemon.start()
        reload(daemon, ('liberty', 'free'), ('meanwhile', 'pod-meanwhile'))
        assert all_of(old, new, old_free, new_free, meanwhile) == ['', '', 'liberty', 'liberty', 'meanwhile']


def test_3_12_one_outside_of_what_is_observed_is_told(lab):
    daemon = Snooperd(lab, {'endpoints': [{'name': 'far', 'cgroup': f'{lab.cgroup}/outside/x*'}]}).start()
    assert 'event=endpoint-unobserved endpoint=far' in daemon.output()


@pytest.mark.parametrize('path', ['/tmp/pods*', '/nowhere/pods', '/*'])
def test_3_12_a_path_that_is_none_is_refused(lab, path):
    daemon = Snooperd(lab, {'endpoints': [{'name': 'e', 'cgroup': path}]})
    done = daemon.once()
    assert done.returncode == 2 and 'is not below a cgroup v2 mount' in done.stderr
    assert not os.path.exists(daemon.bpffs), 'nothing is left behind'


def test_3_12_without_btf_all_but_endpoints_works(lab):
    """A kernel that was built without types of its own, as this one seems where they are covered up."""
    resolver(lab, zone(api='10.55.0.1'))
    cover = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
    daemon = Snooperd(lab)
    daemon.argv = ['sh', '-c', cover, 'sh', *daemon.argv]
    daemon.start()
    assert lab.node.call(ask, lab.outside.ip4, 'api.policed.test') == ['10.55.0.1']
    daemon.wait_for('api.policed.test')
    daemon.stop()
    daemon.conf['endpoints'] = [{'name': 'bot', 'cgroup': f'{lab.node.cgroup}/bot', 'labels': {'app': 'bot'}}]
    daemon.write_conf()
    done = lab.node.run(*daemon.argv, cgroup=daemon.cgroup)
    assert done.returncode == 6 and 'no BTF' in done.stderr, done.stderr
