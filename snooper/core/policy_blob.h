/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_blob.h - a region of SNP_REGION_BYTES as it grows, piece by piece.
 *
 * core: pure; for policy_compile.c. Pieces begin at multiples of SNP_TABLE_ALIGN. The first
 * error is kept, and nothing more is added then: look once, at the end. -E2BIG: the region is full.
 */
#ifndef SNP_POLICY_BLOB_H
#define SNP_POLICY_BLOB_H

#include "bpf/snp_policy.h"
#include "snooper/core/intern.h"

struct policy_blob {
	uint8_t *bytes; /* owned */
	size_t len, room;
	struct intern *shared; /* pieces, by their offset in units of SNP_TABLE_ALIGN */
	int error;
};

/* With a head of n bytes. To be finished in any case. */
void policy_blob_init(struct policy_blob *b, size_t n);
void policy_blob_fini(struct policy_blob *b);

/* Room for n bytes, zero. Its offset; 0 on error. */
uint32_t policy_blob_add(struct policy_blob *b, size_t n);
uint32_t policy_blob_put(struct policy_blob *b, const void *from, size_t n);

/*
 * The piece added last, at `at`, is not changed any more. Returns where it stands: if another one is
 * the same, there, and its room is given back.
 */
uint32_t policy_blob_share(struct policy_blob *b, uint32_t at);

/* What was added at `at`; valid until more is. */
#define policy_blob_at(b, type, at) ((type *)((b)->bytes + (at)))

#endif
