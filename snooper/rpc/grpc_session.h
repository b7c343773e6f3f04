/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_session.h - the server side of one gRPC connection, without its socket.
 *
 * rpc: nghttp2 inside, none of it here. Bytes in, bytes out, and slices of
 * work in between, all paced by the owner: requests wait in a list until
 * grpc_session_work() takes the next, and a stream is filled no further than
 * GRPC_ROOM bytes ahead of its reader.
 *
 * Whatever the bytes are, the worst that happens is an error to close on. A
 * caller that makes too much of something (grpc_limit.h) gets a GOAWAY with
 * ENHANCE_YOUR_CALM, and is not listened to any more.
 *
 * Times are CLOCK_BOOTTIME nanoseconds.
 */
#ifndef SNP_GRPC_SESSION_H
#define SNP_GRPC_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/rpc/grpc_guard.h"
#include "snooper/rpc/grpc_method.h"

#define GRPC_MAX_STREAMS      16
#define GRPC_MAX_REQUEST      65536
#define GRPC_MAX_HEADER_BYTES 8192  /* of one request, as HTTP/2 counts them */
#define GRPC_ROOM	      32768 /* plus the one message that goes beyond */
#define GRPC_ROUNDS	      4	    /* in which a reader may take nothing of what waits for it */

struct grpc_session; /* opaque; grpc_session.c */

/*
 * A session for a caller with these rights (GRPC_MAY_*). service is borrowed
 * for the life of the session. 0 and *out, or -ENOMEM.
 */
int grpc_session_new(const struct grpc_service *service, unsigned int rights,
		     struct grpc_session **out);
/* Calls still open are stopped. */
void grpc_session_free(struct grpc_session *s);

/*
 * Have every refusal told, detail being for a person, "" for none, borrowed for the call;
 * and, from wherever it was woken, that a call that slept wants work.
 */
typedef void (*grpc_refused_fn)(void *ctx, enum grpc_count why, const char *detail);
void grpc_session_tell(struct grpc_session *s, grpc_refused_fn refused, void (*woken)(void *ctx),
		       void *ctx);

/* Bytes from the caller. 0, or -EPROTO / -ENOMEM: close the connection. */
int grpc_session_input(struct grpc_session *s, const uint8_t *bytes, size_t n, uint64_t now_ns);

/*
 * The next bytes for the caller, valid until the next call of any function
 * here. Returns how many, 0 for none now, or -EPROTO / -ENOMEM.
 */
long grpc_session_output(struct grpc_session *s, const uint8_t **bytes);

bool grpc_session_has_work(const struct grpc_session *s);
/* One slice for one call, in turn. True: there is more to do. */
bool grpc_session_work(struct grpc_session *s);

/*
 * A round of the owner's clock is over: a call whose reader took nothing of what
 * waited for it for GRPC_ROUNDS of them is ended (RESOURCE_EXHAUSTED), and that is
 * told (STALLED). Needed only while grpc_session_waits().
 */
void grpc_session_round(struct grpc_session *s);
bool grpc_session_waits(const struct grpc_session *s);
/* A call has nothing to say at present: silence is no reason to close. */
bool grpc_session_sleeps(const struct grpc_session *s);

/* The caller has spoken HTTP/2. */
bool grpc_session_ready(const struct grpc_session *s);
/* Told to go away for its excesses: write what there is, read no more, close soon. */
bool grpc_session_calmed(const struct grpc_session *s);
/* False: nothing is to be read or written any more, close. */
bool grpc_session_alive(const struct grpc_session *s);
/* Frames that wait to be taken by grpc_session_output(). */
size_t grpc_session_backlog(const struct grpc_session *s);

#endif
