/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_call.h - one call on a session: what grpc_session.c and grpc_call.c share.
 *
 * rpc: for these two files only.
 */
#ifndef SNP_GRPC_CALL_H
#define SNP_GRPC_CALL_H

#include <sys/queue.h>
#include <nghttp2/nghttp2.h>

#include "snooper/rpc/grpc_frame.h"
#include "snooper/rpc/grpc_method.h"

#define GRPC_PATH_MAX 128

struct grpc_call {
	TAILQ_ENTRY(grpc_call) all;
	TAILQ_ENTRY(grpc_call) work;
	struct grpc_session *session;
	nghttp2_session *h2; /* borrowed from the session */
	int32_t stream_id;

	/* The request. */
	const struct grpc_method *method; /* NULL until the path is known to be good */
	struct grpc_reader request;
	char path[GRPC_PATH_MAX]; /* "" when absent or too long */
	size_t header_bytes;
	bool post, grpc_type;
	bool ended; /* the caller has said everything */

	/* The answer. */
	uint8_t *out; /* owned: messages with their prefixes, out_off of out_len are gone */
	size_t out_off, out_len, out_room;
	int http_status; /* 0: 200 */
	enum grpc_code code;
	char text[GRPC_TEXT_MAX];
	void *state; /* the method's */
	bool streaming;
	bool started;
	bool finished;	/* code and text are final */
	bool responded; /* response headers are on their way */
	bool deferred;	/* nghttp2 waits for grpc_call_flush() */
	bool queued;	/* is in the session's list of work */
};
TAILQ_HEAD(grpc_calls, grpc_call);

struct grpc_call *grpc_call_new(struct grpc_session *s, nghttp2_session *h2, int32_t stream_id);
/* Runs the method's stop(). */
void grpc_call_free(struct grpc_call *c);

/* Hand what is new to nghttp2. Not from inside its send callbacks. */
void grpc_call_flush(struct grpc_call *c);

/* grpc_session.c: have more() (or start()) called. */
void grpc_session_enqueue(struct grpc_session *s, struct grpc_call *c);

#endif
