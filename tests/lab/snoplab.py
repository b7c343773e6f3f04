# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hosts to test on: network namespaces, cgroups, and programs inside them.

    with Run() as run, Lab(run) as lab:
        lab.node                 a host with clients on it; what snooperd observes
        lab.outside              a host with name servers on it
        lab.add_host('pod')      one more, on the same wire

A program runs on a host (its network namespace, its resolv.conf) and in one of
its cgroups. Everything carries the name of the run, and goes with it however it
ends (leftovers.py). servers.py has name servers, daemon.py has snooperd.
"""
import contextlib
import ctypes
import glob
import os
import pickle
import select
import shutil
import signal
import subprocess
import time
import traceback

import leftovers

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get('SNOOPER_BUILD', 'build/release'))
SANITIZED = os.path.basename(BUILD) == 'asan'

# Deadlines are longer on an emulated processor. They only say when to give up: no test waits for one.
PATIENCE = 12 if 'QEMU TCG' in open('/proc/cpuinfo').read() else 1

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1


def _must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source, target, kind=None, flags=0):
    text = [t.encode() if t else None for t in (source, target, kind)]
    _must(_libc.mount(*text, flags, None))


def wait_until(condition, deadline=30.0, what='condition'):
    """
    Ask again and again until condition() is true; its value. The deadline is in
    seconds; what: a text for its failure, or a function that makes one.
    """
    end = time.monotonic() + deadline * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            what = what() if callable(what) else what
            raise AssertionError(f'not within {deadline} s: {what} (last: {value!r})')
        select.select([], [], [], 0.01)


def ip(*commands, netns=None):
    """Commands for ip(8), all in one go."""
    argv = ['ip'] + (['-n', netns] if netns else []) + ['-batch', '-']
    subprocess.run(argv, input='\n'.join(commands), text=True, check=True)


class Run:
    """One run of the lab: the owner of a name that everything else carries."""

    def __init__(self):
        self.name = f'snl{os.getpid()}'
        self.dir = f'{leftovers.RUN_DIR}/{self.name}'
        self.cgroup = f'{leftovers.cgroup2()}/{self.name}'
        self.bpffs = f'{self.dir}/bpf'
        self.labs = 0
        # Should this process be killed, somebody is left who cleans up.
        self.janitor = subprocess.Popen(
            ['/usr/bin/python3', f'{HERE}/leftovers.py', '--after', str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        with leftovers.alone():
            try:
                leftovers.remove_dead()
            except (OSError, subprocess.CalledProcessError) as e:
                print(f'left by a dead run, and not removed: {e}')
            self._make()

    def _make(self):
        os.makedirs(self.bpffs)
        os.chmod(leftovers.RUN_DIR, 0o755)
        with open(f'{self.dir}/owner', 'w') as f:
            f.write(leftovers.start_time(os.getpid()))
        os.mkdir(self.cgroup)
        _mount('bpf', self.bpffs, 'bpf')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with leftovers.alone():
            leftovers.remove(self.name)
        self.janitor.kill()
        self.janitor.wait()


class Lab:
    """Hosts on one wire, 10.53.0.0/24 and fd53::/64; made for one test, gone after it."""

    def __init__(self, run):
        run.labs += 1
        self.run = run
        self.name = f'{run.name}-{run.labs}'
        self.dir = f'{run.dir}/{run.labs}'
        self.cgroup = f'{run.cgroup}/{run.labs}'
        self.bpffs = f'{run.bpffs}/{run.labs}'
        self.hosts = []
        self.logs = []
        self.programs = []
        os.mkdir(self.dir)
        os.mkdir(self.cgroup)
        self.outside = Host(self, 'outside', 'outside', wire='br0')
        ip('link add br0 type bridge mcast_snooping 0', 'link set br0 up',
           netns=self.outside.netns)
        self.outside.add_addresses('10.53.0.1/24', 'fd53::1/64')
        self.node = self.add_host('node')

    def add_host(self, name):
        """One more host on the wire; its processes are below the node's cgroup, as a pod's."""
        number = len(self.hosts) + 1
        host = Host(self, name, 'node' if name == 'node' else f'node/{name}')
        ip(f'link add p{number} type veth peer name eth0 netns {host.netns}',
           f'link set p{number} master br0 up', netns=self.outside.netns)
        ip('link set eth0 up', netns=host.netns)
        host.add_addresses(f'10.53.0.{number}/24', f'fd53::{number}/64')
        return host

    def log_file(self, name):
        path = f'{self.dir}/{len(self.logs)}-{name}.log'
        self.logs.append(path)
        return path

    def _end_ours(self):
        """With sanitizers a leak is known at the end: programs of the build get to theirs."""
        ours = [p for p in self.programs if p.argv[0].startswith(BUILD) and p.is_running()]
        for program in ours:
            program.signal(signal.SIGCONT)
            program.stop()
        reports = 'ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:'
        for program in {p.log: p for p in self.programs if p.process}.values():
            output = program.output()
            assert not any(r in output for r in reports), output[-8000:]

    def close(self):
        try:
            if SANITIZED:
                self._end_ours()
        finally:
            self._remove()

    def _remove(self):
        leftovers.remove_cgroup(self.cgroup)
        for host in self.hosts:
            leftovers.remove_netns(host.netns)
        for pinned in glob.glob(f'{self.bpffs}-*'):
            shutil.rmtree(pinned)  # its maps take 200 MiB

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Host:
    """A network namespace with a resolv.conf and cgroups of its own."""

    def __init__(self, lab, name, cgroup, wire='eth0'):
        self.lab = lab
        self.name = name
        self.netns = f'{lab.name}-{name}'
        self.cgroup = f'{lab.cgroup}/{cgroup}'
        self.wire = wire
        self.dir = f'{lab.dir}/{name}'
        os.mkdir(self.dir)
        os.mkdir(self.cgroup)
        subprocess.run(['ip', 'netns', 'add', self.netns], check=True)
        lab.hosts.append(self)
        with self.inside():
            for key in 'all', 'default':
                with open(f'/proc/sys/net/ipv6/conf/{key}/accept_dad', 'w') as f:
                    f.write('0')
        ip('link set lo up', netns=self.netns)
        with open(f'{self.dir}/nsswitch.conf', 'w') as f:
            f.write('hosts: dns\n')
        self.resolve_by()

    def add_addresses(self, *addresses, device=None):
        """Addresses with their prefix lengths; the first of each family are .ip4 and .ip6."""
        for address in addresses:
            ip(f'address add {address} dev {device or self.wire}'
               + (' nodad' if ':' in address else ''), netns=self.netns)
            attribute = 'ip6' if ':' in address else 'ip4'
            if not hasattr(self, attribute):
                setattr(self, attribute, address.partition('/')[0])

    def address(self, family):
        return self.ip4 if family == 4 else self.ip6

    def resolve_by(self, *servers):
        """What resolv.conf says to the programs started from now on."""
        with open(f'{self.dir}/resolv.conf', 'w') as f:
            f.write(f'options timeout:{3 * PATIENCE} attempts:3\n')
            f.writelines(f'nameserver {server}\n' for server in servers)

    def sub_cgroup(self, name):
        path = f'{self.cgroup}/{name}'
        os.makedirs(path, exist_ok=True)
        return path

    @contextlib.contextmanager
    def inside(self):
        """This thread in the host's network namespace: the place to open a server's socket."""
        with open('/proc/thread-self/ns/net') as home, \
                open(f'{leftovers.NETNS_DIR}/{self.netns}') as there:
            _must(_libc.setns(there.fileno(), CLONE_NEWNET))
            try:
                yield
            finally:
                _must(_libc.setns(home.fileno(), CLONE_NEWNET))

    def _enter(self, cgroup):
        """In a fresh child, for good: cgroup, namespaces, resolv.conf; it dies with the run."""
        with open(f'{cgroup or self.cgroup}/cgroup.procs', 'w') as f:
            f.write('0')
        with open(f'{leftovers.NETNS_DIR}/{self.netns}') as f:
            _must(_libc.setns(f.fileno(), CLONE_NEWNET))
        _must(_libc.unshare(CLONE_NEWNS))
        _mount(None, '/', None, MS_REC | MS_PRIVATE)
        for name in 'resolv.conf', 'nsswitch.conf':
            _mount(f'{self.dir}/{name}', os.path.realpath(f'/etc/{name}'), None, MS_BIND)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def popen(self, argv, cgroup=None, **options):
        """Start a program here. options as of subprocess.Popen."""
        options.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.Popen(argv, preexec_fn=lambda: self._enter(cgroup),
                                start_new_session=True, **options)

    def run(self, *argv, cgroup=None, timeout=60, **options):
        """Run a program to its end: a CompletedProcess with its output as text."""
        with self.popen(argv, cgroup, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        **options) as process:
            try:
                out, err = process.communicate(timeout=timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def call(self, function, *args, cgroup=None, deadline=60):
        """Call a Python function in a process of this host; its result, or its exception."""
        def once():
            yield function(*args)
        with self.steps(once, cgroup=cgroup, deadline=deadline) as steps:
            return steps.next()

    def steps(self, generator, *args, cgroup=None, deadline=60):
        """Run a generator function in a process of this host, a yield at a time."""
        return Steps(self, generator, args, cgroup, deadline)

    # Clients as people use them.

    def dig(self, name, kind='A', server=None, *options):
        """What dig prints with +short, a list of lines; server None: resolv.conf's."""
        at = [f'@{server}'] if server else []
        done = self.run('dig', *at, '+short', '+tries=2', f'+time={2 * PATIENCE}', name, kind, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    def kdig(self, name, kind='A', server=None, *options):
        at = [f'@{server}'] if server else []
        done = self.run('kdig', *at, '+short', '+retry=1', f'+time={2 * PATIENCE}', name, kind, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    def getaddrinfo(self, *names, libc='glibc', family='any'):
        """What a C program gets: libc 'glibc' or 'musl', family 4, 6 or 'any'."""
        done = self.run(f'{BUILD}/tests/lab/gai-{libc}', str(family), *names)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


class Steps:
    """A process that stops at each yield of its generator until next() lets it go on."""

    def __init__(self, host, generator, args, cgroup, deadline):
        self.deadline = deadline * PATIENCE
        go_on, self.go_on = os.pipe()
        self.told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # Never back into the caller's frames: a second test run would go on from there.
            try:
                os.close(self.go_on)
                with os.fdopen(tell, 'wb') as tell_file:
                    self._child(host, cgroup, generator, args, go_on, tell_file)
            finally:
                os._exit(0)
        os.close(go_on)
        os.close(tell)
        self.told = os.fdopen(self.told, 'rb')

    @staticmethod
    def _child(host, cgroup, generator, args, go_on, tell):
        try:
            host._enter(cgroup)
            steps = generator(*args)
            while os.read(go_on, 1):
                pickle.dump(('value', next(steps)), tell)
                tell.flush()
        except StopIteration:
            pickle.dump(('end', None), tell)
        except BaseException as e:
            e.add_note(f'on {host.name}: {traceback.format_exc()}')
            pickle.dump(('error', e), tell)

    def next(self):
        """Let it run to its next yield; the value yielded. StopIteration at its end."""
        os.write(self.go_on, b'.')
        if not select.select([self.told], [], [], self.deadline)[0]:
            raise AssertionError(f'no next step within {self.deadline} s')
        kind, value = pickle.load(self.told)
        if kind == 'error':
            raise value
        if kind == 'end':
            raise StopIteration
        return value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.go_on)
        self.told.close()


class Program:
    """A long-running program on a host, its output in a log file that a failing test shows."""

    def __init__(self, host, argv, name, cgroup=None, **options):
        self.host, self.argv, self.name, self.cgroup, self.options = host, argv, name, cgroup, options
        self.process = None
        host.lab.programs.append(self)

    def start(self):
        self.log = self.host.lab.log_file(self.name)
        with open(self.log, 'wb') as log:
            self.process = self.host.popen(self.argv, self.cgroup, stdout=log, stderr=log,
                                           **self.options)
        return self

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def stop(self, deadline=30):
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(deadline * PATIENCE)
