# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.16: a flow that was admitted goes on as long as what admitted it is in force, and no longer."""
import contextlib
import socket
import threading

import pytest

from judging import outcome
from policing import Servers, far, policy, start, write

FAR = '10.55.1.1'
ALLOWS = policy('  - toCIDR: [10.55.0.0/16]\n')
FORBIDS = policy('  - toCIDR: [10.66.0.0/16]\n', name='q', labels='{app: two}')


@pytest.fixture
def world(lab):
    far(lab)
    with Servers(lab.outside):
        yield lab


def reload(daemon):
    daemon.write_conf()
    done = daemon.ctl('reload')
    assert done.returncode == 0, done.stdout + done.stderr


def keeps_sending():
    """What becomes of a datagram, while another thread sends without a pause on the same socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((FAR, 443))
        going = True

        def send():
            while going:
                with contextlib.suppress(OSError):
                    s.send(b'x')

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield outcome(s.send, b'x')
            yield outcome(s.send, b'x')
        finally:
            going = False
            thread.join()


def test_3_16_a_flow_of_a_cgroup_that_has_come_to_another_endpoint(world):
    """Its packets come while the reload goes on: judged by the next policy, for the endpoint that it was of."""
    two = {'name': 'two', 'cgroup': f'{world.node.cgroup}/elsewhere', 'labels': {'app': 'two'}}
    daemon = start(world, ALLOWS, FORBIDS)
    with world.node.steps(keeps_sending, cgroup=f'{world.node.cgroup}/bot') as app:
        assert app.next() == 1
        daemon.conf['endpoints'] = [dict(two, cgroup=f'{world.node.cgroup}/bot'), *daemon.conf['endpoints']]
        reload(daemon)
        assert app.next() == 'EPERM'


def test_3_16_generations_are_numbered_once(world):
    """Also where there was none in between, and nobody who remembers the last."""
    daemon = start(world, ALLOWS)
    endpoints = daemon.conf['endpoints']

    def app():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((FAR, 443))
            yield outcome(s.send, b'x')
            yield outcome(s.send, b'x')

    with world.node.steps(app, cgroup=f'{world.node.cgroup}/bot') as steps:
        assert steps.next() == 1
        write(daemon)
        daemon.conf['endpoints'] = []
        reload(daemon)
        for _ in range(2):  # the first knows what it withdraws
            assert daemon.stop() == 0
            daemon.start()
        assert daemon.status()['policy']['generation'] == 0
        write(daemon, policy('  - toCIDR: [10.66.0.0/16]\n'))
        daemon.conf['endpoints'] = endpoints
        reload(daemon)
        assert steps.next() == 'EPERM'
