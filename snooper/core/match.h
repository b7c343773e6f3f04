/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match.h - which of many selectors a name matches: compiled tables, and the walk.
 *
 * core: pure. match_compile.h makes the tables; bpf/snp_match.h is the walk, which
 * the kernel runs over the same bytes. A name that matches at all has, for each
 * bank, an index: the number of a sorted set of selectors.
 */
#ifndef SNP_MATCH_TABLES_H
#define SNP_MATCH_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_match.h"

struct match_bank {
	uint8_t *region; /* as in snp_match.h, its first bytes only */
	size_t bytes;
	size_t n_states, n_entries;
	/* What is matched, by index from 1: sets[set_at[i]] to sets[set_at[i + 1]] are selectors. */
	uint32_t *sets, *set_at;
	size_t n_sets; /* with the empty set, 0 */
};

struct match_tables {
	struct match_bank banks[SNP_MATCH_BANKS];
	size_t n_banks;
};

void match_tables_fini(struct match_tables *t);

/* The selectors, sorted, that index stands for in a bank. */
static inline const uint32_t *match_set(const struct match_bank *b, uint32_t index, size_t *n)
{
	*n = b->set_at[index + 1] - b->set_at[index];
	return b->sets + b->set_at[index];
}

/*
 * Walk a canonical wire name. index[i]: what it matches in bank i, 0 for nothing or
 * no such bank. Returns 0, or -EINVAL when wire is no well-formed name of len bytes.
 */
int match_name(const struct match_tables *t, const uint8_t *wire, size_t len,
	       uint32_t index[static SNP_MATCH_BANKS]);

#endif
