# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.13, row F30: whichever allocation fails, at start, while learning, while listing: no crash, nothing lost."""
import mmap
import os
import random
import struct
import subprocess

import pytest

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import BUILD, wait_until


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


def preloaded(lab, control):
    snooperd = Snooperd(lab, {'reconcile': {'mode': 'off'}})
    snooperd.argv = ['env', f'LD_PRELOAD={BUILD}/tests/lab/failalloc.so',
                     f'FAILALLOC={control.path}', *snooperd.argv]
    return snooperd


def check_end(number, code, said):
    """2: a file of the host could not be read, for want of memory. 6: libbpf blames the kernel."""
    assert code in (0, 1, 2, 6), (number, code, said)
    assert code == 0 or said, f'nothing said at {number}'
    assert code != 2 or 'Cannot allocate memory' in said, (number, said)


def test_2_13_f30_start(lab, control):
    """It starts, or says why not."""
    snooperd = preloaded(lab, control)
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
            wait_until(lambda: process.poll() is not None or not snooperd.ctl('status').returncode,
                       what=f'up or down, with {number} failing')
            if process.poll() is None:
                process.terminate()
                process.wait(10)
            said = process.stderr.read()
            check_end(number, process.returncode, said)
        finally:
            process.kill()
            process.wait()


def test_2_13_f30_learn_and_list(lab, control):
    """It goes on; what could not be shown at once is shown later, for the maps have it."""
    snooperd = preloaded(lab, control).start()
    names = []

    def answer(query):
        return [w.answer(query, [w.cname(w.QNAME, 'target.test'), w.a('target.test', '192.0.2.1')])]
    with Scripted(lab.outside, lab.outside.ip4, answer):
        for number in range(1, 80):
            names.append(f'n{number}.test')
            control.fail_at(number % 40 + 1)
            assert len(lab.node.call(ask, lab.outside.ip4, [w.query(number, names[-1])])) == 1
            done = snooperd.ctl('names')
            assert done.returncode in (0, 1, 3), (number, done.returncode, done.stderr)
            control.fail_at(0)
            assert snooperd.is_running(), snooperd.output()[-3000:]
    assert control.failed >= 40
    wait_until(lambda: set(names) <= set(snooperd.names()), deadline=40, what='all are shown')
    assert snooperd.stop() == 0
