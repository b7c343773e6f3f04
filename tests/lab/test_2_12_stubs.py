# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.12: stubs of other makers: c-ares, Node's two ways, systemd-resolved; a resolver that is slow."""
import pytest

import dnswire as w
from daemon import Snooperd
from servers import Resolved, Scripted, ask, unbound
from snoplab import BUILD, Lab, wait_until
from stalls import may_stall

V4, V6 = ['192.0.2.1', '192.0.2.2'], ['2001:db8::1', '2001:db8::2']
STUB = '127.0.0.53'
CLIENTS = {
    'cares': [f'{BUILD}/tests/lab/gai-cares', '{}'],
    'node-resolve': ['node', '-e', '''
        const dns = require("dns").promises;
        Promise.all([dns.resolve4("{}"), dns.resolve6("{}")])
            .then(all => all.flat().forEach(a => console.log(a)))'''],
    'node-lookup': ['node', '-e', '''
        require("dns").promises.lookup("{}", {all: true})
            .then(all => all.forEach(a => console.log(a.address)))'''],
    'glibc': [f'{BUILD}/tests/lab/gai-glibc', 'any', '{}'],
}


def zone():
    """A name of its own for every test."""
    lines = []
    for name in [f'{c}.{s}' for c in CLIENTS for s in ('unbound', 'resolved')]:
        lines += [f'{name} A {a}' for a in V4] + [f'{name} AAAA {a}' for a in V6]
        lines += [f'alias.{name} CNAME {name}']
    return {'stubs.test': '\n'.join(lines)}


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        unbound(made.outside, [made.outside.ip4], zone()).start()
        # The stub's own cgroup is not observed: what is learned comes from its clients' side.
        Resolved(made.node, made.outside.ip4, cgroup=made.node.sub_cgroup('../resolved')).start()
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    return Snooperd(lab, {'observe': {'resolvers': [lab.outside.ip4, STUB]}}).start()


@pytest.mark.parametrize('server', ['unbound', 'resolved'])
@pytest.mark.parametrize('client', CLIENTS)
def test_2_12_stub(lab, snooperd, client, server):
    name = f'{client}.{server}.stubs.test'
    lab.node.resolve_by(lab.outside.ip4 if server == 'unbound' else STUB)
    for asked in f'alias.{name}', name:
        done = lab.node.run(*(word.replace('{}', asked) for word in CLIENTS[client]))
        assert sorted(done.stdout.split()) == sorted(V4 + V6), done.stderr
        wait_until(lambda: snooperd.addresses(asked) == set(V4 + V6), what=f'{asked} listed whole')
    assert snooperd.names(f'alias.{name}')[f'alias.{name}']['cnames'] == [name]


@may_stall
def test_2_12_slow_resolver(run):
    """It answers after c-ares has given up: nothing is lost, and what it says late changes nothing."""
    with Lab(run) as lab:
        lab.outside.add_addresses('10.53.0.77/24')
        snooperd = Snooperd(lab, {'reconcile': {'mode': 'verify',
                                                'servers': ['10.53.0.77:53']}}).start()

        def answer(query):
            return [w.answer(query, [w.a(w.QNAME, V4[0])])]

        def outcome():
            return snooperd.names()['slow.test']['addresses'][0]['reconcile']
        with Scripted(lab.outside, '10.53.0.77') as slow, \
                Scripted(lab.outside, lab.outside.ip4, answer):
            lab.node.call(ask, lab.outside.ip4, [w.query(7, 'slow.test')])
            query, asker = slow.take()
            wait_until(lambda: outcome() == 'unreachable', deadline=20, what='given up')
            slow.send(w.answer(query, [], flags=0x8183), asker)
            again, asker = slow.take(deadline=20)
            while again == query:  # c-ares' own second try
                again, asker = slow.take(deadline=20)
            slow.send(answer(again)[0], asker)
            wait_until(lambda: outcome() == 'confirmed', deadline=20, what='confirmed')
