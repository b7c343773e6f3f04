/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_reflection.h"

#include <stdlib.h>
#include <string.h>

#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "snooper/rpc/grpc_described.h"

#define SERVICES_MAX 32
#define SERVICE_TEXT 96
#define ASKED(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define SAID(what)   GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

/* An answer, and the parts it may be made of. */
struct answer {
	Grpc__Reflection__V1__ServerReflectionResponse m;
	Grpc__Reflection__V1__FileDescriptorResponse file;
	Grpc__Reflection__V1__ExtensionNumberResponse extensions;
	Grpc__Reflection__V1__ErrorResponse error;
	Grpc__Reflection__V1__ListServiceResponse list;
	Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX], *services_list[SERVICES_MAX];
	char names[SERVICES_MAX][SERVICE_TEXT];
};

static void say_error(struct answer *a, enum grpc_code code, const char *text)
{
	grpc__reflection__v1__error_response__init(&a->error);
	a->error.error_code = code;
	a->error.error_message = (char *)text;
	a->m.message_response_case = SAID(ERROR_RESPONSE);
	a->m.error_response = &a->error;
}

static void say_file(struct answer *a, const ProtobufCBinaryData *file)
{
	if (!file) {
		say_error(a, GRPC_NOT_FOUND, "nothing of that name is served here");
		return;
	}
	grpc__reflection__v1__file_descriptor_response__init(&a->file);
	a->file.n_file_descriptor_proto = 1;
	a->file.file_descriptor_proto = (ProtobufCBinaryData *)file;
	a->m.message_response_case = SAID(FILE_DESCRIPTOR_RESPONSE);
	a->m.file_descriptor_response = &a->file;
}

/* proto3 has no extensions: a type of ours has none, and there is no other. */
static void say_extensions(struct answer *a, const struct grpc_described *d, const char *type)
{
	if (!grpc_described_is_type(d, type)) {
		say_file(a, NULL);
		return;
	}
	grpc__reflection__v1__extension_number_response__init(&a->extensions);
	a->extensions.base_type_name = (char *)type;
	a->m.message_response_case = SAID(ALL_EXTENSION_NUMBERS_RESPONSE);
	a->m.all_extension_numbers_response = &a->extensions;
}

static void say_services(struct answer *a, const struct grpc_described *d)
{
	size_t n = 0;

	while (n < SERVICES_MAX && grpc_described_service(d, n, a->names[n], SERVICE_TEXT)) {
		grpc__reflection__v1__service_response__init(&a->services[n]);
		a->services[n].name = a->names[n];
		a->services_list[n] = &a->services[n];
		n++;
	}
	grpc__reflection__v1__list_service_response__init(&a->list);
	a->list.n_service = n;
	a->list.service = a->services_list;
	a->m.message_response_case = SAID(LIST_SERVICES_RESPONSE);
	a->m.list_services_response = &a->list;
}

static void fill(struct answer *a, const struct grpc_described *d,
		 Grpc__Reflection__V1__ServerReflectionRequest *m)
{
	grpc__reflection__v1__server_reflection_response__init(&a->m);
	a->m.valid_host = m->host;
	a->m.original_request = m;
	switch (m->message_request_case) {
	case ASKED(FILE_BY_FILENAME):
		say_file(a, grpc_described_file(d, m->file_by_filename));
		break;
	case ASKED(FILE_CONTAINING_SYMBOL):
		say_file(a, grpc_described_symbol(d, m->file_containing_symbol));
		break;
	case ASKED(FILE_CONTAINING_EXTENSION):
		say_error(a, GRPC_NOT_FOUND, "there are no extensions here");
		break;
	case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
		say_extensions(a, d, m->all_extension_numbers_of_type);
		break;
	case ASKED(LIST_SERVICES):
		say_services(a, d);
		break;
	default:
		say_error(a, GRPC_INVALID_ARGUMENT, "nothing was asked");
	}
}

void grpc_reflection_next(void *state, struct grpc_call *call, const uint8_t *request, size_t n)
{
	Grpc__Reflection__V1__ServerReflectionRequest *m =
		grpc__reflection__v1__server_reflection_request__unpack(NULL, n, request);
	struct answer *a = m ? calloc(1, sizeof(*a)) : NULL;
	uint8_t *at;

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	if (a) {
		fill(a, state, m);
		at = grpc_call_message(call, protobuf_c_message_get_packed_size(&a->m.base));
		if (at)
			protobuf_c_message_pack(&a->m.base, at);
		free(a);
	} else {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
	grpc__reflection__v1__server_reflection_request__free_unpacked(m, NULL);
}

void grpc_reflection_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct grpc_described *d = grpc_described_new();

	if (!d) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	grpc_call_stream(call, d);
	grpc_reflection_next(d, call, request, n);
}

void grpc_reflection_stop(void *state)
{
	grpc_described_free(state);
}
