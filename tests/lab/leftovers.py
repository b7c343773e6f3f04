#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Find and remove what lab runs left behind.

A run names everything it makes after itself: snlPID. That is a directory below
/run/snooper-lab (with the run's bpffs, so its pins), a cgroup, and network
namespaces; every process it starts is in that cgroup.

  leftovers.py                 remove what dead runs left; say what it was
  leftovers.py --list          only say it (exit 1 if there is anything)
  leftovers.py --after PID     wait until that run is dead, then remove what it left
"""
import contextlib
import fcntl
import glob
import os
import re
import select
import shutil
import subprocess
import sys

RUN_DIR = '/run/snooper-lab'
NETNS_DIR = '/run/netns'
RUN_NAME = re.compile(r'^snl(\d+)\b')


def cgroup2():
    """Where cgroup v2 is mounted; on hybrid hosts not /sys/fs/cgroup itself."""
    for line in open('/proc/mounts'):
        _, where, kind, *_ = line.split()
        if kind == 'cgroup2':
            return where
    raise SystemExit('no cgroup v2 mount in /proc/mounts')


@contextlib.contextmanager
def alone():
    """Runs are made and removed one at a time: nobody sees half of one, and only one removes it."""
    top = os.open(cgroup2(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(top, fcntl.LOCK_EX)
        yield
    finally:
        os.close(top)


def start_time(pid):
    """When a process began, in clock ticks: with its pid, its identity. None when it is dead."""
    try:
        fields = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else fields[19]


def is_alive(run):
    pid = RUN_NAME.match(run)[1]
    started = start_time(pid)
    try:
        return started is not None and open(f'{RUN_DIR}/{run}/owner').read() == started
    except OSError:
        return started is not None


def listing(path):
    try:
        return [name for name in os.listdir(path) if RUN_NAME.match(name)]
    except OSError:
        return []


def subtree(path):
    """A cgroup and those below it, children first."""
    return [where for where, _, _ in os.walk(path, topdown=False)]


def processes(cgroup):
    pids = []
    for where in subtree(cgroup):
        try:
            pids += open(f'{where}/cgroup.procs').read().split()
        except OSError:
            pass  # gone meanwhile
    return pids


def mounts(run):
    """Mount points of a run, innermost first."""
    points = [line.split()[1] for line in open('/proc/mounts')]
    return [p for p in reversed(points) if p.startswith(f'{RUN_DIR}/{run}/')]


def links(run):
    out = subprocess.run(['ip', '-o', 'link'], capture_output=True, text=True).stdout
    names = re.findall(r'^\d+: ([^:@]+)', out, re.M)
    return [name for name in names if re.match(rf'{run}\b', name)]


def find(run):
    """Everything that carries the name of one run, as (kind, what)."""
    cgroup = f'{cgroup2()}/{run}'
    found = [('process', pid) for pid in processes(cgroup)]
    found += [('mount', point) for point in mounts(run)]
    found += [('netns', n) for n in listing(NETNS_DIR) if RUN_NAME.match(n)[0] == run]
    found += [('link', name) for name in links(run)]
    found += [('cgroup', c) for c in subtree(cgroup)]
    if os.path.isdir(f'{RUN_DIR}/{run}'):
        found.append(('directory', f'{RUN_DIR}/{run}'))
    return found


def runs():
    names = listing(RUN_DIR) + listing(NETNS_DIR) + listing(cgroup2())
    return sorted({RUN_NAME.match(name)[0] for name in names})


def kill_cgroup(cgroup):
    """SIGKILL to every process in it, and wait until the last is gone."""
    try:
        with open(f'{cgroup}/cgroup.kill', 'w') as f:
            f.write('1')
        events = open(f'{cgroup}/cgroup.events')
    except OSError:
        return
    with events:
        while 'populated 1' in events.read():
            select.select([], [], [events], 1)  # the kernel says when it changes
            events.seek(0)


def remove_cgroup(cgroup):
    kill_cgroup(cgroup)
    for where in subtree(cgroup):
        os.rmdir(where)


def remove_netns(name):
    subprocess.run(['ip', 'netns', 'delete', name], check=True)


def remove(run):
    """Under alone(): take away everything of a run, in the order in which things hold each other."""
    remove_cgroup(f'{cgroup2()}/{run}')
    # Programs of other runs may hold copies of the mount: what is pinned goes from all of them.
    for pinned in glob.glob(f'{RUN_DIR}/{run}/bpf/*'):
        shutil.rmtree(pinned, ignore_errors=True)
    for point in mounts(run):
        subprocess.run(['umount', '-l', point], check=True)
    for name in links(run):
        subprocess.run(['ip', 'link', 'delete', name], check=True)
    for name in listing(NETNS_DIR):
        if RUN_NAME.match(name)[0] == run:
            remove_netns(name)
    shutil.rmtree(f'{RUN_DIR}/{run}', ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(RUN_DIR)  # the last one


def of_dead_runs():
    return [(run, kind, what) for run in runs() if not is_alive(run) for kind, what in find(run)]


def remove_dead():
    """Under alone()."""
    found = of_dead_runs()
    for run in sorted({run for run, _, _ in found}):
        remove(run)
    return found


def main(argv):
    if argv[:1] == ['--after']:
        pid = int(argv[1])
        try:
            select.select([os.pidfd_open(pid)], [], [])
        except ProcessLookupError:
            pass
        with alone():
            remove(f'snl{pid}')
        return 0
    if argv not in ([], ['--list']):
        print(__doc__, file=sys.stderr)
        return 2
    with alone():
        found = of_dead_runs() if argv else remove_dead()
    for run, kind, what in found:
        print(f'{run}: {kind} {what}')
    return 1 if argv and found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
