# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.6: hostile clients of the gRPC socket lose their connection, and nobody else notices."""
import contextlib
import itertools
import multiprocessing
import os
import re
import struct
import subprocess

import grpc
import pytest

import dnswire as w
import h2frames as h2
from daemon import SNOOPERCTL, Snooperd
from grpc_client import Client
from sanitize import SMALL_QUARANTINE, asan_options
from servers import Scripted, ask
from snoplab import Lab, wait_until

LIST, STATUS, RELOAD = ('/snooper.v1.Names/List', '/snooper.v1.Status/Get',
                        '/snooper.v1.Control/Reload')
NAMES = [f'a-name-of-some-length-{i:04}.example.com' for i in range(900)]
MIB = 1 << 20
RSS_BOUND = 64 * MIB  # generous: sixty-four connections' worth of requests and answers
ROOTS_PLACES = 36     # GRPC_SERVER_DEFAULTS .max_peer, GRPC_SERVER_SPARE
NOBODY = 65534


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ASAN_OPTIONS', asan_options(SMALL_QUARANTINE))
        made = Snooperd(lab, {'export': {'socket_group': 'nogroup'}}).start()

    def handler(query):
        return [w.answer(query, [w.a(w.QNAME, f'192.0.2.{i}') for i in range(16)])]
    with Scripted(lab.outside, lab.outside.ip4, handler) as server:
        for start in range(0, len(NAMES), 50):
            queries = [w.query(i, name) for i, name in enumerate(NAMES[start:start + 50])]
            assert len(lab.node.call(ask, server.address, queries)) == len(queries)
    made.wait_for(*NAMES)
    return made


def rss(snooperd, what='VmRSS'):
    with open(f'/proc/{snooperd.pid}/status') as f:
        return int(re.search(rf'{what}:\s+(\d+) kB', f.read())[1]) << 10


@pytest.fixture(autouse=True)
def memory_is_bounded_and_others_are_served(snooperd):
    """After each attack, and at its worst moment."""
    with open(f'/proc/{snooperd.pid}/clear_refs', 'w') as f:
        f.write('5')  # VmHWM counts from here
    before = rss(snooperd)
    yield
    assert rss(snooperd, 'VmHWM') - before < RSS_BOUND
    assert set(NAMES) <= set(snooperd.names())


def said(snooperd, reason, pid=None):
    return f'event=export-refused reason={reason} peer="uid=0 pid={pid or os.getpid()}"' \
        in snooperd.output()


def streams():
    return itertools.count(1, 2)


def endless_headers():
    yield h2.frame(h2.HEADERS, 0, 1, h2.request(STATUS))
    while True:
        yield h2.frame(h2.CONTINUATION, 0, 1, h2.field('x', 'y'))


def empty_data():
    yield h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(STATUS))
    while True:
        yield h2.frame(h2.DATA, 0, 1)


def resets_by_us():
    """Each call is whole, and has a window above the largest behind it: its stream must be reset."""
    for s in streams():
        yield h2.call(s, LIST) + h2.frame(h2.WINDOW_UPDATE, 0, s, struct.pack('!I', (1 << 31) - 1))


FLOODS = {
    'rapid-reset': ('resets', lambda: (
        h2.frame(h2.HEADERS, h2.END_HEADERS, s, h2.request(LIST)) +
        h2.frame(h2.RST_STREAM, 0, s, struct.pack('!I', h2.CANCEL)) for s in streams())),
    'made-you-reset': ('resets', resets_by_us),
    'ping': ('pings', lambda: itertools.repeat(h2.frame(h2.PING, 0, 0, bytes(8)))),
    'ping-ack': ('other_frames', lambda: itertools.repeat(h2.frame(h2.PING, h2.ACK, 0, bytes(8)))),
    'settings': ('settings', lambda: itertools.repeat(h2.settings())),
    'priority': ('priorities', lambda: itertools.repeat(
        h2.frame(h2.PRIORITY, 0, 1, struct.pack('!IB', 0, 1)))),
    'window-update': ('window_updates', lambda: itertools.repeat(
        h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', 1)))),
    'unknown': ('other_frames', lambda: itertools.repeat(h2.frame(0x77, 0, 0, b'x'))),
    'continuation': ('continuations', endless_headers),
    'empty-data': ('empty_data', empty_data),
    'streams': ('streams', lambda: (
        h2.frame(h2.HEADERS, h2.END_HEADERS, s, h2.request(LIST)) for s in streams())),
    'fields': ('headers', lambda: itertools.repeat(h2.frame(
        h2.HEADERS, h2.END_HEADERS, 1, h2.request(LIST) + h2.field('x', 'y') * 1000))),
    # One field of 4,000 bytes that the table keeps, named again and again by a byte each.
    'header-bomb': ('headers', lambda: itertools.repeat(h2.frame(
        h2.HEADERS, h2.END_HEADERS, 1, h2.field('x', 'y' * 4000, index=True) + b'\xbe' * 8000))),
}


@pytest.mark.parametrize('flood', FLOODS)
def test_2_13_a29_flood_costs_its_connection(snooperd, flood):
    reason, chunks = FLOODS[flood]
    with h2.Raw(snooperd.socket) as raw:
        raw.flood(chunks(), 2 * MIB)
        assert raw.end_code() == h2.ENHANCE_YOUR_CALM
    wait_until(lambda: said(snooperd, reason), 10, snooperd.output)


def flood_on(path, stop, cuts):
    """Attack in every way, again and again."""
    for flood in itertools.cycle(FLOODS):
        if stop.is_set():
            return
        with contextlib.suppress(OSError), h2.Raw(path) as raw:
            raw.flood(FLOODS[flood][1](), 2 * MIB)
            raw.until_end()
            with cuts.get_lock():
                cuts.value += 1


def test_2_13_a29_others_are_served_while_floods_run(snooperd):
    fork = multiprocessing.get_context('fork')
    stop, cuts = fork.Event(), fork.Value('i', 0)
    attackers = [fork.Process(target=flood_on, args=(snooperd.socket, stop, cuts), daemon=True)
                 for _ in range(4)]
    for attacker in attackers:
        attacker.start()
    try:
        for _ in range(10):
            before = cuts.value
            assert set(NAMES) <= set(snooperd.names())
            wait_until(lambda: cuts.value > before, 20, 'the attack goes on')
        assert snooperd.status()['version']
    finally:
        stop.set()
        for attacker in attackers:
            attacker.join(30)
            attacker.kill()
    assert cuts.value >= 10


def test_2_13_a29_huge_message_is_refused_when_announced(snooperd):
    with h2.Raw(snooperd.socket) as raw:
        raw.send(h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(STATUS)) +
                 h2.frame(h2.DATA, 0, 1, struct.pack('!BI', 0, 1 << 30)))
        # Answered at its length, before its bytes: headers, and a reset that says stop.
        answer = next(f for f in iter(raw.frame, None) if f[2] == 1)
        assert answer[0] == h2.HEADERS and answer[1] & h2.END_STREAM
        chunk = h2.frame(h2.DATA, 0, 1, bytes(16000)) * 4
        raw.flood(itertools.repeat(chunk), 2 * MIB)
        assert raw.end_code() == h2.ENHANCE_YOUR_CALM
    wait_until(lambda: said(snooperd, 'message_size'), 10, snooperd.output)


def test_2_13_a29_who_obeys_flow_control_sends_no_gigabyte_either(snooperd):
    with h2.Raw(snooperd.socket) as raw:
        window, sent = 65535, 0
        for stream in streams():
            if not raw.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.request(STATUS)) +
                            h2.frame(h2.DATA, h2.END_STREAM, stream, bytes([1]) + bytes(15999))):
                break
            window, sent = window - 16000, sent + 16000
            assert sent < 32 * MIB
            while window < 16000:
                got = raw.frame()
                if got is None or got[0] == h2.GOAWAY:
                    break
                if got[0] == h2.WINDOW_UPDATE and got[2] == 0:
                    window += struct.unpack('!I', got[3])[0]
            if window < 16000:
                break
    wait_until(lambda: said(snooperd, 'bytes'), 10, snooperd.output)


def test_2_13_a29_readers_that_take_nothing_hold_little(snooperd):
    """Thirty clients ask for everything sixteen times, make room for it, and read nothing."""
    with contextlib.ExitStack() as stack:
        before = rss(snooperd)
        for _ in range(30):
            raw = stack.enter_context(h2.Raw(
                snooperd.socket, h2.settings(initial_window_size=(1 << 31) - 1)))
            raw.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack('!I', (1 << 31) - 1 - 65535)))
            raw.send(b''.join(h2.call(s, LIST) for s in range(1, 33, 2)))
        # The thirty are served as far as they can be: somebody else's whole list comes after.
        for _ in range(3):
            assert set(NAMES) <= set(snooperd.names())
        assert rss(snooperd) - before < RSS_BOUND
        # ... and whoever reads after all gets what was asked for.
        ends = 0
        while ends < 16:
            kind, flags, stream, _ = raw.frame()
            ends += kind == h2.HEADERS and flags & h2.END_STREAM


def test_2_13_a29_crowd_of_one_user_leaves_places_to_others(snooperd):
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(h2.Raw(snooperd.socket)) for _ in range(ROOTS_PLACES)]
        for raw in crowd:
            assert raw.frame()[0] == h2.SETTINGS
        with contextlib.suppress(ConnectionError), h2.Raw(snooperd.socket) as one_more:
            assert one_more.frame() is None
        wait_until(lambda: said(snooperd, 'conns_per_peer'), 10, snooperd.output)
        other = subprocess.run([SNOOPERCTL, '-s', snooperd.socket, 'names', NAMES[0]],
                               user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
        assert other.returncode == 0 and NAMES[0].encode() in other.stdout, other.stderr
    wait_until(lambda: snooperd.ctl('status').returncode in (0, 5), 10, 'a place is free again')


def test_2_13_a28_socket_by_other_users(snooperd):
    def as_nobody(group, *verb):
        return subprocess.run([SNOOPERCTL, '-s', snooperd.socket, *verb], user=NOBODY, group=group,
                              extra_groups=[], capture_output=True, text=True)
    # A user who is not in the group does not get in; one who is may read, and no more.
    assert as_nobody(54321, 'status').returncode == 4
    assert as_nobody(NOBODY, 'status').returncode in (0, 5)
    assert as_nobody(NOBODY, 'reload').returncode == 4
    assert re.search(rf'event=export-refused reason=denied peer="uid={NOBODY} pid=\d+" '
                     rf'detail="{RELOAD}"', snooperd.output())


BOMBS = {
    'cut': b'\x0a\x05a',
    'length-above-the-message': b'\x0a\xff\xff\xff\xff\x07a',
    'length-of-64-bits': b'\x0a' + b'\xff' * 9 + b'\x01',
    'endless-varint': b'\x10' + b'\xff' * 60000,
    'nested-groups': b'\x0b' * 60000,
    'nested-messages': b'\x12\xff\xff\x03' * 15000,
    'field-0': b'\x00\x00',
}


@pytest.mark.parametrize('bomb', BOMBS)
def test_2_13_a30_malformed_message_costs_its_connection(snooperd, bomb):
    """For every method; a library sees its call's end, and with its next connection all is as it was."""
    for path in LIST, STATUS, RELOAD:
        with Client(snooperd.socket) as client:
            with pytest.raises(grpc.RpcError) as failed:
                list(client.stream(path[1:], BOMBS[bomb]))
            # It may notice the end of the connection before the answer.
            assert failed.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)
            assert client.call(STATUS[1:])
    wait_until(lambda: said(snooperd, 'malformed'), 10, snooperd.output)


def test_2_13_a30_pattern_that_is_no_text_costs_its_call(snooperd):
    with Client(snooperd.socket) as client:
        with pytest.raises(grpc.RpcError) as failed:
            list(client.stream(LIST[1:], b'\x0a\x03\xff\xfe\x00'))
        assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert client.call(STATUS[1:])


def test_2_13_a30_repeated_fields_cost_no_more_than_their_bytes(snooperd):
    """The last pattern of twenty thousand counts; fields that nobody knows are let be."""
    last = b'\x0a' + bytes([len(NAMES[0])]) + NAMES[0].encode()
    with Client(snooperd.socket) as client:
        for bomb in b'\x0a\x01a' * 20000, b'\xa8\x1f\x01' * 20000, b'\x9a\x1f\x00' * 20000:
            listed = list(client.stream(LIST[1:], bomb + last))
            assert len(listed) == 1 and NAMES[0].encode() in listed[0]
