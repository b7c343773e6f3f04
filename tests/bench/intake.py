# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the daemon pays for what the kernel learns: CPU, memory, and how soon others see it.

A wildcard zone of unbound answers any name with one address, so a million names are as
easily asked as one. dnsperf and unbound are on one CPU, snooperd on the other.
"""
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f'{os.path.dirname(HERE)}/lab')

from daemon import Snooperd  # noqa: E402
from grpc_client import Client  # noqa: E402
from servers import unbound  # noqa: E402
from snoplab import TOP, wait_until  # noqa: E402

RESOLVER = '10.53.9.55'
METRICS = '127.0.0.1:9953'
SCAN = 15  # seconds from one whole reading of the maps to the next
ROOM = 1 << 21  # of every limit: nothing is refused here


class Intake:
    def __init__(self, lab):
        self.lab = lab
        lab.node.add_addresses(f'{RESOLVER}/32', device='lo')
        self.clients = lab.node.sub_cgroup('intake')
        servers = lab.node.sub_cgroup('intake-servers')
        zone = ' local-zone: "intake." redirect\n local-data: "intake. 3600 A 198.18.0.1"\n'
        self.resolver = unbound(lab.node, [RESOLVER], {}, zone, servers).start()
        self.cpus = sorted(os.sched_getaffinity(0))
        for task in os.listdir(f'/proc/{self.resolver.pid}/task'):
            os.sched_setaffinity(int(task), {self.cpus[-1]})
        self.snooperd = Snooperd(lab, {
            'observe': {'cgroups': [self.clients], 'resolvers': [RESOLVER]},
            'limits': {'names': ROOM, 'facts': ROOM, 'rows': ROOM, 'names_per_address': ROOM,
                       'per_endpoint': ROOM}, 'export': {'metrics': METRICS},
            'log': {'level': 'info'}}, name='intake').start(60)
        os.sched_setaffinity(self.snooperd.pid, {self.cpus[0]})
        self.asked = 0

    def close(self):
        self.snooperd.stop()
        assert self.snooperd.once('--uninstall').returncode == 0

    def names_file(self, count, again=False):
        """Names never asked before; again: a hundred, over and over."""
        path = f'{self.lab.dir}/intake.txt'
        with open(path, 'w') as f:
            if again:
                f.writelines(f'again{i}.intake A\n' for i in range(100))
            else:
                f.writelines(f'service-{i}.intake A\n' for i in range(self.asked, self.asked + count))
                self.asked += count
        return path

    def dnsperf(self, path, *options):
        """(answers, seconds)"""
        done = self.lab.node.run('taskset', '-c', str(self.cpus[-1]), 'dnsperf', '-s', RESOLVER,
                                 '-d', path, '-c', '20', '-q', '100', *options,
                                 cgroup=self.clients, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return (int(re.search(r'Queries completed: +(\d+)', done.stdout).group(1)),
                float(re.search(r'Run time \(s\): +([\d.]+)', done.stdout).group(1)))

    def cached(self):
        return self.snooperd.status()['cache']['names']

    def cpu(self):
        """CPU seconds of the daemon."""
        with open(f'/proc/{self.snooperd.pid}/stat') as f:
            fields = f.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def resident(self):
        """Bytes of its own: the ring and other maps that it shares with the kernel are not."""
        with open(f'/proc/{self.snooperd.pid}/status') as f:
            return int(re.search(r'RssAnon:\s+(\d+)', f.read()).group(1)) << 10


    def longest_turn(self):
        """Seconds of CPU that the longest turn of the daemon's loop took, and how many took more than 10 ms."""
        text = self.lab.node.run('curl', '-s', f'http://{METRICS}/metrics').stdout
        return [float(re.search(rf'^snooper_loop_{name} (.+)$', text, re.M).group(1))
                for name in ('longest_turn_seconds', 'slow_turns_total')]


def learn(site, count):
    """(answers, seconds of dnsperf, CPU seconds of the daemon) of new names, until all are known."""
    before, cpu = site.cached(), site.cpu()
    answers, seconds = site.dnsperf(site.names_file(count), '-n', '1')
    wait_until(lambda: site.cached() - before >= answers, deadline=60, what='all known')
    return answers, seconds, site.cpu() - cpu


def idle_share(site, seconds):
    """Of a CPU, when nobody asks: the maps are read all the same, every SCAN seconds."""
    cpu = site.cpu()
    time.sleep(seconds)
    return (site.cpu() - cpu) / seconds


def watch_lag(site, rate, seconds):
    """Milliseconds from the answer to the Watch that tells it, for each name told."""
    lags = []
    synced = threading.Event()

    def follow(client):
        decode = client.classes['snooper.v1.WatchReply'].FromString
        for reply in map(decode, client.stream('snooper.v1.Names/Watch', b'')):
            kind = reply.WhichOneof('event')
            if kind == 'synced':
                synced.set()
            elif kind == 'name' and synced.is_set():
                lags.append(min(a.first_seen_ms_ago for a in reply.name.addresses))
                if len(lags) >= rate * seconds:
                    return
    with Client(site.snooperd.socket, timeout=300) as client:
        reader = threading.Thread(target=follow, daemon=True, args=(client,))
        reader.start()
        assert synced.wait(120)
        site.dnsperf(site.names_file(rate * seconds), '-n', '1', '-Q', str(rate))
        reader.join(60)
    return sorted(lags)


def list_by_grpc_js(site):
    """(names, seconds) of a whole List by grpc-js."""
    began = time.monotonic()
    client = subprocess.Popen(
        ['node', f'{TOP}/tests/lab/grpc_js/client.js', site.snooperd.socket, f'{TOP}/proto', 'list'],
        env=dict(os.environ, NODE_PATH=f'{TOP}/build/grpc-js/node_modules'), stdout=subprocess.PIPE)
    names = sum(1 for _ in client.stdout)
    assert client.wait() == 0
    return names, time.monotonic() - began


def run(lab, say, quick):
    count = 100000 if quick else 1000000
    site = Intake(lab)
    try:
        empty = site.resident()
        answers, seconds, cpu = learn(site, count)
        say('daemon', 'intake', new_answers=answers, offered_per_s=answers / seconds,
            taken_per_cpu_s=answers / cpu, cpu_share_at_50000_new_per_s=cpu / answers * 50000)
        say('daemon', 'resident', facts=site.cached(), bytes_a_fact=(site.resident() - empty) / answers,
            mib=site.resident() / (1 << 20), empty_mib=empty / (1 << 20), limit_mib=300,
            met=site.resident() <= 300 << 20)
        idle = idle_share(site, SCAN / 10 if quick else SCAN)
        say('daemon', 'idle', names=site.cached(), cpu_share=idle)
        cpu = site.cpu()
        answers, seconds = site.dnsperf(site.names_file(0, again=True), '-l', str(int(SCAN / 10 if quick else SCAN)))
        say('daemon', 'repeated', answers=answers,
            cpu_share_at_200000_repeated_per_s=(site.cpu() - cpu - idle * seconds) / answers * 200000)
        names, seconds = list_by_grpc_js(site)
        say('daemon', 'list_by_grpc_js', names=names, seconds=seconds, names_per_s=names / seconds)
        lags = watch_lag(site, 10000, 1 if quick else 5)
        say('daemon', 'watch_lag_ms', changes=len(lags), per_s=10000, p50=lags[len(lags) // 2],
            p99=lags[len(lags) * 99 // 100], most=lags[-1])
        longest, slow = site.longest_turn()
        say('daemon', 'longest_turn_ms', of_all_the_above=longest * 1000, above_10_ms=int(slow), limit_ms=10,
            met=longest <= 0.010)
    finally:
        site.close()
