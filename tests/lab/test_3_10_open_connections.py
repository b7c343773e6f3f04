# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.10: what was open when policy came goes on, and is counted."""
import socket
import urllib.request

import pytest

import judging
from endpointing import forget_that_it_was_counted, numbers_of
from judging import IPPROTO_MPTCP, mapped, outcome
from policing import Servers, far, inside, policy, start, tcp

PASSED, REFUSED, REFUSED6 = '10.55.0.1', '10.55.1.1', 'fd55::1:1'
ONLY_ONE = policy('  - toCIDR: ["10.55.0.1/32"]\n')


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside):
        yield lab


def connection(address=REFUSED, protocol=0):
    s = socket.socket(judging.family_of(address), socket.SOCK_STREAM, protocol)
    s.settimeout(5)
    s.connect((address, 443))
    s.sendall(b'hello')
    assert judging.echoed(s) == 'ok'
    return s


def go_on(connections):
    for s in connections:
        s.sendall(b'hello')
    return [outcome(judging.echoed, s) for s in connections]


def hold(*ways):
    """Connections made before all else; each next() uses them once more, and tries a new one."""
    made = [connection(*way) for way in ways]
    while True:
        yield go_on(made), tcp(REFUSED)


def counted(daemon):
    return {e['name']: e['connections_before_policy'] for e in daemon.status()['endpoints']}


def said(daemon):
    return [line.split('event=')[1].split(' hint')[0] for line in daemon.output().splitlines()
            if 'event=endpoint-connections-open' in line]


@pytest.mark.parametrize('mode', ['enforce', 'audit'])
def test_3_10_connections_open_at_the_first_start_go_on_and_are_counted(world, mode):
    """Of each endpoint its own; a new one is refused. Neither a reload nor a restart counts again."""
    bot, other = world.node.sub_cgroup('bot'), world.node.sub_cgroup('other')
    new = {'enforce': 'EPERM', 'audit': 'ok'}[mode]
    with world.node.steps(hold, (REFUSED,), (REFUSED6,), (mapped(REFUSED),), (PASSED,), cgroup=bot) as app, \
            world.node.steps(hold, (REFUSED,), cgroup=other) as another, \
            world.node.steps(hold, (REFUSED,), cgroup=world.node.sub_cgroup('free')) as free:
        assert [p.next() for p in (app, another, free)] == [(['ok'] * 4, 'ok'), (['ok'], 'ok'), (['ok'], 'ok')]
        daemon = start(world, ONLY_ONE, mode=mode, changes={'export': {'metrics': '127.0.0.1:9953'}},
                       endpoints=[(n, n, {'app': 'bot'}) for n in ('bot', 'other')] + [('none', 'none', {})])
        assert [p.next() for p in (app, another, free)] == [(['ok'] * 4, new), (['ok'], new), (['ok'], 'ok')]
        assert counted(daemon) == {'bot': 4, 'other': 1, 'none': 0}
        assert said(daemon) == ['endpoint-connections-open endpoint=bot open=4',
                                'endpoint-connections-open endpoint=other open=1']
        assert ', 4 connections older than its policy\n' in daemon.ctl('status', json_output=False).stdout
        with world.node.inside(), urllib.request.urlopen('http://127.0.0.1:9953/metrics') as reply:
            metrics = [line for line in reply.read().decode().splitlines()
                       if line.startswith('snooper_connections_before_policy_total')]
        assert metrics == ['snooper_connections_before_policy_total{endpoint="bot"} 4',
                           'snooper_connections_before_policy_total{endpoint="other"} 1',
                           'snooper_connections_before_policy_total{endpoint="none"} 0']
        assert daemon.ctl('reload').returncode == 0
        assert counted(daemon) == {'bot': 4, 'other': 1, 'none': 0}
        daemon.kill9()
        assert app.next() == (['ok'] * 4, new)
        daemon.start()
        assert app.next() == (['ok'] * 4, new)
        assert counted(daemon) == {'bot': 4, 'other': 1, 'none': 0}


def hold_everything(listening_at):
    """One that was begun, held three times; and what is none: accepted, to loopback, half closed, datagrams."""
    begun = connection()
    copies = [begun.dup()]
    with socket.create_server((listening_at, 7)) as server, socket.create_server(('127.0.0.1', 8)) as local, \
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as mptcp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, \
            socket.create_connection(('127.0.0.1', 8)) as to_loopback:
        mptcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mptcp.bind((listening_at, 9))
        mptcp.listen()
        datagrams.connect((REFUSED, 443))
        finished = connection()
        finished.shutdown(socket.SHUT_WR)
        yield 'listens'
        copies += [server.accept()[0], mptcp.accept()[0], local.accept()[0], to_loopback]
        yield 'holds'
        yield go_on([begun])


def call(address):
    made = [socket.create_connection((address, 7))]
    made.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP))
    made[1].connect((address, 9))
    yield 'called'
    yield made


def test_3_10_what_is_counted_as_open(world):
    """Connections that an endpoint has begun: each once, however many descriptors there are of it; no others."""
    bot = world.node.sub_cgroup('bot')
    with world.node.steps(hold_everything, world.node.ip4, cgroup=bot) as app, \
            world.outside.steps(call, world.node.ip4) as caller, \
            world.node.steps(hold, (REFUSED, IPPROTO_MPTCP), cgroup=bot) as mptcp:
        assert app.next() == 'listens'
        assert caller.next() == 'called'
        assert app.next() == 'holds' and mptcp.next()[0] == ['ok']
        daemon = start(world, ONLY_ONE)
        assert counted(daemon) == {'bot': 2}
        assert app.next() == ['ok'] and mptcp.next() == (['ok'], 'EPERM')


def test_3_10_connections_open_when_policy_comes_by_reload(world):
    """Counted when a policy that refuses first selects the endpoint, without those that it has admitted."""
    bot = world.node.sub_cgroup('bot')
    daemon = start(world, ONLY_ONE, mode='observe')
    with world.node.steps(hold, (REFUSED,), (PASSED,), cgroup=bot) as app:
        assert app.next() == (['ok', 'ok'], 'ok')
        assert counted(daemon) == {'bot': 0}
        daemon.conf['policy']['mode'] = 'audit'
        daemon.write_conf()
        assert daemon.ctl('reload').returncode == 0
        assert counted(daemon) == {'bot': 2}
        with world.node.steps(hold, (REFUSED,), (PASSED,), cgroup=bot) as later:
            assert later.next() == (['ok', 'ok'], 'ok')
            daemon.conf['policy']['mode'] = 'enforce'
            daemon.write_conf()
            assert daemon.ctl('reload').returncode == 0
            assert counted(daemon) == {'bot': 2}
            number, = numbers_of(daemon)
            forget_that_it_was_counted(daemon, number)
            assert daemon.ctl('reload').returncode == 0
            assert counted(daemon) == {'bot': 2}, 'what policy has judged was never open before'
        assert app.next() == (['ok', 'ok'], 'EPERM')
    assert inside(world, tcp, REFUSED) == 'EPERM'
