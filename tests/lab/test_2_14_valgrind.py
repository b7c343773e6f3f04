# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.14: under valgrind, start, 10,000 names, reconcile, reload, stop: no error, and nothing leaks."""
import os

import dnswire as w
from daemon import Snooperd
from servers import Scripted, ask
from snoplab import wait_until

NAMES = 10000
VALGRIND = ['valgrind', '--quiet', '--error-exitcode=99', '--leak-check=full',
            f'--suppressions={os.path.dirname(os.path.abspath(__file__))}/valgrind.supp',
            '--undef-value-errors=no',  # libbpf's own attributes are full of them
            '--errors-for-leak-kinds=definite,indirect,possible']


def own_address(query):
    return f'198.18.{query[0]}.{query[1]}'


def test_2_14_valgrind_finds_no_leak(lab, monkeypatch):
    monkeypatch.setenv('SNOOPERD_SECCOMP', 'off')  # it makes code in our process
    snooperd = Snooperd(lab, {'reconcile': {'mode': 'verify', 'servers': [f'{lab.outside.ip4}:53'],
                                            'rate': 1000}})
    snooperd.argv = VALGRIND + snooperd.argv
    snooperd.start(90)

    def answer(query):
        return [w.answer(query, [w.a(w.QNAME, own_address(query))])]
    with Scripted(lab.outside, lab.outside.ip4, answer):
        missing = set(range(NAMES))
        while missing:
            queries = [w.query(i, f'n{i}.leak.test') for i in sorted(missing)[:100]]
            answers = lab.node.call(ask, lab.outside.ip4, queries)
            assert answers, 'what an emulated host loses is asked for again'
            missing -= {int.from_bytes(data[:2], 'big') for data, *_ in answers}
        wait_until(lambda: snooperd.status()['cache']['names'] >= NAMES, deadline=60,
                   what='all of them')
        assert len(snooperd.names('*.leak.test')) == NAMES
        assert snooperd.ctl('reload').returncode == 0
    assert snooperd.stop(60) == 0, snooperd.output()[-8000:]
