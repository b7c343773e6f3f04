# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.10: the socket is real gRPC: a client that is not ours sees what snooperctl sees."""
import ipaddress
import json

import grpc
import pytest

import dnswire as w
from daemon import Snooperd
from grpc_client import Client
from servers import Scripted, ask
from snoplab import Lab
from stalls import may_stall

NAMES = [f'n{i}.example.com' for i in range(300)]


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    made = Snooperd(lab).start()

    def handler(query):
        return [w.answer(query, [w.a(w.QNAME, '192.0.2.1'), w.aaaa(w.QNAME, '2001:db8::1')])]
    with Scripted(lab.outside, lab.outside.ip4, handler) as server:
        for start in range(0, len(NAMES), 50):
            queries = [w.query(i, name) for i, name in enumerate(NAMES[start:start + 50])]
            assert len(lab.node.call(ask, server.address, queries)) == len(queries)
    made.wait_for(*NAMES)
    return made


@pytest.fixture
def client(snooperd):
    with Client(snooperd.socket) as made:
        yield made


def code(call):
    with pytest.raises(grpc.RpcError) as failed:
        call()
    return failed.value.code()


def test_1_10_grpc_list(snooperd, client):
    listed = {m.name: m for m in client.call('snooper.v1.Names/List')}
    ours = snooperd.names()
    assert set(NAMES) <= set(listed) and set(listed) == set(ours)
    for name in NAMES:
        assert {str(ipaddress.ip_address(a.address)) for a in listed[name].addresses} \
            == {a['address'] for a in ours[name]['addresses']}


def test_1_10_grpc_list_by_pattern(client):
    assert [m.name for m in client.call('snooper.v1.Names/List', pattern='N7.example.*')] \
        == ['n7.example.com']
    assert code(lambda: client.call('snooper.v1.Names/List', pattern='a..b')) \
        == grpc.StatusCode.INVALID_ARGUMENT


def test_1_10_grpc_status(snooperd, client):
    status = client.call('snooper.v1.Status/Get')[0]
    ours = snooperd.status()
    assert status.version == ours['version'] and status.mode == ours['mode']
    assert {r.name for r in status.kernel.refused} == set(ours['kernel']['refused'])
    assert {c.name for c in status.kernel.counters} == set(ours['kernel']['counters'])
    assert list(status.degraded) == ours['degraded']


@may_stall
def test_1_10_grpc_refusals(client):
    get, names = 'snooper.v1.Status/Get', 'snooper.v1.Names/List'
    assert code(lambda: client.unary('snooper.v1.Status/Nothing', b'')) \
        == grpc.StatusCode.UNIMPLEMENTED
    assert code(lambda: client.unary(get, bytes(70000))) == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert code(lambda: list(client.stream(names, b'\x0a\x05a'))) == grpc.StatusCode.INTERNAL
    assert client.unary(get, b''), 'the connection has survived all of it'


def test_1_10_grpc_many_at_once(client):
    """More calls than a connection may have open: the rest waits its turn."""
    calls = [client.stream('snooper.v1.Names/List', b'') for _ in range(40)]
    lengths = [sum(1 for _ in call) for call in calls]
    assert min(lengths) == max(lengths) >= len(NAMES)


def test_1_10_grpc_cancelled_list(snooperd, client):
    call = client.stream('snooper.v1.Names/List', b'')
    next(call)
    call.cancel()
    assert snooperd.ctl('status').returncode in (0, 5)


def test_1_10_grpc_reload(snooperd, client):
    assert client.call('snooper.v1.Control/Reload')[0].result == 0
    good = open(snooperd.file).read()
    with open(snooperd.file, 'w') as f:
        f.write(json.dumps(dict(json.loads(good), obsrve={})))
    reply = client.call('snooper.v1.Control/Reload')[0]
    with open(snooperd.file, 'w') as f:
        f.write(good)
    assert reply.result != 0 and any('obsrve' in line for line in reply.errors)
