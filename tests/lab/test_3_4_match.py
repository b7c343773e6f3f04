# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 3.4: `snooperctl match`, which needs no daemon."""
import json
import os
import subprocess

import pytest

from daemon import SNOOPERCTL
from snoplab import PATIENCE

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'data')


def rows():
    with open(f'{DATA}/matchpattern.tsv', encoding='ascii') as f:
        return [line.rstrip('\n').split('\t') for line in f][1:]


def ctl(*arguments):
    # An address of nobody: a call to a daemon would end with exit code 3.
    return subprocess.run([SNOOPERCTL, '-s', '/nonexistent', *arguments], capture_output=True,
                          text=True, timeout=60 * PATIENCE)


@pytest.fixture
def policy(tmp_path):
    """Write a policy of selectors, one a line from line 8 on; lists are of (kind, text)."""
    def write(fqdns, dns=()):
        text = ('apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n'
                'spec:\n  endpointSelector: {}\n  egress:\n  - toFQDNs:\n'
                + ''.join(f'    - {k}: {json.dumps(t)}\n' for k, t in fqdns))
        if dns:
            text += ('  - toEndpoints: [{}]\n    toPorts:\n    - ports: [{port: "53"}]\n'
                     '      rules:\n        dns:\n'
                     + ''.join(f'        - {k}: {json.dumps(t)}\n' for k, t in dns))
        path = tmp_path / 'policy.yaml'
        path.write_text(text)
        return str(path)
    return write


def test_3_4_every_row_of_the_table(policy):
    patterns = sorted({row[0] for row in rows()})
    path = policy([('matchPattern', p) for p in patterns])
    names = [row[1] for row in rows()]
    out = ctl('--json', 'match', '-f', path, *names)
    assert out.returncode == 0, out.stderr
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    assert len(lines) == len(names) >= 60
    for (pattern, name, matches), line in zip(rows(), lines):
        assert set(line) == {'name', 'selectors'}
        assert (pattern in line['selectors']) == (matches == '1'), (pattern, name)
        assert line['selectors'] == [p for p in patterns if p in line['selectors']]


def test_3_4_every_row_by_itself(policy):
    for pattern, name, matches in rows():
        out = ctl('match', '-f', policy([('matchPattern', pattern)]), name)
        assert out.returncode == 0, out.stderr
        assert out.stdout.rstrip('\n').split(' ')[1:] == ([pattern] if matches == '1' else [])


def test_3_4_text_and_json(policy):
    path = policy([('matchName', 'WWW.Example.com'), ('matchPattern', '*.example.com'),
                   ('matchPattern', '*.example.com'), ('matchRegex', r'(www|ftp)\..*'),
                   ('matchPattern', 'WWW.Example.com'), ('matchPattern', 'www.example.com')],
                  dns=[('matchPattern', '*')])
    out = ctl('match', '-f', path, 'www.EXAMPLE.com.', 'ftp.test', r'w\.ww.example.com', '.')
    assert out.returncode == 0 and not out.stderr, out.stderr
    assert out.stdout.splitlines() == [
        r'www.example.com WWW.Example.com *.example.com (www|ftp)\..* www.example.com dns:*',
        r'ftp.test (www|ftp)\..* dns:*', r'w\.ww.example.com', '. dns:*']
    out = ctl('--json', 'match', '--file', path, 'www.example.com', r'a\032b')
    assert [json.loads(line) for line in out.stdout.splitlines()] == [
        {'name': 'www.example.com', 'dns': ['*'],
         'selectors': ['WWW.Example.com', '*.example.com', r'(www|ftp)\..*',
                       'www.example.com']},
        {'name': r'a\032b', 'selectors': [], 'dns': []}]


def test_3_4_bad_names_and_files_are_told_with_their_place(policy):
    path = policy([('matchPattern', '*.example.com'), ('matchRegex', 'a(b')])
    out = ctl('match', '-f', path, 'a.b')
    assert out.returncode == 2 and not out.stdout
    assert out.stderr.startswith(f'{path}:9:'), out.stderr
    assert ": error: matchRegex: 'a(b': at its character 2: a group without its )" in out.stderr
    out = ctl('--json', 'match', '-f', path, 'a.b')
    assert out.returncode == 2 and json.loads(out.stderr)['error'].startswith(f'{path}:9:')
    path = policy([('matchPattern', '*.example.com')])
    out = ctl('match', '-f', path, 'a.b', 'a..b', 'x' * 64)
    assert out.returncode == 2 and not out.stdout
    assert "name 2: 'a..b'" in out.stderr and 'name 3: ' in out.stderr
    assert ctl('match', '-f', '/nonexistent/policy.yaml', 'a').returncode == 2
    assert ctl('match', '-f', path).returncode == 2
    assert ctl('match', 'a').returncode == 2
    assert ctl('status', '-f', path).returncode == 2


def test_3_4_ten_thousand_selectors(policy):
    shapes = ['{0}.example{1}.com', '*.{0}{1}.net', '**.{0}.x{1}.org', '{0}{1}*.example.com',
              '*{0}*.y{1}.io', '*.s3.*.{0}{1}.com']
    words = ['api', 'cdn', 'www', 'data', 'mail']
    patterns = [shapes[i % 6].format(words[i % 5], i) for i in range(10000)]
    path = policy([('matchPattern', p) for p in patterns])
    wanted = {'api.example0.com': 0, 'x.cdn1.net': 1, 'a.b.www.x2.org': 2, 'data3z.example.com': 3,
              'amailb.y4.io': 4, 'b.s3.eu.api5.com': 5}
    out = ctl('match', '-f', path, *wanted, 'x.example.org')
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines() == [f'{name} {patterns[i]}' for name, i in wanted.items()
                                       ] + ['x.example.org']


def test_3_4_what_does_not_fit_is_named_with_the_bound(policy):
    patterns = [f'*{chr(97 + i % 26)}x{i}*.com' for i in range(300)]
    path = policy([('matchPattern', p) for p in patterns])
    out = ctl('match', '-f', path, 'a.b')
    assert out.returncode == 2 and not out.stdout
    lines = out.stderr.splitlines()
    fit = len(patterns) - len(lines)
    assert 16 <= fit < 150, out.stderr
    for i, line in enumerate(lines):
        assert line.startswith(f'{path}:{8 + fit + i}:'), line
        assert patterns[fit + i] in line and f'the first {fit} do' in line, line
    path = policy([('matchPattern', p) for p in patterns[:fit]])
    out = ctl('match', '-f', path, f'ax0bx1x{patterns[fit - 1][1:-5]}.com')
    assert out.returncode == 0 and len(out.stdout.split()) == 4, out
