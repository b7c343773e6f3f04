# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tests that need something to be done within a second or two of something else, by several processes."""
import pytest
from _pytest.runner import runtestprotocol

TRIES = 3

# A machine that stalls for as long closes that window; a fault closes it each time. Not for races of ours.
may_stall = pytest.mark.may_stall


def run(item, nextitem):
    """
    Such a test, with fixtures of its own each time, until it passes, or fails by something else than its own body; what
    went wrong before is a warning. A library for this holds a socket open in every process, and some tests are about
    just that.
    """
    for left in reversed(range(TRIES)):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [r for r in reports if r.failed]
        if not left or [r.when for r in failed] != ['call']:
            return reports
        logs = '\n'.join(f'{name}: {text[-1000:]}' for name, text in failed[0].sections)
        item.warn(pytest.PytestWarning(f'tried again after: {str(failed[0].longrepr)[-2000:]}\n{logs}'))
        item._report_sections.clear()
