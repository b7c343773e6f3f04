# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.4: gRPC's health checking protocol, as a client of Google's library sees it."""
import os

import grpc
import pytest

from grpc_client import TOP, Client
from snoplab import wait_until

HEALTH = os.path.join(TOP, 'proto', 'grpc', 'health', 'v1', 'health.proto')
SERVICES = ['', 'snooper.v1.Names', 'snooper.v1.Status', 'snooper.v1.Control',
            'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection',
            'grpc.reflection.v1alpha.ServerReflection']
SERVING, SERVICE_UNKNOWN = 1, 3


@pytest.fixture
def client(snooperd):
    with Client(snooperd.socket, HEALTH) as made:
        yield made


@pytest.mark.parametrize('service', SERVICES)
def test_2_4_health_check(client, service):
    assert client.call('grpc.health.v1.Health/Check', service=service)[0].status == SERVING


@pytest.mark.parametrize('service', ['nope', 'snooper.v1.Name', 'snooper.v1', 'snooper.v1.Names/List'])
def test_2_4_health_check_of_unknown(client, service):
    with pytest.raises(grpc.RpcError) as failed:
        client.call('grpc.health.v1.Health/Check', service=service)
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize('service, status', [('', SERVING), ('snooper.v1.Names', SERVING),
                                             ('nope', SERVICE_UNKNOWN)])
def test_2_4_health_watch(snooperd, service, status):
    """One message at once; then the call stays open until the daemon is gone."""
    with Client(snooperd.socket, HEALTH, timeout=None) as client:
        request = client.classes['grpc.health.v1.HealthCheckRequest'](service=service)
        call = client.stream('grpc.health.v1.Health/Watch', request.SerializeToString())
        reply = client.classes['grpc.health.v1.HealthCheckResponse'].FromString(next(call))
        assert reply.status == status
        # Whole calls later it is still there.
        assert client.call('grpc.health.v1.Health/Check')[0].status == SERVING
        assert call.is_active()
        snooperd.stop()
        wait_until(lambda: not call.is_active(), what='the call ends with the daemon')
        assert call.code() == grpc.StatusCode.UNAVAILABLE
