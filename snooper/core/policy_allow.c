/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_allow.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"

int policy_allow_add(struct policy_allow *a, uint32_t class, uint32_t identity, uint32_t ports)
{
	struct snp_allow *more;

	if (a->n == SNP_REGION_BYTES / sizeof(*more))
		return -E2BIG;
	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 256;

		more = realloc(a->rows, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		a->rows = more;
		a->room = room;
	}
	a->rows[a->n++] = (struct snp_allow){class, identity, ports, 0};
	return 0;
}

void policy_allow_fini(struct policy_allow *a)
{
	free(a->rows);
}

/*
 * Open addressing. Who is nearer to its place gives way to who is farther from its own, so that none is
 * far from it even in a table three quarters full.
 */
static bool hash_allow(const struct policy_allow *a, struct snp_allow *table, uint32_t mask)
{
	for (size_t i = 0; i < a->n; i++) {
		struct snp_allow row = a->rows[i], other;
		uint32_t at = snp_hash_allow(row.class, row.identity), far = 0, its;

		for (; table[at & mask].class; at++, far++) {
			other = table[at & mask];
			its = (at - snp_hash_allow(other.class, other.identity)) & mask;
			if (its < far) {
				table[at & mask] = row;
				row = other;
				far = its;
			}
			if (far + 1 == SNP_ALLOW_PROBES)
				return false;
		}
		table[at & mask] = row;
	}
	return true;
}

int policy_allow_put(const struct policy_allow *a, struct policy_blob *b, uint32_t *at,
		     uint32_t *mask)
{
	size_t n = 16;

	while (n * 3 / 4 < a->n)
		n *= 2;
	for (; n * sizeof(struct snp_allow) <= SNP_REGION_BYTES; n *= 2) {
		SNP_CLEANUP(snp_freep)
		struct snp_allow *table = calloc(n, sizeof(*table));

		if (!table)
			return -ENOMEM;
		if (!hash_allow(a, table, n - 1))
			continue;
		*at = policy_blob_put(b, table, n * sizeof(*table));
		*mask = n - 1;
		return b->error;
	}
	return -E2BIG;
}
