# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.8: policy is about what an endpoint begins: it goes on serving others, and talking to itself."""
import ctypes
import os
import select
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

import judging
from judging import outcome, refusals
from policing import DNS_ANY, Servers, far, inside, names, policy, start
from snoplab import CLONE_NEWNET, ip


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside):
        yield lab


def serve_tcp():
    with socket.create_server(('::', 8080), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        yield 'listens'
        for _ in range(2):
            s, _ = listener.accept()
            with s:
                s.sendall(s.recv(65536))
        yield 'served'


def serve_udp(connected):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(('::', 8080))
        yield 'listens'
        for _ in range(2):
            data, who = s.recvfrom(65536)
            if not connected:
                s.sendto(data, who)
                continue
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as back:
                back.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                back.bind(('::', 8080))
                back.connect(who)
                back.send(data)
        yield 'served'


def client(way, addresses):
    return [outcome(way, address, port=8080) for address in addresses]


@pytest.mark.parametrize('server, way', [
    ((serve_tcp,), judging.way_tcp), ((serve_udp, False), judging.way_udp), ((serve_udp, True), judging.way_udp)])
def test_3_8_a_server_in_an_endpoint_goes_on_serving(world, server, way):
    daemon = start(world, policy(names('*.policed.test') + DNS_ANY))
    with world.node.steps(*server, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 'listens'
        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(app.next)
            assert world.outside.call(client, way, [world.node.ip4, world.node.ip6]) == ['ok', 'ok']
            assert served.result() == 'served'
    assert refusals(daemon) == {}
    assert inside(world, outcome, judging.way_udp, world.outside.ip4) == 'EPERM'


def test_3_8_who_was_heard_is_answered_and_nobody_else(world):
    """An answer goes to the address and port that asked: not to another port of the same host."""
    start(world, policy(names('*.policed.test') + DNS_ANY))

    def serve():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(('0.0.0.0', 8080))
            yield 'listens'
            data, who = s.recvfrom(65536)
            yield outcome(s.sendto, data, (who[0], 443)), outcome(s.sendto, data, who)

    def knock(to):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b'hello', (to, 8080))
            yield 'sent'
            yield judging.echoed(s)

    with world.node.steps(serve, cgroup=f'{world.node.cgroup}/bot') as app, \
            world.outside.steps(knock, world.node.ip4) as guest:
        assert app.next() == 'listens' and guest.next() == 'sent'
        refused, answered = app.next()
        assert refused == 'EPERM' and answered in (5, 'ok')
        assert guest.next() == 'ok'


def test_3_8_loopback_passes_other_addresses_of_the_host_do_not(world):
    ip('address add 10.77.0.1/32 dev lo', 'address add fd77::1/128 dev lo', netns=world.node.netns)
    start(world, policy(names('*.policed.test') + DNS_ANY))
    with Servers(world.node):
        every = ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1', '10.77.0.1', 'fd77::1',
                 world.node.ip4]
        for way in judging.way_tcp, judging.way_udp, judging.way_udp_connected:
            got = dict(zip(every, inside(world, _each, way, every)))
            assert got == {a: 'EPERM' if a in every[6:] else 'ok' for a in every}, way


def _each(way, addresses):
    return [outcome(way, address) for address in addresses]


def test_3_8_a_network_namespace_that_an_endpoint_made(world):
    """The kernel's own sockets in it are of the endpoint's cgroup: they resolve neighbours, and refuse."""
    daemon = start(world, policy(names('*.policed.test') + '  - toCIDR: ["fd53::1/128"]\n' + DNS_ANY))

    def apart():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        yield os.getpid()
        yield outcome(judging.way_tcp, 'fd53::1'), outcome(judging.way_tcp, 'fd55::99')
        yield 'stays'

    with world.node.steps(apart, cgroup=f'{world.node.cgroup}/bot') as app:
        pid = app.next()
        ip(f'link add p9 type veth peer name eth0 netns {pid}', 'link set p9 master br0 up',
           netns=world.outside.netns)
        enter = ['nsenter', '-t', str(pid), '-n', 'ip']
        for command in ('link set lo up', 'link set eth0 up', 'address add fd53::9/64 dev eth0 nodad',
                        'route add fd55::/64 via fd53::1'):
            world.outside.run(*enter, *command.split())
        assert app.next() == ('ok', 'EPERM')
        assert app.next() == 'stays'
        assert world.outside.call(outcome, judging.way_tcp, 'fd53::9', 8080) == 'ECONNREFUSED'
        assert world.outside.call(outcome, judging.way_udp_connected, 'fd53::9') == 'ECONNREFUSED'
        assert world.outside.call(outcome, judging.way_ping_raw, 'fd53::9') == 'ok'
    assert set(refusals(daemon)) == {'deny-no-name'}


def test_3_8_packets_are_judged_for_sockets_of_others(world):
    """A socket that was made in an endpoint and passed out of it is the endpoint's."""
    start(world, policy(names('*.policed.test') + DNS_ANY))
    here, there = socket.socketpair()

    def give():
        made = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        socket.send_fds(there, [b'.'], [s.fileno() for s in made])
        yield 'given'

    def take(fds):
        stream, datagrams = (socket.socket(fileno=fd) for fd in fds)
        return [outcome(stream.connect, ('10.55.9.9', 443)), outcome(datagrams.sendto, b'x', ('10.55.9.9', 443))]

    with world.node.steps(give, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 'given'
        assert select.select([here], [], [], 5)[0]
        _, fds, _, _ = socket.recv_fds(here, 16, 2)
        assert world.node.call(take, fds) == ['EPERM', 'EPERM']
    for fd in fds:
        os.close(fd)
    here.close()
    there.close()
