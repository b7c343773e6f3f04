# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.15: what endpoints share, and one that takes all it can get."""
import socket

import pytest

import judging
from endpointing import bpftool
from judging import outcome
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone
from snoplab import wait_until

SHORT = zone(short='2 A 10.55.0.1')
BOTH = policy(names('*.policed.test') + DNS_ANY, name='both')
WIDE = policy('  - toCIDR: ["10.55.0.0/16"]\n', name='wide', labels='{app: greedy}')
FLOWS = 16384  # of bpf/snp_maps.bpf.h


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, SHORT)
    with Servers(lab.outside):
        yield lab


def take_all():
    """More flows than there is room for, from one socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(FLOWS + 1000):
            s.sendto(b'', (f'10.55.{10 + i // 250}.{i % 250 + 1}', 9))
        yield 'taken'
        yield 'held'


def several(server):
    """A socket with five destinations, whose name is over soon."""
    assert ask(server, 'short.policed.test') == ['10.55.0.1']
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while True:
            yield [outcome(s.sendto, b'x', ('10.55.0.1', port)) for port in range(2000, 2005)], \
                outcome(judging.way_tcp, '10.55.0.1')


def test_3_15_flows_of_one_are_not_taken_from_others(world):
    """What one endpoint fills is its own share: another's flows live on past their name's end all the same."""
    start(world, BOTH, WIDE, endpoints=(('bot', 'bot', {'app': 'bot'}), ('greedy', 'greedy', {'app': 'greedy'})))
    with world.node.steps(take_all, cgroup=f'{world.node.cgroup}/greedy', deadline=60) as greedy, \
            world.node.steps(several, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as bot:
        assert greedy.next() == 'taken'
        assert bot.next() == ([1] * 5, 'ok')
        wait_until(lambda: bot.next()[1] == 'EPERM', what='the name is over')
        assert bot.next()[0] == [1] * 5


def counted(daemon, name):
    """Of an array by place, the sum."""
    return sum(row['formatted']['value'] for row in bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/{name}'))


@pytest.mark.long
def test_3_15_a_share_is_given_back(world):
    """What is idle is taken away, and counts no more."""
    daemon = start(world, WIDE, changes={'policy': {'live_flow_idle': '1s'}}, endpoints=(('greedy', 'greedy', {'app': 'greedy'}),))

    def begin(n):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(n):
                s.sendto(b'', (f'10.55.10.{i + 1}', 9))

    inside(world, begin, 10, cgroup='greedy')
    assert counted(daemon, 'snp_flows_made') == 8, 'two are the socket\'s own'
    wait_until(lambda: counted(daemon, 'snp_flows_gone') == 8, 40, what='collected')
    assert bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/snp_flows') == []
