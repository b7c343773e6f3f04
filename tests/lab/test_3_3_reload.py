# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.3: a policy takes the place of another: whole, without a long turn of the loop, and as the last who asked wants."""
import json
import os
import re
import signal
import subprocess

import pytest

from daemon import SNOOPERCTL
from policing import (DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, tcp, write, zone)
from snoplab import PATIENCE, Program, wait_until
from stalls import may_stall
from turns import METRICS, assert_no_turn_was_long, long_every_time

ZONE = zone(one='10.55.0.1', two='10.55.0.2', both='10.55.0.3')
KNOWN = 8000  # names that an endpoint has asked for, with an address each
ONE_ADDRESS = 4000  # ... and more with one address together: none has room for all their identities
ONE, TWO = (policy(names(f'{n}.policed.test', 'both.policed.test', kind='matchName') + DNS_ANY) for n in ('one', 'two'))


@pytest.fixture
def world(lab):
    far(lab)
    known = '\n'.join(f'k{i} 3600 A 10.55.{i // 250}.{i % 250 + 1}' for i in range(KNOWN))
    resolver(lab, dict(ZONE, **{'known.test': known}),
             ' local-zone: "load." redirect\n local-data: "load. 3600 A 198.18.0.1"\n')
    with Servers(lab.outside):
        yield lab


def ten_thousand():
    """As people write them, all of them different; half of what is known is matched."""
    exact = [f'k{i}.known.test' for i in range(0, KNOWN, 2)] + [f'n{i}.load' for i in range(ONE_ADDRESS)]
    stars = [f'*.svc{i}.example.com' for i in range(1500)] + [f'api*.region{i}.example.net' for i in range(500)]
    return policy(names(*exact, kind='matchName') + names(*stars) + DNS_ANY), len(exact) + len(stars) + 1


def pathological():
    """An automaton that has to remember which of several parts of a label it has seen: a second of work."""
    stars = [f'*w{i}x*.s{j}.com' for j in range(100) for i in range(6)]
    return policy(names(*stars, 'k1*.known.test') + DNS_ANY), len(stars) + 2


def everything_known(lab, daemon):
    path = f'{lab.dir}/known.txt'
    with open(path, 'w') as f:
        f.writelines(f'k{i}.known.test A\n' for i in range(KNOWN))
        f.writelines(f'n{i}.load A\n' for i in range(ONE_ADDRESS))
    done = lab.node.run('dnsperf', '-s', lab.outside.ip4, '-d', path, '-c', '20', '-q', '100', '-n', '1',
                        cgroup=f'{lab.node.cgroup}/bot', timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    completed = int(re.search(r'Queries completed: +(\d+)', done.stdout).group(1))
    wait_until(lambda: daemon.status()['cache']['names'] >= completed, 60, lambda: str(daemon.status()['cache']))
    return completed


@pytest.mark.parametrize('make', [ten_thousand, pathological])
@long_every_time
def test_3_3_no_turn_of_the_loop_takes_10_ms(world, make):
    """... with 12,000 names known, and looked at again: from ten selectors to many, and back."""
    daemon = start(world, policy(names('*.known.test') + DNS_ANY), changes={
        'export': {'metrics': METRICS}, 'log': {'level': 'info'}, 'limits': {'names_per_address': 2 * ONE_ADDRESS}})
    assert everything_known(world, daemon) > KNOWN
    text, selectors = make()
    for _ in range(2):
        write(daemon, text)
        done = daemon.ctl('reload')
        assert done.returncode == 0, done.stderr
        assert daemon.status()['policy']['selectors'] == selectors
        assert inside(world, tcp, '10.55.0.11') == 'ok', 'k10 is allowed before and after'
        write(daemon, policy(names('*.known.test') + DNS_ANY))
        assert daemon.ctl('reload').returncode == 0
        assert inside(world, tcp, '10.55.0.12') == 'ok'
    assert_no_turn_was_long(daemon)


# --- several who ask -------------------------------------------------------------------

class Held:
    """The configuration as a pipe: whoever reads it waits until it is fed."""

    def __init__(self, daemon):
        self.daemon = daemon
        os.unlink(daemon.file)
        os.mkfifo(daemon.file)
        self.asked = []

    def ask(self, count=1):
        for _ in range(count):
            log = open(f'{self.daemon.dir}/reload{len(self.asked)}', 'w+')
            self.asked.append(subprocess.Popen([SNOOPERCTL, '-s', self.daemon.socket, '--json', 'reload'],
                                               stdout=log, stderr=log))
        waiting = len([p for p in self.asked if p.poll() is None])
        wait_until(lambda: self.waiting() == waiting, what=f'{waiting} wait')

    def waiting(self):
        return self.daemon.status()['export']['reloads_waiting']

    def feed(self):
        with open(self.daemon.file, 'w') as f:
            json.dump(self.daemon.conf, f)

    def let_go(self):
        """A file again."""
        path = f'{self.daemon.file}.next'
        with open(path, 'w') as f:
            json.dump(self.daemon.conf, f)
        os.rename(path, self.daemon.file)


def selectors_of(daemon):
    done = daemon.ctl('policy')
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line['selector']['selector'] for line in lines if 'selector' in line} - {'*'}


def test_3_3_reloads_asked_for_meanwhile_are_one_more(world):
    """Each caller is answered by one that began when he had asked; the last one's files are in force."""
    daemon = start(world, ONE)
    held = Held(daemon)
    held.ask()
    held.ask(4)
    for _ in range(3):
        daemon.signal(signal.SIGHUP)
    write(daemon, policy(names('older.policed.test') + DNS_ANY))
    held.feed()
    assert held.asked[0].wait(20 * PATIENCE) == 0, 'the first is answered'
    wait_until(lambda: selectors_of(daemon) == {'older.policed.test'}, what='the first is in force')
    assert held.waiting() == 4, 'the others wait for the next'
    write(daemon, TWO)
    held.feed()
    assert [p.wait(20 * PATIENCE) for p in held.asked] == [0] * 5
    assert selectors_of(daemon) == {'two.policed.test', 'both.policed.test'}
    held.let_go()
    assert daemon.ctl('reload').returncode == 0
    assert daemon.output().count('event=reloaded ') == 3, 'the first, one for all others, and this'
    assert set(re.findall(r'event=policy generation=\d+ .* mode=(\w+) ', daemon.output())) == {'enforce'}


def test_3_3_each_caller_gets_the_result_of_his_reload(world):
    daemon = start(world, ONE)
    held = Held(daemon)
    held.ask()
    held.ask()
    write(daemon, 'not: a policy')
    held.feed()
    assert held.asked[0].wait(20 * PATIENCE) == 2
    with open(f'{daemon.dir}/reload0') as f:
        assert any('0.yaml:1:1: error' in line for line in json.load(f)['problems'])
    write(daemon, TWO)
    held.feed()
    assert held.asked[1].wait(20 * PATIENCE) == 0
    assert selectors_of(daemon) == {'two.policed.test', 'both.policed.test'}
    # Nobody waits any more for the third one's answer.
    held.ask()
    held.asked[2].kill()
    held.asked[2].wait()
    wait_until(lambda: held.waiting() == 0, what='the caller is gone')
    held.feed()
    wait_until(lambda: daemon.output().count('event=reloaded ') == 2, what='it is done all the same')


@may_stall
def test_3_3_a_stop_ends_a_reload(world):
    daemon = start(world, ONE)
    write(daemon, pathological()[0])
    asking = Program(world.node, [SNOOPERCTL, '-s', daemon.socket, 'reload'], 'reload').start()
    wait_until(lambda: daemon.status()['export']['reloads_waiting'] == 1, what='it is under way')
    assert daemon.stop() == 0
    assert asking.process.wait(20 * PATIENCE) == 3, 'the daemon is gone'
    assert inside(world, ask, world.outside.ip4, 'one.policed.test') == ['10.55.0.1']
    assert inside(world, tcp, '10.55.0.1') == 'ok' and inside(world, tcp, '10.55.0.2') == 'EPERM'


def test_3_3_a_stop_does_not_wait_for_a_file_for_ever(world):
    """The configuration on a mount that hangs: what is in force stays, and the next snooperd goes on with it."""
    daemon = start(world, ONE)
    assert inside(world, learn, world.outside.ip4) == [['10.55.0.1'], ['10.55.0.2']]
    daemon.wait_for('one.policed.test')
    held = Held(daemon)
    held.ask()
    assert daemon.stop() == 0
    assert 'event=stopped-within-reload waited_ms=3000 ' in daemon.output()
    assert held.asked[0].wait(20 * PATIENCE) == 3, 'the daemon is gone'
    assert (inside(world, tcp, '10.55.0.1'), inside(world, tcp, '10.55.0.2')) == ('ok', 'EPERM')
    held.let_go()
    daemon.start()
    assert selectors_of(daemon) == {'one.policed.test', 'both.policed.test'}
    assert (inside(world, tcp, '10.55.0.1'), inside(world, tcp, '10.55.0.2')) == ('ok', 'EPERM')


# --- what fails changes nothing --------------------------------------------------------

def bpftool(*arguments):
    return subprocess.run(['/usr/sbin/bpftool', *arguments], check=True, text=True, capture_output=True).stdout


def hold_cgroup(world):
    """Somebody else holds a cgroup for himself: that shows only when it is attached to."""
    programs = json.loads(bpftool('-j', 'cgroup', 'show', world.node.cgroup))
    ingress, = [p['id'] for p in programs if p['attach_type'] == 'cgroup_inet_ingress']
    bpftool('cgroup', 'attach', world.outside.cgroup, 'cgroup_inet_ingress', 'id', str(ingress))
    return world.outside.cgroup


def try_both(until):
    """What becomes of connects to both addresses, all the time."""
    said = {}
    yield 'ready'
    while not os.path.exists(until):
        for address in ('10.55.0.1', '10.55.0.2'):
            result = address, tcp(address)
            said[result] = said.get(result, 0) + 1
        yield said
    yield said


def learn(server):
    return [ask(server, f'{n}.policed.test') for n in ('one', 'two')]


def test_3_3_links_that_fail_leave_the_policy_that_was(world):
    """Not for a moment is the next one in force, nor the endpoints that it came with."""
    daemon = start(world, ONE)
    assert inside(world, learn, world.outside.ip4) == [['10.55.0.1'], ['10.55.0.2']]
    daemon.wait_for('one.policed.test', 'two.policed.test')
    good = list(daemon.conf['observe']['cgroups'])
    daemon.conf['observe']['cgroups'] = [hold_cgroup(world), *good]
    daemon.conf['endpoints'].append({'name': 'more', 'cgroup': f'{world.node.cgroup}/more', 'labels': {'app': 'bot'}})
    daemon.write_conf()
    write(daemon, TWO)
    until = f'{world.dir}/enough'
    with world.node.steps(try_both, until, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 'ready'
        for _ in range(5):
            app.next()
            done = daemon.ctl('reload', json_output=False)
            assert done.returncode == 1 and 'cannot attach' in done.stderr, done.stderr
            said = app.next()
        assert set(said) == {('10.55.0.1', 'ok'), ('10.55.0.2', 'EPERM')}, said
        assert selectors_of(daemon) == {'one.policed.test', 'both.policed.test'}
        assert [e['name'] for e in daemon.status()['endpoints']] == ['bot']
        daemon.conf['observe']['cgroups'] = good
        daemon.write_conf()
        assert daemon.ctl('reload').returncode == 0
        open(until, 'w').close()
        app.next()
    assert (inside(world, tcp, '10.55.0.1'), inside(world, tcp, '10.55.0.2')) == ('EPERM', 'ok')


def test_3_3_a_start_whose_links_fail_leaves_what_was_in_force(world):
    """An earlier daemon's policy, in its links, however often it is tried; then the new one, whole."""
    daemon = start(world, ONE)
    assert inside(world, learn, world.outside.ip4) == [['10.55.0.1'], ['10.55.0.2']]
    assert daemon.stop() == 0
    good = list(daemon.conf['observe']['cgroups'])
    daemon.conf['observe']['cgroups'] = [hold_cgroup(world), *good]
    write(daemon, TWO)
    for _ in range(5):
        done = daemon.once()
        assert done.returncode == 1 and 'cannot attach' in done.stderr
        assert (inside(world, tcp, '10.55.0.1'), inside(world, tcp, '10.55.0.2')) == ('ok', 'EPERM')
    daemon.conf['observe']['cgroups'] = good
    daemon.start()
    assert 'event=policy-swapped-at-once' not in daemon.output()
    assert (inside(world, tcp, '10.55.0.1'), inside(world, tcp, '10.55.0.2')) == ('EPERM', 'ok')


def test_3_3_more_selectors_than_are_kept_are_refused_by_their_number(world):
    daemon = start(world, ONE)
    long = '.'.join(['in-a-domain-with-a-name-of-some-length'] * 5)
    write(daemon, policy(names(*[f'n{i}.{long}' for i in range(20000)], kind='matchName') + DNS_ANY))
    done = daemon.ctl('reload', json_output=False)
    assert done.returncode == 1
    assert re.search(r'more selectors than can be kept over a restart: 2000\d, .* take \d+ bytes of 4194300', done.stderr)
    assert selectors_of(daemon) == {'one.policed.test', 'both.policed.test'}
    write(daemon, TWO)
    assert daemon.ctl('reload').returncode == 0
