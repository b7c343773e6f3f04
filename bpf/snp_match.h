/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_match.h - which selectors a name matches: the automaton, and the one walk over it.
 *
 * Kernel and user space compile this very file. core/match_compile.c makes the
 * automaton; `snooperctl match` and the kernel walk the same bytes.
 *
 * An automaton is a region of SNP_REGION_BYTES: struct snp_match_head, then
 * entries of eight bytes. It reads a canonical wire name from its end: each
 * byte of a label, last one first, as a symbol, and SNP_SYM_DOT where a label
 * begins (at its length byte). So "a.bc" is: DOT of the root's zero is not read;
 * c, b, DOT, a, DOT. The root is the empty string of symbols.
 *
 * A state is the index of its own entry {SNP_MATCH_STATE of it, default}; the
 * transition by symbol s is entry state + s when that entry's `check` is the
 * state, else the default. Rows of different states interleave. State 0 is
 * dead: nothing can match any more. Entry state + SNP_SYM_OUT, when its check is
 * the state, holds in `next` the index of what is matched when the name ends
 * here, from 1.
 *
 * A byte that no selector can match is symbol SNP_SYM_NEVER: the walk ends dead.
 */
#ifndef SNP_MATCH_H
#define SNP_MATCH_H

#include "bpf/snp_types.h"

/* A region of map memory: a power of two, all reads are masked by it. */
#define SNP_REGION_BYTES (4u << 20)

#define SNP_MATCH_MAGIC 0x6d617463u
#define SNP_SYM_NEVER	0
#define SNP_SYM_DOT	1  /* then - 2, _ 3, 0-9 4..13, a-z 14..39 */
#define SNP_SYM_OUT	40
#define SNP_SYMS	41

struct snp_match_entry {
	__u32 check; /* the state that the entry belongs to */
	__u32 next;  /* a state; of entry state + 0: its default; of + SNP_SYM_OUT: what is matched */
};

struct snp_match_head {
	__u32 magic;
	__u32 start;	 /* state before the first symbol */
	__u32 n_entries; /* from the region's start: the head's own included */
	__u32 reserved;
	__u8 symbol[256]; /* of a byte of a label, letters folded */
};
SNP_ASSERT(sizeof(struct snp_match_head) % 8 == 0, "entries follow, eight bytes each");

#define snp_match_inline static inline __attribute__((always_inline))

snp_match_inline struct snp_match_entry snp_match_entry(const __u8 *region, __u32 i)
{
	return *(const struct snp_match_entry *)(region + ((i * 8) & (SNP_REGION_BYTES - 8)));
}

/* One symbol further. */
snp_match_inline __u32 snp_match_next(const __u8 *region, __u32 state, __u32 symbol)
{
	struct snp_match_entry e = snp_match_entry(region, state + symbol);

	if (e.check != state)
		e = snp_match_entry(region, state);
	return e.next;
}

/* What a name that ends in the state matches: an index from 1, or 0. */
snp_match_inline __u32 snp_match_out(const __u8 *region, __u32 state)
{
	struct snp_match_entry e = snp_match_entry(region, state + SNP_SYM_OUT);

	return state && e.check == state ? e.next : 0;
}

#endif
