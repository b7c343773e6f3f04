# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What policy costs: those it is enforced on, those beside them, snooperd's reload, and memory.

One process begins flows and sends in a cgroup that is an endpoint, in one that is none (observed
alike), in one that is not observed, and with nothing of ours in the kernel. The other ends are
sockets of this process, outside of all of them. All on one CPU: ratios are of CPU time.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f'{os.path.dirname(HERE)}/lab')

from arms import alternate, error_of, median, ratio_error  # noqa: E402
from daemon import Snooperd  # noqa: E402
from policing import DNS_ANY, ask, names, policy, tcp  # noqa: E402
from servers import unbound  # noqa: E402
from snoplab import BUILD, ip  # noqa: E402

FLOWS, NAMES = (f'{BUILD}/tests/bench/{x}' for x in ('flows', 'bench_names'))
RESOLVER = '10.53.9.56'
ALLOWED, FORBIDDEN = '198.18.1.1', '198.18.1.2'  # addresses of this host, yet not 127.0.0.0/8: policed
PORT = 8443
WINDOW = 1 << 20  # as in flows.c
SO_RCVBUFFORCE = 33  # not in Python
# What is called, how often in a burst, and the least that enforcing may leave of its rate.
CALLS = (('tcp', 2000, 0.95), ('send', 10000, 0.95), ('sendto', 10000, 0.95), ('new', 5000, None),
         ('rr', 2000, 0.98), ('bulk', 128, 0.98))
IS = {'tcp': 'TCP connect and close', 'send': 'UDP send, connected', 'sendto': 'UDP sendto',
      'new': 'UDP socket, sendto, close', 'rr': '64 bytes and 64 back, TCP', 'bulk': 'a MiB, TCP'}
POLICY_MAPS = ('snp_rows', 'snp_rows_given', 'snp_flows', 'snp_heard', 'snp_verdicts', 'snp_hits',
               'snp_members', 'snp_endpoints', 'snp_globs', 'snp_policy')


class Policed:
    """A resolver, the other ends, and snooperd when it is there."""

    def __init__(self, lab):
        self.lab, self.node = lab, lab.node
        self.cpu = str(sorted(os.sched_getaffinity(0))[-1])
        self.node.add_addresses(f'{RESOLVER}/32', device='lo')
        ip('route add local 198.18.1.0/24 dev lo', netns=self.node.netns)
        self.observed = self.node.sub_cgroup('policed')
        self.endpoint = self.node.sub_cgroup('policed/bot')
        self.plain = self.node.sub_cgroup('policed/plain')
        self.apart = self.node.sub_cgroup('policed-apart')
        self.snooperd, self.starts = None, 0
        zone = (' local-zone: "policed.bench." redirect\n'
                f' local-data: "policed.bench. 3600 A {ALLOWED}"\n')
        self.resolver = unbound(self.node, [RESOLVER], {}, zone,
                                self.node.sub_cgroup('policed-servers')).start()
        self.ends = {}
        with self.node.inside():
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                end = socket.socket(socket.AF_INET, kind)
                end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WINDOW)
                end.bind(('0.0.0.0', PORT))
                self.ends[kind] = end
            self.ends[socket.SOCK_STREAM].listen(512)

    def close(self):
        self.detach()
        for end in self.ends.values():
            end.close()

    def attach(self, *texts):
        """snooperd under these policies, nothing learned yet."""
        self.detach()
        self.starts += 1
        conf = {'observe': {'cgroups': [self.observed], 'resolvers': [RESOLVER]},
                'endpoints': [{'name': 'bot', 'cgroup': self.endpoint, 'labels': {'app': 'bot'}}],
                'log': {'level': 'info'}}
        daemon = Snooperd(self.lab, conf, name=f'policed{self.starts}')
        directory = f'{daemon.dir}/policy.d'
        os.mkdir(directory)
        daemon.conf['policy'] = {'mode': 'enforce', 'directory': directory}
        self.write(directory, *texts)
        self.snooperd = daemon.start(60)

    def write(self, directory, *texts):
        for i, text in enumerate(texts):
            with open(f'{directory}/{i}.yaml', 'w') as f:
                f.write(text)

    def detach(self):
        if self.snooperd:
            self.snooperd.stop()
            done = self.snooperd.once('--uninstall')
            assert done.returncode == 0, done.stderr
        self.snooperd = None

    def learn(self):
        """The endpoint may go to ALLOWED, and to nothing else; who is none may."""
        def resolve():
            return ask(RESOLVER, 'web.policed.bench')
        assert self.node.call(resolve, cgroup=self.endpoint) == [ALLOWED]
        for cgroup, to, expected in ((self.endpoint, FORBIDDEN, 'EPERM'),
                                     (self.endpoint, ALLOWED, 'ECONNREFUSED'),
                                     (self.plain, FORBIDDEN, 'ECONNREFUSED')):
            came = self.node.call(tcp, to, PORT + 1, cgroup=cgroup)
            assert came == expected, f'{to} from {cgroup}: {came}'

    def burst(self, call, count, cgroup):
        """Nanoseconds a call."""
        kind = socket.SOCK_STREAM if call in ('tcp', 'rr', 'bulk') else socket.SOCK_DGRAM
        end = self.ends[kind].fileno()
        done = self.node.run('chrt', '-f', '1', 'taskset', '-c', self.cpu, FLOWS, call, str(end),
                             ALLOWED, str(PORT), str(count), cgroup=cgroup, timeout=60,
                             pass_fds=[end])
        assert done.returncode == 0, f'{call}: {done.stdout}{done.stderr}'
        return json.loads(done.stdout)['ns']


# --- who sends -------------------------------------------------------------------------

def by_turns(site, places, rounds):
    """{call: [nanoseconds of each place]} of bursts that go from place to place, forth and back."""
    out = {call: [[] for _ in places] for call, *_ in CALLS}
    for call, count, _ in CALLS:
        for number in range(rounds):
            for at in list(range(len(places)))[::1 if number % 2 else -1]:
                out[call][at].append(site.burst(call, count, places[at]))
    return out


def visit_attached(site, rounds):
    site.attach(policy(names('*.policed.bench') + DNS_ANY))
    site.learn()
    return by_turns(site, [site.endpoint, site.plain, site.apart], rounds)


def visit_detached(site, rounds):
    site.detach()
    return by_turns(site, [site.apart], rounds)


def flows(site, say, visits, rounds):
    attached, detached = alternate(lambda: visit_attached(site, rounds),
                                   lambda: visit_detached(site, rounds), visits, visits, 0)
    for call, _, gate in CALLS:
        enforced, plain, apart = ([ns for visit in attached for ns in visit[call][place]]
                                  for place in range(3))
        by_visit = [[median(visit[call][place]) for visit in attached] for place in range(3)]
        free = [median(visit[call][0]) for visit in detached]
        ratio, to_apart, to_free = (
            median([b / a for a, b in zip(ours, theirs)])
            for ours, theirs in ((enforced, plain), (enforced, apart), (by_visit[0], free)))
        limits = {'gate': gate, 'met': ratio >= gate, 'to_detached_met': to_free >= gate} if gate else {}
        say('policy', 'stream_ratio' if gate == 0.98 else 'rate_ratio', call=IS[call],
            enforced_ns=median(enforced), no_endpoint_ns=median(plain), not_observed_ns=median(apart),
            detached_ns=median(free), per_s=1e9 / median(enforced), ratio=ratio,
            error=ratio_error(plain, enforced), to_not_observed=to_apart,
            to_not_observed_error=ratio_error(apart, enforced), to_detached=to_free,
            to_detached_error=ratio_error(free, by_visit[0]),
            everybody_pays_ns=median([a - b for a, b in zip(by_visit[2], free)]),
            **limits, rounds=len(enforced))


# --- the policy ------------------------------------------------------------------------

def selectors(count):
    """Selectors in the shapes that people write: the first ones of bench_names's."""
    done = subprocess.run([NAMES, '--selectors', str(count)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def policy_of(count):
    """(policy, how many different selectors it has): half of them on any port, half on 443 only."""
    texts = selectors(count)
    entries = ''
    for some, ports in (texts[::2], ()), (texts[1::2], [('443', 'TCP')]):
        for kind in 'matchName', 'matchPattern':
            of_kind = [t for t in some if ('*' in t) == (kind == 'matchPattern')]
            entries += names(*of_kind, ports=ports, kind=kind) if of_kind else ''
    return policy(entries + DNS_ANY), len(set(texts))


def cpu_ns(pid):
    """CPU time of a process's first thread."""
    with open(f'/proc/{pid}/schedstat') as f:
        return int(f.read().split()[0])


def reload(site, text, different):
    """(ms until the policy is in force, of them on a CPU) of a reload."""
    daemon = site.snooperd
    site.write(f'{daemon.dir}/policy.d', text)
    cpu, began = cpu_ns(daemon.pid), time.monotonic()
    done = daemon.ctl('reload')
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    said = re.findall(r'event=policy generation=\d+ specs=1 selectors=(\d+)', daemon.output())
    assert int(said[-1]) >= different, f'{said[-1]} of {different} selectors are in force'
    return took * 1000, (cpu_ns(daemon.pid) - cpu) / 1e6


def in_kernel(site):
    """(bytes of the maps that policy needs, of the generation in force), as bpftool counts them."""
    def bpftool(*words):
        done = subprocess.run(['bpftool', '-j', 'map', *words], capture_output=True, text=True,
                              env=dict(os.environ, PATH=f'{os.environ["PATH"]}:/usr/sbin'))
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def pinned(name):
        return ['pinned', f'{site.snooperd.bpffs}/{name}']
    maps = {name: bpftool('show', *pinned(name))['bytes_memlock'] for name in POLICY_MAPS}
    inner = bpftool('lookup', *pinned('snp_policy'), 'key', '0', '0', '0', '0')['value']
    number = int.from_bytes(bytes(int(b, 16) for b in inner), sys.byteorder)
    return sum(maps.values()), bpftool('show', 'id', str(number))['bytes_memlock']


def resident(site):
    """(anonymous bytes of snooperd, all of its resident bytes)"""
    with open(f'/proc/{site.snooperd.pid}/status') as f:
        text = f.read()
    return tuple(int(re.search(rf'{key}:\s+(\d+)', text).group(1)) << 10 for key in ('RssAnon', 'VmRSS'))


def policies(site, say, rounds):
    ten = policy_of(10)
    for count in 10, 1000, 10000:
        text, different = policy_of(count)
        site.attach(text)
        anonymous, everything = resident(site)
        maps, generation = in_kernel(site)
        mib = {'generation': generation, 'maps': maps, 'snooperd_anonymous': anonymous,
               'snooperd_resident': everything}
        say('policy', 'memory_mib', selectors=count, different=different, **{k: v / (1 << 20) for k, v in mib.items()})
        there, back = alternate(lambda: reload(site, text, different), lambda: reload(site, *ten),
                                rounds, rounds, 0)
        wall, cpu = zip(*there)
        say('policy', 'reload_ms', selectors=count, until_in_force=median(wall), of_it_cpu=median(cpu),
            back_to_ten=median([x[0] for x in back]), error=error_of(wall), limit=2000,
            met=median(wall) <= 2000, rounds=len(wall))


def run(lab, say, quick):
    with contextlib.closing(Policed(lab)) as site:
        flows(site, say, *((3, 3) if quick else (9, 7)))
        policies(site, say, 3 if quick else 7)
