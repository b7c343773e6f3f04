# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.11: audit counts exactly what enforce would refuse, and refuses nothing."""
import socket

import pytest

import dnswire
import judging
import rawip
from judging import outcome, refusals
from policing import DNS_ANY, Servers, ask, far, inside, names, policy, resolver, start, zone

EVIL4, EVIL6 = '10.55.9.9', 'fd55::99'
DENY = '''
  egressDeny:
  - toCIDR: ["10.55.7.0/24"]
'''


@pytest.fixture
def world(lab):
    far(lab)
    with lab.node.inside(), open('/proc/sys/net/ipv4/ping_group_range', 'w') as f:
        f.write('0 2147483647')
    resolver(lab, zone(web='10.55.0.1', other='10.55.0.3'))
    with Servers(lab.outside):
        yield lab


def three_datagrams(address):
    """By one socket: each is a refusal."""
    with socket.socket(judging.family_of(address), socket.SOCK_DGRAM) as s:
        return [outcome(s.sendto, b'x', (address, 443)) for _ in range(3)]


def many_targets():
    """More than a socket's own memory of flows holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return [outcome(s.sendto, b'x', (f'10.55.8.{i}', 443)) for i in range(1, 9)]


def script(server, source):
    """What a program does that is allowed little: its answers, all of them at last."""
    yield ask(server, 'web.policed.test')
    for way, *args in ((judging.way_tcp, '10.55.0.1'), (judging.way_tcp, EVIL4), (judging.way_tcp, EVIL6),
                       (judging.way_tcp, judging.mapped(EVIL4)), (judging.way_tcp, '10.55.0.1', 80),
                       (judging.way_tcp, '10.55.7.1'), (judging.way_udp, EVIL4), (judging.way_udp_connected, EVIL4),
                       (judging.way_udplite, EVIL4), (judging.way_sendmmsg, EVIL4), (judging.way_ping_connected, EVIL4),
                       (judging.way_ping_raw, EVIL4), (judging.way_uring_connect, EVIL4),
                       (judging.way_fastopen_connect, EVIL4), (judging.way_fastopen_send, EVIL6),
                       (judging.way_mptcp, EVIL4), (judging.way_udp_large, EVIL4), (three_datagrams, EVIL4),
                       (many_targets,),
                       (judging.send_raw, judging.ipv4(source, EVIL4, 17, rawip.udp(source, 9, EVIL4, 443, b'raw')))):
        result = outcome(way, *args)
        yield way.__name__, result
    yield 'question', ask(server, 'other.policed.test')
    yield 'unreadable question', outcome(not_a_question, server)


def not_a_question(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((server, 53))
        s.send(b'\0' * 7)


def play(world, mode):
    dns = DNS_ANY.replace('"*"', '"web.policed.test"')
    daemon = start(world, policy(names('*.policed.test', ports=[('443', 'ANY')]) + dns + DENY), mode=mode)
    with world.node.steps(script, world.outside.ip4, world.node.ip4, cgroup=f'{world.node.cgroup}/bot') as app:
        did = []
        while True:
            try:
                did.append(app.next())
            except StopIteration:
                break
    counted = refusals(daemon)
    assert daemon.stop() == 0 and daemon.once('--uninstall').returncode == 0
    return did, counted


def test_3_11_audit_counts_what_enforce_refuses(world):
    refused, enforced = play(world, 'enforce')
    went, audited = play(world, 'audit')
    assert went[0] == refused[0] == ['10.55.0.1'] and went[1] == refused[1] == ('way_tcp', 'ok')
    for name, result in went[1:]:
        assert result not in ('EPERM', 'ECONNABORTED', 'timeout') and (
            not isinstance(result, list) or 'EPERM' not in result), (name, result)
    assert [name for name, result in refused[2:] if result == 'ok'] == []
    # Of three datagrams, eight targets: each one is refused. sendmmsg ends at the first.
    assert sum(enforced.values()) == 17 + 3 + 8 + 2
    assert {**audited, 'deny-no-name': audited['deny-no-name'] - 1} == enforced, 'sendmmsg sent its second'
