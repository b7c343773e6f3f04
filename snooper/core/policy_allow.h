/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_allow.h - rows of snp_allow (snp_policy.h), and the table that the kernel finds them in.
 *
 * core: pure; for policy_compile.c.
 */
#ifndef SNP_POLICY_ALLOW_H
#define SNP_POLICY_ALLOW_H

#include "snooper/core/policy_blob.h"

struct policy_allow {
	struct snp_allow *rows; /* owned */
	size_t n, room;
};

/* No two rows of one class and identity. 0; -ENOMEM; -E2BIG: more than any region holds. */
int policy_allow_add(struct policy_allow *a, uint32_t class, uint32_t identity, uint32_t ports);
/* The table: where it is, and the number of its entries less one. 0; -ENOMEM; -E2BIG: it does not fit. */
int policy_allow_put(const struct policy_allow *a, struct policy_blob *b, uint32_t *at,
		     uint32_t *mask);
void policy_allow_fini(struct policy_allow *a);

#endif
