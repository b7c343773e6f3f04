# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.16, and 3.3: policy changes under load, two CPUs at one address, expiry at the moment of use."""
import contextlib
import errno
import itertools
import os
import re
import signal
import socket
import struct
import threading

import pytest

import dnswire as w
from policing import DNS_ANY, Servers, addresses_in, far, inside, names, policy, resolver, start, write
from snoplab import PATIENCE, Program, ip, wait_until
from stalls import may_stall

RELOADS, ROUNDS = 60, 100  # at least so many, the one during the other


def zone_of(n, ttl=300):
    return {'policed.test': '\n'.join(f'f{i} {ttl} A 10.55.{i // 250}.{i % 250 + 1}' for i in range(n))
            + '\n' + '\n'.join(f'd{i} {ttl} A 10.55.{100 + i // 250}.{i % 250 + 1}' for i in range(n))}


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, zone_of(2000))
    with Servers(lab.outside):
        yield lab


def lookup(sock, name):
    sock.send(w.query(struct.unpack('H', os.urandom(2))[0], w.name(name)))
    return addresses_in(sock.recv(65536))[0]


def connect_errno(address):
    with socket.socket() as s:
        s.settimeout(5)
        try:
            s.connect((address, 443))
            return 'ok'
        except OSError as e:
            return errno.errorcode.get(e.errno, type(e).__name__)


def load(server, prefix, offset):
    """Fresh names, one after the other: what became of each connect, ten at a time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5 * PATIENCE)
        s.connect((server, 53))
        yield 'ready'
        for i in itertools.count(offset, 10):
            yield [connect_errno(lookup(s, f'{prefix}{k % 2000}.policed.test')) for k in range(i, i + 10)]


class Load:
    """A client that goes on by itself, and what became of its rounds so far."""

    def __init__(self, app):
        self.app, self.said, self.rounds, self.error, self.enough = app, set(), 0, None, False
        assert app.next() == 'ready'
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.enough:
                said = self.app.next()
                self.said |= set(said)
                self.rounds += len(said)
        except BaseException as e:  # for who waits for rounds
            self.error = e

    def stop(self):
        self.enough = True
        self.thread.join()
        if self.error:
            raise self.error


ONE = policy(names('f*.policed.test') + DNS_ANY)
TWO = policy(names('**.policed.test', kind='matchPattern').replace('"**.policed.test"', '"f*.policed.*"')
             + names('f1.policed.test', kind='matchName') + DNS_ANY)


@contextlib.contextmanager
def client(world, rounds, *args):
    """A Load of an endpoint's, stopped at the end."""
    with world.node.steps(rounds, *args, cgroup=f'{world.node.cgroup}/bot', deadline=120) as app:
        one = Load(app)
        try:
            yield one
        finally:
            one.stop()


@contextlib.contextmanager
def under_load(world):
    """Clients of names that ONE and TWO allow, twice, and of names that neither does."""
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(client(world, load, world.outside.ip4, prefix, offset))
                 for prefix, offset in (('f', 0), ('f', 1000), ('d', 0))]
        yield loads
    assert [x.said for x in loads] == [{'ok'}, {'ok'}, {'EPERM'}]


def go_on(loads, rounds):
    """Until each has done so many more, or has failed."""
    enough = [x.rounds + rounds for x in loads]
    wait_until(lambda: all(x.error or x.rounds >= n for x, n in zip(loads, enough)), what='it goes on')


def test_3_16_reloads_under_load(world):
    """
    Two policies that allow the same names by different selectors, and refuse the others, many times a
    second: no connect to what both allow is refused, none to what neither allows gets through.
    """
    daemon = start(world, ONE)
    with under_load(world) as loads:
        reloads = 0
        while reloads < RELOADS or min(x.rounds for x in loads) < ROUNDS:
            write(daemon, ONE if reloads % 2 else TWO)
            done = daemon.ctl('reload')
            assert done.returncode == 0, done.stdout + done.stderr
            assert not any(x.error for x in loads), [x.error for x in loads]
            reloads += 1
    print(f'{reloads} reloads, rounds: {[x.rounds for x in loads]}')
    assert daemon.output().count('event=reloaded ') == reloads


def test_3_16_killed_within_a_reload(world):
    """With kill -9, sooner and later in it: what is in force stays whole, with nobody there, and for the next one."""
    daemon = start(world, ONE)
    with under_load(world) as loads:
        for number in range(9):
            write(daemon, ONE if number % 2 else TWO)
            daemon.signal(signal.SIGHUP)
            go_on(loads[:1], 10 * (number % 3))
            daemon.kill9()
            go_on(loads, 20)
            daemon.start()
        done = daemon.ctl('reload')
        assert done.returncode == 0, done.stdout + done.stderr
    # The clients hold what this process listens with.
    assert set(daemon.status()['degraded']) <= {'endpoint-sockets-outside'}


def test_3_16_killed_within_a_start(world):
    """Again and again, sooner and later in it, each time with the other policy than the one that was in force or half so."""
    daemon = start(world, ONE)
    with under_load(world) as loads:
        for number in range(16):
            daemon.kill9()
            write(daemon, ONE if number % 2 else TWO)
            Program.start(daemon)
            go_on(loads[:1], 40 * (number % 8))
            assert 'event=policy-swapped-at-once' not in daemon.output()
        daemon.kill9()
        daemon.start()
        assert 'event=policy-swapped-at-once' not in daemon.output()
        go_on(loads, 20)


def test_3_16_after_a_policy_that_could_not_be_read(world):
    """What an earlier snooperd put in force stays, nobody knows from which files; then a reload comes of one that can."""
    daemon = start(world, ONE)
    with under_load(world) as loads:
        for text in (TWO, ONE) * 2:
            daemon.stop()
            write(daemon, 'not: a policy')
            daemon.start()
            assert 'policy-unread' in daemon.status()['degraded']
            write(daemon, text)
            done = daemon.ctl('reload')
            assert done.returncode == 0, done.stdout + done.stderr
            assert 'policy-unread' not in daemon.status()['degraded']
            go_on(loads, 20)


def test_3_16_policy_comes_to_who_had_none(world):
    """What an endpoint learned when nothing selected it, up to the last moment, is usable under the policy that does."""
    free = policy(names('f1.policed.test') + DNS_ANY, labels='{app: another}')
    daemon = start(world, free)
    with client(world, load, world.outside.ip4, 'f', 0) as one:
        for number in range(30):
            write(daemon, free if number % 2 else TWO)
            if number % 10 < 8:
                assert daemon.ctl('reload').returncode == 0
            else:
                daemon.kill9()
                daemon.start()
            go_on([one], 10)
    assert one.said == {'ok'}


def test_3_16_a_new_name_under_a_policy_that_cannot_be_read(world):
    """What is in force does not know the endpoint, and nobody knows what would: it may do nothing."""
    daemon = start(world, policy(names('f*.policed.test') + '  - toCIDR: [10.55.200.0/24]\n' + DNS_ANY))
    assert inside(world, connect_errno, '10.55.200.1') == 'ok'
    daemon.stop()
    write(daemon, 'not: a policy')
    daemon.start()
    assert inside(world, connect_errno, '10.55.200.1') == 'ok', 'known, and what was in force stays'
    daemon.stop()
    daemon.conf['endpoints'][0]['name'] = 'tob'
    for _ in range(2):
        daemon.start()
        assert 'policy-unread' in daemon.status()['degraded']
        assert inside(world, connect_errno, '10.55.200.1') == 'EPERM'
        daemon.kill9()
    write(daemon, policy('  - toCIDR: [10.55.200.0/24]\n'))
    daemon.start()
    assert inside(world, connect_errno, '10.55.200.1') == 'ok'


def literals():
    """Addresses that no name was learned for, one after the other, as load()."""
    yield 'ready'
    for i in itertools.count():
        yield [connect_errno(f'10.55.200.{1 + (i * 10 + k) % 250}') for k in range(10)]


def test_3_16_an_endpoint_is_policed_while_it_gets_another_name(world):
    """Its cgroups go from one number to another: at no moment do they belong to nobody."""
    daemon = start(world, ONE)
    with client(world, literals) as one:
        for number in range(8):
            daemon.conf['endpoints'][0]['name'] = f'bot{number % 3}'
            daemon.write_conf()
            if number % 2:
                daemon.kill9()
                daemon.start()
            else:
                assert daemon.ctl('reload').returncode == 0
            go_on([one], 20)
    assert one.said == {'EPERM'}


def test_3_3_a_bad_policy_changes_nothing(world):
    daemon = start(world, policy(names('f*.policed.test') + DNS_ANY))
    write(daemon, policy(names('d*.policed.test') + DNS_ANY), 'kind: CiliumNetworkPolicy\nspec: {egress: 5}\n')
    done = daemon.ctl('reload', json_output=False)
    assert done.returncode != 0 and '1.yaml:2:' in done.stdout + done.stderr

    def both(server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((server, 53))
            return [connect_errno(lookup(s, f'{p}1.policed.test')) for p in 'fd']
    assert world.node.call(both, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') == ['ok', 'EPERM']
    write(daemon, policy(names('d*.policed.test') + DNS_ANY))
    assert daemon.ctl('reload').returncode == 0
    assert world.node.call(both, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') == ['EPERM', 'ok']


def test_3_3_what_was_learned_serves_a_new_selector(world):
    """Known names are looked at again before the new policy is in force: no lookup is needed."""
    daemon = start(world, policy(names('f*.policed.test') + DNS_ANY))

    def app(server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((server, 53))
            address = lookup(s, 'd7.policed.test')
            yield connect_errno(address)
            yield connect_errno(address)
    with world.node.steps(app, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as steps:
        assert steps.next() == 'EPERM'
        daemon.wait_for('d7.policed.test')
        write(daemon, policy(names('f*.policed.test') + names('d*.policed.test') + DNS_ANY))
        assert daemon.ctl('reload').returncode == 0
        assert steps.next() == 'ok'


@pytest.mark.parametrize('how', ['kill', 'stop'])
def test_3_16_a_restart_keeps_what_is_allowed(world, how):
    """New daemon, same policy: what was learned goes on, with nobody there and after."""
    daemon = start(world, policy(names('f*.policed.test') + DNS_ANY))

    def app(server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((server, 53))
            known = lookup(s, 'f1.policed.test')
            yield connect_errno(known)
            yield connect_errno(known), connect_errno(lookup(s, 'f2.policed.test')), \
                connect_errno(lookup(s, 'd2.policed.test'))
            yield connect_errno(known), connect_errno(lookup(s, 'f3.policed.test')), \
                connect_errno(lookup(s, 'd3.policed.test'))
    with world.node.steps(app, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as steps:
        assert steps.next() == 'ok'
        if how == 'kill':
            daemon.kill9()
        else:
            assert daemon.stop() == 0
        assert steps.next() == ('ok', 'ok', 'EPERM')
        daemon.start()
        assert steps.next() == ('ok', 'ok', 'EPERM')


def test_3_16_an_address_of_the_host_that_is_new_is_the_hosts(world):
    """toEntities follows what the host's own addresses are."""
    daemon = start(world, policy('  - toEntities: [host]\n' + DNS_ANY))

    def app():
        with socket.create_server(('0.0.0.0', 443)):
            while True:
                yield connect_errno('10.53.0.77')
    with world.node.steps(app, cgroup=f'{world.node.cgroup}/bot') as steps:
        world.node.add_addresses('10.53.0.77/24')
        wait_until(lambda: steps.next() == 'ok', deadline=15, what='the new address is known as the host\'s')
    assert daemon.status()['mode'] == 'enforce'


@may_stall
def test_3_16_a_host_of_many_routes_does_not_hold_up_the_loop(world):
    """What the host's addresses are is looked at every few seconds, whatever routes it has beside them."""
    ip(*(f'route add blackhole 10.{128 + (i >> 14)}.{i >> 6 & 255}.{(i & 63) << 2}/30' for i in range(50000)),
       netns=world.node.netns)
    daemon = start(world, policy('  - toEntities: [host]\n' + DNS_ANY),
                   changes={'export': {'metrics': '127.0.0.1:9953'}})
    world.node.add_addresses('10.53.0.77/24')
    wait_until(lambda: 'reason=addresses' in daemon.output(), 15, 'the new address is known')
    text = world.node.run('curl', '-s', 'http://127.0.0.1:9953/metrics').stdout
    longest = float(re.search(r'^snooper_loop_longest_turn_seconds (.*)$', text, re.M)[1])
    assert longest < 0.15 * PATIENCE, 'of CPU, a new generation included'
