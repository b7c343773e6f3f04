# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.11: a user who learns nothing sees whose answers were not trusted, and that more answer than are listed."""
import http.client
import re
import socket

import dnswire as w
from daemon import Snooperd
from servers import unbound
from snoplab import PATIENCE, wait_until
from stalls import may_stall

LISTED = 256  # snooper/core/untrusted.h
STRANGERS = LISTED + 40
IPV6_FREEBIND = 78


@may_stall
def test_2_11_status_names_the_servers_that_were_not_trusted(lab):
    """A pod asks a resolver that the host does not know: it resolves, nothing is learned, and status says why."""
    lab.outside.add_addresses('10.53.0.10/24', '10.53.0.11/24')
    unbound(lab.outside, ['10.53.0.10', '10.53.0.11'], {'cluster.test': '* A 192.0.2.7\n'}).start()
    snooperd = Snooperd(lab).start()
    pod = lab.add_host('pod')
    for count, server in (3, '10.53.0.10'), (1, '10.53.0.11'):
        for i in range(count):
            assert pod.dig(f'{server[-1]}{i}.cluster.test', 'A', server) == ['192.0.2.7']
    status = snooperd.status()
    assert status['untrusted_servers'] == [{'address': '10.53.0.10', 'answers': 3},
                                           {'address': '10.53.0.11', 'answers': 1}], 'the loudest first'
    assert status['kernel']['refused']['untrusted_server'] == 4
    assert status['kernel']['answers_learned'] == status['untrusted_unlisted'] == 0
    assert snooperd.names() == {}
    text = snooperd.ctl('status', json_output=False).stdout
    assert re.search(r'^untrusted +10\.53\.0\.10 answers here \(3 so far\) and is not in observe\.resolvers$',
                     text, re.M), text
    # What the message says to do helps, without a restart.
    snooperd.conf['observe']['resolvers'] += ['10.53.0.10']
    snooperd.write_conf()
    assert snooperd.ctl('reload').returncode == 0
    assert pod.dig('now.cluster.test', 'A', '10.53.0.10') == ['192.0.2.7']
    snooperd.wait_for('now.cluster.test')


def receiver(count):
    """A socket that takes whatever comes: its port, then how many messages came."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.settimeout(20 * PATIENCE)
        sock.bind(('::', 0))
        yield sock.getsockname()[1]
        for _ in range(count):
            sock.recv(512)
        yield count


def strangers_answer(lab, port, numbers):
    message = w.answer(w.query(1, 'stranger.test'), [w.a(w.QNAME, '192.0.2.8')])
    for number in numbers:
        with lab.outside.inside():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with sock:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
            sock.bind((f'fd53:1::{number:x}', 53))
            sock.sendto(message, (lab.node.ip6, port))


def metrics(lab, port):
    connection = http.client.HTTPConnection('127.0.0.1', port)
    with lab.node.inside():
        connection.sock = socket.create_connection(('127.0.0.1', port), 20 * PATIENCE)
    connection.request('GET', '/metrics')
    return connection.getresponse().read().decode()


def test_2_11_more_strangers_than_are_listed_are_counted_not_silent(lab):
    snooperd = Snooperd(lab, {'export': {'metrics': '127.0.0.1:9953'}}).start()
    with lab.node.steps(receiver, STRANGERS) as client:
        port = client.next()
        strangers_answer(lab, port, range(1, LISTED + 1))
        wait_until(lambda: len(snooperd.status()['untrusted_servers']) == LISTED, what='all are listed')
        status = snooperd.status()
        assert (status['untrusted_unlisted'], status['degraded']) == (0, []), 'full, and nothing is lost'
        strangers_answer(lab, port, range(LISTED + 1, STRANGERS + 1))
        assert client.next() == STRANGERS, 'they all reached their socket'
    status = snooperd.status()
    assert len(status['untrusted_servers']) == LISTED
    assert status['untrusted_unlisted'] == STRANGERS - LISTED
    assert status['kernel']['refused']['untrusted_server'] == STRANGERS
    assert status['degraded'] == ['untrusted-full']
    assert f'{STRANGERS - LISTED} answers of others, that this list had no room for' in \
        snooperd.ctl('status', json_output=False).stdout
    assert 'event=untrusted-full servers=256' in snooperd.output()
    text = metrics(lab, 9953)
    for line in f'snooper_untrusted_servers {LISTED}', f'snooper_untrusted_unlisted_total {STRANGERS - LISTED}', \
            'snooper_degraded{reason="untrusted-full"} 1':
        assert f'\n{line}\n' in text
    # The rows outlive the daemon; what was missed is told by the one that saw it.
    snooperd.stop()
    snooperd.start()
    status = snooperd.status()
    assert len(status['untrusted_servers']) == LISTED and status['untrusted_unlisted'] == 0
    assert status['degraded'] == []
