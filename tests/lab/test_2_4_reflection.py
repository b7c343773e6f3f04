# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Point 2.4: a client without any .proto learns what is served, and calls it."""
import os
import queue

import pytest
from google.protobuf import descriptor_pb2, message_factory

from grpc_client import TOP, Client
from snoplab import PATIENCE

SERVICES = {'snooper.v1.Names', 'snooper.v1.Policy', 'snooper.v1.Status', 'snooper.v1.Control', 'grpc.health.v1.Health',
            'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'}
NOT_FOUND, INVALID_ARGUMENT = 5, 3


class Reflection:
    """One call of ServerReflectionInfo: ask(field=value) sends a request and takes its answer."""

    def __init__(self, socket, version):
        package = f'grpc.reflection.{version}'
        self.client = Client(socket, os.path.join(TOP, 'proto', 'grpc', 'reflection', version,
                                                  'reflection.proto'))
        self.request = self.client.classes[f'{package}.ServerReflectionRequest']
        self.response = self.client.classes[f'{package}.ServerReflectionResponse']
        self.requests = queue.Queue()
        self.call = self.client.channel.stream_stream(
            f'/{package}.ServerReflection/ServerReflectionInfo')(
                iter(self.requests.get, None), timeout=20 * PATIENCE)

    def send(self, **fields):
        self.requests.put(self.request(**fields).SerializeToString())

    def take(self):
        return self.response.FromString(next(self.call))

    def ask(self, **fields):
        self.send(**fields)
        return self.take()

    def end(self):
        """We have asked everything: the answers that are left."""
        self.requests.put(None)
        return [self.response.FromString(part) for part in self.call]


@pytest.fixture(params=['v1', 'v1alpha'])
def reflection(request, snooperd):
    made = Reflection(snooperd.socket, request.param)
    yield made
    made.call.cancel()
    made.requests.put(None)
    made.client.channel.close()


def files(answer):
    return [descriptor_pb2.FileDescriptorProto.FromString(part)
            for part in answer.file_descriptor_response.file_descriptor_proto]


def test_2_4_reflection_services(reflection):
    answer = reflection.ask(host='some.host', list_services='')
    assert {s.name for s in answer.list_services_response.service} == SERVICES
    assert answer.valid_host == 'some.host' and answer.original_request.host == 'some.host'
    assert answer.original_request.WhichOneof('message_request') == 'list_services'
    assert reflection.end() == []


def test_2_4_reflection_is_enough_to_call(snooperd, reflection):
    """From the socket alone to an answer of Status/Get."""
    found = files(reflection.ask(file_containing_symbol='snooper.v1.Status.Get'))
    assert [f.name for f in found] == ['export.proto']
    by_name = files(reflection.ask(file_by_filename='export.proto'))
    assert by_name == found
    classes = message_factory.GetMessages(found)
    with Client(snooperd.socket) as client:
        reply = classes['snooper.v1.StatusReply'].FromString(
            client.unary('snooper.v1.Status/Get', b''))
    assert reply.version == snooperd.status()['version']


def test_2_4_reflection_describes_every_service(reflection):
    for service in SERVICES:
        found = files(reflection.ask(file_containing_symbol=service))
        assert service in {f'{f.package}.{s.name}' for f in found for s in f.service}
        assert not any(f.dependency for f in found), 'nothing more has to be asked for'


@pytest.mark.parametrize('question, code', [
    ({'file_by_filename': 'nope.proto'}, NOT_FOUND),
    ({'file_containing_symbol': 'snooper.v1.Nope'}, NOT_FOUND),
    ({'file_containing_extension': {'containing_type': 'snooper.v1.Name',
                                    'extension_number': 1}}, NOT_FOUND),
    ({'all_extension_numbers_of_type': 'nope'}, NOT_FOUND),
    ({}, INVALID_ARGUMENT),
], ids=lambda value: str(value)[:40])
def test_2_4_reflection_errors_are_answers(reflection, question, code):
    answer = reflection.ask(**question)
    assert answer.error_response.error_code == code and answer.error_response.error_message
    after = reflection.ask(all_extension_numbers_of_type='snooper.v1.Name')
    assert after.all_extension_numbers_response.base_type_name == 'snooper.v1.Name'
    assert not after.all_extension_numbers_response.extension_number


def test_2_4_reflection_many_questions_at_once(reflection):
    """5,000 questions before an answer is taken: all are answered, in their order."""
    symbols = ['snooper.v1.Names', 'nope'] * 2500
    for symbol in symbols:
        reflection.send(file_containing_symbol=symbol)
    answers = reflection.end()
    assert [a.original_request.file_containing_symbol for a in answers] == symbols
    assert [a.WhichOneof('message_response') for a in answers] \
        == ['file_descriptor_response', 'error_response'] * 2500
