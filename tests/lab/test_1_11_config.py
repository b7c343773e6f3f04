# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 1.11: every mistake in the configuration is named with its place, all at once."""
import os
import re
import subprocess

import pytest

from daemon import SNOOPERD, Snooperd
from snoplab import PATIENCE

LINE = re.compile(r'^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): error: (?P<text>.*)$', re.M)


def check(tmp_path, text, *options):
    """snooperd -n on that text: (exit code, [(line, column, message)])."""
    path = tmp_path / 'snooper.yaml'
    path.write_text(text)
    done = subprocess.run([SNOOPERD, '-c', str(path), '-n', *options], capture_output=True,
                          text=True, timeout=10 * PATIENCE)
    errors = [(int(m['line']), int(m['column']), m['text']) for m in LINE.finditer(done.stderr)
              if m['file'] == str(path)]
    return done.returncode, errors


MISTAKES = [
    # (text, line, column, a word of the message)
    ('observ:\n  port: 53\n', 1, 1, 'observe'),
    ('observe:\n  prot: 53\n', 2, 3, 'port'),
    ('observe:\n  port: 0\n', 2, 9, 'observe.port'),
    ('observe:\n  port: 65536\n', 2, 9, 'observe.port'),
    ('observe:\n  port: many\n', 2, 9, 'observe.port'),
    ('observe:\n  tcp: maybe\n', 2, 8, 'observe.tcp'),
    ('observe:\n  query_timeout: 10\n', 2, 18, 'observe.query_timeout'),
    ('observe:\n  query_timeout: 10x\n', 2, 18, 'observe.query_timeout'),
    ('observe:\n  resolvers: [192.0.2.1, 192.0.2.256]\n', 2, 26, '192.0.2.256'),
    ('observe:\n  never_learn: [10.0.0.0/33]\n', 2, 17, '10.0.0.0/33'),
    ('observe:\n  learn_private: perhaps\n', 2, 18, 'observe.learn_private'),
    ('observe:\n  cgroups: [relative/path]\n', 2, 13, 'relative/path'),
    ('policy:\n  mode: strict\n', 2, 9, 'policy.mode'),
    ('policy:\n  min_ttl: 2h\n  max_ttl: 1h\n', 2, 12, 'policy.min_ttl'),
    ('proxy:\n  addresses: [127.0.0.1]\n', 2, 15, '127.0.0.1'),
    ('limits:\n  ring: 5000\n', 2, 9, 'limits.ring'),
    ('limits:\n  names: -1\n', 2, 10, 'limits.names'),
    ('log:\n  level: loud\n', 2, 10, 'log.level'),
    ('observe: {port: 53\n', None, None, ''),
    ('observe:\n\tport: 53\n', 2, None, ''),
    ('observe: 5\n', 1, 10, 'observe'),
    ('observe:\n  port: 53\n  port: 54\n', 3, 3, 'port'),
]


@pytest.mark.parametrize('text, line, column, word', MISTAKES,
                         ids=[' '.join(row[0].split()) for row in MISTAKES])
def test_1_11_mistake_is_named(tmp_path, text, line, column, word):
    code, errors = check(tmp_path, text)
    assert code == 2
    assert errors, 'an error with file, line and column'
    at = errors[0]
    assert line is None or at[0] == line
    assert column is None or at[1] == column
    assert word in at[2]


def test_1_11_unknown_key_gets_a_suggestion(tmp_path):
    _, errors = check(tmp_path, 'policy:\n  min_tll: 5s\n')
    assert errors == [(2, 3, errors[0][2])]
    assert "'min_ttl'" in errors[0][2] and 'did you mean' in errors[0][2]


def test_1_11_all_mistakes_at_once(tmp_path):
    code, errors = check(tmp_path, 'observe:\n  port: 99999\n  tcp: maybe\npolicy:\n  mode: x\n'
                                   'nonsense: 1\nlog:\n  level: loud\n')
    assert code == 2
    assert [line for line, _, _ in errors] == [2, 3, 5, 6, 8]


@pytest.mark.parametrize('text', ['', '# nothing\n', 'observe: {port: 53}\n'],
                         ids=['empty', 'comment', 'short'])
def test_1_11_good_file(tmp_path, text):
    assert check(tmp_path, text) == (0, [])


def test_1_11_shipped_sample_is_good():
    here = os.path.dirname(os.path.abspath(__file__))
    sample = os.path.join(here, '../../snooper/conf/snooper.yaml')
    done = subprocess.run([SNOOPERD, '-c', sample, '-n'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_1_11_missing_file_is_2(tmp_path):
    done = subprocess.run([SNOOPERD, '-c', f'{tmp_path}/none.yaml', '-n'], capture_output=True,
                          text=True, timeout=10 * PATIENCE)
    assert done.returncode == 2 and 'none.yaml' in done.stderr


def test_1_11_secrets_are_not_echoed(tmp_path):
    """A file that is no configuration at all, given by mistake, does not end up in a log."""
    code, _ = check(tmp_path, '-----BEGIN PRIVATE KEY-----\nMIIEvAIBADANBgkqhkiG9w0BAQEFAASC\n')
    assert code == 2


def test_1_11_check_touches_nothing(lab):
    snooperd = Snooperd(lab)
    assert snooperd.once('-n').returncode == 0
    assert not os.path.exists(snooperd.bpffs)
    assert not os.path.exists(snooperd.socket)
    assert not os.path.exists(f'{snooperd.dir}/state')


def test_1_11_bad_file_does_not_start(lab):
    snooperd = Snooperd(lab, {'observe': {'port': 0}})
    done = snooperd.once()
    assert done.returncode == 2 and 'observe.port' in done.stderr
    assert not os.path.exists(snooperd.bpffs)
