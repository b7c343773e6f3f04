#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""
A gRPC client that is not ours (Debian's python3-grpcio), for any service of a .proto file.

    grpc_client.py SOCKET snooper.v1.Names/List '{"pattern": "*.example.com"}'
    grpc_client.py --tls CA CERTIFICATE KEY 192.0.2.1:9954 snooper.v1.Status/Get

prints a JSON line a message; exit 1 and the status on stderr when the call fails.
Nothing is generated beforehand: the messages come from the .proto, by protoc.
"""
import json
import os
import subprocess
import sys

import grpc
from google.protobuf import descriptor_pb2, json_format, message_factory

from snoplab import PATIENCE, TOP

PROTO = os.path.join(TOP, 'proto', 'export.proto')


def describe(proto):
    """The descriptors of a .proto file, and a class for each of its messages."""
    done = subprocess.run(['protoc', f'-I{TOP}/proto', '--include_imports',
                           '--descriptor_set_out=/dev/stdout', proto],
                          check=True, stdout=subprocess.PIPE)
    files = descriptor_pb2.FileDescriptorSet.FromString(done.stdout).file
    return files, message_factory.GetMessages(files)


class Client:
    """with Client(SOCKET) as c: c.call('snooper.v1.Status/Get') -> [message, ...]"""

    def __init__(self, socket, proto=PROTO, timeout=20, tls=None, options=()):
        """tls: paths of ca, certificate and key; socket is HOST:PORT then."""
        self.timeout = timeout and timeout * PATIENCE
        self.files, self.classes = describe(proto)
        if tls:
            ca, certificate, key = (open(path, 'rb').read() for path in tls)
            self.channel = grpc.secure_channel(
                socket, grpc.ssl_channel_credentials(ca, key, certificate))
        else:
            self.channel = grpc.insecure_channel(f'unix:{os.path.abspath(socket)}', options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def methods(self):
        """{'package.Service/Method': its MethodDescriptorProto}"""
        return {f'{f.package}.{s.name}/{m.name}': m
                for f in self.files for s in f.service for m in s.method}

    def stream(self, path, request):
        """Any bytes to any path, answered by a stream: the call, whose items are bytes."""
        return self.channel.unary_stream(f'/{path}')(request, timeout=self.timeout)

    def unary(self, path, request):
        """Any bytes to any path: the bytes of the one answer. Raises grpc.RpcError."""
        return self.channel.unary_unary(f'/{path}')(request, timeout=self.timeout)

    def call(self, path, **fields):
        """The messages that a method of the .proto answers with. Raises grpc.RpcError."""
        method = self.methods()[path]
        request = self.classes[method.input_type.lstrip('.')](**fields).SerializeToString()
        answer = self.classes[method.output_type.lstrip('.')]
        if not method.server_streaming:
            return [answer.FromString(self.unary(path, request))]
        return [answer.FromString(part) for part in self.stream(path, request)]


def main(*argv):
    tls, argv = (argv[1:4], argv[4:]) if argv[0] == '--tls' else (None, argv)
    socket, path, fields = (*argv, '{}')[:3]
    with Client(socket, tls=tls) as client:
        try:
            for message in client.call(path, **json.loads(fields)):
                print(json_format.MessageToJson(message, preserving_proto_field_name=True,
                                                including_default_value_fields=True, indent=None))
        except grpc.RpcError as error:
            print(f'{error.code().name}: {error.details()}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
