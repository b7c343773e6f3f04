# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What every lab test gets, and how one that fails shows the logs of its programs."""
import os

import pytest

import leftovers
import sanitize
import stalls
from daemon import SNOOPERD, Snooperd
from snoplab import BUILD, Lab, Run

# Set by `make check-lab`: a test that could not run has not passed.
MUST_RUN = os.environ.get('REQUIRE_ROOT') == '1'


# Set by `make check-long`: run what takes longer than half a minute, and nothing else.
LONG = os.environ.get('LAB_LONG') == '1'


def pytest_configure(config):
    sanitize.prepare()
    config.addinivalue_line('markers', 'long: takes more than half a minute; make check-long runs it')
    config.addinivalue_line('markers', 'may_stall: tried again when it fails (stalls.py)')


def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items
              if bool(item.get_closest_marker('long')) == LONG and sanitize.may_run(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
    why = None
    if os.geteuid() != 0:
        why = 'the lab needs root: namespaces, cgroups, bpf'
    elif not os.access(SNOOPERD, os.X_OK):
        why = f'no {SNOOPERD}: run make'
    elif not os.access(f'{BUILD}/tests/lab/gai-musl', os.X_OK):
        why = 'no test clients: run make lab-tools'
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if not item.get_closest_marker('may_stall'):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in stalls.run(item, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    sanitize.report(terminalreporter)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.skipped and MUST_RUN:
        report.outcome = 'failed'
        report.longrepr = f'skipped, but REQUIRE_ROOT is set: {report.longrepr[2]}'
    lab = getattr(item, 'funcargs', {}).get('lab')
    if lab and call.when == 'call' and report.failed:
        for path in lab.logs:
            with open(path, errors='replace') as log:
                report.sections.append((os.path.basename(path), log.read()[-8000:]))


@pytest.fixture(scope='session')
def run():
    with Run() as r:
        yield r
    left = leftovers.find(r.name)
    assert not left, f'left behind: {left}'


@pytest.fixture
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture
def snooperd(lab):
    """A running snooperd that trusts the outside host's first addresses."""
    return Snooperd(lab).start()
