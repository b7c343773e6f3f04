# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.8: name servers that are themselves in an endpoint, where nodes have them, and who asks them."""
import pytest

import judging
from judging import outcome, refusals
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone
from servers import dnsmasq
from snoplab import ip

ZONE = zone(web='10.55.0.1', other='10.55.0.3')
RULES = DNS_ANY.replace('matchPattern: "*"', 'matchPattern: "w*.policed.test"')
LOCAL = '169.254.20.10'


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, ZONE)
    with Servers(lab.outside):
        yield lab


def test_3_8_a_forwarder_in_an_endpoint_serves_others(world):
    """By its own rules it asks, and whoever asks it has an answer."""
    daemon = start(world, policy(RULES))
    dnsmasq(world.node, [world.node.ip4, world.node.ip6], [world.outside.ip4],
            cgroup=world.node.sub_cgroup('bot')).start()
    for at in world.node.ip4, world.node.ip6:
        for how in (), ('+tcp',):
            assert world.outside.dig('web.policed.test', 'A', at, *how) == ['10.55.0.1'], (at, how)
    assert refusals(daemon) == {}
    assert world.outside.dig('other.policed.test', 'A', world.node.ip4) == []
    assert set(refusals(daemon)) == {'deny-dns'}


def test_3_8_a_cache_of_the_nodes_on_a_link_local_address(world):
    """As node-local caches do it: asked by the node, and by a pod that has a namespace of its own."""
    pod = world.add_host('pod')
    ip(f'address add {LOCAL}/32 dev lo', netns=world.node.netns)
    ip(f'route add {LOCAL} via {world.node.ip4}', f'route add 10.55.0.0/16 via {world.outside.ip4}', netns=pod.netns)
    daemon = start(world, policy(names('w*.policed.test') + RULES, labels='{}'),
                   endpoints=(('bot', 'bot', {'app': 'bot'}), ('pod', 'pod', {'app': 'pod'})),
                   changes={'observe': {'resolvers': [LOCAL, world.outside.ip4]}})
    dnsmasq(world.node, [LOCAL], [world.outside.ip4], cgroup=world.node.sub_cgroup('cache')).start()

    def ask_then_begin():
        return [ask(LOCAL, 'web.policed.test'), outcome(judging.way_tcp, '10.55.0.1'),
                ask(LOCAL, 'other.policed.test'), outcome(judging.way_tcp, '10.55.0.3')]

    expected = [['10.55.0.1'], 'ok', 'EPERM', 'EPERM']
    assert inside(world, ask_then_begin) == expected
    assert pod.call(ask_then_begin, cgroup=pod.cgroup) == expected
    assert set(refusals(daemon)) == {'deny-dns', 'deny-no-name'}


def test_3_8_a_server_on_a_second_address_of_the_host(world):
    """A virtual address in the network of the first: a client on the host itself has the first as its own."""
    ip('address add 10.53.0.77/24 dev eth0', netns=world.node.netns)
    daemon = start(world, policy(RULES))
    dnsmasq(world.node, ['10.53.0.77'], [world.outside.ip4], cgroup=world.node.sub_cgroup('bot')).start()
    assert world.outside.dig('web.policed.test', 'A', '10.53.0.77') == ['10.55.0.1']
    assert world.node.dig('web.policed.test', 'A', '10.53.0.77', '+tcp') == ['10.55.0.1']
    assert refusals(daemon) == {}
    assert world.node.dig('web.policed.test', 'A', '10.53.0.77') == ['10.55.0.1']
