# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.16: real servers and real clients, over IPv4 and IPv6: what the client got is what is listed."""
import socket

import pytest

from daemon import Snooperd
from servers import bind9, dnsmasq, unbound
from snoplab import Lab, wait_until

# Each server has its addresses; dnsmasq forwards to unbound, as a node's proxy does.
SERVERS = {'unbound': 1, 'bind9': 11, 'dnsmasq': 12}
CLIENTS = ['dig', 'kdig', 'glibc', 'musl', 'python']
V4, V6 = ['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']


def zone():
    """A name of its own for every test, so that none lives from what another one taught."""
    lines = []
    for server in SERVERS:
        for client in CLIENTS:
            for family in 4, 6:
                name = f'{client}{family}.{server}'
                lines += [f'{name} A {a}' for a in V4] + [f'{name} AAAA {a}' for a in V6]
                lines += [f'alias.{name} CNAME {name}']
    return {'matrix.test': '\n'.join(lines)}


def server_address(server, family):
    return f'10.53.0.{SERVERS[server]}' if family == 4 else f'fd53::{SERVERS[server]}'


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        for number in list(SERVERS.values())[1:]:
            made.outside.add_addresses(f'10.53.0.{number}/24', f'fd53::{number}/64')

        def both(server):
            return [server_address(server, 4), server_address(server, 6)]
        unbound(made.outside, both('unbound'), zone()).start()
        bind9(made.outside, both('bind9'), zone()).start()
        dnsmasq(made.outside, both('dnsmasq'), [server_address('unbound', 4)]).start()
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {'observe': {'resolvers': [
        server_address(server, family) for server in SERVERS for family in (4, 6)]}}).start()


def python_client(name):
    return [ai[4][0] for ai in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)]


def resolve(lab, client, name, server):
    """The addresses the client shows, sorted."""
    if client in ('dig', 'kdig'):
        tool = getattr(lab.node, client)
        got = tool(name, 'A', server) + tool(name, 'AAAA', server)
        return sorted(x for x in got if not x.endswith('.'))
    lab.node.resolve_by(server)
    if client == 'python':
        return sorted(lab.node.call(python_client, name))
    return sorted(lab.node.getaddrinfo(name, libc=client))


@pytest.mark.parametrize('family', [4, 6], ids=['ipv4', 'ipv6'])
@pytest.mark.parametrize('client', CLIENTS)
@pytest.mark.parametrize('server', SERVERS)
def test_1_16_matrix(lab, snooperd, server, client, family):
    name = f'{client}{family}.{server}.matrix.test'
    at = server_address(server, family)
    for asked in f'alias.{name}', name:
        assert resolve(lab, client, asked, at) == sorted(V4 + V6)
        wait_until(lambda: snooperd.addresses(asked) == set(V4 + V6), what=f'{asked} listed whole')
    assert snooperd.names(f'alias.{name}')[f'alias.{name}']['cnames'] == [name]
