# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Points 3.8, 3.11 and 3.13: why, policy, watch --verdicts, names, status: what they say is what happens."""
import contextlib
import json
import signal
import socket
import subprocess

import pytest

from daemon import SNOOPERCTL
from endpointing import BPFTOOL
from policing import (DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, tcp, udp, write, zone)
from snoplab import PATIENCE, Program, wait_until
from stalls import may_stall

ZONE = zone(web='10.55.0.1', api=['10.55.0.2', 'fd55::2'], other='10.55.0.3', chain='CNAME web',
            short='5 IN A 10.55.0.9')
CIDRS = '''  - toCIDR: [10.55.9.0/24, "fd55::9:0/112"]
  - toCIDRSet: [{cidr: 10.55.8.0/24, except: [10.55.8.128/25]}]
    toPorts:
    - ports: [{port: "80", protocol: TCP}]
'''
DENY = '''  egressDeny:
  - toCIDR: [10.55.9.66/32]
'''


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, ZONE)
    with Servers(lab.outside):
        yield lab


def why(daemon, *arguments):
    """The lines of `why --json`."""
    done = daemon.ctl('why', *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(daemon):
    """(summary, {name: endpoint}, {selector: line}) of `policy --json`."""
    done = daemon.ctl('policy')
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary, = [line['policy'] for line in lines if 'policy' in line]
    return (summary, {line['endpoint']['name']: line['endpoint'] for line in lines if 'endpoint' in line},
            {line['selector']['selector']: line['selector'] for line in lines if 'selector' in line})


def line_of(daemon, text, nth=0, file='0.yaml'):
    """file:line of a text in a policy file, as the faces print it."""
    path = f'{daemon.dir}/policy.d/{file}'
    with open(path) as f:
        found = [number for number, line in enumerate(f, 1) if text in line]
    return f'{path}:{found[nth]}'


# Address, port, protocol: what connect, or send, then does.
CASES = [
    ('10.55.0.1', 443, 'TCP', 'name'),
    ('10.55.0.1', 80, 'TCP', 'deny-port'),
    ('10.55.0.1', 443, 'UDP', 'deny-port'),
    ('10.55.0.2', 443, 'TCP', 'name'),
    ('fd55::2', 443, 'TCP', 'name'),
    ('fd55::2', 80, 'TCP', 'deny-port'),
    ('10.55.0.3', 443, 'TCP', 'deny-no-name'),
    ('10.55.0.77', 443, 'TCP', 'deny-no-name'),
    ('10.55.9.1', 443, 'TCP', 'cidr'),
    ('10.55.9.1', 443, 'UDP', 'cidr'),
    ('10.55.9.66', 443, 'TCP', 'deny-cidr'),
    ('fd55::9:1', 443, 'TCP', 'cidr'),
    ('fd55::a:1', 443, 'TCP', 'deny-no-name'),
    ('10.55.8.1', 80, 'TCP', 'cidr'),
    ('10.55.8.1', 443, 'TCP', 'deny-no-name'),
    ('10.55.8.200', 80, 'TCP', 'deny-no-name'),
]


def try_all(cases):
    return [(tcp if protocol == 'TCP' else udp)(address, port) for address, port, protocol, _ in cases]


def lookups(server):
    for name in 'web', 'api', 'other':
        ask(server, f'{name}.policed.test')
    return ask(server, 'api.policed.test', 28)


def test_3_13_why_says_what_a_flow_then_meets(world):
    daemon = start(world, policy(names('web.policed.test', ports=[('443', 'TCP')], kind='matchName') +
                                 names('a*.policed.test', ports=[('443', 'TCP')]) + CIDRS + DNS_ANY, rest=DENY))
    inside(world, lookups, world.outside.ip4)
    daemon.wait_for('web.policed.test', 'api.policed.test', 'other.policed.test')
    said = [why(daemon, address, '--endpoint', 'bot', '--port', f'{port}/{protocol}')
            for address, port, protocol, _ in CASES]
    met = inside(world, try_all, CASES)
    assert [(line['reason'], line['verdict']) for line, in said] == [
        (reason, 'deny' if reason.startswith('deny') else 'allow') for *_, reason in CASES]
    assert met == ['EPERM' if line['verdict'] == 'deny' else 'ok' for line, in said]
    by_case = {(address, port, protocol): line[0] for (address, port, protocol, _), line in zip(CASES, said)}
    line = by_case['10.55.0.1', 443, 'TCP']
    assert (line['address'], line['endpoint'], line['mode']) == ('10.55.0.1', 'bot', 'enforce')
    assert line['names'] == ['web.policed.test'] and line['selectors'] == ['web.policed.test']
    assert line['policy'] == line_of(daemon, 'matchName: "web')
    assert 0 < line['expires_in_ms'] <= 3600_000
    assert by_case['10.55.0.2', 443, 'TCP']['policy'] == line_of(daemon, 'a*.policed.test')
    assert by_case['fd55::2', 80, 'TCP']['policy'] == line_of(daemon, 'a*.policed.test')
    assert by_case['10.55.0.3', 443, 'TCP']['names'] == ['other.policed.test'], 'known, and no selector is for it'
    assert by_case['10.55.9.1', 443, 'UDP']['policy'] == line_of(daemon, 'toCIDR: [10.55.9.0/24')
    assert by_case['10.55.9.66', 443, 'TCP']['policy'] == line_of(daemon, '10.55.9.66')
    assert by_case['10.55.8.1', 80, 'TCP']['policy'] == line_of(daemon, 'toCIDRSet')
    assert by_case['10.55.8.1', 443, 'TCP']['policy'] == line_of(daemon, 'endpointSelector')
    assert 'expires_in_ms' not in by_case['10.55.9.1', 443, 'TCP'], 'what no name grants does not run out'


def test_3_13_why_without_a_port_names_those_that_may_be_used(world):
    daemon = start(world, policy(names('web.policed.test', ports=[('443', 'TCP')]) + CIDRS + DNS_ANY, rest=DENY))
    inside(world, ask, world.outside.ip4, 'web.policed.test')

    def said(address):
        line, = why(daemon, address)
        return line['verdict'], line['reason'], line.get('ports')
    assert said('10.55.0.1') == ('allow', 'name', ['443/TCP'])
    assert said('10.55.8.1') == ('allow', 'cidr', ['80/TCP'])
    assert said('10.55.9.1') == ('allow', 'cidr', None), 'on every port, and ICMP'
    assert said('10.55.9.66') == ('deny', 'deny-cidr', None)
    assert said('10.55.0.77') == ('deny', 'deny-no-name', None)
    assert said(world.outside.ip4) == ('allow', 'resolver', ['53/TCP', '53/UDP'])
    assert said('127.0.0.1') == ('allow', 'loopback', None)


def test_3_13_why_has_a_line_an_endpoint_and_knows_mistakes(world):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY), endpoints=(
        ('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'}), ('free', 'free', {'app': 'none'})))
    inside(world, ask, world.outside.ip4, 'web.policed.test', cgroup='two')
    assert [(line['endpoint'], line['reason']) for line in why(daemon, '10.55.0.1')] == [
        ('bot', 'deny-no-name'), ('two', 'name'), ('free', 'none')]
    assert [inside(world, tcp, '10.55.0.1', cgroup=name) for name in ('bot', 'two', 'free')] == [
        'EPERM', 'ok', 'ok']
    for wrong in (['why'], ['why', 'web.policed.test'], ['why', '10.55.0.1', '--port', '443'],
                  ['why', '10.55.0.1', '--port', '70000/TCP'], ['why', '10.55.0.1', '--endpoint', 'three'],
                  ['names', '--endpoint', 'bot'], ['names', '--verdicts'], ['policy', 'x']):
        done = daemon.ctl(*wrong)
        assert done.returncode == 2 and not done.stdout and 'error' in json.loads(done.stderr), wrong
    daemon.wait_for('web.policed.test')
    text = daemon.ctl('why', '10.55.0.1', '--endpoint', 'two', json_output=False).stdout.splitlines()
    assert text[0].split()[:3] == ['ENDPOINT', 'VERDICT', 'REASON']
    assert text[1].split()[:3] == ['two', 'allow', 'name'] and 'web.policed.test' in text[1]


@may_stall
def test_3_13_why_follows_time_and_policy(world):
    daemon = start(world, policy(names('short.policed.test') + DNS_ANY))
    inside(world, ask, world.outside.ip4, 'short.policed.test')
    daemon.wait_for('short.policed.test')
    line, = why(daemon, '10.55.0.9', '--port', '443/TCP')
    assert line['reason'] == 'name' and line['expires_in_ms'] <= 5000
    wait_until(lambda: why(daemon, '10.55.0.9', '--port', '443/TCP')[0]['reason'] == 'deny-expired', 10,
               'its time is over')
    line, = why(daemon, '10.55.0.9', '--port', '443/TCP')
    assert line['selectors'] == ['short.policed.test'], 'what had allowed it'
    assert inside(world, tcp, '10.55.0.9') == 'EPERM'
    write(daemon, policy(names('short.policed.test') + '  - toEntities: [world]\n' + DNS_ANY))
    assert daemon.ctl('reload').returncode == 0
    line, = why(daemon, '10.55.0.9', '--port', '443/TCP')
    assert (line['reason'], line['policy']) == ('cidr', line_of(daemon, 'toEntities'))
    assert inside(world, tcp, '10.55.0.9') == 'ok'


def test_3_13_a_cname_leads_to_the_name_that_policy_knows(world):
    daemon = start(world, policy(names('chain.policed.test') + DNS_ANY))
    inside(world, ask, world.outside.ip4, 'chain.policed.test')
    daemon.wait_for('chain.policed.test')
    line, = why(daemon, '10.55.0.1')
    assert (line['reason'], line['names']) == ('name', ['chain.policed.test'])


def test_3_13_a_name_is_one_line_whoever_asked(world):
    daemon = start(world, policy(names('*.policed.test') + DNS_ANY), endpoints=(
        ('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'})))
    watch = Program(world.node, [SNOOPERCTL, '-s', daemon.socket, '--json', 'watch'], 'watch').start()
    wait_until(lambda: 'synced' in watch.output(), what='the watch has begun')
    for cgroup in 'bot', 'two':
        inside(world, ask, world.outside.ip4, 'api.policed.test', cgroup=cgroup)
    inside(world, ask, world.outside.ip4, 'api.policed.test', 28, cgroup='two')
    world.node.call(ask, world.outside.ip4, 'api.policed.test')  # of no endpoint
    wait_until(lambda: daemon.names().get('api.policed.test', {}).get('endpoints') == ['bot', 'two'],
               what='both have asked')
    done = daemon.ctl('names', 'api.policed.test')
    line, = [json.loads(line) for line in done.stdout.splitlines()]
    assert line['selectors'] == ['*.policed.test'] and line['endpoints'] == ['bot', 'two']
    assert sorted(a['address'] for a in line['addresses']) == ['10.55.0.2', 'fd55::2']
    assert len(daemon.ctl('names', json_output=False).stdout.splitlines()) == 3, 'headings, and a row an address'

    def last():
        lines = [json.loads(line) for line in watch.output().splitlines()]
        return [x for x in lines if x.get('name') == 'api.policed.test'][-1:]
    wait_until(lambda: [(x['endpoints'], len(x['addresses'])) for x in last()] == [(['bot', 'two'], 2)],
               what='the watch tells the same')
    watch.stop()


def test_3_13_policy_shows_what_is_in_force(world):
    dns = DNS_ANY.replace('"*"', '"*.policed.test"')
    daemon = start(world, policy(names('web.policed.test', kind='matchName') + names('*.policed.test') + dns, name='first'),
                   endpoints=(('bot', 'bot', {'app': 'bot'}), ('free', 'free', {'app': 'none'})))
    summary, endpoints, selectors = shown(daemon)
    assert (summary['specs'], summary['selectors'], summary['mode']) == (1, 2, 'enforce')
    assert endpoints['bot']['default_deny'] and endpoints['bot']['dns_rules']
    assert endpoints['bot']['specs'] == [{'name': 'first', 'policy': line_of(daemon, 'endpointSelector')}]
    assert endpoints['free'] == {'name': 'free', 'mode': 'enforce', 'default_deny': False, 'dns_rules': False,
                                 'specs': []}
    web = selectors['web.policed.test']
    assert (web['kind'], web['fqdns'], web['dns'], web['names'], web['hits']) == ('matchName', True, False, 0, 0)
    assert web['policy'] == line_of(daemon, 'matchName: "web')
    assert selectors['*.policed.test']['dns'] and selectors['*.policed.test']['fqdns']
    inside(world, lookups, world.outside.ip4)
    daemon.wait_for('web.policed.test', 'api.policed.test')
    assert [inside(world, tcp, a) for a in ('10.55.0.1', '10.55.0.1', '10.55.0.2')] == ['ok'] * 3
    _, _, selectors = shown(daemon)
    assert (selectors['web.policed.test']['names'], selectors['web.policed.test']['hits']) == (1, 2)
    assert selectors['*.policed.test']['names'] == 3 and selectors['*.policed.test']['hits'] == 3
    write(daemon, policy(names('api.policed.test') + DNS_ANY, name='second'))
    assert daemon.ctl('reload').returncode == 0
    after, endpoints, selectors = shown(daemon)
    assert after['generation'] > summary['generation']
    assert set(selectors) == {'api.policed.test', '*'}, 'those of the policy before are gone'
    assert endpoints['bot']['specs'][0]['name'] == 'second'
    assert daemon.names()['web.policed.test']['selectors'] == []
    text = daemon.ctl('policy', json_output=False).stdout
    assert f'generation {after["generation"]}, mode enforce: 1 specs' in text
    assert 'second (' in text and 'matchPattern' in text


def verdicts(world, daemon):
    """A `watch --verdicts`, and a function that gives its lines so far."""
    watch = Program(world.node, [SNOOPERCTL, '-s', daemon.socket, '--json', 'watch', '--verdicts'], 'verdicts').start()
    wait_until(lambda: daemon.status()['export']['verdict_watches'] == 1, what='somebody watches')
    return watch, lambda: [json.loads(line) for line in watch.output().splitlines()]


@pytest.mark.parametrize('mode', ['enforce', 'audit'])
def test_3_8_refusals_are_told_as_they_happen(world, mode):
    dns = DNS_ANY.replace('"*"', '"web.policed.test"')
    daemon = start(world, policy(names('web.policed.test', ports=[('443', 'TCP')]) + dns), mode=mode)
    assert inside(world, tcp, '10.55.0.77') == ('EPERM' if mode == 'enforce' else 'ok'), 'before anybody watches'
    watch, lines = verdicts(world, daemon)
    refused = [('10.55.0.3', 443, tcp, 'TCP', 'deny-no-name'), ('fd55::2', 80, tcp, 'TCP', 'deny-no-name'),
               ('10.55.0.4', 443, udp, 'UDP', 'deny-no-name')]
    inside(world, ask, world.outside.ip4, 'web.policed.test')
    assert inside(world, tcp, '10.55.0.1') == 'ok', 'what is allowed is not told'
    for address, port, how, *_ in refused:
        assert inside(world, how, address, port) == ('EPERM' if mode == 'enforce' else 'ok')
    expected = [{'endpoint': 'bot', 'address': a, 'port': p, 'protocol': protocol, 'verdict': v, 'mode': mode}
                for a, p, _, protocol, v in refused]

    def told():
        return [{k: v for k, v in line.items() if k != 'ago_ms'} for line in lines()]
    wait_until(lambda: len(told()) >= 3, what='three refusals are told')
    assert told() == expected, lines()
    assert all(line['ago_ms'] < 60000 for line in lines())
    inside(world, ask, world.outside.ip4, 'other.policed.test')
    wait_until(lambda: told()[-1]['verdict'] == 'deny-dns', what='the question is told')
    assert 'address' not in told()[-1]
    assert watch.stop() == 0, 'interrupted is how it ends'
    wait_until(lambda: daemon.status()['export']['verdict_watches'] == 0, what='nobody watches')
    counted = daemon.status()['verdicts']['bot']
    assert (counted['deny-no-name'], counted['name'], counted['deny-dns']) == (4, 1, 1)


def refused_again_and_again(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while True:
            for _ in range(2000):
                with contextlib.suppress(PermissionError):
                    s.sendto(b'x', (address, 443))
            yield


@pytest.mark.long
def test_3_8_a_reader_of_refusals_that_is_too_slow_is_told(world):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY))
    watch, _ = verdicts(world, daemon)
    watch.signal(signal.SIGSTOP)

    def told():
        """By the kernel; some thousand wait in sockets, 4096 in snooperd."""
        status = daemon.status()
        return status['verdicts']['bot']['deny-no-name'] - status['kernel']['counters']['verdicts_unsampled']
    with world.node.steps(refused_again_and_again, '10.55.0.3', cgroup=f'{world.node.cgroup}/bot',
                          deadline=60) as app:
        app.next()
        while told() < 12000:
            app.next()
    watch.signal(signal.SIGCONT)
    assert watch.process.wait(20 * PATIENCE) == 1
    assert '{"change":"lost"}' in watch.output() and 'verdicts were missed' in watch.output()
    assert daemon.status()['export']['watch_lost'] == 1
    assert daemon.status()['kernel']['ring_lost'] == 0, 'the ring is emptied all the same'


def test_3_13_status_tells_of_policy(world):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY))
    state = daemon.status()['policy']
    assert state['generation'] and (state['specs'], state['selectors']) == (1, 2)
    assert daemon.status()['verdicts'] == {}
    inside(world, ask, world.outside.ip4, 'web.policed.test')
    assert inside(world, tcp, '10.55.0.1') == 'ok' and inside(world, tcp, '10.55.0.3') == 'EPERM'
    assert daemon.status()['verdicts'] == {'bot': {'name': 1, 'deny-no-name': 1}}
    daemon.stop()
    daemon.start()
    state = daemon.status()['policy']
    assert (state['rows'], state['slots']) == (1, 1), 'as of the last whole reading'
    text = daemon.ctl('status', json_output=False).stdout
    assert 'verdicts    bot: deny-no-name 1' in text and '1 verdict rows with 1 slots' in text


def test_3_13_what_could_not_be_read_is_degraded_and_still_explained(world):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY))
    inside(world, ask, world.outside.ip4, 'web.policed.test')
    daemon.stop()
    write(daemon, 'not: a policy')
    daemon.start()
    assert 'policy-unread' in daemon.status()['degraded']
    assert shown(daemon)[0]['unread']
    line, = why(daemon, '10.55.0.1')
    assert (line['verdict'], line['reason'], line['selectors']) == ('allow', 'name', ['web.policed.test'])
    assert 'policy' not in line, 'in no file that was read'
    assert why(daemon, '10.55.0.3')[0]['reason'] == 'deny-no-name'
    assert inside(world, tcp, '10.55.0.1') == 'ok' and inside(world, tcp, '10.55.0.3') == 'EPERM'


def test_3_13_locked_endpoints_are_degraded_and_explained(world):
    daemon = start(world, 'not: a policy')
    assert 'policy-locked' in daemon.status()['degraded']
    line, = why(daemon, '10.55.0.1')
    assert (line['verdict'], line['reason']) == ('deny', 'deny-no-name')
    assert inside(world, tcp, '10.55.0.1') == 'EPERM'


def test_3_13_selectors_that_are_not_named_are_counted(world):
    """One name, matched by every spelling of it that there is: 64 are named, for people and for programs."""
    spellings = [''.join(c.upper() if i >> k & 1 else c for k, c in enumerate('webpoliced')).replace('b', 'b.', 1)
                 .replace('B', 'B.', 1) + '.test' for i in range(80)]
    daemon = start(world, policy(names(*spellings, kind='matchName') + DNS_ANY))
    inside(world, ask, world.outside.ip4, 'web.policed.test')
    daemon.wait_for('web.policed.test')
    line = daemon.names()['web.policed.test']
    assert len(set(line['selectors'])) == 64 and set(line['selectors']) < set(spellings)
    assert line['selectors_more'] == 80 - 64
    assert ' and 16 more' in daemon.ctl('names', json_output=False).stdout
    line, = why(daemon, '10.55.0.1')
    assert len(set(line['selectors'])) == 64 and set(line['selectors']) < set(spellings)
    assert line['selectors_more'] == 80 - 64
    assert ' and 16 more' in daemon.ctl('why', '10.55.0.1', json_output=False).stdout
    write(daemon, policy(names(*spellings[:64], kind='matchName') + DNS_ANY))
    assert daemon.ctl('reload').returncode == 0
    assert 'selectors_more' not in daemon.names()['web.policed.test']
    assert 'selectors_more' not in why(daemon, '10.55.0.1')[0]


def test_3_13_hits_without_room_are_counted(world, tmp_path):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY))
    table = f'{daemon.bpffs}/snp_hits'
    batch = tmp_path / 'full'
    batch.write_text(''.join(f'map update pinned {table} key {i & 255} {i >> 8 & 255} {i >> 16} 0 value 0 0 0 0 0 0 0 0\n'
                             for i in range(100, 100 + 65536)))
    subprocess.run([BPFTOOL, 'batch', 'file', str(batch)], check=True, capture_output=True, timeout=60 * PATIENCE)
    assert daemon.counter('hits_uncounted') == 0
    inside(world, ask, world.outside.ip4, 'web.policed.test')
    assert inside(world, tcp, '10.55.0.1') == 'ok'
    assert daemon.counter('hits_uncounted') == 1
