# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.16: names that end while they are being used."""
import contextlib
import errno
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import dnswire as w
from endpointing import bpftool
from policing import DNS_ANY, far, names, policy, resolver, start

NAMES, ADDRESS, TTL = 60, '10.55.3.{}', 3
ZONE = {'policed.test': '\n'.join(f'e{i} {TTL} A {ADDRESS.format(i)}' for i in range(NAMES))}


@pytest.fixture
def world(lab):
    far(lab)
    resolver(lab, ZONE)
    return lab


def now_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6  # the kernel's clock of expiry


def begins(address, by_connect):
    """A new flow; no packet is needed to know. False: refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect((address, 443)) if by_connect else s.sendto(b'', (address, 443))
            return True
        except OSError as e:
            assert e.errno == errno.EPERM
            return False


def begin_until_refused(server, cpu, asks):
    """
    Ask for every name, or wait for who does; then begin a flow to each address in turn till all are refused. Of
    each address: when it was last allowed, and when first refused, both as the call's outer ends have it.
    """
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[cpu % len(os.sched_getaffinity(0))]})
    asked = {}
    if asks:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((server, 53))
            for i in range(NAMES):
                before = now_ms()
                s.send(w.query(i, w.name(f'e{i}.policed.test')))
                s.recv(65536)
                asked[ADDRESS.format(i)] = before, now_ms()
    yield asked
    seen, turn = {ADDRESS.format(i): [None, None] for i in range(NAMES)}, 0
    while not all(refused for _, refused in seen.values()):
        turn += 1
        for address, at in seen.items():
            before = now_ms()
            may = begins(address, turn % 2)
            after = now_ms()
            if may:
                at[0] = before
            elif at[1] is None:
                at[1] = after
    yield seen


def ends_ms(daemon):
    """{address: when its row ends}, of the pinned map."""
    ends = {}
    for row in bpftool('map', 'dump', 'pinned', f'{daemon.bpffs}/snp_rows'):
        key, value = (bytes(int(b, 16) for b in row[part]) for part in ('key', 'value'))
        ends[socket.inet_ntoa(key[12:16])] = max(struct.unpack('<8Q', value)) >> 22
    return ends


@pytest.mark.parametrize('grace_ms', [0, 250])
def test_3_16_expiry_at_the_instant_of_connect(world, grace_ms):
    """On two CPUs, at 60 addresses: allowed until its name and grace end, to the millisecond, and never after."""
    daemon = start(world, policy(names('*.policed.test') + DNS_ANY), changes={'policy': {'grace': f'{grace_ms}ms'}})
    with contextlib.ExitStack() as stack:
        apps = [stack.enter_context(world.node.steps(begin_until_refused, world.outside.ip4, cpu, cpu == 0,
                                                     cgroup=f'{world.node.cgroup}/bot')) for cpu in range(2)]
        asked = apps[0].next()
        apps[1].next()
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda app: app.next(), apps))
    ends = ends_ms(daemon)
    for address, (before, after) in asked.items():
        assert before + TTL * 1000 - 1 <= ends[address] <= after + TTL * 1000, 'the end is a TTL after the answer'
        for seen in told:
            allowed, refused = seen[address]
            end = ends[address] + grace_ms
            assert allowed is not None, address
            assert allowed < end, f'{address}: allowed {allowed - end} ms after its end'
            assert refused >= end, f'{address}: refused {end - refused} ms before its end'
