/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl reload: have the daemon read its configuration again. */
#include <stdio.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/ctl/ctl.h"

/* Each line is file:line:column already; with --json all of them are one error. */
static void print_errors(const struct ctl *ctl, const Snooper__V1__ReloadReply *m, int code)
{
	struct json_object *o;

	if (!ctl->json) {
		for (size_t i = 0; i < m->n_errors; i++)
			fprintf(stderr, "%s\n", m->errors[i]);
		ctl_error(ctl, code, "not reloaded: the old configuration stays in force");
		return;
	}
	o = json_object_new_object();
	ctl_put_string(o, "error", "not reloaded: the old configuration stays in force");
	json_object_object_add(o, "problems", ctl_strings(m->errors, m->n_errors));
	fprintf(stderr, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int ctl_reload(struct ctl *ctl, int n, char **args)
{
	Snooper__V1__ReloadRequest request = SNOOPER__V1__RELOAD_REQUEST__INIT;
	const Snooper__V1__ReloadReply *reply;
	struct json_object *o;
	ProtobufCMessage *m;
	int code;

	if (n)
		return ctl_error(ctl, CTL_USAGE, "reload takes no argument");
	code = ctl_call_unary(ctl, "/snooper.v1.Control/Reload", &request.base,
			      &snooper__v1__reload_reply__descriptor, &m);
	if (code)
		return code;
	reply = (const Snooper__V1__ReloadReply *)m;
	if (reply->result != SNOOPER__V1__RELOAD_REPLY__RESULT__RELOADED) {
		code = reply->result == SNOOPER__V1__RELOAD_REPLY__RESULT__REFUSED ? CTL_USAGE
										   : CTL_FAILED;
		print_errors(ctl, reply, code);
	} else if (ctl->json) {
		o = json_object_new_object();
		ctl_put_bool(o, "reloaded", true);
		ctl_print_json_take(ctl, o);
	} else {
		ctl_printf(ctl, "reloaded\n");
	}
	protobuf_c_message_free_unpacked(m, NULL);
	return code;
}
