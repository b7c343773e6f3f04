/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_limit.h - how much a client may make of what costs it nothing.
 *
 * rpc: pure, no third-party header, no clock: the caller passes the time in.
 *
 * A connection's bytes go by before HTTP/2 is parsed: frames are counted by
 * their nine-byte heads, whatever the parser would make of them. So nothing
 * that it ignores in silence (frames of unknown type, of closed streams) is
 * free of charge. Times are CLOCK_BOOTTIME nanoseconds.
 */
#ifndef SNP_GRPC_LIMIT_H
#define SNP_GRPC_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/rpc/grpc_guard.h"

/* One header block: compressed bytes, and frames that continue it. */
#define GRPC_MAX_BLOCK_BYTES   32768
#define GRPC_MAX_CONTINUATIONS 8
/* The same block unpacked; a request is refused at GRPC_MAX_HEADER_BYTES already. */
#define GRPC_MAX_UNPACKED_BYTES 65536
#define GRPC_MAX_FIELDS		256

/* How often, in the long run and at once. */
struct grpc_rate {
	uint32_t per_s, burst;
};

/*
 * A bucket is the moment when it is full again; 0 is a full one. Take n from
 * it; false, and nothing is taken, when there is less than n in it.
 */
bool grpc_bucket_take(uint64_t *bucket, const struct grpc_rate *rate, uint64_t n, uint64_t now_ns);

enum grpc_limit_kind {
	GRPC_LIMIT_RESET,
	GRPC_LIMIT_PING,
	GRPC_LIMIT_SETTINGS,
	GRPC_LIMIT_PRIORITY,
	GRPC_LIMIT_WINDOW,
	GRPC_LIMIT_EMPTY_DATA,
	GRPC_LIMIT_OTHER, /* frames of a type that means nothing here */
	GRPC_LIMIT_BYTES,
	GRPC_LIMIT_KINDS
};

/* Zero-initialised, but for skip: use grpc_limit_init(). */
struct grpc_limit {
	uint64_t buckets[GRPC_LIMIT_KINDS];
	uint8_t head[9];
	uint8_t head_len;
	uint32_t skip; /* bytes of a payload that are still to come */
	uint32_t block_bytes, continuations;
};

/* For a connection that begins with the client's preface. */
void grpc_limit_init(struct grpc_limit *l);

/* Bytes came. False: too much of something, *why; the connection is to be ended. */
bool grpc_limit_feed(struct grpc_limit *l, const uint8_t *bytes, size_t n, uint64_t now_ns,
		     enum grpc_count *why);

/* We had to reset a stream for the client's fault: as if the client had. */
bool grpc_limit_reset(struct grpc_limit *l, uint64_t now_ns);

/*
 * Headers or data of ours went out: what the client says because of them is
 * its right. Clients measure with PINGs while they read, and make room.
 */
void grpc_limit_answered(struct grpc_limit *l);

#endif
