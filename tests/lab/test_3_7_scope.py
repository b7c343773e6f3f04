# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.7: whom a look-up serves: its endpoint, or with policy.scope node all of them."""
import pytest

import judging
from judging import outcome
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone

ENDPOINTS = (('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'}), ('free', 'free', {'app': 'none'}))


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, zone(web='10.55.0.1'))
    with Servers(lab.outside):
        yield lab


def both(lab, way):
    return [inside(lab, outcome, way, '10.55.0.1', cgroup=c) for c in ('bot', 'two')]


@pytest.mark.parametrize('way', [judging.way_tcp, judging.way_udp, judging.way_ping_raw])
@pytest.mark.parametrize('scope, opened', [('endpoint', ['ok', 'EPERM']), ('node', ['ok', 'ok'])])
def test_3_7_scope(world, scope, opened, way):
    start(world, policy(names('*.policed.test') + DNS_ANY), endpoints=ENDPOINTS, changes={'policy': {'scope': scope}})
    assert both(world, way) == ['EPERM', 'EPERM']
    assert inside(world, ask, world.outside.ip4, 'web.policed.test') == ['10.55.0.1']
    assert both(world, way) == opened


@pytest.mark.parametrize('scope, opened', [('endpoint', ['EPERM', 'EPERM']), ('node', ['ok', 'ok'])])
def test_3_7_who_asks_without_a_policy(world, scope, opened):
    """What it learns serves the others of the node; and does not hide the name from them."""
    start(world, policy(names('*.policed.test') + DNS_ANY), endpoints=ENDPOINTS, changes={'policy': {'scope': scope}})
    assert inside(world, ask, world.outside.ip4, 'web.policed.test', cgroup='free') == ['10.55.0.1']
    assert both(world, judging.way_tcp) == opened
    for cgroup in 'bot', 'two':
        assert inside(world, ask, world.outside.ip4, 'web.policed.test', cgroup=cgroup) == ['10.55.0.1']
    assert both(world, judging.way_tcp) == ['ok', 'ok']


def test_3_7_an_endpoint_may_what_its_own_policy_allows(world):
    """Shared is what is learned, not what is allowed."""
    start(world, policy(names('*.policed.test', ports=[('443', 'TCP')]) + DNS_ANY),
          policy(names('*.policed.test', ports=[('80', 'TCP')]) + DNS_ANY, name='q', labels='{app: none}'),
          endpoints=ENDPOINTS, changes={'policy': {'scope': 'node'}})
    assert inside(world, ask, world.outside.ip4, 'web.policed.test') == ['10.55.0.1']
    assert inside(world, outcome, judging.way_tcp, '10.55.0.1') == 'ok'
    assert inside(world, outcome, judging.way_tcp, '10.55.0.1', cgroup='free') == 'EPERM'
    assert inside(world, outcome, judging.way_tcp, '10.55.0.1', 80, cgroup='free') == 'ok'


def test_3_7_cgroups_of_one_endpoint_share(world):
    start(world, policy(names('*.policed.test') + DNS_ANY), endpoints=(('bots', 'bot*', {'app': 'bot'}),))
    for name in 'bot-a', 'bot-b':
        world.node.sub_cgroup(name)
    assert inside(world, ask, world.outside.ip4, 'web.policed.test', cgroup='bot-a') == ['10.55.0.1']
    assert inside(world, outcome, judging.way_tcp, '10.55.0.1', cgroup='bot-b') == 'ok'
