# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.7: a full ring loses no name, and what is no news makes no record."""
import signal

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import wait_until

COUNT = 2000


@pytest.fixture
def server(lab):
    def handler(query):
        # Addresses of its own for every name: names_per_address is another point's business.
        own = f'{query[0]:x}:{query[1]:x}'
        return [w.answer(query, [w.a(w.QNAME, f'198.51.{query[0]}.{query[1]}'),
                                 w.aaaa(w.QNAME, f'2001:db8::{own}')])]
    with Scripted(lab.outside, lab.outside.ip4, handler) as scripted:
        yield scripted


def resolve(server, first, count):
    """Each name from a socket of its own, as stubs do; how many were answered."""
    return sum(len(ask(server, [w.query(i, f'n{i}.ring.test')])) for i in range(first, first + count))


def test_1_7_full_ring_loses_no_name(lab, server):
    snooperd = Snooperd(lab, {'limits': {'ring': '4KiB'}}).start()
    snooperd.signal(signal.SIGSTOP)
    assert lab.node.call(resolve, server.address, 0, COUNT) == COUNT
    snooperd.signal(signal.SIGCONT)

    everything = {f'n{i}.ring.test' for i in range(COUNT)}
    wait_until(lambda: everything <= set(snooperd.names()), what='all names listed')
    listed = snooperd.names()
    assert all(len(listed[name]['addresses']) == 2 for name in everything)
    kernel = snooperd.status()['kernel']
    assert kernel['ring_lost'] > 0, 'the ring was never full: this proved nothing'
    assert kernel['answers_learned'] == COUNT


def test_1_7_full_ring_under_a_running_daemon(lab, server):
    snooperd = Snooperd(lab, {'limits': {'ring': '4KiB'}}).start()
    assert lab.node.call(resolve, server.address, 0, COUNT) == COUNT
    everything = {f'n{i}.ring.test' for i in range(COUNT)}
    wait_until(lambda: everything <= set(snooperd.names()), what='all names listed')


def test_1_7_repeated_answers_are_no_news(lab, server):
    snooperd = Snooperd(lab).start()
    assert lab.node.call(resolve, server.address, 0, 50) == 50
    wait_until(lambda: len(snooperd.names()) == 50, what='50 names')
    first = snooperd.counter('ring_records')
    assert first > 0
    for _ in range(10):
        assert lab.node.call(resolve, server.address, 0, 50) == 50
    assert snooperd.counter('answers_learned') == 550
    assert snooperd.counter('ring_records') == first, 'the same answer again must not wake the daemon'
