/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ctl.h - what the verbs of snooperctl share: options, exit codes, calls, output.
 *
 * ctl: a client of snooper.v1 like any other; sees rpc and core, nothing of the daemon, and of
 * io what `match` reads policies with.
 */
#ifndef SNP_CTL_H
#define SNP_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#include "snooper/rpc/grpc_client.h"

#define CTL_SOCKET "/run/snooper/snooper.sock"

/* Scripts know these numbers. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_DENIED = 4,
	CTL_DEGRADED = 5,
	CTL_KERNEL = 6,
};

struct ctl {
	const char *socket;
	const char *file;	     /* -f: of `match` */
	const char *endpoint, *port; /* of `why` */
	bool verdicts;		     /* of `watch` */
	bool json;
	int out_err;  /* errno of the first write to stdout that failed */
	bool patient; /* a call may be silent for as long as it likes */
	int stop_fd;  /* readable: calls end, as if they had said enough; 0: none */
};

/* args: what follows the verb, n of it. Returns the exit code. */
typedef int (*ctl_verb_fn)(struct ctl *ctl, int n, char **args);

struct ctl_verb {
	const char *name, *args, *help;
	ctl_verb_fn run;
};

int ctl_names(struct ctl *ctl, int n, char **args);
int ctl_watch(struct ctl *ctl, int n, char **args);
int ctl_status(struct ctl *ctl, int n, char **args);
int ctl_proxy(struct ctl *ctl, int n, char **args);
int ctl_reload(struct ctl *ctl, int n, char **args);
int ctl_match(struct ctl *ctl, int n, char **args);
int ctl_why(struct ctl *ctl, int n, char **args);
int ctl_policy(struct ctl *ctl, int n, char **args);

/* Interrupted is how a watch ends, no accident: from now on SIGINT and SIGTERM end calls. 0 or -errno. */
int ctl_catch_signals(struct ctl *ctl);
/* The time of day, "12:34:56.789". Returns text. */
#define CTL_CLOCK_MAX 24
const char *ctl_clock(char text[static CTL_CLOCK_MAX]);
/* A protocol as people write it: "TCP", or its number. Returns text, or a constant. */
#define CTL_PROTOCOL_MAX 12
const char *ctl_protocol(uint32_t number, char text[static CTL_PROTOCOL_MAX]);
/* "a,b,c", or "" for none; with more: "a,b,c and 5 more"; for free(). NULL when out of memory. */
char *ctl_joined(char *const *list, size_t n, uint64_t more);
/* watch --verdicts (verdicts.c) */
int ctl_watch_verdicts(struct ctl *ctl);

/* One line on stderr, as JSON when that was asked for. Returns code. */
int ctl_error(const struct ctl *ctl, enum ctl_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Call method with request; each message of the answer goes to on_message.
 * Returns CTL_OK (also when on_message had enough), or an exit code after
 * having said why on stderr.
 */
int ctl_call(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
	     grpc_message_fn on_message, void *ctx);

/* The same for a unary method. *reply: to be freed by protobuf_c_message_free_unpacked(). */
int ctl_call_unary(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply);

/* To stdout. A write that fails is kept in ctl->out_err, and nothing more is written. */
void ctl_printf(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line; o is given away. */
void ctl_print_json_take(struct ctl *ctl, struct json_object *o);

/* o[key] = value; the containers of json-c never refuse but for memory. */
void ctl_put_string(struct json_object *o, const char *key, const char *value);
void ctl_put_number(struct json_object *o, const char *key, uint64_t value);
void ctl_put_bool(struct json_object *o, const char *key, bool value);
struct json_object *ctl_strings(char *const *list, size_t n);
/* A message's own numbers, strings, and yes or no, each under its name in proto/; lists and parts are left out. */
struct json_object *ctl_message_json(const ProtobufCMessage *m);

/* "850ms", "41.2s", "12m 5s", "3h 4m", "2d 5h". Returns text. */
#define CTL_DURATION_MAX 32
const char *ctl_duration(uint64_t ms, char text[static CTL_DURATION_MAX]);

/* Address bytes of a message as text, "?" when there are neither 4 nor 16. Returns text. */
#define CTL_ADDR_MAX 48
const char *ctl_addr(const ProtobufCBinaryData *bytes, char text[static CTL_ADDR_MAX]);

#endif
