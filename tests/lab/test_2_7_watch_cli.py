# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.7: snooperctl watch, for people and for programs; and what a shell completes."""
import json
import os
import pty
import re
import signal
import subprocess
import threading

import pytest

from daemon import SNOOPERCTL, Snooperd
from snoplab import PATIENCE, TOP, wait_until
from stalls import may_stall
from watching import Names

LINE = re.compile(r'^\d\d:\d\d:\d\d\.\d{3}  ([-+~=])  (\S+(?: \S+)*)(?:\s{2,}(.*))?$')


@pytest.fixture
def names(lab):
    made = Names(lab)
    yield made
    made.close()


class Ctl:
    """with Ctl(SOCKET, 'watch', ...) as ctl: ctl.lines grows as it prints; ctl.stop() interrupts it."""

    def __init__(self, socket, *arguments, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([SNOOPERCTL, '-s', socket, *arguments], text=True,
                                        stdout=stdout, stderr=subprocess.PIPE)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        if stdout == subprocess.PIPE:
            self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def wait(self, condition):
        wait_until(lambda: condition(self.lines), what=lambda: f'the lines: {self.lines[-20:]}')

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(10 * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        if self.reader.is_alive():
            self.reader.join()


@may_stall
def test_2_7_watch_json(snooperd, names):
    names.look_up('there.test')
    snooperd.wait_for('there.test')

    def told(lines, change, name=None):
        return [o for o in map(json.loads, lines) if (o['change'], o.get('name')) == (change, name)]
    with Ctl(snooperd.socket, '--json', 'watch') as ctl:
        ctl.wait(lambda lines: told(lines, 'synced'))
        there = told(ctl.lines, 'present', 'there.test')[0]
        listed = snooperd.names()['there.test']
        assert set(there) == set(listed) | {'change'}
        assert there['addresses'][0]['address'] == '192.0.2.1'
        names.look_up('new.test', ['192.0.2.3', '192.0.2.4'])
        names.look_up('brief.test', ttl=1)
        ctl.wait(lambda lines: told(lines, 'changed', 'new.test'))
        assert len(told(ctl.lines, 'changed', 'new.test')[-1]['addresses']) == 2
        ctl.wait(lambda lines: told(lines, 'gone', 'brief.test'))
        assert told(ctl.lines, 'changed', 'brief.test')
        assert ctl.stop() == 0
        assert ctl.process.stderr.read() == ''


@may_stall
def test_2_7_watch_for_people(snooperd, names):
    names.look_up('there.test')
    snooperd.wait_for('there.test')

    def signs(lines, name):
        return [m[1] for m in map(LINE.match, lines) if m[2] == name]
    with Ctl(snooperd.socket, 'watch', '*.test') as ctl:
        ctl.wait(lambda lines: signs(lines, 'there.test'))
        ctl.wait(lambda lines: any('=' in line for line in lines))
        names.look_up('brief.test', ['192.0.2.7'], ttl=2)
        ctl.wait(lambda lines: signs(lines, 'brief.test'))
        names.look_up('brief.test', ['192.0.2.7', '192.0.2.8'], ttl=2)
        names.look_up('other.example.com')
        ctl.wait(lambda lines: signs(lines, 'brief.test')[-1:] == ['-'])
        assert all(LINE.match(line) for line in ctl.lines), ctl.lines
        assert '\033' not in ''.join(ctl.lines), 'colour is for a terminal'
        assert signs(ctl.lines, 'brief.test') == ['+', '~', '-']
        assert signs(ctl.lines, 'there.test') == ['+']
        assert not signs(ctl.lines, 'other.example.com')
        shown = [m[3] for m in map(LINE.match, ctl.lines) if m[2] == 'brief.test']
        assert re.match(r'^192\.0\.2\.7 \d+(\.\d+)?m?s$', shown[0])
        assert '192.0.2.7' in shown[1] and '192.0.2.8' in shown[1]
        columns = {line.index('192.0.2.') for line in ctl.lines if '192.0.2.' in line}
        assert len(columns) == 1, 'the addresses stand in one column'
        assert ctl.stop(signal.SIGTERM) == 0


def test_2_7_watch_has_colour_on_a_terminal(snooperd, names):
    names.look_up('there.test')
    snooperd.wait_for('there.test')
    ours, theirs = pty.openpty()
    text = b''
    with Ctl(snooperd.socket, 'watch', stdout=theirs) as ctl:
        os.close(theirs)
        while b'\n' not in text:
            text += os.read(ours, 4096)
        assert b'\033[32m+\033[0m' in text
        assert ctl.stop() == 0
    os.close(ours)


def test_2_7_watch_exit_codes(lab, snooperd):
    assert snooperd.ctl('watch', 'a..b').returncode == 2
    assert snooperd.ctl('watch', 'a', 'b').returncode == 2
    nobody = subprocess.run([SNOOPERCTL, '-s', f'{lab.dir}/nobody.sock', 'watch'],
                            capture_output=True, text=True, timeout=20 * PATIENCE)
    assert nobody.returncode == 3 and nobody.stderr.count('\n') == 1
    other = Snooperd(lab, name='dying').start()
    with Ctl(other.socket, '--json', 'watch') as ctl:
        ctl.wait(lambda lines: lines == ['{"change":"synced"}'])
        other.kill9()
        assert ctl.process.wait(20 * PATIENCE) == 3
        assert json.loads(ctl.process.stderr.read())['error']


def test_2_7_watch_ends_when_its_reader_does(snooperd, names):
    reader, writer = os.pipe()
    with Ctl(snooperd.socket, 'watch', stdout=writer) as ctl:
        os.close(writer)
        assert os.read(reader, 4096)
        os.close(reader)
        names.look_up('news.test')
        assert ctl.process.wait(20 * PATIENCE) in (1, -signal.SIGPIPE)


COMPLETE = '''
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_snooperctl
printf '%s\\n' "${COMPREPLY[@]}"
'''


def complete(*words):
    done = subprocess.run(['bash', '-c', COMPLETE, 'bash',
                           os.path.join(TOP, 'snooper', 'conf', 'snooperctl.bash'), *words],
                          capture_output=True, text=True, check=True)
    assert not done.stderr
    return set(done.stdout.split())


def test_2_7_completion_knows_every_verb():
    done = subprocess.run([SNOOPERCTL, '--help'], capture_output=True, text=True, check=True)
    verbs = set(re.findall(r'^  ([a-z]+) ', done.stdout, re.MULTILINE))
    options = set(re.findall(r'(--[a-z]+|-[a-z])\b', done.stdout))
    assert {'names', 'watch', 'status', 'proxy', 'reload'} <= verbs
    assert complete('snooperctl', '') == verbs
    assert complete('snooperctl', '-s', '/x', '--json', '') == verbs
    assert complete('snooperctl', 'wa') == {'watch'}
    assert complete('snooperctl', '-') == options
    assert complete('snooperctl', 'proxy', '') == {'status'}
    assert complete('snooperctl', 'reload', '') == set()


def test_2_7_completion_asks_the_daemon_for_names(snooperd, names):
    names.look_up(['api.example.com', 'www.example.com'])
    snooperd.wait_for('api.example.com', 'www.example.com')
    os.environ['PATH'] = f'{os.path.dirname(SNOOPERCTL)}:{os.environ["PATH"]}'
    assert complete('snooperctl', '-s', snooperd.socket, 'names', 'api') == {'api.example.com'}
    assert complete('snooperctl', '-s', snooperd.socket, 'watch', '') \
        == {'api.example.com', 'www.example.com'}
    assert complete('snooperctl', '-s', f'{snooperd.dir}/nobody', 'names', '') == set()
