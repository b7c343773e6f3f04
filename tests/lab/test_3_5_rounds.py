# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.5: an answer opens its addresses before the application has it: round after round, on every CPU."""
import os
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import dnswire as w
import judging
from judging import netstat
from policing import DNS_ANY, far, names, policy, start

LOST = 'TcpRetransSegs', 'TcpExtTCPSynRetrans', 'TcpExtTCPTimeouts'


def address_of(i):
    """Each round has an address of its own, as far as they go."""
    return f'10.55.{i >> 8 & 255}.{i & 255}'


class Resolver(threading.Thread):
    """Answers nNUMBER.policed.test with the number's address, at once."""

    def __init__(self, host, port=53):
        super().__init__()
        with host.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((host.ip4, port))
        self.sock.settimeout(0.2)
        self.alive = True

    def run(self):
        while self.alive:
            try:
                query, asker = self.sock.recvfrom(512)
            except socket.timeout:
                continue
            number = int(query[14:13 + query[12]])
            self.sock.sendto(w.answer(query, [w.a(w.QNAME, address_of(number))]), asker)
        self.sock.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.alive = False
        self.join()


class Listener(threading.Thread):
    """Accepts on port 443 of every address, and forgets whom it accepted."""

    def __init__(self, host):
        super().__init__()
        with host.inside():
            self.sock = socket.create_server(('', 443), backlog=4096)
        self.sock.settimeout(0.2)
        self.alive = True

    def run(self):
        while self.alive:
            try:
                s, _ = self.sock.accept()
            except socket.timeout:
                continue
            s.close()
        self.sock.close()

    __enter__ = Resolver.__enter__
    __exit__ = Resolver.__exit__


def rounds(cpu, server, first, count):
    """Names and addresses that nobody knew: asked, and connected to with the answer in hand."""
    os.sched_setaffinity(0, {cpu})
    failed, before = [], netstat(*LOST)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect((server, 53))
        asker.settimeout(10)
        for i in range(first, first + count):
            asker.send(w.query(i & 0xffff, f'n{i}.policed.test'))
            asker.recv(512)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(10)
                try:
                    s.connect((address_of(i), 443))
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                except OSError as e:
                    failed.append((i, str(e)))
    yield failed, before, netstat(*LOST)


def play(lab, count):
    far(lab)
    cpus = sorted(os.sched_getaffinity(0))[:2]
    daemon = start(lab, policy(names('*.policed.test', ports=[('443', 'TCP')]) + DNS_ANY),
                   changes={'limits': {'per_endpoint': 1 << 20}, 'log': {'level': 'info'}})
    share = count // len(cpus)
    with Resolver(lab.outside), Listener(lab.outside), ThreadPoolExecutor(len(cpus)) as pool:
        steps = [lab.node.steps(rounds, cpu, lab.outside.ip4, n * share, share, cgroup=f'{lab.node.cgroup}/bot',
                                deadline=1200) for n, cpu in enumerate(cpus)]
        for failed, before, after in pool.map(lambda s: s.next(), steps):
            assert not failed, f'{len(failed)} refused or lost, the first: {failed[:3]}'
            assert before == after, 'a SYN was sent twice'
        for s in steps:
            s.__exit__()
    assert judging.refusals(daemon) == {}
    counted = {verdict: n for (_, verdict), n in judging.verdicts(daemon).items()}
    assert counted['name'] == share * len(cpus)


def test_3_5_resolve_then_connect(lab):
    play(lab, 3000)


@pytest.mark.long
def test_3_5_resolve_then_connect_100_000_times(lab):
    play(lab, 100000)
