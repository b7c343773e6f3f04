#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What snooper costs: one JSON line a figure on stdout. README.md says what each is.

    bench.py [--quick] [udp|latency|proxy|dnsmasq|daemon|policy ...]

Nothing is asserted here: a missed gate prints "met": false, and the exit status is 0.
"""
import argparse
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, f'{os.path.dirname(HERE)}/lab')

import intake  # noqa: E402
import policy_bench  # noqa: E402
from arms import DNSMASQ, RESOLVER, Site, alternate, error_of, machine, median, ratio_error  # noqa: E402,E501
from snoplab import BUILD, Lab, Run  # noqa: E402

LOOKUPS = f'{BUILD}/tests/bench/lookups'
STYLES = 'connected', 'unconnected', 'new'


def say(bench, figure, **values):
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}
    print(json.dumps({'bench': bench, 'figure': figure, **rounded}, separators=(',', ':')),
          flush=True)


class Plan:
    """How much of it: eight minutes, or with --quick two."""

    def __init__(self, quick):
        self.rounds, self.most = (3, 3) if quick else (7, 10)
        self.seconds = 0.7 if quick else 3
        self.pairs = 7 if quick else 25
        self.visits = 3 if quick else 9
        self.lookups = 800


# --- many at once: answers a second ------------------------------------------------

def dnsperf(site, server, names, seconds):
    """Answers a second."""
    learned = site.learned() if site.snooperd else 0
    out = site.run('dnsperf', '-s', server, '-d', site.files[names], '-l', f'{seconds:g}',
                   '-c', '20', '-q', '100')
    done, lost = (int(re.search(rf'Queries {what}: +(\d+)', out).group(1))
                  for what in ('completed', 'lost'))
    assert done and lost < done / 50, out[-1000:]
    assert re.search(r'Response codes: +NOERROR \d+ \(100.00%\)', out), out[-1000:]
    if site.snooperd:
        learned = site.learned() - learned
        assert learned > done * 0.99, f'{done} answers, {learned} learned: another cost than meant'
    return float(re.search(r'Queries per second: +([\d.]+)', out).group(1))


def bench_udp(site, plan):
    """On a CPU each, which is how it is used; and on one for both, where nothing hides."""
    for cpus, names in ((2, 'repeated'), (2, 'distinct'), (1, 'repeated'), (1, 'distinct')):
        def in_arm(arm):
            site.enter(arm)
            return dnsperf(site, RESOLVER, names, plan.seconds)
        site.settle(together=cpus == 1)
        ours, theirs = alternate(lambda: in_arm('attached'), lambda: in_arm('detached'),
                                 plan.rounds, plan.most, 0.005)
        ratio = median(ours) / median(theirs)
        say('udp', 'answers_per_s_ratio', cpus=cpus, names=names, attached=median(ours),
            detached=median(theirs), ratio=ratio, gate=0.90, met=ratio >= 0.90, aim=0.95,
            aim_met=ratio >= 0.95, added_us=1e6 / median(ours) - 1e6 / median(theirs),
            error=ratio_error(ours, theirs), rounds=len(ours))
    site.settle(together=True)


# --- one at a time: what a lookup takes -----------------------------------------------

def pairs(plan, one, other):
    """Short bursts in turn: {figure: ([ours], [theirs])} of two calls that return {figure: ns}."""
    ours, theirs = alternate(one, other, plan.pairs, plan.pairs, 0)
    return {key: ([x[key] for x in ours], [x[key] for x in theirs]) for key in ours[0]}


def burst(site, plan, style, server=RESOLVER, cgroup=None):
    return json.loads(site.run(LOOKUPS, 'ask', style, server, str(plan.lookups), cgroup=cgroup))


def observed_or_not(site, plan, style):
    """Lookups in the observed cgroup, and in the one beside it."""
    return pairs(plan, lambda: burst(site, plan, style),
                 lambda: burst(site, plan, style, cgroup=site.beside))


def added(ours, theirs):
    """(median of ours, of theirs, of what ours took longer, its error), in microseconds."""
    more = [(a - b) / 1000 for a, b in zip(ours, theirs)]
    return median(ours) / 1000, median(theirs) / 1000, median(more), error_of(more)


def connecting(site, plan, port, cgroup):
    out = site.run(LOOKUPS, 'connect', RESOLVER, str(port), str(plan.lookups * 10), cgroup=cgroup)
    return json.loads(out)


def presence(site, plan):
    """
    What programs anywhere on the host cost those they are not attached to: the kernel has
    switched its hooks on. {figure: (ns, error)}, of bursts beside while attached and detached.
    """
    def visit(arm):
        site.enter(arm)
        out = {}
        for style in STYLES:
            came = [burst(site, plan, style, cgroup=site.beside) for _ in range(3)]
            out[style] = min(c['p50_ns'] for c in came)
            out[f'send {style}'] = min(c['send_p50_ns'] for c in came)
        out['connect'] = min(connecting(site, plan, 53, site.beside)['p50_ns'] for _ in range(3))
        return out

    if site.presence is None:
        ours, theirs = alternate(lambda: visit('attached'), lambda: visit('detached'),
                                 plan.visits, plan.visits, 0)
        more = {k: [a[k] - b[k] for a, b in zip(ours, theirs)] for k in ours[0]}
        site.presence = {k: (median(v), error_of(v)) for k, v in more.items()}
    return site.presence


def added_by(site, plan, key, ours, theirs, unit):
    """Fields of a figure: attached against beside, pair by pair, and what beside pays already."""
    a, _, more, error = added(ours, theirs)
    hooks, hooks_error = (x / 1000 for x in presence(site, plan)[key])
    scale = {'us': 1, 'ns': 1000}[unit]
    values = {'attached': a, 'detached': a - more - hooks, 'added': more + hooks,
              'of_it_hooks_on': hooks, 'error': error + hooks_error}
    return {k: v * scale for k, v in values.items()}


def lookup(site, plan, style):
    """What a lookup takes longer in the arm that site is in, than with nothing attached."""
    return added_by(site, plan, style, *observed_or_not(site, plan, style)['p50_ns'], 'us')


def bench_latency(site, plan):
    presence(site, plan)
    site.enter('attached')
    for style in STYLES:
        values = lookup(site, plan, style)
        say('udp', 'added_latency_us', socket=style, **values, aim=1.0,
            met=values['added'] <= 1.0, rounds=plan.pairs)


def calls(site, plan, proxy):
    for what, port in ('resolver', 53), ('not DNS', 443):
        came = pairs(plan, lambda: connecting(site, plan, port, site.clients),
                     lambda: connecting(site, plan, port, site.beside))
        say('proxy', 'ns_per_call', call=f'connect to {what}', proxy=proxy,
            **added_by(site, plan, 'connect', *came['p50_ns'], 'ns'), rounds=plan.pairs)
    came = observed_or_not(site, plan, 'unconnected')['send_p50_ns']
    say('proxy', 'ns_per_call', call='sendto resolver', proxy=proxy,
        **added_by(site, plan, 'send unconnected', *came, 'ns'), rounds=plan.pairs)


def bench_proxy(site, plan):
    """Calls and whole lookups with a healthy proxy and without: the difference is the hooks'."""
    presence(site, plan)
    taken = {}
    for arm in 'attached', 'proxy':
        site.enter(arm)
        calls(site, plan, arm == 'proxy')
        taken[arm] = {style: lookup(site, plan, style) for style in STYLES}
    for style in STYLES:
        without, healthy = taken['attached'][style], taken['proxy'][style]
        learning = healthy['detached'] + without['added']
        ratio = learning / healthy['attached']
        # Of the pairs alone: what hooks cost everybody is the same in both, and goes out.
        error = healthy['error'] + without['error'] - 2 * presence(site, plan)[style][1] / 1000
        say('proxy', 'lookup_ratio', socket=style, healthy=healthy['attached'], without=learning,
            ratio=ratio, gate=0.97, met=ratio >= 0.97, added=healthy['added'] - without['added'],
            added_to_detached=healthy['added'], error=error, rounds=plan.pairs)


def bench_dnsmasq(site, plan):
    """For scale: a proxy in the path, nothing of ours in the kernel."""
    site.enter('detached')
    ours, theirs = alternate(lambda: dnsperf(site, DNSMASQ, 'repeated', plan.seconds / 2),
                             lambda: dnsperf(site, RESOLVER, 'repeated', plan.seconds / 2), 3, 3, 0)
    say('dnsmasq', 'answers_per_s_ratio', names='repeated', dnsmasq=median(ours),
        direct=median(theirs), ratio=median(ours) / median(theirs),
        error=ratio_error(ours, theirs), rounds=len(ours))
    few = Plan(True)
    for style in STYLES:
        came = pairs(few, lambda: burst(site, few, style, DNSMASQ),
                     lambda: burst(site, few, style))
        a, b, more, error = added(*came['p50_ns'])
        say('dnsmasq', 'added_latency_us', socket=style, dnsmasq=a, direct=b, added=more,
            error=error, rounds=few.pairs)


def bench_daemon(site, plan):
    site.enter('detached')
    intake.run(site.lab, say, plan.rounds == 3)


def bench_policy(site, plan):
    site.enter('detached')
    policy_bench.run(site.lab, say, plan.rounds == 3)


BENCHES = {'udp': bench_udp, 'latency': bench_latency, 'proxy': bench_proxy,
           'dnsmasq': bench_dnsmasq, 'daemon': bench_daemon, 'policy': bench_policy}


def main():
    parser = argparse.ArgumentParser(description='one JSON line a figure; see README.md')
    parser.add_argument('--quick', action='store_true', help='two minutes, and less certain')
    parser.add_argument('bench', nargs='*', help=', '.join(BENCHES) + ' (default: all)')
    options = parser.parse_args()
    if not set(options.bench) <= set(BENCHES):
        parser.error(f'no such bench: {", ".join(set(options.bench) - set(BENCHES))}')
    say('machine', 'machine', **machine())
    with Run() as run, Lab(run) as lab:
        site = Site(lab)
        for name, bench in BENCHES.items():
            if not options.bench or name in options.bench:
                bench(site, Plan(options.quick))
        site.enter('detached')


if __name__ == '__main__':
    main()
