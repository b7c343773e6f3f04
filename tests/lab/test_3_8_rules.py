# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.8: which rule decides: deny before names, CIDRs with exceptions, entities, ports."""
import pytest

import judging
from judging import outcome
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone

HALF = '''
  egressDeny:
  - toCIDR: ["10.55.2.0/24"]
  - toCIDRSet: [{cidr: "10.55.3.0/24", except: ["10.55.3.128/25"]}]
    toPorts: [{ports: [{port: "80", protocol: TCP}]}]
'''


@pytest.fixture
def world(lab):
    far(lab)
    with lab.node.inside(), open('/proc/sys/net/ipv4/ping_group_range', 'w') as f:
        f.write('0 2147483647')
    resolver(lab, zone(one='10.55.1.1', two='10.55.2.1', three='10.55.3.1', four='10.55.3.200'))
    with Servers(lab.outside, ports=(80, 443, 8000)):
        yield lab


def begin(server, names_first, tries):
    for name in names_first:
        assert ask(server, f'{name}.policed.test')
    return [outcome(*t) for t in tries]


def test_3_8_a_denied_address_stays_denied_whatever_its_name(world):
    start(world, policy(names('*.policed.test') + DNS_ANY + HALF))
    tries = [(judging.way_tcp, '10.55.1.1', 80), (judging.way_tcp, '10.55.2.1', 443), (judging.way_ping, '10.55.2.1'),
             (judging.way_tcp, '10.55.3.1', 80), (judging.way_tcp, '10.55.3.1', 443), (judging.way_udp, '10.55.3.1', 0, 80),
             (judging.way_tcp, '10.55.3.200', 80)]
    assert inside(world, begin, world.outside.ip4, ['one', 'two', 'three', 'four'], tries) == \
        ['ok', 'EPERM', 'EPERM', 'EPERM', 'ok', 'ok', 'ok']


@pytest.mark.parametrize('rule, may', [
    ('  - toCIDR: ["10.55.1.1/32", "fd55::1/128"]\n', {'10.55.1.1', 'fd55::1'}),
    ('  - toCIDRSet: [{cidr: "10.55.0.0/16", except: ["10.55.2.0/23"]}]\n', {'10.55.1.1'}),
    ('  - toEntities: [world]\n', {'10.55.1.1', '10.55.2.1', 'fd55::1'}),
    ('  - toEntities: [host]\n', {'node'}),
    ('  - toEntities: [all]\n', {'10.55.1.1', '10.55.2.1', 'fd55::1', 'node'}),
])
def test_3_8_addresses_without_names(world, rule, may):
    start(world, policy(rule + DNS_ANY))
    every = {a: a for a in ('10.55.1.1', '10.55.2.1', 'fd55::1')} | {'node': world.node.ip4}
    with Servers(world.node):
        got = inside(world, begin, world.outside.ip4, [], [(judging.way_tcp, a) for a in every.values()])
        assert {name for name, r in zip(every, got) if r == 'ok'} == may
        assert set(got) <= {'ok', 'EPERM'}


@pytest.mark.parametrize('ports, may', [
    ('{port: "80", protocol: TCP}', ['tcp 80']),
    ('{port: "80", endPort: 443, protocol: TCP}', ['tcp 80', 'tcp 443']),
    ('{port: "443", protocol: UDP}', ['udp 443', 'udplite 443']),
    ('{port: "443", protocol: ANY}', ['tcp 443', 'udp 443', 'udplite 443']),
    ('{port: "443"}', ['tcp 443', 'udp 443', 'udplite 443']),
    ('{port: "79", endPort: 8000, protocol: ANY}', ['tcp 80', 'tcp 443', 'tcp 8000', 'udp 443', 'udplite 443']),
])
@pytest.mark.parametrize('to', ['toFQDNs: [{matchPattern: "*.policed.test"}]', 'toCIDR: ["10.55.1.1/32"]'])
def test_3_8_ports(world, to, ports, may):
    start(world, policy(f'  - {to}\n    toPorts: [{{ports: [{ports}]}}]\n' + DNS_ANY))
    every = {f'tcp {port}': (judging.way_tcp, '10.55.1.1', port) for port in (80, 443, 8000)}
    every |= {'udp 443': (judging.way_udp, '10.55.1.1'), 'udplite 443': (judging.way_udplite, '10.55.1.1'),
              'ping': (judging.way_ping_raw, '10.55.1.1')}
    got = dict(zip(every, inside(world, begin, world.outside.ip4, ['one'], list(every.values()))))
    assert got == {way: 'ok' if way in may else 'EPERM' for way in every}
