# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Points 2.4 and 2.13 F32: a Watch tells what is there, then what changes; and readers that stop."""
import os
import signal
import subprocess

import grpc
import pytest

from daemon import SNOOPERCTL, Snooperd
from grpc_client import Client
from sanitize import NO_QUARANTINE, asan_options
from snoplab import PATIENCE, wait_until
from stalls import may_stall
from watching import WATCH, Names, Watching

MANY = [f'n{i}.example.com' for i in range(1000)]


@pytest.fixture
def names(lab):
    made = Names(lab)
    yield made
    made.close()


def export(snooperd, counter):
    return snooperd.status()['export'][counter]


@may_stall
def test_2_4_watch_present_then_changes(snooperd, names):
    names.look_up(['a.test', 'b.test'])
    snooperd.wait_for('a.test', 'b.test')
    with Watching(snooperd.socket) as watch:
        watch.wait('synced')
        assert watch.events == [('name', 'a.test'), ('name', 'b.test'), ('synced', None)]
        names.look_up('c.test')
        watch.wait_for_state({n: {'192.0.2.1'} for n in ('a.test', 'b.test', 'c.test')})
        names.look_up('a.test', ['192.0.2.1', '192.0.2.2'])
        watch.wait_for_state({'a.test': {'192.0.2.1', '192.0.2.2'}, 'b.test': {'192.0.2.1'},
                              'c.test': {'192.0.2.1'}})
        names.look_up('short.test', ttl=1)
        watch.wait('name', 'short.test')
        watch.wait('gone', 'short.test')
        assert 'short.test' not in snooperd.names(), 'told no sooner than it is so'
        assert watch.events.count(('synced', None)) == 1


def test_2_4_watch_of_nothing_is_synced_at_once(snooperd):
    with Watching(snooperd.socket) as watch:
        watch.wait('synced')
        assert watch.events == [('synced', None)]


def test_2_4_watch_pattern_filters_what_is_gone_too(snooperd, names):
    with Watching(snooperd.socket, '*.example.com') as some, Watching(snooperd.socket) as every:
        for watch in some, every:
            watch.wait('synced')
        names.look_up(['x.example.com', 'x.example.net'], ttl=1)
        for name in 'x.example.com', 'x.example.net':
            every.wait('gone', name)
        some.wait('gone', 'x.example.com')
        assert {name for _, name in some.events if name} == {'x.example.com'}


def test_2_4_watch_malformed_pattern(snooperd):
    with Watching(snooperd.socket, 'a..b') as watch:
        wait_until(lambda: watch.error, what='the end of the call')
        assert watch.error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_2_4_watches_end_where_the_list_is(snooperd, names):
    """Many watch while names come, change and go; some begin in the midst of it."""
    state = {name: {'192.0.2.1'} for name in MANY}
    watches = []
    try:
        for i in range(12):
            watches.append(Watching(snooperd.socket).__enter__())
            part = MANY[i * 100:(i + 1) * 100]
            if part:
                names.look_up(part)
                names.look_up(f'brief{i}.test', ['192.0.2.99'], ttl=1)
        changed = MANY[::10]
        names.look_up(changed, ['192.0.2.1', '198.51.100.7'])
        state.update((name, {'192.0.2.1', '198.51.100.7'}) for name in changed)
        for watch in watches:
            watch.wait_for_state(state, deadline=20)
            assert watch.synced
        listed = {name: {a['address'] for a in line['addresses']}
                  for name, line in snooperd.names().items()}
        assert listed == state
        assert export(snooperd, 'watches') == len(watches)
    finally:
        for watch in watches:
            watch.__exit__()
    wait_until(lambda: export(snooperd, 'watches') == 0, what='the cancelled watches are closed')


def test_2_4_watch_ends_with_the_daemon(lab):
    other = Snooperd(lab, name='dying').start()
    with Watching(other.socket) as watch:
        watch.wait('synced')
        other.kill9()
        wait_until(lambda: watch.error, what='the end of the call')
        assert watch.error.code() == grpc.StatusCode.UNAVAILABLE


def rss_bytes(pid):
    with open(f'/proc/{pid}/statm') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


class Stopped:
    """Calls of Watch whose answers nobody takes; the connections are alive."""

    def __init__(self, socket, n):
        # The library reads ahead of the program, by more the faster the connection is.
        options = [('grpc.http2.bdp_probe', 0)]
        self.clients = [Client(socket, timeout=None, options=options) for _ in range(n)]
        self.calls = [client.stream(WATCH, b'') for client in self.clients]

    def close(self):
        for call, client in zip(self.calls, self.clients):
            call.cancel()
            client.channel.close()


def churn(names, rounds):
    """Change every name so many times; what is known in the end."""
    for i in range(rounds):
        names.look_up(MANY, [f'192.0.2.{k + 1}' for k in range(i + 1)])
    return {name: {f'192.0.2.{k + 1}' for k in range(rounds)} for name in MANY}


@pytest.fixture
def what_is_freed_is_given_back(monkeypatch):
    monkeypatch.setenv('ASAN_OPTIONS', asan_options(NO_QUARANTINE))


@pytest.mark.usefixtures('what_is_freed_is_given_back')
def test_2_13_f32_reader_that_stops_holds_little(snooperd, names):
    names.look_up(MANY)
    snooperd.wait_for(*MANY)
    stopped = Stopped(snooperd.socket, 10)
    try:
        wait_until(lambda: export(snooperd, 'watches') == 10, what='ten watches')
        with Watching(snooperd.socket) as watch:
            watch.wait('synced')
            before = rss_bytes(snooperd.pid)
            watch.wait_for_state(churn(names, 6), deadline=30)
            grown = rss_bytes(snooperd.pid) - before
        # Ten that were told everything would have had 6,000 messages of 100 to 250 bytes each.
        assert grown < 4 << 20, 'a reader that stops costs a place, not a queue'
    finally:
        stopped.close()


@pytest.mark.long
def test_2_13_f32_reader_that_stops_is_ended(snooperd, names):
    """A minute without taking anything: told so, counted; others go on."""
    names.look_up(MANY, [f'192.0.2.{k + 1}' for k in range(8)])
    snooperd.wait_for(*MANY)
    stopped = Stopped(snooperd.socket, 2)
    paused = subprocess.Popen([SNOOPERCTL, '-s', snooperd.socket, '--json', 'watch'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: export(snooperd, 'watches') == 3, what='three watches')
        paused.send_signal(signal.SIGSTOP)
        with Watching(snooperd.socket) as watch:
            watch.wait('synced')
            # More than a socket, a pipe and two windows hold.
            state = churn(names, 12)
            watch.wait_for_state(state, deadline=30)
            wait_until(lambda: export(snooperd, 'watches') == 1, 120, 'the others are ended')
            assert export(snooperd, 'stalled') == 3
            names.look_up('after.test', ['198.51.100.9'])
            watch.wait('name', 'after.test')
            assert not watch.error
        for call in stopped.calls:
            with pytest.raises(grpc.RpcError) as ended:
                for _ in call:
                    pass
            assert ended.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert 'read' in ended.value.details()
        paused.send_signal(signal.SIGCONT)
        _, stderr = paused.communicate(timeout=20 * PATIENCE)
        assert paused.returncode == 3 and 'error' in stderr
    finally:
        stopped.close()
        paused.kill()
        paused.communicate()
