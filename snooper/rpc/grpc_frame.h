/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_frame.h - messages on a stream: a flag byte, a length of four, the bytes.
 *
 * rpc: pure, no third-party header. A reader holds one message at a time, and
 * memory for what has come of it, whatever length was announced.
 */
#ifndef SNP_GRPC_FRAME_H
#define SNP_GRPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define GRPC_PREFIX 5

struct grpc_reader {
	uint8_t prefix[GRPC_PREFIX];
	uint8_t prefix_len;
	uint8_t *message; /* owned */
	size_t len, room, want;
	size_t max; /* a longer message is refused */
};

void grpc_reader_init(struct grpc_reader *r, size_t max);
void grpc_reader_fini(struct grpc_reader *r);

/*
 * Take bytes up to the end of the current message. Returns how many were taken
 * (all n, unless a message became whole before), -EMSGSIZE for a message above
 * max, -EOPNOTSUPP for a compressed one, -EPROTO for another flag, -ENOMEM.
 */
long grpc_reader_feed(struct grpc_reader *r, const uint8_t *bytes, size_t n);

/* Is r->message whole, with r->len bytes? grpc_reader_next() drops it. */
int grpc_reader_whole(const struct grpc_reader *r);
void grpc_reader_next(struct grpc_reader *r);

/* Not a byte of a message has come, or the last one was dropped. */
int grpc_reader_empty(const struct grpc_reader *r);

void grpc_prefix_put(uint8_t prefix[static GRPC_PREFIX], uint32_t message_len);

#endif
