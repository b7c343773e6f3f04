// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A gRPC client for Node: node client.js SOCKET PROTO_DIR VERB [ARGUMENT], a JSON line a message.
// A call that fails is the line {"code":…,"details":…} and exit 1.
'use strict';

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [socket, protos, verb, argument = ''] = process.argv.slice(2);

function service(file, name) {
	const found = loader.loadSync(file, { includeDirs: [protos], keepCase: true, longs: Number, defaults: true,
		enums: String, oneofs: true });
	const Service = name.split('.').reduce((at, part) => at[part], grpc.loadPackageDefinition(found));

	return new Service(`unix:${socket}`, grpc.credentials.createInsecure());
}

function say(message) {
	process.stdout.write(JSON.stringify(message) + '\n');
}

function fail(error) {
	say({ code: grpc.status[error.code], details: error.details });
	process.exitCode = 1;
}

function finish(client) {
	return (error, reply) => {
		if (error)
			fail(error);
		else if (reply)
			say(reply);
		client.close();
	};
}

function stream(client, call) {
	call.on('data', say);
	call.on('error', (error) => { fail(error); client.close(); });
	call.on('end', () => client.close());
}

const REFLECTION = 'grpc/reflection/v1/reflection.proto';

// Each question is asked after the answer to the one before it was read.
function reflect(questions) {
	const client = service(REFLECTION, 'grpc.reflection.v1.ServerReflection');
	const call = client.ServerReflectionInfo();
	const ask = () => (questions.length ? call.write(questions.shift()) : call.end());

	call.on('data', (answer) => { say(answer); ask(); });
	call.on('error', (error) => { fail(error); client.close(); });
	call.on('end', () => client.close());
	ask();
}

const verbs = {
	list() {
		const client = service('export.proto', 'snooper.v1.Names');

		stream(client, client.List({ pattern: argument }));
	},
	watch() {
		const client = service('export.proto', 'snooper.v1.Names');

		stream(client, client.Watch({ pattern: argument }));
	},
	check() {
		const client = service('grpc/health/v1/health.proto', 'grpc.health.v1.Health');

		client.Check({ service: argument }, finish(client));
	},
	health() {
		const client = service('grpc/health/v1/health.proto', 'grpc.health.v1.Health');

		stream(client, client.Watch({ service: argument }));
	},
	reflect() {
		reflect([{ list_services: '' }, { file_containing_symbol: argument },
			{ file_by_filename: 'nope.proto' }]);
	},
};

verbs[verb]();
