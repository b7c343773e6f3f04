# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.17, faults: a stopped daemon, a full ring, nested runs, a killed proxy, a kernel that refuses."""
import ctypes
import os
import select
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask, unbound
from snoplab import PATIENCE, _mount, wait_until
from stalls import may_stall
from test_1_4_restart import attached
from test_1_9_proxy import BY_FALLBACK, BY_PROXY, PROXY4, PROXY6, Site, address_in
from test_1_17_limits import ask_all, numbered, one_each


@pytest.fixture
def server(lab):
    with Scripted(lab.outside, lab.outside.ip4, one_each) as scripted:
        yield scripted


def load(server, prefix, seconds):
    """Ask for ever new names, each once, until the time is over; the names."""
    names, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        some = [f'{prefix}{i}.faults.test' for i in range(len(names), len(names) + 50)]
        queries = [w.query((len(names) + i) & 0xffff, name) for i, name in enumerate(some)]
        names += some
        assert len(ask(server, queries)) == len(some), 'an answer was lost'
    return names


def test_1_17_f3_stopped_under_load(lab, server):
    """SIGSTOP for some seconds of load: the ring overflows, learning goes on; SIGCONT heals."""
    snooperd = Snooperd(lab, {'limits': {'ring': '64KiB', 'per_endpoint': 262144}}).start()
    snooperd.signal(signal.SIGSTOP)
    names = lab.node.call(load, server.address, 'stopped', 4, deadline=30)
    snooperd.signal(signal.SIGCONT)
    wait_until(lambda: snooperd.status()['cache']['names'] == len(names), 20, 'all in the cache')
    assert set(names) == set(snooperd.names())
    assert snooperd.counter('ring_lost') > 0, 'the ring was never full: this proved nothing'
    assert snooperd.counter('answers_learned') == len(names)
    wait_until(lambda: snooperd.status()['degraded'] == [], what='nothing is degraded any more')
    listed = snooperd.names()
    assert all(len(listed[name]['addresses']) == 1 for name in names)


@may_stall
def test_1_17_f22_full_ring(lab, server):
    """Names that the ring did not take are read from the maps within a second of the daemon's first look."""
    snooperd = Snooperd(lab, {'limits': {'ring': '4KiB'}}).start()
    snooperd.signal(signal.SIGSTOP)
    names = numbered('full', 1000)
    assert lab.node.call(ask_all, server.address, names) == len(names)
    snooperd.signal(signal.SIGCONT)
    began = time.monotonic()
    wait_until(lambda: set(names) <= set(snooperd.names()), what='all names')
    took = time.monotonic() - began
    assert snooperd.counter('ring_lost') > 0
    assert took < 1, f'{took:.2f} s until the maps were read again'


def crossfire(server, first, count):
    """Many sockets on one CPU, questions and answers all at once; the answers that came, by name."""
    os.sched_setaffinity(0, {0})
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.connect((server, 53))
    came, long = {}, '.'.join('n' * 100)
    poll = select.epoll()
    by_fd = {sock.fileno(): sock for sock in socks}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)

    def drain(timeout):
        ready = poll.poll(timeout)
        for fd, _ in ready:
            data = by_fd[fd].recv(65535)
            came[struct.unpack('>H', data[:2])[0]] = data[-4:]
        return ready
    for i in range(count):
        socks[i % len(socks)].send(w.query(first + i, f'n{first + i}.{long}'))
        if i % 64 == 63:
            while len(came) < i - 128 and drain(0.1):
                pass
    while len(came) < count and drain(2):
        pass
    return {f'n{ident}.{long}': socket.inet_ntoa(address) for ident, address in came.items()}


def steer_to_cpu0(device):
    """Packets that come in on the device are taken up on CPU 0, in whatever runs there (RPS)."""
    _mount('sysfs', '/sys', 'sysfs')  # this network namespace's own
    with open(f'/sys/class/net/{device}/queues/rx-0/rps_cpus', 'w') as f:
        f.write('1')


@may_stall
def test_1_17_f23_scratch_nesting(lab, server):
    """Answers come in on the CPU that is busy sending questions: every pair listed was really answered."""
    snooperd = Snooperd(lab).start()
    lab.node.call(steer_to_cpu0, 'eth0')
    os.sched_setaffinity(server.thread.native_id, set(range(1, os.cpu_count())) or {0})

    def client(first):
        yield crossfire(server.address, first, 2000)
    clients = [lab.node.steps(client, first, deadline=90) for first in (0, 10000, 20000)]
    answered = {}
    with ThreadPoolExecutor(3) as pool:
        for came in [pool.submit(steps.next) for steps in clients]:
            answered.update(came.result())
    for steps in clients:
        steps.__exit__()
    assert len(answered) > 5000
    kernel = snooperd.status()['kernel']
    unparsed = kernel['refused'].get('no_scratch', 0)
    print(f'answers {len(answered)}, runs that found another\'s scratch busy '
          f'{kernel["counters"]["scratch_nested"]}, unparsed {unparsed}')
    wait_until(lambda: len(snooperd.names()) >= len(answered) - unparsed, 20, 'all that was parsed is listed')
    listed = {name: {a['address'] for a in line['addresses']} for name, line in snooperd.names().items()}
    wrong = {name: got for name, got in listed.items() if got != {answered.get(name)}}
    assert not wrong, 'a name is listed with what nobody answered'
    misread = {reason: n for reason, n in kernel['refused'].items() if n and reason != 'no_scratch'}
    assert not misread, 'every message was well-formed'


@may_stall
def test_1_17_f24_proxy_killed_mid_query(lab):
    """
    kill -9 under load, with questions in the proxy's hands. Those are lost with
    it, and answered at the first retry; none sent after its socket is gone is.
    """
    site = Site(lab)
    swallowed_deadline = 2 * PATIENCE

    def client(address):
        """Each question from a socket of its own: (when sent, attempts, who answered)."""
        rows, ident = [], 0
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        while True:
            ident += 1
            sent = time.monotonic()
            for attempt in 1, 2, 3:
                with socket.socket(family, socket.SOCK_DGRAM) as sock:
                    try:
                        sock.settimeout(swallowed_deadline)
                        sock.connect((address, 53))
                        sock.send(w.query(ident, 'who.test'))
                        rows.append((sent, attempt, address_in(sock.recv(512))))
                        break
                    except (TimeoutError, ConnectionRefusedError):
                        pass
            else:
                rows.append((sent, 0, None))
            if len(rows) % 20 == 0:
                yield rows
                rows = []

    with ThreadPoolExecutor(4) as pool:
        clients = [lab.node.steps(client, a, cgroup=site.clients) for a in (PROXY4, PROXY6) * 2]
        rows = []

        def load_until(enough):
            while not enough():
                for came in [pool.submit(steps.next) for steps in clients]:
                    rows.extend(came.result())
        load_until(lambda: len(rows) > 200)
        site.snooperd.wait_for('who.test')
        assert site.snooperd.addresses('who.test') == {BY_PROXY}
        site.proxy.signal(signal.SIGSTOP)  # the next question of each is in its hands, and it answers none
        going = [pool.submit(steps.next) for steps in clients]
        wait_until(lambda: asking(lab.node, 53) == len(clients), what='each waits for an answer')
        killing = time.monotonic()
        site.proxy.kill9()
        gone = time.monotonic()
        for came in going:
            rows.extend(came.result())
        load_until(lambda: len([r for r in rows if r[0] > gone]) > 200)
        for steps in clients:
            steps.__exit__()
    first_lost = [r for r in rows if r[1] != 1]
    assert all(r[1] == 2 and r[2] == BY_FALLBACK for r in first_lost), 'the first retry succeeds'
    assert 0 < len(first_lost) <= len(clients), 'a client has one question at most in the proxy when it dies'
    assert not [r for r in first_lost if r[0] > gone], 'sent after the kill, and lost'
    assert {r[2] for r in rows if r[0] > gone} == {BY_FALLBACK}
    assert {r[2] for r in rows if r[0] < killing and r[1] == 1} == {BY_PROXY}
    assert lab.node.getaddrinfo('after.names.test', family=4) == ['192.0.2.9']
    site.snooperd.wait_for('who.test', 'after.names.test')
    assert BY_FALLBACK in site.snooperd.addresses('who.test')


def asking(host, port):
    """How many UDP sockets on the host are connected to the port."""
    return sum(line.split()[4].endswith(f':{port}') for line in host.run('ss', '-uanH').stdout.splitlines())


PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SYS_BPF, BPF_PROG_LOAD, EACCES = 321, 5, 13
AUDIT_ARCH_X86_64 = 0xc000003e


def refuse(programs_only):
    """From here on bpf() says EACCES: to every program, as a verifier that likes none, or to everything."""
    rows = [(0x20, 0, 0, 4),  # the architecture
            (0x15, 0, 4, AUDIT_ARCH_X86_64),
            (0x20, 0, 0, 0),  # the call's number
            (0x15, 0, 2, SYS_BPF),
            (0x20, 0, 0, 16),  # its first argument
            (0x15, 1, 0, BPF_PROG_LOAD) if programs_only else (0x05, 0, 0, 1),
            (0x06, 0, 0, 0x7fff0000),  # allowed
            (0x06, 0, 0, 0x00050000 | EACCES)]
    code = b''.join(struct.pack('HBBI', *row) for row in rows)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack('HxxxxxxP', len(rows), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0, ctypes.get_errno()


REFUSALS = ['programs', 'every bpf call', 'no capability']
WITHOUT_BPF = ['setpriv', '--bounding-set', '-bpf,-sys_admin,-perfmon', '--inh-caps', '-all']


def refused_start(snooperd, how):
    """Start it where the kernel takes none of its programs: its exit code and what it said."""
    snooperd.write_conf()

    def run():
        if how != 'no capability':
            refuse(how == 'programs')
        argv = (WITHOUT_BPF if how == 'no capability' else []) + snooperd.argv
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.execvp(argv[0], argv)
        os.close(writing)
        with os.fdopen(reading) as said:
            text = said.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text
    return snooperd.host.call(run, cgroup=snooperd.cgroup)


@pytest.mark.parametrize('how', REFUSALS)
def test_1_17_f33_kernel_refuses_the_programs(lab, how):
    """An upgrade whose programs the kernel refuses: exit 6 and why; the pinned set works on."""
    unbound(lab.outside, [lab.outside.ip4], {'f33.test': '* A 192.0.2.33\n'}).start()
    lab.node.resolve_by(lab.outside.ip4)
    snooperd = Snooperd(lab).start()
    assert lab.node.getaddrinfo('before.f33.test', family=4)
    snooperd.wait_for('before.f33.test')
    programs, pins = attached(lab.node.cgroup), sorted(os.listdir(snooperd.bpffs))
    snooperd.stop()

    code, said = refused_start(snooperd, how)
    assert code == 6, said
    errors = [line for line in said.splitlines() if line.startswith('level=err')]
    assert len(errors) == 1 and 'event=start-failed' in errors[0], said
    assert any(word in errors[0] for word in ('Permission denied', 'Operation not permitted')), errors
    assert attached(lab.node.cgroup) == programs, 'the running set must stay attached, as it is'
    assert sorted(os.listdir(snooperd.bpffs)) == pins

    assert lab.node.getaddrinfo('meanwhile.f33.test', family=4)
    snooperd.start()
    listed = snooperd.wait_for('before.f33.test', 'meanwhile.f33.test')
    assert listed['meanwhile.f33.test']['addresses'][0]['origin'] == 'kernel'


@pytest.mark.parametrize('how', REFUSALS)
def test_1_17_f33_first_start_refused(lab, how):
    """Where nothing ran before: exit 6 and why, and nothing is left behind."""
    snooperd = Snooperd(lab)
    code, said = refused_start(snooperd, how)
    assert code == 6, said
    assert len([line for line in said.splitlines() if line.startswith('level=err')]) == 1, said
    assert not attached(lab.node.cgroup) and not os.path.exists(snooperd.bpffs)
