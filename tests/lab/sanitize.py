# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where a build with sanitizers (make check-lab-asan) is not as the others: what is set for it, and what it cannot run."""
import os
import re

from snoplab import HERE, SANITIZED

# What measures the very thing that a sanitizer replaces. Deselected, and printed at the end of the run with the reason.
NOT_RUN = {
    'test_2_14_valgrind.py::test_2_14_valgrind_finds_no_leak':
        'valgrind and ASan each put an allocator and a shadow memory of their own into the process; leaks of this '
        'build are found by LeakSanitizer, at the end of every program of every test',
}

# What was freed goes back at once: for bounds on memory. Errors in its use after that are left for the other tests.
NO_QUARANTINE = 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0'
# Where such errors are what one looks for, too: a sixteenth of the usual, and a quarter of the bound there.
SMALL_QUARANTINE = 'quarantine_size_mb=16'
# The search for leaks traces the process: not while somebody else does.
NO_LEAKS = 'detect_leaks=0'
# Ours may be preloaded before the runtime: it calls the allocator that comes next, which is the runtime's.
ANY_LINK_ORDER = 'verify_asan_link_order=0'


def asan_options(more):
    """A value for ASAN_OPTIONS, without effect in other builds: what is set already, and more."""
    return ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'), more]))


def prepare():
    if SANITIZED:
        # The search for leaks is refused by seccomp.
        os.environ['SNOOPERD_SECCOMP'] = 'off'
    for test in NOT_RUN:
        file, _, function = test.partition('::')
        with open(f'{HERE}/{file}') as f:
            assert re.search(rf'^def {function}\(', f.read(), re.M), f'sanitize.NOT_RUN: there is no {test}'


def may_run(item):
    return not SANITIZED or f'{item.path.name}::{item.originalname}' not in NOT_RUN


def report(terminal):
    if SANITIZED:
        terminal.section('not run with sanitizers')
        for test, reason in NOT_RUN.items():
            terminal.line(f'{test}: {reason}')
