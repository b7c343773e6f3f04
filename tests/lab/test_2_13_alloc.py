# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.13, row F30: whichever allocation fails, at start, while learning, while listing: no crash, nothing lost."""
import json
import mmap
import os
import random
import struct
import subprocess

import pytest

import dnswire as w
from daemon import Snooperd
from sanitize import ANY_LINK_ORDER, asan_options
from servers import ask, unbound
from snoplab import BUILD, PATIENCE, wait_until

OURS, JUDGE = '192.0.2.1', '10.53.0.77'  # asked by snooperd only
MORE = 99  # addresses that JUDGE has besides: more than a datagram takes


class Control:
    """The words that failalloc.c looks at."""

    def __init__(self, path):
        self.path = path
        with open(path, 'wb') as f:
            f.write(bytes(16))
        self.fd = os.open(path, os.O_RDWR)
        self.words = mmap.mmap(self.fd, 16)

    def fail_at(self, number):
        self.words[:8] = struct.pack('=q', number)

    @property
    def failed(self):
        return struct.unpack('=q', self.words[8:])[0]

    @property
    def left(self):
        return struct.unpack('=q', self.words[:8])[0]


@pytest.fixture
def control(lab):
    return Control(f'{lab.dir}/failalloc')


def resolvers(lab):
    """One for clients, and one for snooperd, who has to ask it over TCP."""
    lab.outside.add_addresses(f'{JUDGE}/24')
    zone = '* CNAME target\ntarget A 192.0.2.1\n'
    more = ''.join(f'target A 198.51.100.{i}\n' for i in range(MORE))
    unbound(lab.outside, [lab.outside.ip4], {'alloc.test': zone}).start()
    return unbound(lab.outside, [JUDGE], {'alloc.test': zone + more}, ' log-queries: yes\n').start()


def preloaded(lab, control, mode):
    snooperd = Snooperd(lab, {'reconcile': {'mode': mode, 'servers': [f'{JUDGE}:53']}})
    snooperd.argv = ['env', f'LD_PRELOAD={BUILD}/tests/lab/failalloc.so',
                     f'ASAN_OPTIONS={asan_options(ANY_LINK_ORDER)}', f'FAILALLOC={control.path}', *snooperd.argv]
    return snooperd


def check_end(number, code, said):
    """2: a file of the host could not be read, for want of memory. 6: libbpf blames the kernel."""
    assert code in (0, 1, 2, 6), (number, code, said)
    assert code == 0 or said, f'nothing said at {number}'
    assert code != 2 or 'Cannot allocate memory' in said, (number, said)


def learned(lab, name):
    assert len(lab.node.call(ask, lab.outside.ip4, [w.query(7, name)])) == 1


def all_are(snooperd, names, outcome, addresses=1):
    """Is each name listed with as many addresses, and each of them judged so? Listing may fail, too."""
    done = snooperd.ctl('names')
    listed = {line['name']: line for line in map(json.loads, done.stdout.splitlines())}
    return done.returncode == 0 and all([a['reconcile'] for a in listed.get(name, {'addresses': []})['addresses']]
               == [outcome] * addresses for name in names)


@pytest.mark.parametrize('mode', ['off', 'verify'])
def test_2_13_f30_start(lab, control, mode):
    """It starts, or says why not."""
    snooperd = preloaded(lab, control, mode)
    snooperd.write_conf()
    check = snooperd.argv + ['-n']
    control.fail_at(1 << 40)
    assert lab.node.run(*check).returncode == 0
    most = (1 << 40) - control.left
    for number in range(1, most + 1, max(1, most // 80)):
        control.fail_at(number)
        done = lab.node.run(*check)
        assert done.returncode in (0, 1, 2), (number, done.returncode, done.stderr)
        assert done.returncode == 0 or done.stderr, f'nothing said at {number}'
    control.fail_at(1 << 40)
    snooperd.start()
    most = (1 << 40) - control.left
    assert snooperd.stop() == 0
    for number in random.Random(1).sample(range(1, most), 30):
        control.fail_at(number)
        process = lab.node.popen(snooperd.argv, snooperd.cgroup, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: process.poll() is not None or snooperd.ctl('status').returncode in (0, 5),
                       what=f'up or down, with {number} failing')
            if process.poll() is None:
                process.terminate()
                process.wait(30 * PATIENCE)
            said = process.stderr.read()
            check_end(number, process.returncode, said)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize('mode, outcome', [('off', 'off'), ('verify', 'confirmed')])
def test_2_13_f30_learn_and_list(lab, control, mode, outcome):
    """It goes on; what could not be shown at once is shown later, for the maps have it."""
    resolvers(lab)
    snooperd = preloaded(lab, control, mode).start()
    names = []
    for number in range(1, 80):
        names.append(f'n{number}.alloc.test')
        control.fail_at(number % 40 + 1)
        learned(lab, names[-1])
        done = snooperd.ctl('names')
        assert done.returncode in (0, 1, 3), (number, done.returncode, done.stderr)
        control.fail_at(0)
        assert snooperd.is_running(), snooperd.output()[-3000:]
    assert control.failed >= 40
    wait_until(lambda: all_are(snooperd, names, outcome), deadline=40, what=f'all are shown, {outcome}')
    assert snooperd.stop() == 0


@pytest.mark.parametrize('step', [29, pytest.param(1, marks=pytest.mark.long)])
def test_2_13_f30_look_up(lab, control, step):
    """Each allocation between an answer and the end of the look-up that it brings: it is made later."""
    judge = resolvers(lab)
    snooperd = preloaded(lab, control, 'refresh').start()
    names = []

    def done(some):
        return all_are(snooperd, some, 'confirmed', 1 + MORE)
    for number in range(1, 81, step):
        names.append(f'n{number}.alloc.test')
        before = control.failed
        control.fail_at(number)
        learned(lab, names[-1])
        # Listing allocates, too: not before the look-up has begun, or has failed to.
        wait_until(lambda: control.failed > before or names[-1] in judge.output(), what=f'asked for, {number}')
        wait_until(lambda: control.failed > before or done(names[-1:]), what=f'failed or done, {number}')
        control.fail_at(0)
        assert snooperd.is_running(), snooperd.output()[-3000:]
        if len(names) % 4 == 0:  # after some more in a row it would pause
            wait_until(lambda: done(names), deadline=40,
                       what=lambda: f'done: {[name for name in names if not done([name])]}')
    assert control.failed >= len(names) / 2
    assert snooperd.stop() == 0
