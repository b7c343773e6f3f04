# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.6: names that lead to names, names that share an address, selectors that share a name."""
import socket

import pytest

import dnswire as w
import judging
from judging import outcome
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, start
from servers import Scripted
from snoplab import wait_until

ADDRESS, OTHER = '10.55.0.1', '10.55.0.2'


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside, ports=(80, 443)):
        yield lab


def answering(lab, **answers):
    """A resolver that says exactly this: label -> records after the question, of any type asked."""
    def handler(query):
        label = query[13:13 + query[12]].decode().lower()
        return [w.answer(query, answers[label])]
    return Scripted(lab.outside, lab.outside.ip4, handler)


def cname(target, ttl=300, owner=w.QNAME):
    return w.cname(owner, f'{target}.policed.test', ttl)


def full(label):
    return f'{label}.policed.test'


def app(server):
    """What is asked and begun, one thing at a time: told by the first word."""
    result = 'ready'
    while True:
        what, *args = yield result
        if what == 'ask':
            result = ask(server, full(args[0]), *args[1:])
        else:
            result = outcome(getattr(judging, f'way_{what}'), *args)


def driven(server, steps):
    """Steps that are known beforehand."""
    run = app(server)
    next(run)
    return [run.send(step) for step in steps]


def do(lab, *steps, cgroup='bot'):
    return inside(lab, driven, lab.outside.ip4, steps, cgroup=cgroup)


def test_3_6_a_chain_within_a_message(world):
    start(world, policy(names(full('web')) + DNS_ANY))
    with answering(world, web=[cname('edge'), w.cname(full('edge'), full('cdn')), w.a(full('cdn'), ADDRESS)],
                   cdn=[w.a(w.QNAME, OTHER)]):
        assert do(world, ('ask', 'web'), ('tcp', ADDRESS)) == [[ADDRESS], 'ok']
        assert do(world, ('ask', 'cdn'), ('tcp', OTHER)) == [[OTHER], 'EPERM'], 'by its own name it is nobody'


def test_3_6_a_chain_across_messages(world):
    start(world, policy(names(full('web')) + DNS_ANY))
    with answering(world, web=[cname('edge')], edge=[cname('cdn')], cdn=[w.a(w.QNAME, ADDRESS)]):
        assert do(world, ('ask', 'cdn'), ('tcp', ADDRESS)) == [[ADDRESS], 'EPERM']
        assert do(world, ('ask', 'web'), ('ask', 'edge'), ('ask', 'cdn'), ('tcp', ADDRESS)) == [[], [], [ADDRESS], 'ok'], \
            'though its address had been learned before, without a name that is allowed'


def test_3_6_a_chain_across_messages_is_bounded_by_its_ttl(world):
    start(world, policy(names(full('web')) + DNS_ANY))
    with answering(world, web=[cname('cdn', ttl=2)], cdn=[w.a(w.QNAME, ADDRESS, 3600)]):
        assert do(world, ('ask', 'web'), ('ask', 'cdn'), ('tcp', ADDRESS)) == [[], [ADDRESS], 'ok']
        wait_until(lambda: do(world, ('tcp', ADDRESS)) == ['EPERM'], what='the CNAME is over')
        assert do(world, ('ask', 'cdn'), ('tcp', ADDRESS)) == [[ADDRESS], 'EPERM']
        assert do(world, ('ask', 'web'), ('ask', 'cdn'), ('tcp', ADDRESS)) == [[], [ADDRESS], 'ok'], 'anew'


def test_3_6_more_names_lead_to_one_than_it_can_inherit_of(world):
    labels = [f'web{i}' for i in range(6)]
    daemon = start(world, policy(''.join(names(full(label)) for label in labels) + DNS_ANY))
    with answering(world, cdn=[w.a(w.QNAME, ADDRESS)], **{label: [cname('cdn')] for label in labels}):
        done = do(world, *[('ask', label) for label in labels], ('ask', 'cdn'), ('tcp', ADDRESS))
        assert done[-2:] == [[ADDRESS], 'ok']
    assert daemon.refused('slot_evicted') == 2, 'it holds four'


def test_3_6_names_that_share_an_address(world):
    """Each allows its own port; one that is over takes the other nothing away."""
    start(world, policy(names(full('short'), ports=[('80', 'TCP')]) + names(full('long'), ports=[('443', 'TCP')]) + DNS_ANY))
    with answering(world, short=[w.a(w.QNAME, ADDRESS, 2)], long=[w.a(w.QNAME, ADDRESS, 3600)]):
        assert do(world, ('ask', 'short'), ('ask', 'long'), ('tcp', ADDRESS, 80), ('tcp', ADDRESS, 443)) == [
            [ADDRESS], [ADDRESS], 'ok', 'ok']
        wait_until(lambda: do(world, ('tcp', ADDRESS, 80)) == ['EPERM'], what='the short one is over')
        assert do(world, ('tcp', ADDRESS, 443)) == ['ok']


def test_3_6_selectors_that_share_a_name(world):
    daemon = start(world, policy(names(full('web'), ports=[('80', 'TCP')], kind='matchName')
                                 + names('w*.policed.test', ports=[('443', 'TCP')])
                                 + names('**.test', ports=[('443', 'UDP')]) + DNS_ANY))
    with answering(world, web=[w.a(w.QNAME, ADDRESS)]):
        assert do(world, ('ask', 'web'), ('tcp', ADDRESS, 80), ('tcp', ADDRESS, 443), ('udp', ADDRESS), ('udp', ADDRESS, 0, 80)) == [
            [ADDRESS], 'ok', 'ok', 'ok', 'EPERM']
    assert sorted(daemon.wait_for(full('web'))[full('web')]['selectors']) == [
        '**.test', 'w*.policed.test', full('web')]


def sends(ports):
    """To which of these ports of the address a datagram may go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return [p for p in ports if outcome(s.sendto, b'x', (ADDRESS, p)) != 'EPERM']


def many(count):
    """As many names of one address, each with a selector, and a port, of its own."""
    labels = [f'n{i}' for i in range(count)]
    text = policy(''.join(names(full(label), ports=[(str(1000 + i), 'UDP')], kind='matchName')
                          for i, label in enumerate(labels)) + DNS_ANY)
    return labels, text


@pytest.mark.parametrize('count', [9, 128])
def test_3_6_many_names_of_one_address(world, count):
    labels, text = many(count)
    daemon = start(world, text)
    with answering(world, **{label: [w.a(w.QNAME, ADDRESS)] for label in labels}):
        do(world, *[('ask', label) for label in labels])
    ports = [1000 + i for i in range(count)]
    assert inside(world, sends, ports + [999]) == ports
    assert daemon.refused('slot_evicted') == 0


def test_3_6_more_names_of_one_address_than_are_kept(world):
    """The one that is over soonest makes room, and is counted."""
    labels, text = many(132)
    daemon = start(world, text)
    soon = {'n60': 600, 'n70': 610, 'n80': 620, 'n131': 3600}
    with answering(world, **{label: [w.a(w.QNAME, ADDRESS, soon.get(label, 3000 + i))] for i, label in enumerate(labels)}):
        do(world, *[('ask', label) for label in labels])
    assert daemon.refused('slot_evicted') == 4
    assert inside(world, sends, range(1000, 1132)) == [p for p in range(1000, 1132) if p not in (1000, 1060, 1070, 1080)]
