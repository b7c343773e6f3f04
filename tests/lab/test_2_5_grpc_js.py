# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.5: a client that shares no code with C or Python, grpc-js on Node, over the Unix socket."""
import json
import os
import shutil
import subprocess
import threading

import pytest
from google.protobuf import descriptor_pb2

from snoplab import HERE, PATIENCE, TOP, wait_until
from stalls import may_stall
from watching import Names

CLIENT = os.path.join(HERE, 'grpc_js', 'client.js')
MODULES = os.path.join(TOP, 'build', 'grpc-js', 'node_modules')

assert shutil.which('node') and os.path.isdir(MODULES), 'no grpc-js: run scripts/fetch-grpc-js.sh'


class Node:
    """A run of client.js: .lines grows, .wait() is its exit code."""

    def __init__(self, snooperd, *arguments):
        self.process = subprocess.Popen(
            ['node', CLIENT, snooperd.socket, os.path.join(TOP, 'proto'), *arguments], text=True,
            env=dict(os.environ, NODE_PATH=MODULES), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def told(self, condition, deadline=20):
        wait_until(lambda: any(map(condition, self.lines)), deadline, lambda: (
            f'the lines: {self.lines[-10:]} {self.process.poll()}'))

    def wait(self):
        code = self.process.wait(30 * PATIENCE)
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        stderr = self.process.stderr.read()
        assert not stderr, stderr


def run(snooperd, *arguments):
    """(exit code, lines) of a client that comes to its end."""
    with Node(snooperd, *arguments) as node:
        return node.wait(), node.lines


@pytest.fixture
def names(lab):
    made = Names(lab)
    yield made
    made.close()


def test_2_5_grpc_js_list(snooperd, names):
    wanted = [f'n{i}.example.com' for i in range(300)]
    names.look_up(wanted, ['192.0.2.1', '192.0.2.2'])
    names.look_up('other.test')
    snooperd.wait_for(*wanted, 'other.test')
    code, lines = run(snooperd, 'list', '*.example.com')
    assert code == 0 and {line['name'] for line in lines} == set(wanted)
    address = lines[0]['addresses'][0]
    assert address['origin'] == 'ORIGIN_KERNEL' and 0 < address['expires_in_ms'] <= 300000
    assert bytes(address['address']['data'])[:3] == bytes([192, 0, 2])
    code, lines = run(snooperd, 'list', 'a..b')
    assert code == 1 and lines[-1]['code'] == 'INVALID_ARGUMENT'


@may_stall
def test_2_5_grpc_js_watch(snooperd, names):
    names.look_up('there.test')
    snooperd.wait_for('there.test')
    with Node(snooperd, 'watch', '*.test') as node:
        node.told(lambda m: m['event'] == 'synced')
        assert [m['event'] for m in node.lines] == ['name', 'synced']
        names.look_up('brief.test', ttl=1)
        names.look_up('other.example.com')
        node.told(lambda m: m['event'] == 'gone' and m['gone']['name'] == 'brief.test')
        told = [(m['event'], m[m['event']].get('name')) for m in node.lines]
        assert told == [('name', 'there.test'), ('synced', None), ('name', 'brief.test'),
                        ('gone', 'brief.test')]
        snooperd.stop()
        assert node.wait() == 1
        assert node.lines[-1]['code'] == 'UNAVAILABLE'


def test_2_5_grpc_js_health(snooperd):
    assert run(snooperd, 'check', 'snooper.v1.Names') == (0, [{'status': 'SERVING'}])
    code, lines = run(snooperd, 'check', 'nope')
    assert code == 1 and lines[0]['code'] == 'NOT_FOUND'
    with Node(snooperd, 'health', 'nope') as node:
        node.told(lambda m: m.get('status') == 'SERVICE_UNKNOWN')
        assert node.process.poll() is None, 'it stays open'


def test_2_5_grpc_js_reflection(snooperd):
    code, answers = run(snooperd, 'reflect', 'snooper.v1.Names')
    assert code == 0
    assert [a['message_response'] for a in answers] \
        == ['list_services_response', 'file_descriptor_response', 'error_response']
    assert 'snooper.v1.Names' in {s['name'] for s in answers[0]['list_services_response']['service']}
    part = answers[1]['file_descriptor_response']['file_descriptor_proto'][0]
    file = descriptor_pb2.FileDescriptorProto.FromString(bytes(part['data']))
    assert {m.name for s in file.service if s.name == 'Names' for m in s.method} == {'List', 'Watch'}
    assert answers[2]['error_response']['error_code'] == 5
