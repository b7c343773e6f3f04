/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_method.h - what a method of a gRPC service sees: one request, a way to answer.
 *
 * rpc: no third-party header. Everything runs on the loop thread, from
 * grpc_session_work(), one slice at a time.
 *
 *   start() ── grpc_call_finish() ─────────────────────────────► over
 *      └────── grpc_call_stream(state) ─► more() more() more() ─► over ─► stop(state)
 *                                           └ grpc_call_sleep() ─► grpc_call_wake() ─► more()
 *
 * start() gets the whole request. A method that cannot answer at once hands
 * over a state; more() is then called whenever the reader has room, and stop()
 * exactly once: after grpc_call_finish(), or when the reader is gone. Who has
 * nothing to say sleeps, at no cost, until somebody wakes it.
 *
 * A method with next() takes several requests: start() gets the first and hands
 * over a state, next() gets each of the others once there is room for its answer;
 * the call is over with the last. It has no more().
 *
 * A reader that takes nothing of what waits for it is given up by the session.
 */
#ifndef SNP_GRPC_METHOD_H
#define SNP_GRPC_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/rpc/grpc_status.h"

struct grpc_call; /* opaque; grpc_call.c */

/* What a caller may do; a method wants one of them. */
enum { GRPC_MAY_READ = 1, GRPC_MAY_CHANGE = 2 };

struct grpc_method {
	const char *path; /* "/package.Service/Method" */
	unsigned int right;
	void (*start)(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
	void (*more)(void *state, struct grpc_call *call); /* NULL: never streams */
	void (*stop)(void *state);			   /* NULL: nothing to give back */
	void (*next)(void *state, struct grpc_call *call, const uint8_t *request, size_t n);
};

struct grpc_service {
	const struct grpc_method *methods;
	size_t n_methods;
	void *ctx; /* of start() */
};

/* The service that call is for. */
const struct grpc_service *grpc_call_service(const struct grpc_call *call);

/*
 * Room for a message of n bytes, which the caller writes before it returns
 * to the session. NULL when out of memory: the call has then failed.
 */
uint8_t *grpc_call_message(struct grpc_call *call, size_t n);

/* False: enough is waiting for this reader; return from more() soon. */
bool grpc_call_has_room(const struct grpc_call *call);

/* Go on with more(state), or next(state). Once, from start(). */
void grpc_call_stream(struct grpc_call *call, void *state);

/* From more(): not again before grpc_call_wake(), which may come at any time until stop(). */
void grpc_call_sleep(struct grpc_call *call);
void grpc_call_wake(struct grpc_call *call);

/* The end. What was written is still delivered. text (NULL: none) is for a person. */
void grpc_call_finish(struct grpc_call *call, enum grpc_code code, const char *text);

/*
 * The request is no message of its type, which no library sends: the end of the call, and
 * of the connection. state is given back, if there is one.
 */
void grpc_call_malformed(struct grpc_call *call);

#endif
