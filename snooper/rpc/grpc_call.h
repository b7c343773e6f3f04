/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_call.h - one call on a session: what grpc_session.c, grpc_call.c and grpc_request.c share.
 *
 * rpc: for these files only.
 */
#ifndef SNP_GRPC_CALL_H
#define SNP_GRPC_CALL_H

#include <sys/queue.h>
#include <nghttp2/nghttp2.h>

#include "snooper/rpc/grpc_frame.h"
#include "snooper/rpc/grpc_guard.h"
#include "snooper/rpc/grpc_method.h"

#define GRPC_PATH_MAX 128

struct grpc_call {
	TAILQ_ENTRY(grpc_call) all;
	TAILQ_ENTRY(grpc_call) work;
	struct grpc_session *session;
	nghttp2_session *h2; /* borrowed from the session */
	int32_t stream_id;

	/* The request, or the first of them that was not looked at. */
	const struct grpc_method *method; /* NULL until the path is known to be good */
	struct grpc_reader request;
	char path[GRPC_PATH_MAX]; /* "" when absent or too long */
	size_t header_bytes;
	bool post, grpc_type;
	bool ended;	/* the caller has said everything */
	uint8_t *ahead; /* owned: what came behind the request, ahead_off of ahead_len are gone */
	size_t ahead_off, ahead_len;

	/* The answer. */
	uint8_t *out; /* owned: messages with their prefixes, out_off of out_len are gone */
	size_t out_off, out_len, out_room;
	int http_status; /* 0: 200 */
	enum grpc_code code;
	char text[GRPC_TEXT_MAX];
	void *state; /* the method's */
	bool streaming;
	bool started;
	bool finished;	     /* code and text are final */
	bool responded;	     /* response headers are on their way */
	bool deferred;	     /* nghttp2 waits for grpc_call_flush() */
	bool queued;	     /* is in the session's list of work */
	bool asleep;	     /* has nothing to say, until grpc_call_wake() */
	unsigned int silent; /* rounds in which the reader took nothing of what waits */
};
TAILQ_HEAD(grpc_calls, grpc_call);

struct grpc_call *grpc_call_new(struct grpc_session *s, nghttp2_session *h2, int32_t stream_id);
/* Runs the method's stop(). */
void grpc_call_free(struct grpc_call *c);

/* Hand what is new to nghttp2. Not from inside its send callbacks. */
void grpc_call_flush(struct grpc_call *c);

/* Is there anything for grpc_session_work() to do? */
bool grpc_call_wants_work(const struct grpc_call *c);
/* Bytes are waiting for the reader. */
bool grpc_call_waits(const struct grpc_call *c);
/* End it with what it has to say unsaid. */
void grpc_call_give_up(struct grpc_call *c, enum grpc_code code, const char *text);

/* grpc_session.c: have it worked on, if it wants to. */
void grpc_session_enqueue(struct grpc_session *s, struct grpc_call *c);
/* The same, from outside of the session's own functions: its owner is told. */
void grpc_session_wake(struct grpc_session *s, struct grpc_call *c);
/* c, which was refused, is told so, and then the connection ends with all that is open. */
void grpc_session_part(struct grpc_session *s, const struct grpc_call *c, enum grpc_count why);
const struct grpc_service *grpc_session_service(const struct grpc_session *s);

/* grpc_request.c: a field of its headers. */
void grpc_request_header(struct grpc_call *c, const uint8_t *name, size_t name_len,
			 const uint8_t *value, size_t value_len);
/* Bytes of the body, its end, and that the request was dealt with. 0, or -ENOMEM. */
int grpc_request_input(struct grpc_call *c, const uint8_t *bytes, size_t n);
void grpc_request_ended(struct grpc_call *c);
void grpc_request_next(struct grpc_call *c);
/* The end, at once. */
void grpc_request_refuse(struct grpc_call *c, enum grpc_code code, const char *text);

#endif
