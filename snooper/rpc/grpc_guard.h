/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_guard.h - what was refused to whom: every reason counted, and said at a bounded rate.
 *
 * rpc: pure, no third-party header. One guard a server; connections borrow it.
 */
#ifndef SNP_GRPC_GUARD_H
#define SNP_GRPC_GUARD_H

#include <stdint.h>

/* A name once used keeps its meaning. X(NAME, "name", "what happened") */
#define GRPC_COUNTS(X)                                                                             \
	/* who does not come in */                                                                 \
	X(CONNS_FULL, "conns_full", "a connection above the limit of all")                         \
	X(CONNS_PEER, "conns_per_peer", "a connection above the limit of one user or address")     \
	X(CONNS_RATE, "conns_rate", "TCP connections faster than handshakes are made")             \
	X(ACCEPT_FAILED, "accept_failed",                                                          \
	  "no descriptor or memory for a connection: all but root and our own user wait")          \
	X(TLS_FAILED, "tls_failed", "no handshake with a verified client certificate")             \
	X(TLS_TIMEOUT, "tls_timeout", "a handshake not ended in time")                             \
	X(HELLO_TIMEOUT, "hello_timeout", "no HTTP/2 in time")                                     \
	X(DENIED, "denied", "a call without the right to it")                                      \
	/* what costs a call */                                                                    \
	X(HEADER_SIZE, "header_size", "request headers above 8 KiB")                               \
	/* what costs the connection */                                                            \
	X(MESSAGE_SIZE, "message_size", "a request message above 64 KiB")                          \
	X(MALFORMED, "malformed", "a request that is no message of its type")                      \
	X(STREAMS, "streams", "more calls at once than announced")                                 \
	X(RESETS, "resets", "streams reset faster than calls are made (rapid reset)")              \
	X(PINGS, "pings", "PING flood")                                                            \
	X(SETTINGS, "settings", "SETTINGS flood")                                                  \
	X(PRIORITIES, "priorities", "PRIORITY flood")                                              \
	X(WINDOW_UPDATES, "window_updates", "WINDOW_UPDATE flood")                                 \
	X(EMPTY_DATA, "empty_data", "flood of DATA frames without data")                           \
	X(OTHER_FRAMES, "other_frames", "flood of frames that mean nothing here")                  \
	X(CONTINUATIONS, "continuations", "a header block that does not end")                      \
	X(HEADERS, "headers", "a header block too large, packed or unpacked")                      \
	X(BYTES, "bytes", "more bytes than requests need")                                         \
	X(FLOODED, "flooded", "answers to frames pile up unread")                                  \
	X(STALLED, "stalled", "a client that does not take its answers")                           \
	X(IDLE, "idle", "silent for long")                                                         \
	X(PROTOCOL, "protocol", "not HTTP/2, or an error in it")

#define GRPC_COUNT_ENUM(id, name, text) GRPC_COUNT_##id,
enum grpc_count { GRPC_COUNTS(GRPC_COUNT_ENUM) GRPC_COUNT_MAX };

struct grpc_counts {
	uint64_t n[GRPC_COUNT_MAX];
};

const char *grpc_count_name(enum grpc_count c);
const char *grpc_count_text(enum grpc_count c);

/*
 * Somebody was refused: peer as grpc_peer.h writes it; detail for a person, ""
 * for none; unsaid: how many like it went unsaid since the last one.
 */
typedef void (*grpc_audit_fn)(void *ctx, enum grpc_count why, const char *peer, const char *detail,
			      uint64_t unsaid);

/* Zero-initialised: counts, says nothing. */
struct grpc_guard {
	struct grpc_counts counts;
	grpc_audit_fn audit;
	void *ctx;
	/* By reason: who makes much of one does not silence the others. */
	uint64_t buckets[GRPC_COUNT_MAX], unsaid[GRPC_COUNT_MAX];
};

/* Count, and say it unless much of it was said lately. */
void grpc_guard_refuse(struct grpc_guard *g, enum grpc_count why, const char *peer,
		       const char *detail, uint64_t now_ns);

#endif
