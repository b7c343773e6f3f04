# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.9: kill -9 the proxy, and questions go straight to the resolver, looking as if it had answered."""
import ctypes
import errno
import itertools
import os
import socket
import struct

import pytest

import dnswire as w
from daemon import Snooperd
from servers import ask, ask_tcp, dnsmasq, unbound
from snoplab import PATIENCE, wait_until

# Who answered: the proxy says .1 for who.test, the fallback .2.
BY_PROXY, BY_FALLBACK = '192.0.2.1', '192.0.2.2'
PROXY4, PROXY6 = '10.53.9.53', 'fd53:9::53'
ZONES = {'who.test': f'@ A {BY_FALLBACK}\n', 'names.test': '* A 192.0.2.9\n* AAAA 2001:db8::9\n'}


def address_in(message):
    """The address in the last record of an answer."""
    return socket.inet_ntoa(message[-4:])


def who(family_of, proto, ident=1):
    """Ask the server who it is; (its own answer, the address the client was shown)."""
    query = w.query(ident, 'who.test')
    if proto == 'tcp':
        message, peer = ask_tcp(family_of, query)
        return address_in(message), peer
    (message, sender), = ask(family_of, [query], connect=proto == 'udp')
    return address_in(message), sender


class Site:
    """A node with a proxy, a fallback outside, and snooperd that knows both."""

    def __init__(self, lab, at=(PROXY4, PROXY6), host=None, changes=None, observe=None):
        self.lab = lab
        self.at = at
        self.host = host or lab.node
        if host is None and PROXY4 in at:
            lab.node.add_addresses(f'{PROXY4}/32', f'{PROXY6}/128', device='lo')
        lab.node.resolve_by(*at)
        self.fallback = unbound(lab.outside, [lab.outside.ip4, lab.outside.ip6], ZONES).start()
        self.cgroup = lab.node.sub_cgroup('proxy')
        self.clients = lab.node.sub_cgroup('clients')
        self.start_proxy()
        self.snooperd = Snooperd(lab, {
            'observe': {'resolvers': [*at, lab.outside.ip4, lab.outside.ip6],
                        'cgroups': observe or [lab.node.cgroup]},
            'proxy': dict({'addresses': [f'[{a}]:53' if ':' in a else f'{a}:53' for a in at],
                           'cgroup': self.cgroup, 'dwell': '100ms',
                           'fallback': [f'{lab.outside.ip4}:53', f'[{lab.outside.ip6}]:53']},
                          **(changes or {}))}).start()

    def start_proxy(self):
        self.proxy = dnsmasq(self.host, self.at, [self.lab.outside.ip4],
                             [f'address=/who.test/{BY_PROXY}'], cgroup=self.cgroup,
                             cache_size=0).start()

    def who(self, address, proto):
        return self.lab.node.call(who, address, proto, cgroup=self.clients)

    def proxy_status(self):
        return self.snooperd.status()['proxy']


PROTOS = ['udp', 'udp-unconnected', 'tcp']
ADDRESSES = [PROXY4, PROXY6]


@pytest.mark.parametrize('alive', [True, False], ids=['snooperd-alive', 'snooperd-dead'])
def test_1_9_proxy_killed_and_back(lab, alive):
    site = Site(lab)
    ways = list(itertools.product(ADDRESSES, PROTOS))
    for address, proto in ways:
        assert site.who(address, proto) == (BY_PROXY, address), 'before: the proxy answers'
    if not alive:
        site.snooperd.kill9()

    site.proxy.kill9()
    for address, proto in ways:
        assert site.who(address, proto) == (BY_FALLBACK, address), \
            'after the kill: the fallback answers, and the client sees the proxy'

    site.start_proxy()
    for address, proto in ways:
        wait_until(lambda: site.who(address, proto) == (BY_PROXY, address),
                   what=f'{address} {proto}: the proxy is asked again')
    if not alive:
        site.snooperd.start()


def test_1_9_names_are_learned_past_the_proxy(lab):
    site = Site(lab)
    site.proxy.kill9()
    for libc in 'glibc', 'musl':
        assert set(lab.node.getaddrinfo(f'{libc}.names.test', libc=libc)) == \
            {'192.0.2.9', '2001:db8::9'}
    assert lab.node.dig('dig.names.test', 'A', PROXY4) == ['192.0.2.9']
    assert lab.node.dig('digtcp.names.test', 'A', PROXY6, '+tcp') == ['192.0.2.9']
    site.snooperd.wait_for('glibc.names.test', 'musl.names.test', 'dig.names.test')
    assert site.snooperd.addresses('glibc.names.test') == {'192.0.2.9', '2001:db8::9'}


def remade(cgroup):
    os.rmdir(cgroup)
    os.mkdir(cgroup)


def test_1_9_the_proxys_cgroup_is_followed(lab):
    """Its service restarts: the cgroup has another id then. What cannot be attached is tried now and then."""
    other = f'{lab.cgroup}/other'
    os.mkdir(other)
    site = Site(lab, observe=[lab.node.cgroup, other])
    site.proxy.stop()
    remade(site.cgroup)
    site.start_proxy()
    wait_until(lambda: f'id={os.stat(site.cgroup).st_ino}' in site.snooperd.output(), what='it is attached')
    assert site.who(PROXY4, 'udp') == (BY_PROXY, PROXY4)
    os.rmdir(other)
    site.proxy.stop()
    remade(site.cgroup)
    wait_until(lambda: 'event=attach-failed' in site.snooperd.output(), what='the failure is told')
    looked = site.snooperd.output().count('event=scan-done')
    wait_until(lambda: site.snooperd.output().count('event=scan-done') > looked, 30, 'a reading of all rows')
    assert site.snooperd.output().count('event=attach-failed') <= 3
    os.mkdir(other)
    wait_until(lambda: f'id={os.stat(site.cgroup).st_ino}' in site.snooperd.output().rpartition('attach-failed')[2],
               30, 'it is attached')


def test_1_9_status_tells(lab):
    site = Site(lab)
    site.who(PROXY4, 'udp')
    assert site.proxy_status()['state'] == 'active'
    site.proxy.kill9()
    for _ in range(5):
        site.who(PROXY4, 'udp')
    status = wait_until(lambda: (s := site.proxy_status())['state'] == 'bypassed' and s,
                        what='state bypassed')
    assert status['bypassed_queries'] >= 5
    site.start_proxy()
    wait_until(lambda: site.who(PROXY4, 'udp')[0] == BY_PROXY, what='the proxy is asked again')
    wait_until(lambda: site.proxy_status()['state'] == 'active', what='state active')


def test_1_9_no_query_after_the_kill_is_lost(lab):
    """500 questions, each asked once, while the proxy is killed in their middle."""
    site = Site(lab)

    def client():
        for number in range(500):
            if number % 50 == 0:
                yield number
            came = ask(PROXY4, [w.query(number, 'who.test')], deadline=10, connect=number % 2 == 0)
            assert came, f'question {number} was lost'
    with lab.node.steps(client, cgroup=site.clients) as steps:
        for number in range(0, 500, 50):
            assert steps.next() == number
            if number == 250:
                site.proxy.kill9()
        with pytest.raises(StopIteration):
            steps.next()


def dissolve(sock):
    """connect() to nobody (AF_UNSPEC): the socket forgets its peer, and its source address with it."""
    assert ctypes.CDLL(None).connect(sock.fileno(), struct.pack('=H14x', socket.AF_UNSPEC), 16) == 0


@pytest.mark.parametrize('anew', ['dissolved', 'new socket'])
@pytest.mark.parametrize('address', ADDRESSES)
def test_1_9_connected_socket_is_refused_then_fine(lab, address, anew):
    """Nobody can reroute a socket that was connected before: it is told, and connects again."""
    site = Site(lab)
    family = socket.AF_INET6 if ':' in address else socket.AF_INET

    def ask_on(sock):
        sock.send(w.query(1, 'who.test'))
        return address_in(sock.recv(512)), sock.getpeername()[0]

    def client():
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.settimeout(5 * PATIENCE)
        sock.connect((address, 53))
        yield ask_on(sock)
        try:
            yield ask_on(sock)
        except OSError as e:
            yield errno.errorcode[e.errno]
        if anew == 'dissolved':
            dissolve(sock)
        else:
            sock.close()
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.settimeout(5 * PATIENCE)
        sock.connect((address, 53))
        yield ask_on(sock)

    with lab.node.steps(client, cgroup=site.clients) as steps:
        assert steps.next() == (BY_PROXY, address)
        site.proxy.kill9()
        assert steps.next() == 'ECONNREFUSED'
        assert steps.next() == (BY_FALLBACK, address)


def test_1_9_every_call_shows_the_proxy(lab):
    """sendmsg and recvmsg, getpeername, many questions on one socket: never a fallback's address."""
    site = Site(lab)
    site.proxy.kill9()

    def client(address):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        seen = set()
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5 * PATIENCE)
            for ident in range(8):
                sock.sendmsg([w.query(ident, 'who.test')], [], 0, (address, 53))
            idents = set()
            for _ in range(8):
                data, _, _, sender = sock.recvmsg(512)
                seen.add(sender[:2])
                idents.add(struct.unpack('>H', data[:2])[0])
            assert idents == set(range(8))
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5 * PATIENCE)
            sock.connect((address, 53))
            seen.add(sock.getpeername()[:2])
            sock.send(w.query(9, 'who.test'))
            seen.add(sock.recvfrom(512)[1][:2])
        with socket.create_connection((address, 53), 5 * PATIENCE) as sock:
            seen.add(sock.getpeername()[:2])
        return seen
    for address in ADDRESSES:
        assert lab.node.call(client, address, cgroup=site.clients) == {(address, 53)}


def test_1_9_fallback_asked_by_itself_keeps_its_address(lab):
    """Only answers to detoured questions are shown as the proxy's."""
    site = Site(lab)
    site.proxy.kill9()
    fallback = lab.outside.ip4

    def client():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5 * PATIENCE)
            senders = []
            for server in PROXY4, fallback, PROXY4, fallback:
                sock.sendto(w.query(1, 'who.test'), (server, 53))
                senders.append(sock.recvfrom(512)[1][0])
            return senders
    assert lab.node.call(client, cgroup=site.clients) == [PROXY4, fallback, PROXY4, fallback]


@pytest.mark.parametrize('loopback', [('127.0.0.1', '::1'), ('127.0.0.53', '::1')],
                         ids=['127.0.0.1', '127.0.0.53'])
def test_1_9_proxy_on_loopback(lab, loopback):
    site = Site(lab, at=loopback)
    assert lab.node.getaddrinfo('before.names.test', family=4) == ['192.0.2.9']
    site.proxy.kill9()
    for address in loopback:
        for proto in PROTOS:
            assert site.who(address, proto) == (BY_FALLBACK, address)
    for libc in 'glibc', 'musl':
        assert lab.node.getaddrinfo(f'{libc}.names.test', libc=libc, family=4) == ['192.0.2.9']
    site.snooperd.wait_for('before.names.test', 'glibc.names.test', 'musl.names.test')


@pytest.mark.parametrize('alive', [True, False], ids=['snooperd-alive', 'snooperd-dead'])
def test_1_9_proxy_in_another_namespace(lab, alive):
    """The client's own look-up finds nothing even for a healthy proxy: its sockets are counted."""
    pod = lab.add_host('pod')
    site = Site(lab, at=(pod.ip4, pod.ip6), host=pod)
    for address in pod.ip4, pod.ip6:
        for proto in PROTOS:
            assert site.who(address, proto) == (BY_PROXY, address), 'a healthy proxy is asked'
    if not alive:
        site.snooperd.kill9()
    site.proxy.kill9()
    for address in pod.ip4, pod.ip6:
        for proto in PROTOS:
            assert site.who(address, proto) == (BY_FALLBACK, address)
    site.start_proxy()
    for address in pod.ip4, pod.ip6:
        for proto in PROTOS:
            wait_until(lambda: site.who(address, proto) == (BY_PROXY, address),
                       what=f'{address} {proto}: the proxy is asked again')


def test_1_9_squatter_on_the_dead_proxys_port_teaches_nothing(lab):
    """Anybody can take a dead proxy's port; outside proxy.cgroup it is not believed."""
    site = Site(lab)
    site.proxy.kill9()
    squatter = dnsmasq(lab.node, [PROXY4], extra=['address=/bank.test/192.0.2.222'],
                       cgroup=lab.node.sub_cgroup('squatter')).start()
    lab.node.run('dig', f'@{PROXY4}', '+tries=1', '+time=1', 'bank.test', cgroup=site.clients)
    assert 'bank.test' not in site.snooperd.names()
    squatter.stop()


def test_1_9_without_a_fallback_of_the_family(lab):
    """IPv6 questions have nowhere to go: they fail as without snooper, and are counted."""
    site = Site(lab, changes={'fallback': [f'{lab.outside.ip4}:53']})
    site.proxy.kill9()
    assert site.who(PROXY4, 'udp') == (BY_FALLBACK, PROXY4)

    def refused():
        with pytest.raises(ConnectionRefusedError):
            ask(PROXY6, [w.query(1, 'who.test')])
        return True
    assert lab.node.call(refused, cgroup=site.clients)
