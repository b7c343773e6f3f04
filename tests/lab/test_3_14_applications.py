# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.14: programs that people use, in an endpoint under policy, by resolvers as they come."""
import http.server
import random
import socket
import threading

import pytest

import dnswire as w
import judging
from judging import outcome, refusals
from policing import DNS_ANY, Servers, far, inside, names, policy, start
from servers import Scripted
from snoplab import BUILD, wait_until

EVERY = [f'10.55.{i // 250}.{i % 250 + 1}' for i in range(600)]


class Resolver:
    """What a label is answered with; nothing is ever refused by it."""

    def __init__(self):
        self.random = random.Random(7)

    def records(self, label):
        if label == 'rotating':
            return [w.a(w.QNAME, a, 5) for a in self.random.sample(EVERY[:40], 4)]
        if label == 'big':
            return [w.a(w.QNAME, a) for a in EVERY[100:160]]
        if label == 'some':
            return [w.a(w.QNAME, a) for a in EVERY[160:180]]
        if label.startswith('alias'):
            return [w.cname(w.QNAME, f'target{label[5:]}.policed.test', 5)]
        if label.startswith('chain'):
            return [w.cname(w.QNAME, 'edge.cdn.test', 5), w.a('edge.cdn.test', EVERY[200])]
        number = int(''.join(c for c in label if c.isdigit()) or 0)
        ttl = 0 if label.startswith('zero') else 1 if label.startswith('one') else 300
        return [w.a(w.QNAME, EVERY[300 + number % 300], ttl)]

    def __call__(self, query):
        asked = w.question_of(query)
        if asked[-4:-2] != b'\0\1':
            return [w.answer(query, [])]
        return [w.answer(query, self.records(asked[1:1 + asked[0]].decode().lower()))]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '5')
        self.end_headers()
        self.wfile.write(b'hello')

    def log_message(self, *_):
        pass


@pytest.fixture
def world(lab):
    far(lab)
    lab.node.resolve_by(lab.outside.ip4)
    with lab.outside.inside():
        pages = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Page)
    serving = threading.Thread(target=pages.serve_forever)
    serving.start()
    try:
        with Servers(lab.outside), Scripted(lab.outside, lab.outside.ip4, Resolver()):
            yield lab
    finally:
        pages.shutdown()
        serving.join()
        pages.server_close()


def run(lab, *argv):
    return lab.node.run(*argv, cgroup=f'{lab.node.cgroup}/bot')


MAY = policy(names('*.policed.test', 'target.policed.test') + DNS_ANY.replace('"*"', '"*.policed.test"'))


def test_3_14_curl_dig_ping(world):
    daemon = start(world, MAY)
    curl = ['curl', '-sS', '--max-time', '10', '-o', '/dev/stdout', '-w', '%{http_code}']
    assert run(world, *curl, 'http://web1.policed.test:8080/').stdout == 'hello200'
    assert run(world, *curl, 'http://big.policed.test:8080/').stdout == 'hello200'
    by_address = run(world, *curl, f'http://{EVERY[599]}:8080/')
    assert by_address.returncode == 7 and 'Failed to connect' in by_address.stderr, 'could not connect: not a time-out'
    assert run(world, 'dig', '+short', '@' + world.outside.ip4, 'web2.policed.test').stdout.split() == [EVERY[302]]
    assert run(world, 'dig', '+short', '+tries=1', '@' + world.outside.ip4, 'web.elsewhere.test').stdout.split() in (
        [], [';;']) or refusals(daemon)['deny-dns']
    assert run(world, 'ping', '-n', '-c', '2', '-i', '0.2', 'web3.policed.test').returncode == 0
    refused = run(world, 'ping', '-n', '-c', '1', '-W', '5', EVERY[598])
    assert refused.returncode != 0 and 'not permitted' in refused.stderr
    assert refusals(daemon)['deny-dns'] >= 1


def test_3_14_a_web_server_in_an_endpoint(world):
    daemon = start(world, MAY)
    server = world.node.popen(['python3', '-m', 'http.server', '8000', '--bind', '::'],
                              cgroup=f'{world.node.cgroup}/bot', stdout=-3, stderr=-3, cwd='/')
    try:
        for host in world.node.ip4, f'[{world.node.ip6}]':
            wait_until(lambda: world.outside.run('curl', '-sS', '-o', '/dev/null', f'http://{host}:8000/').returncode == 0,
                       what=f'it serves on {host}')
    finally:
        server.kill()
        server.wait()
    assert set(refusals(daemon)) <= {'deny-dns'}, 'it asks for the name of its own address'


def resolve_and_connect(label, rounds, each):
    """As programs do; label may have {} for the round. What did not go well."""
    wrong, seen = [], set()
    for i in range(rounds):
        found = socket.getaddrinfo(label.format(i), 443, socket.AF_INET, socket.SOCK_STREAM)
        seen |= {f[4][0] for f in found}
        for f in found[:each]:
            result = outcome(judging.way_tcp, f[4][0])
            if result != 'ok':
                wrong.append((i, f[4][0], result))
    return wrong, len(seen)


@pytest.mark.parametrize('label, rounds, each, seen', [
    ('rotating.policed.test', 60, 4, 40), ('big.policed.test', 2, 60, 60), ('zero{}.policed.test', 100, 1, 100),
    ('one{}.policed.test', 100, 1, 100), ('zero.policed.test', 50, 1, 1), ('chain.policed.test', 50, 1, 1),
    ('web{}.policed.test', 100, 1, 100)])
def test_3_14_resolve_and_connect_in_a_loop(world, label, rounds, each, seen):
    """By getaddrinfo of the C library, through resolv.conf."""
    daemon = start(world, MAY)
    assert inside(world, resolve_and_connect, label, rounds, each, deadline=60) == ([], seen)
    assert refusals(daemon) == {}


@pytest.mark.parametrize('libc, family', [('glibc', ['4']), ('musl', ['4']), ('cares', [])])
def test_3_14_every_c_library(world, libc, family):
    start(world, MAY)
    done = run(world, f'{BUILD}/tests/lab/gai-{libc}', *family, 'web5.policed.test', 'some.policed.test')
    assert done.returncode == 0, done.stderr
    addresses = done.stdout.split()
    assert set(addresses) == {EVERY[305], *EVERY[160:180]}
    assert inside(world, _not_ok, addresses) == []


def _not_ok(addresses):
    return [(a, result) for a in addresses if (result := outcome(judging.way_tcp, a)) != 'ok']


def test_3_14_a_resolver_that_leaves_the_rest_to_its_client(world):
    """A CNAME and no address: the client asks on, under the name that it began with."""
    start(world, policy(names('alias*.policed.test') + DNS_ANY))

    def follow(server):
        import policing
        wrong = []
        for i in range(40):
            policing.ask(server, f'alias{i}.policed.test')
            found = policing.ask(server, f'target{i}.policed.test')
            wrong += [(i, a) for a in found if outcome(judging.way_tcp, a) != 'ok']
        return wrong, outcome(judging.way_tcp, EVERY[299])

    assert inside(world, follow, world.outside.ip4) == ([], 'EPERM')
