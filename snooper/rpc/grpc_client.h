/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_client.h - call a gRPC service on a Unix socket, and wait for the answer.
 *
 * rpc: nghttp2 inside. Blocking: for programs that do one thing at a time.
 * Raises no SIGPIPE.
 */
#ifndef SNP_GRPC_CLIENT_H
#define SNP_GRPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/rpc/grpc_status.h"

/* A longer message ends the call with -EMSGSIZE. */
#define GRPC_CLIENT_MAX_MESSAGE (16u << 20)

struct grpc_client; /* opaque; grpc_client.c */

struct grpc_reply {
	enum grpc_code code;
	char text[GRPC_TEXT_MAX]; /* printable UTF-8, "" for none */
};

/* One message of the answer, borrowed. False: enough, end the call. */
typedef bool (*grpc_message_fn)(void *ctx, const uint8_t *message, size_t n);

/*
 * Connect. 0 and *out, or what connect(2) said: -ENOENT and -ECONNREFUSED when
 * nobody serves there, -EACCES when we may not; -ETIMEDOUT when the server took
 * nobody in for timeout_ms; -ENAMETOOLONG; -ENOMEM.
 */
int grpc_client_open(const char *path, int timeout_ms, struct grpc_client **out);
void grpc_client_free(struct grpc_client *c);

/* Calls end with -ECANCELED once fd is readable (a signalfd, say). */
void grpc_client_stop_on(struct grpc_client *c, int fd);

/*
 * Call method ("/package.Service/Method") with one request message; on_message
 * gets the messages of the answer, one for a unary method. One call at a time.
 *
 * Returns 0 when the call ended, and *reply how (GRPC_CANCELLED after
 * on_message said enough; the client is then good for grpc_client_free() only);
 * -ETIMEDOUT when nothing came for timeout_ms (-1: never); -ECONNRESET, -EPIPE when the
 * server went away; -EPROTO when it does not speak gRPC; -EMSGSIZE; -ENOMEM.
 */
int grpc_client_call(struct grpc_client *c, const char *method, const uint8_t *request, size_t n,
		     int timeout_ms, grpc_message_fn on_message, void *ctx,
		     struct grpc_reply *reply);

#endif
