# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Points 3.5 to 3.8: what a policy lets an endpoint do, from the first packet on."""
import pytest

from policing import (DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, tcp, udp, zone)

ZONE = zone(web='10.55.0.1', api=['10.55.0.2', 'fd55::2'], other='10.55.0.3', chain='CNAME web')


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, ZONE)
    with Servers(lab.outside):
        yield lab


def test_3_8_what_nothing_allows_is_refused_at_once(world):
    start(world, policy(names('*.policed.test') + DNS_ANY))
    assert inside(world, tcp, '10.55.0.1') == 'EPERM'
    assert inside(world, udp, '10.55.0.1') == 'EPERM'
    assert inside(world, udp, '10.55.0.1', 443, True) == 'EPERM'
    assert inside(world, tcp, 'fd55::2') == 'EPERM'
    assert world.node.call(tcp, '10.55.0.1') == 'ok', 'who is of no endpoint is not judged'


def test_3_5_an_answer_opens_its_addresses(world):
    daemon = start(world, policy(names('*.policed.test', ports=[('443', 'TCP')]) + DNS_ANY))

    def lookup_then_connect(server):
        yield ask(server, 'api.policed.test'), ask(server, 'api.policed.test', 28)
        yield tcp('10.55.0.2'), tcp('fd55::2'), tcp('10.55.0.2', 80), udp('10.55.0.2'), tcp('10.55.0.1')

    with world.node.steps(lookup_then_connect, world.outside.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == (['10.55.0.2'], ['fd55::2'])
        assert app.next() == ('ok', 'ok', 'EPERM', 'EPERM', 'EPERM')
    listed = daemon.wait_for('api.policed.test')['api.policed.test']
    assert listed['selectors'] == ['*.policed.test'] and listed['endpoints'] == ['bot']


def test_3_7_one_endpoints_lookup_opens_nothing_for_another(world):
    start(world, policy(names('*.policed.test') + DNS_ANY), endpoints=(
        ('bot', 'bot', {'app': 'bot'}), ('two', 'two', {'app': 'bot'})))
    assert inside(world, ask, world.outside.ip4, 'web.policed.test') == ['10.55.0.1']
    assert inside(world, tcp, '10.55.0.1') == 'ok'
    assert inside(world, tcp, '10.55.0.1', cgroup='two') == 'EPERM'


def test_3_9_a_question_that_is_not_allowed_never_leaves(world):
    dns = DNS_ANY.replace('"*"', '"web.policed.test"')
    start(world, policy(names('*.policed.test') + dns))
    assert inside(world, ask, world.outside.ip4, 'web.policed.test') == ['10.55.0.1']
    assert inside(world, ask, world.outside.ip4, 'other.policed.test') == 'EPERM'


def test_3_11_audit_refuses_nothing(world):
    daemon = start(world, policy(names('web.policed.test') + DNS_ANY), mode='audit')
    assert inside(world, tcp, '10.55.0.3') == 'ok'
    assert daemon.status()['mode'] == 'audit'
