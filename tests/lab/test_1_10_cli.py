# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.10: what snooperctl prints, and with which exit codes."""
import json
import os
import signal
import subprocess

import pytest

import dnswire as w
from daemon import SNOOPERCTL, SNOOPERD, Snooperd
from servers import Scripted, ask
from snoplab import PATIENCE, Lab, wait_until

NAMES = ['api.example.com', 'www.example.com', 'example.com', 'cdn.example.net', '.']


@pytest.fixture(scope='module')
def lab(run):
    with Lab(run) as made:
        yield made


@pytest.fixture(scope='module')
def snooperd(lab):
    made = Snooperd(lab).start()

    def handler(query):
        return [w.answer(query, [w.cname(w.QNAME, 'edge.example.org'),
                                 w.a('edge.example.org', '192.0.2.1'),
                                 w.aaaa('edge.example.org', '2001:db8::1')])]
    with Scripted(lab.outside, lab.outside.ip4, handler) as server:
        queries = [w.query(i, name) for i, name in enumerate(NAMES)]
        assert len(lab.node.call(ask, server.address, queries)) == len(NAMES)
    made.wait_for(*NAMES)
    return made


def ctl(*arguments, **options):
    return subprocess.run([SNOOPERCTL, *arguments], capture_output=True, text=True, timeout=20 * PATIENCE,
                          **options)


def test_1_10_names_json(snooperd):
    line = snooperd.names()['api.example.com']
    assert line['cnames'] == ['edge.example.org']
    assert line['selectors'] == [] and line['truncated'] is False
    assert isinstance(line['endpoints'], list)
    assert {a['address'] for a in line['addresses']} == {'192.0.2.1', '2001:db8::1'}
    for address in line['addresses']:
        assert address['origin'] == 'kernel' and address['reconcile'] == 'off'
        assert 0 < address['expires_in_ms'] <= 300000


@pytest.mark.parametrize('pattern, wanted', [
    ('api.example.com', {'api.example.com'}),
    ('API.Example.COM.', {'api.example.com'}),
    ('*.example.com', {'api.example.com', 'www.example.com'}),
    ('*.example.*', {'api.example.com', 'www.example.com', 'cdn.example.net'}),
    ('*', set(NAMES)),
    ('nothing.test', set()),
])
def test_1_10_names_pattern(snooperd, pattern, wanted):
    assert set(snooperd.names(pattern)) == wanted


def test_1_10_names_for_people(snooperd):
    done = snooperd.ctl('names', json_output=False)
    assert done.returncode == 0 and not done.stderr
    for text in 'api.example.com', '192.0.2.1', '2001:db8::1':
        assert text in done.stdout


def test_1_10_malformed_pattern(snooperd):
    done = snooperd.ctl('names', 'a..b')
    assert done.returncode in (1, 2)
    assert not done.stdout and done.stderr.count('\n') == 1, 'one error line'


def test_1_10_status_json(snooperd):
    done = snooperd.ctl('status')
    status = json.loads(done.stdout)
    assert done.returncode == (5 if status['degraded'] else 0)
    assert status['mode'] == 'observe' and status['version']
    kernel = status['kernel']
    assert kernel['answers_parsed'] >= len(NAMES) and kernel['answers_learned'] >= len(NAMES)
    assert isinstance(kernel['refused'], dict) and kernel['ring_lost'] == 0
    assert status['cache']['names'] >= len(NAMES)
    assert status['cache']['addresses'] >= 2 * len(NAMES)
    assert status['untrusted_servers'] == []


def test_1_10_proxy_status(lab):
    other = Snooperd(lab, {'proxy': {'addresses': ['127.0.0.1:53'],
                                     'fallback': [f'{lab.outside.ip4}:53']}}, name='proxied').start()
    for arguments in ['proxy'], ['proxy', 'status']:
        done = other.ctl(*arguments)
        assert done.returncode == 0
        proxy = json.loads(done.stdout)
        assert proxy['state'] == 'active' and proxy['bypassed_queries'] == 0
        assert proxy['since_ms'] >= 0
        assert other.ctl(*arguments, json_output=False).stdout.startswith('proxy')


def test_1_10_status_for_people(snooperd):
    done = snooperd.ctl('status', json_output=False)
    assert done.returncode in (0, 5) and 'observe' in done.stdout


@pytest.mark.parametrize('arguments', [
    [], ['nonsense'], ['--nonsense'], ['status', 'extra'], ['names', 'a', 'b'], ['-s'],
], ids=' '.join)
def test_1_10_usage_is_2(arguments):
    done = ctl(*arguments)
    assert done.returncode == 2
    assert not done.stdout and done.stderr


def test_1_10_help_and_version():
    for program in SNOOPERCTL, SNOOPERD:
        for option in '--help', '--version':
            done = subprocess.run([program, option], capture_output=True, text=True, timeout=10 * PATIENCE)
            assert done.returncode == 0 and done.stdout and not done.stderr


@pytest.mark.parametrize('verb', ['status', 'names', 'reload'])
def test_1_10_unreachable_is_3(lab, verb):
    done = ctl('-s', f'{lab.dir}/nobody.sock', verb)
    assert done.returncode == 3
    assert not done.stdout and done.stderr.count('\n') == 1, 'one error line'


def test_1_10_killed_daemon_is_3(lab):
    other = Snooperd(lab, name='killed').start()
    assert other.ctl('status').returncode in (0, 5)
    other.kill9()
    assert other.ctl('status').returncode == 3


def test_1_10_not_permitted_is_4(snooperd):
    """Somebody who is neither root, nor of the group, nor the daemon's user."""
    copy = f'{snooperd.dir}/snooperctl'
    subprocess.run(['cp', SNOOPERCTL, copy], check=True)
    for path in snooperd.dir, os.path.dirname(snooperd.dir), os.path.dirname(
            os.path.dirname(snooperd.dir)):
        os.chmod(path, 0o755)
    for verb in 'names', 'reload':
        done = subprocess.run([copy, '-s', snooperd.socket, verb], capture_output=True, text=True,
                              timeout=20 * PATIENCE, user=65534, group=65534, extra_groups=[])
        assert done.returncode == 4, done.stderr
        assert not done.stdout and done.stderr.count('\n') == 1


def test_1_10_reload(lab):
    other = Snooperd(lab, name='reloaded').start()
    assert other.ctl('reload').returncode == 0
    good = open(other.file).read()
    with open(other.file, 'w') as f:
        f.write(good.replace('"observe": {', '"obsrve": {', 1))
    done = other.ctl('reload')
    assert done.returncode in (1, 2) and 'obsrve' in done.stderr
    other.signal(signal.SIGHUP)
    wait_until(lambda: 'obsrve' in other.output(), what='the bad file is told in the log')
    assert other.is_running() and other.ctl('status').returncode in (0, 5), 'the old one stays'
    with open(other.file, 'w') as f:
        f.write(good)
    assert other.ctl('reload').returncode == 0


def test_1_10_closed_pipe_is_no_crash(snooperd):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([SNOOPERCTL, '-s', snooperd.socket, 'names'], stdout=writer,
                          stderr=subprocess.PIPE, timeout=20 * PATIENCE)
    os.close(writer)
    assert done.returncode in (1, -signal.SIGPIPE)
