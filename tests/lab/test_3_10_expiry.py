# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.10: what ends with a name, what outlives it, and what policy ends at once."""
import socket
import time

import pytest

import judging
from judging import outcome, refusals
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, write, zone
from snoplab import wait_until

ADDRESS = '10.55.0.1'
ZONE = zone(short=['2 A 10.55.0.1', '2 AAAA fd55::1'], zero='0 A 10.55.0.1', long='A 10.55.0.1', other='A 10.55.0.2')
SHORT = policy(names('*.policed.test') + DNS_ANY)


@pytest.fixture
def world(lab):
    far(lab)
    with lab.node.inside(), open('/proc/sys/net/ipv4/ping_group_range', 'w') as f:
        f.write('0 2147483647')
    resolver(lab, ZONE)
    with Servers(lab.outside):
        yield lab


class Flows:
    """Live ones, of every kind: a stream, datagrams with a peer and without, echoes."""

    def __init__(self, address=ADDRESS):
        family = judging.family_of(address)
        icmp = socket.IPPROTO_ICMPV6 if ':' in address else socket.IPPROTO_ICMP
        self.address = address
        self.stream = socket.socket(family, socket.SOCK_STREAM)
        self.peer = socket.socket(family, socket.SOCK_DGRAM)
        self.free = socket.socket(family, socket.SOCK_DGRAM)
        self.ping = socket.socket(family, socket.SOCK_DGRAM, icmp)
        for s in vars(self).values():
            if isinstance(s, socket.socket):
                s.settimeout(5)
        for s in self.stream, self.peer, self.ping:
            s.connect((address, 443 if s is not self.ping else 0))

    def go_on(self):
        """What becomes of a message on each."""
        return {'stream': outcome(self._echo, self.stream.sendall, self.stream),
                'peer': outcome(self._echo, self.peer.send, self.peer),
                'free': outcome(self._echo, lambda x: self.free.sendto(x, (self.address, 443)), self.free),
                'ping': outcome(self._ping)}

    def _ping(self):
        self.ping.send(judging._echo_request(self.address))
        return 'ok' if self.ping.recv(65536)[0] in (0, 129) else 'other'

    @staticmethod
    def _echo(send, s):
        send(b'hello')
        return judging.echoed(s)


ALIVE = {'stream': 'ok', 'peer': 'ok', 'free': 'ok', 'ping': 'ok'}


def live(server, name, address=ADDRESS):
    """Resolve, begin flows of every kind; then, step by step: do they go on, does a new one begin?"""
    at = time.monotonic()  # before the answer: it may take its time to come back to us
    ask(server, name, 28 if ':' in address else 1)
    flows = Flows(address)
    yield at
    while True:
        yield (flows.go_on(), outcome(judging.way_tcp, address), outcome(judging.way_udp, address))


def alive(told):
    return told[0] == ALIVE


def over(app, what='the name is over'):
    """Until nothing new begins; what was live goes on all the time."""
    def look():
        told = app.next()
        assert alive(told), told
        return told[1:] == ('EPERM', 'EPERM')
    wait_until(look, 20, what=what)


@pytest.mark.parametrize('address', [ADDRESS, 'fd55::1'])
def test_3_10_new_flows_end_with_the_name_and_live_ones_do_not(world, address):
    daemon = start(world, SHORT)
    with world.node.steps(live, world.outside.ip4, 'short.policed.test', address,
                          cgroup=f'{world.node.cgroup}/bot') as app:
        began = app.next()
        over(app)
        assert time.monotonic() - began >= 1.9, 'not before its time'
        assert alive(app.next())
    assert 'deny-expired' in refusals(daemon)


def unconnected(server, count):
    """More targets than a socket itself remembers."""
    ask(server, 'short.policed.test')
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for s in sockets:
        s.settimeout(5)
    ports = [443, 80, 81, 82, 83]
    while True:
        yield [[outcome(s.sendto, b'x', (ADDRESS, port)) for port in ports] for s in sockets], \
            outcome(judging.way_tcp, ADDRESS)


def test_3_10_every_flow_of_a_socket_lives_on(world):
    start(world, SHORT)
    with world.node.steps(unconnected, world.outside.ip4, 3, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == ([[1] * 5] * 3, 'ok')
        wait_until(lambda: app.next()[1] == 'EPERM', what='the name is over')
        assert app.next()[0] == [[1] * 5] * 3


def test_3_10_an_idle_flow_needs_its_name_again(world):
    daemon = start(world, SHORT, changes={'policy': {'live_flow_idle': '2s'}})

    def idle(server):
        ask(server, 'short.policed.test')
        flows = Flows()
        yield time.monotonic()
        while (r := outcome(judging.way_tcp, ADDRESS)) != 'EPERM':
            yield r
        yield 'over'
        yield flows.go_on()
        assert ask(server, 'short.policed.test') == [ADDRESS]
        yield outcome(flows.peer.send, b'x')

    with world.node.steps(idle, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        began = app.next()
        wait_until(lambda: app.next() == 'over', what='the name is over')
        wait_until(lambda: time.monotonic() > began + 3.1, what='nothing went for longer than live_flow_idle')
        went = app.next()
        assert went.pop('stream') in ('ECONNABORTED', 'EPERM')
        assert set(went.values()) == {'EPERM'}, went
        assert app.next() == 1, 'with its name it goes on'
    assert 'deny-expired' in refusals(daemon)


@pytest.mark.long
def test_3_10_what_is_learned_stays_while_the_host_is_up_for_less_than_grace(world):
    """What is over is looked for before the boot then: nothing is, and what is learned stays."""
    daemon = start(world, policy(names('long.policed.test') + DNS_ANY), changes={'policy': {'grace': '365d'}})

    def app(server):
        ask(server, 'long.policed.test')
        while True:
            yield outcome(judging.way_tcp, ADDRESS)

    with world.node.steps(app, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as flows:
        assert flows.next() == 'ok'
        looked = daemon.output().count('event=scan-done')
        wait_until(lambda: daemon.output().count('event=scan-done') > looked + 1, 60, 'a reading of all rows')
        assert flows.next() == 'ok'


def test_3_10_policy_ends_a_flow_at_once(world):
    """Withdrawn by a reload: refused by the next packet, for good; what it still allows goes on."""
    daemon = start(world, policy(names('long.policed.test') + names('other.policed.test') + DNS_ANY))

    def app(server):
        ask(server, 'long.policed.test')
        ask(server, 'other.policed.test')
        gone, stays = Flows(), Flows('10.55.0.2')
        yield gone.go_on(), stays.go_on()
        while True:
            yield gone.go_on(), stays.go_on()

    with world.node.steps(app, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as flows:
        assert all(alive([f]) for f in flows.next())
        write(daemon, policy(names('other.policed.test') + DNS_ANY))
        done = daemon.ctl('reload')
        assert done.returncode == 0, done.stdout + done.stderr
        gone, stays = flows.next()
        assert alive([stays]), stays
        assert gone.pop('stream') in ('ECONNABORTED', 'EPERM') and set(gone.values()) == {'EPERM'}, gone
    assert 'deny-withdrawn' in refusals(daemon)


def test_3_10_a_reload_that_allows_it_still_leaves_a_flow_alone(world):
    """By another selector, or by its address, though its name is over."""
    daemon = start(world, policy(names('short.policed.test') + DNS_ANY))
    with world.node.steps(live, world.outside.ip4, 'short.policed.test', cgroup=f'{world.node.cgroup}/bot') as app:
        app.next()
        over(app)
        for text in (names('short.policed.test') + names('other.policed.test'), names('short.policed.test'),
                     '  - toCIDR: ["10.55.0.0/24"]\n'):
            write(daemon, policy(text + DNS_ANY))
            done = daemon.ctl('reload')
            assert done.returncode == 0, done.stdout + done.stderr
            assert alive(app.next()), text
        write(daemon, policy(names('other.policed.test') + DNS_ANY))
        assert daemon.ctl('reload').returncode == 0
        assert not alive(app.next())


def times(server, name):
    """How long after the question a connection could still begin."""
    asked = time.monotonic()
    ask(server, name)
    while True:
        yield outcome(judging.way_tcp, ADDRESS), time.monotonic() - asked


def until_refused(world, name):
    with world.node.steps(times, world.outside.ip4, name, cgroup=f'{world.node.cgroup}/bot') as app:
        first = app.next()
        assert first[0] == 'ok', first
        return wait_until(lambda: (r := app.next())[0] == 'EPERM' and r[1], 20, what='the name is over')


@pytest.mark.parametrize('keys, name, least', [
    ({'min_ttl': '4s'}, 'short', 3.9), ({'min_ttl': '4s'}, 'zero', 3.9), ({'max_ttl': '1s'}, 'long', 0.9),
    ({'grace': '2s'}, 'short', 3.9), ({'grace': '3s'}, 'zero', 2.9), ({}, 'zero', 0.9)])
def test_3_10_min_ttl_max_ttl_grace(world, keys, name, least):
    """TTL 0 is long enough to connect once."""
    start(world, SHORT, changes={'policy': keys})
    assert until_refused(world, f'{name}.policed.test') >= least


def test_3_10_grace_longer_than_the_host_is_up(world):
    start(world, SHORT, changes={'policy': {'grace': '8760h'}})
    with world.node.steps(times, world.outside.ip4, 'short.policed.test', cgroup=f'{world.node.cgroup}/bot') as app:
        wait_until(lambda: app.next()[1] > 3, what='longer than its TTL')
        assert app.next()[0] == 'ok'


def test_3_10_a_longer_answer_is_not_cut_short_by_a_shorter_one(world):
    start(world, SHORT)

    def twice(server):
        ask(server, 'long.policed.test')
        ask(server, 'zero.policed.test')
        asked = time.monotonic()
        while True:
            yield outcome(judging.way_tcp, ADDRESS), time.monotonic() - asked

    with world.node.steps(twice, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        wait_until(lambda: app.next()[1] > 1.2, what='the short one is over')
        assert app.next()[0] == 'ok'
