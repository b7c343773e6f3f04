# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is compared: one host with a resolver and clients on it, in one arm or another.

    detached   no program of ours in the kernel
    attached   snooperd runs and observes the clients' cgroup
    proxy      as attached, and the resolver is one of proxy.addresses, alive

All traffic stays on the loopback device of one network namespace. The servers are
in a cgroup that is not observed, so only the clients' side is at work.
"""
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f'{os.path.dirname(HERE)}/lab')

from daemon import Snooperd  # noqa: E402
from servers import dnsmasq, unbound  # noqa: E402

RESOLVER, DNSMASQ = '10.53.9.53', '10.53.9.54'
FEW = 100        # names asked again and again (lookups.c asks the same)
MANY = 50000     # names asked once, then again when all have been: below limits.per_endpoint


class Site:
    def __init__(self, lab):
        self.lab = lab
        self.node = lab.node
        self.node.add_addresses(f'{RESOLVER}/32', f'{DNSMASQ}/32', device='lo')
        self.clients = self.node.sub_cgroup('clients')
        self.beside = self.node.sub_cgroup('beside')  # as clients, never observed
        self.servers = self.node.sub_cgroup('servers')
        self.files = {}
        self.resolver = unbound(self.node, [RESOLVER], {}, self._local_data(), self.servers).start()
        self.dnsmasq = dnsmasq(self.node, [DNSMASQ], [RESOLVER], cgroup=self.servers,
                               cache_size=0).start()
        self.snooperd = None
        self.presence = None  # bench.py: measured once
        self.arm = 'detached'
        self.starts = 0
        self.settle(together=True)

    def _local_data(self):
        """Records of our own for unbound; the same names in files for dnsperf."""
        lines = [' local-zone: "bench." static\n']
        for kind, count, net in ('repeated', FEW, '198.18'), ('distinct', MANY, '198.19'):
            self.files[kind] = f'{self.lab.dir}/{kind}.txt'
            with open(self.files[kind], 'w') as f:
                f.writelines(f'n{i}.{kind}.bench A\n' for i in range(count))
            lines += [f' local-data: "n{i}.{kind}.bench. 300 A {net}.{i >> 8}.{i & 255}"\n'
                      for i in range(count)]
        return ''.join(lines)

    def settle(self, together):
        """
        Together, clients and servers take turns on one CPU, and nobody else there has a say: a
        ratio is then one of CPU time. With one each, a lone lookup would measure how long an
        idle CPU takes to wake, which is a multiple of the rest; so that is for many at once.
        """
        cpus = sorted(os.sched_getaffinity(0))
        policy, priority = (os.SCHED_FIFO, 1) if together else (os.SCHED_OTHER, 0)
        self.on_its_cpu = ['chrt', '-f' if together else '-o', str(priority),
                           'taskset', '-c', str(cpus[-1])]
        for server in self.resolver, self.dnsmasq:
            for task in os.listdir(f'/proc/{server.pid}/task'):
                os.sched_setaffinity(int(task), {cpus[-1 if together else 0]})
                os.sched_setscheduler(int(task), policy, os.sched_param(priority))

    def enter(self, arm):
        """Attach or detach what the arm needs."""
        if arm == self.arm:
            return
        self.arm = arm
        if self.snooperd:
            self.snooperd.stop()
            done = self.snooperd.once('--uninstall')
            assert done.returncode == 0, done.stderr
            self.snooperd = None
        if arm == 'detached':
            return
        changes = {'observe': {'cgroups': [self.clients], 'resolvers': [RESOLVER]},
                   'log': {'level': 'info'}}
        if arm == 'proxy':
            changes['proxy'] = {'addresses': [f'{RESOLVER}:53'], 'cgroup': self.servers,
                                'fallback': [f'{self.lab.outside.ip4}:53']}
        self.starts += 1
        self.snooperd = Snooperd(self.lab, changes, name=f'snooperd{self.starts}').start(60)

    def run(self, *argv, cgroup=None):
        """A client on its CPU; what it printed."""
        argv = [*self.on_its_cpu, *argv]
        done = self.node.run(*argv, cgroup=cgroup or self.clients, timeout=60)
        assert done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
        return done.stdout

    def learned(self):
        """Answers that the kernel side learned from in this arm."""
        return self.snooperd.status()['kernel']['answers_learned']


def alternate(one, other, least, most, error_below):
    """
    Call one() and other() in turn, A B, B A, for `least` rounds and on until the error of
    their ratio is below error_below, or for `most` rounds: two lists of what they returned.
    """
    ours, theirs = [], []
    for number in range(most):
        if number >= least and ratio_error(ours, theirs) < error_below:
            break
        for call, to in ((one, ours), (other, theirs))[::1 if number % 2 else -1]:
            to.append(call())
    return ours, theirs


median = statistics.median


def error_of(values):
    """Standard error of their median, by the median deviation: a few bad rounds do not move it."""
    middle = median(values)
    return 1.2533 * 1.4826 * median([abs(v - middle) for v in values]) / len(values) ** 0.5


def ratio_error(ours, theirs):
    return error_of([a / b for a, b in zip(ours, theirs)])


def machine():
    done = subprocess.run(['dnsperf', '-h'], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    with open('/proc/cpuinfo') as f:
        models = {line.split(':', 1)[1].strip() for line in f if line.startswith('model name')}
    return {'cores': os.cpu_count(), 'cpu': ', '.join(sorted(models)) or os.uname().machine,
            'kernel': os.uname().release, 'load': os.getloadavg()[0],
            'dnsperf': next((x.rpartition(' ')[2] for x in lines if x.startswith('Version')), '?')}
