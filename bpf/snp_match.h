/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_match.h - which selectors a name matches: the automaton, and the one walk over it.
 *
 * Kernel and user space compile this very file. core/match_compile.c makes the
 * automaton; `snooperctl match` and the kernel walk the same bytes.
 *
 * An automaton is a region of SNP_REGION_BYTES: struct snp_match_head, then
 * entries of four bytes. It reads a canonical wire name from its end: each byte
 * of a label, last one first, as a symbol, and SNP_SYM_DOT where a label begins
 * (at its length byte). So "a.bc" is c, b, DOT, a, DOT, and the root the empty string.
 *
 * A state is the offset of its row from the region's start. The transition by
 * symbol s is the entry at state + s, if that entry says s. Else, for DOT, it is
 * head.dot, where most states go by a dot; for a character it is the state's
 * default: the entry at the state itself, if that says symbol 0; else head.floor,
 * the default of most states. Rows of different states interleave; as no two
 * begin at one place, an entry that says s, s after a state, is that state's. The
 * entry at state + SNP_SYM_OUT, if it says so, holds the index of what is matched
 * when the name ends in the state.
 *
 * State 0 is dead: nothing can match any more. Its row is zero, in the head.
 */
#ifndef SNP_MATCH_H
#define SNP_MATCH_H

#include "bpf/snp_types.h"

/* A region of map memory: a power of two, all reads are masked by it. */
#define SNP_REGION_BYTES (4u << 20)

/* A name is walked through as many automata at most; nearly always it is one. */
#define SNP_MATCH_BANKS 4

#define SNP_MATCH_MAGIC 0x6d617463u

/* A symbol is the offset of its entry in a row: multiples of four. */
#define SNP_SYM_NEVER 0 /* a byte that no selector can match: the walk ends dead */
#define SNP_SYM_DOT   4 /* then - 8, _ 12, 0-9 16..52, a-z 56..156 */
#define SNP_SYM_OUT   160
#define SNP_ROW_BYTES (SNP_SYM_OUT + 4)

/* An entry: where it leads, and by which symbol. */
#define SNP_MATCH_ENTRY(next, symbol) ((__u32)(next) << 8 | (symbol))

struct snp_match_head {
	__u8 dead[SNP_ROW_BYTES]; /* state 0 */
	__u32 magic;
	__u32 start;	  /* state before the first symbol */
	__u32 floor;	  /* entries: of states that have none of their own; the default, */
	__u32 dot;	  /* and by a dot */
	__u32 bytes;	  /* of the region: the head's own included */
	__u8 symbol[256]; /* of a byte of a label, letters folded */
};
SNP_ASSERT(sizeof(struct snp_match_head) % 4 == 0, "entries follow, four bytes each");
SNP_ASSERT(SNP_REGION_BYTES <= 1u << 24, "an offset fits above the symbol of an entry");

#define SNP_LABEL_MAX  63
#define SNP_LABELS_MAX 127

/* Where the labels of a name begin. In memory of the caller's: a map's in the kernel. */
struct snp_match_marks {
	__u8 before[256]; /* by where a label begins: where the one before it does */
	__u8 last;	  /* where the last one begins */
};

#define snp_match_inline static inline __attribute__((always_inline))

snp_match_inline __u32 snp_match_entry(const __u8 *region, __u32 at)
{
	return *(const __u32 *)(region + (at & (SNP_REGION_BYTES - 4)));
}

/* One character further. */
snp_match_inline __u32 snp_match_char(const __u8 *region, __u32 state, __u32 symbol)
{
	__u32 e = snp_match_entry(region, state + symbol);

	if ((e & 0xff) != symbol) {
		e = snp_match_entry(region, state);
		if (e & 0xff)
			e = ((const struct snp_match_head *)region)->floor;
	}
	return e >> 8;
}

/* Beyond the beginning of a label. */
snp_match_inline __u32 snp_match_dot(const __u8 *region, __u32 state)
{
	__u32 e = snp_match_entry(region, state + SNP_SYM_DOT);

	if ((e & 0xff) != SNP_SYM_DOT)
		e = ((const struct snp_match_head *)region)->dot;
	return e >> 8;
}

/* What a name that ends in the state matches: an index from 1, or 0. */
snp_match_inline __u32 snp_match_out(const __u8 *region, __u32 state)
{
	__u32 e = snp_match_entry(region, state + SNP_SYM_OUT);

	return (e & 0xff) == SNP_SYM_OUT ? e >> 8 : 0;
}

/*
 * Find the labels of a canonical wire name of len bytes, from 1 to 255; once for all
 * regions. Returns 0, or -1 when it is no such name.
 */
snp_match_inline int snp_match_mark(struct snp_match_marks *m, const __u8 *name, __u32 len)
{
	__u32 pos = 0, left = len, last = 0, label = 1, i;

	for (i = 0; i < SNP_LABELS_MAX + 1; i++) {
		label = name[pos & 0xff];
		if (!label || label > SNP_LABEL_MAX || label + 1 >= left)
			break;
		m->before[pos & 0xff] = last;
		last = pos;
		pos += label + 1;
		left -= label + 1;
	}
	m->last = last;
	return !label && left == 1 ? 0 : -1;
}

/* How far a walk has come. In memory of the caller's, like the marks. */
struct snp_match_at {
	__u32 state;
	__u32 pos;  /* the byte read last; 0: all of the name is read */
	__u32 mark; /* where the label begins that it stands in */
	__u32 reserved;
};

snp_match_inline void snp_match_begin(const __u8 *region, const struct snp_match_marks *m,
				      __u32 len, struct snp_match_at *at)
{
	at->state = ((const struct snp_match_head *)region)->start;
	at->pos = len - 1;
	at->mark = m->last;
}

/*
 * Read that many bytes more of the name so marked. 1: there are no more, or nothing can match.
 * A few at a time: between strides all is in memory, and the verifier knows nothing of it.
 */
#define SNP_MATCH_STRIDE  16
#define SNP_MATCH_STRIDES (SNP_NAME_MAX / SNP_MATCH_STRIDE + 1)
snp_match_inline int snp_match_stride(const __u8 *region, const struct snp_match_marks *m,
				      const __u8 *name, struct snp_match_at *at)
{
	const struct snp_match_head *head = (const struct snp_match_head *)region;
	__u32 state = at->state, pos = at->pos, mark = at->mark, i;

	for (i = 0; i < SNP_MATCH_STRIDE; i++) {
		__u32 symbol;

		if (!pos || !state)
			break;
		pos--;
		if (pos == mark) {
			mark = m->before[mark & 0xff];
			state = snp_match_dot(region, state);
			continue;
		}
		symbol = head->symbol[name[pos & 0xff]];
		state = symbol ? snp_match_char(region, state, symbol) : 0;
	}
	at->state = state;
	at->pos = pos;
	at->mark = mark;
	return !pos || !state;
}

/* What the name matches that was walked: an index from 1, or 0 for nothing. */
snp_match_inline __u32 snp_match_end(const __u8 *region, const struct snp_match_at *at)
{
	return at->pos ? 0 : snp_match_out(region, at->state);
}

#endif
