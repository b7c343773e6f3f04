# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.3: many endpoints and many cgroups are looked through beside the loop, which goes on turning."""
import os
import socket

from daemon import Snooperd
from endpointing import NOTHING, endpoint_of, shown
from turns import METRICS, assert_no_turn_was_long, long_every_time

ENDPOINTS, OF_EACH = 500, 4
SOCKETS = 500  # of one process, that the audit comes by


def endpoints(lab, count, glob='p{}-*'):
    return [{'name': f'e{i}', 'cgroup': f'{lab.node.cgroup}/pods/{glob.format(i)}', 'labels': {'app': 'bot'}}
            for i in range(count)]


def hold_sockets():
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    yield len(held)
    yield [s.close() for s in held]


@long_every_time
def test_3_3_no_turn_of_the_loop_takes_10_ms_with_2000_cgroups(lab):
    """... of 500 endpoints: they come, their globs change, policy comes, and they go."""
    for i in range(ENDPOINTS):
        for j in range(OF_EACH):
            lab.node.sub_cgroup(f'pods/p{i}-{j}')
    last = f'{lab.node.cgroup}/pods/p{ENDPOINTS - 1}-{OF_EACH - 1}'
    directory = f'{lab.dir}/policy.d'
    os.makedirs(directory, exist_ok=True)
    daemon = Snooperd(lab, {'policy': {'mode': 'audit', 'directory': directory},
                            'export': {'metrics': METRICS}, 'log': {'level': 'debug'}}).start()

    def reload(wanted):
        daemon.conf['endpoints'] = wanted
        daemon.write_conf()
        done = daemon.ctl('reload')
        assert done.returncode == 0, done.stdout + done.stderr
        return shown(daemon)

    with lab.node.steps(hold_sockets, cgroup=last) as app:
        assert app.next() == SOCKETS
        assert reload(endpoints(lab, ENDPOINTS)) == {f'e{i}': OF_EACH for i in range(ENDPOINTS)}
        assert endpoint_of(daemon, last) == f'e{ENDPOINTS - 1}'
        with open(f'{directory}/nothing.yaml', 'w') as f:
            f.write(NOTHING)
        assert reload(endpoints(lab, ENDPOINTS, 'p{}-1')) == {f'e{i}': 1 for i in range(ENDPOINTS)}
        assert endpoint_of(daemon, last) is None
        assert reload(endpoints(lab, 1, '*')) == {'e0': ENDPOINTS * OF_EACH}
        assert reload([]) == {}
    assert_no_turn_was_long(daemon)
