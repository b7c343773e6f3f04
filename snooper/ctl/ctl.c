/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"

#define CONNECT_MS 5000
#define SILENCE_MS 60000 /* a reload may take its time before it says anything */

int ctl_error(const struct ctl *ctl, enum ctl_exit code, const char *format, ...)
{
	SNP_CLEANUP(snp_freep)
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (ctl->json) {
		struct json_object *o = json_object_new_object();

		ctl_put_string(o, "error", text ? text : "out of memory");
		fprintf(stderr, "%s\n",
			json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
	} else {
		fprintf(stderr, "snooperctl: %s\n", text ? text : "out of memory");
	}
	return code;
}

static int connect_failed(const struct ctl *ctl, int err)
{
	if (err == -EACCES || err == -EPERM)
		return ctl_error(ctl, CTL_DENIED, "%s: %s", ctl->socket, strerror(-err));
	return ctl_error(ctl, CTL_UNREACHABLE, "no daemon at %s: %s", ctl->socket, strerror(-err));
}

static int call_broke(const struct ctl *ctl, int err)
{
	if (err == -ENOMEM || err == -EMSGSIZE)
		return ctl_error(ctl, CTL_FAILED, "cannot take the answer: %s", strerror(-err));
	return ctl_error(ctl, CTL_UNREACHABLE, "the daemon at %s does not answer: %s", ctl->socket,
			 strerror(-err));
}

static int call_ended(const struct ctl *ctl, const struct grpc_reply *reply)
{
	const char *text = reply->text[0] ? reply->text : grpc_code_name(reply->code);

	switch (reply->code) {
	case GRPC_OK:
	case GRPC_CANCELLED: /* we had enough */
		return CTL_OK;
	case GRPC_INVALID_ARGUMENT:
	case GRPC_NOT_FOUND:
		return ctl_error(ctl, CTL_USAGE, "%s", text);
	case GRPC_UNAVAILABLE:
		return ctl_error(ctl, CTL_UNREACHABLE, "the daemon is not available: %s", text);
	case GRPC_PERMISSION_DENIED:
	case GRPC_UNAUTHENTICATED:
		return ctl_error(ctl, CTL_DENIED, "not permitted: %s", text);
	case GRPC_UNIMPLEMENTED:
		return ctl_error(ctl, CTL_FAILED, "this daemon does not know how: %s", text);
	default:
		return ctl_error(ctl, CTL_FAILED, "%s", text);
	}
}

static void freep_client(struct grpc_client **c)
{
	grpc_client_free(*c);
}

int ctl_call(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
	     grpc_message_fn on_message, void *ctx)
{
	SNP_CLEANUP(freep_client)
	struct grpc_client *client = NULL;
	size_t n = protobuf_c_message_get_packed_size(request);
	SNP_CLEANUP(snp_freep)
	uint8_t *bytes = malloc(n + 1);
	struct grpc_reply reply;
	int err;

	if (!bytes)
		return ctl_error(ctl, CTL_FAILED, "out of memory");
	protobuf_c_message_pack(request, bytes);
	err = grpc_client_open(ctl->socket, CONNECT_MS, &client);
	if (err)
		return connect_failed(ctl, err);
	if (ctl->stop_fd)
		grpc_client_stop_on(client, ctl->stop_fd);
	err = grpc_client_call(client, method, bytes, n, ctl->patient ? -1 : SILENCE_MS, on_message,
			       ctx, &reply);
	if (err == -ECANCELED)
		return CTL_OK;
	return err ? call_broke(ctl, err) : call_ended(ctl, &reply);
}

struct unary {
	const ProtobufCMessageDescriptor *type;
	ProtobufCMessage *reply;
};

static void drop_reply(struct unary *u)
{
	if (u->reply)
		protobuf_c_message_free_unpacked(u->reply, NULL);
}

static bool take_reply(void *ctx, const uint8_t *message, size_t n)
{
	struct unary *u = ctx;

	drop_reply(u); /* a second message: the last one counts */
	u->reply = protobuf_c_message_unpack(u->type, NULL, n, message);
	return true;
}

int ctl_call_unary(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply)
{
	SNP_CLEANUP(drop_reply)
	struct unary u = {.type = type};
	int code = ctl_call(ctl, method, request, take_reply, &u);

	if (code)
		return code;
	if (!u.reply)
		return ctl_error(ctl, CTL_FAILED, "the daemon's answer cannot be read");
	*reply = snp_take(&u.reply);
	return CTL_OK;
}
