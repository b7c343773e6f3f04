/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_priv.h - how selectors become an automaton: for the match_*.c beside it only.
 *
 * core: pure. Selectors -> one nondeterministic automaton over the reversed name
 * (match_nfa.c, match_regex.c) -> a deterministic one (match_dfa.c) -> a region
 * (match_pack.c). Symbols here are numbers 1..39, those of snp_match.h over four.
 */
#ifndef SNP_MATCH_PRIV_H
#define SNP_MATCH_PRIV_H

#include <stdbool.h>

#include "bpf/snp_match.h"
#include "snooper/core/match.h"
#include "snooper/core/match_compile.h"

#define MATCH_DOT   (SNP_SYM_DOT / 4)
#define MATCH_SYMS  (SNP_SYM_OUT / 4) /* 0, which is none, included */
#define MATCH_ON(s) (1ull << (s))
/* Sets of symbols. */
#define MATCH_CHARS (MATCH_ON(MATCH_SYMS) - MATCH_ON(MATCH_DOT + 1))
#define MATCH_ANY   (MATCH_CHARS | MATCH_ON(MATCH_DOT))

/* The symbol of a character of a label, letters folded; 0: no label has it. */
unsigned int match_symbol(uint8_t c);

/*
 * Make room for n elements of size bytes in an array with room for *room. Returns
 * the array, perhaps elsewhere, or NULL, and then the old one still stands.
 */
void *match_room(void *array, size_t size, size_t n, size_t *room);

/* --- match_sets.c: interned sets ------------------------------------------------ */

/* Sorted sets of numbers, numbered as they come. Set 0 is the empty one. */
struct match_sets {
	uint32_t *members, *at; /* set i: members[at[i]] to members[at[i + 1]] */
	uint32_t *table;	/* by hash: the number of a set, or 0 */
	size_t n, n_table, members_room, at_room;
};

int match_sets_init(struct match_sets *s);
void match_sets_fini(struct match_sets *s);
/* The number of the set that is list, sorted; *is_new if it was not there. Negative: -ENOMEM. */
int64_t match_sets_put(struct match_sets *s, const uint32_t *list, size_t n, bool *is_new);

static inline const uint32_t *match_sets_get(const struct match_sets *s, uint32_t i, size_t *n)
{
	*n = s->at[i + 1] - s->at[i];
	return s->members + s->at[i];
}

/* --- match_nfa.c ---------------------------------------------------------------- */

enum nfa_kind {
	NFA_PLAIN, /* of a pattern: the state after some of its characters; patterns share what they begin with */
	NFA_STAR, /* a star: goes round with any character of a label */
	NFA_ALL,  /* goes round with anything */
	NFA_REGEX,
};

struct nfa_node {
	uint32_t edges, outs; /* the first of each, or 0 */
	uint32_t
		next_star; /* of a pattern: all ways from here lead to this star, in this label; or 0 */
	enum nfa_kind kind;
	bool idle; /* neither matches nor reads: only on the way to others */
};

struct nfa_edge {
	uint64_t on; /* symbols; none: goes there without reading */
	uint32_t to, next;
};

struct nfa_out {
	uint32_t selector, next;
};

/* Index 0 of edges and outs is none; node 0 is the start. */
struct match_nfa {
	struct nfa_node *nodes;
	struct nfa_edge *edges;
	struct nfa_out *outs;
	size_t n_nodes, n_edges, n_outs;
	size_t nodes_room, edges_room, outs_room;
	int err; /* the first want of memory: all that follows does nothing */
};

int match_nfa_init(struct match_nfa *a);
void match_nfa_fini(struct match_nfa *a);
uint32_t match_nfa_node(struct match_nfa *a, enum nfa_kind kind);
void match_nfa_edge(struct match_nfa *a, uint32_t from, uint64_t on, uint32_t to);
void match_nfa_out(struct match_nfa *a, uint32_t node, uint32_t selector);
/* Text that match_pattern_valid() holds for. */
void match_nfa_add_pattern(struct match_nfa *a, const char *text, uint32_t selector);
/* After the last selector: what match_dfa.c wants to know of each node. */
void match_nfa_finish(struct match_nfa *a);

/* --- match_regex.c -------------------------------------------------------------- */

/*
 * The regular expression, reversed. Returns 0, -ENOMEM, or -EINVAL with *problem
 * filled. a may be NULL: it is only read then.
 */
int match_regex_add(struct match_nfa *a, const char *text, uint32_t selector,
		    struct match_problem *problem);

/* --- match_dfa.c ---------------------------------------------------------------- */

struct dfa_state {
	uint32_t fallback;   /* where most characters lead */
	uint32_t dot;	     /* where a dot leads */
	uint32_t row, n_row; /* the other characters, in rows: symbol << 24 | state */
	uint32_t out;	     /* a set of outs */
	bool ends;	     /* the start of a label, or of the walk: a name may end here */
	bool inside;	     /* amid a label: a dot may follow */
};

/* State 0 is dead. */
struct match_dfa {
	struct match_sets sets; /* of nodes: set i is state i */
	struct dfa_state *states;
	size_t states_room;
	uint32_t start;
	uint32_t *rows;
	size_t n_rows, rows_room;
	size_t entries; /* at least so many in a region */
};

#define MATCH_ROW_STATE 0xffffffu /* of a row's element; above it the symbol */

/*
 * The deterministic automaton; what its states match goes to outs. Returns 0, -ENOMEM, or
 * -E2BIG when it would have more than max_entries entries.
 */
int match_dfa_make(struct match_dfa *d, const struct match_nfa *a, struct match_sets *outs,
		   size_t max_entries);
void match_dfa_fini(struct match_dfa *d);

/* --- match_pack.c --------------------------------------------------------------- */

#define MATCH_SLOTS (SNP_REGION_BYTES / 4) /* entries of a region, and some are the head's */

/* The region of d. Returns 0, -ENOMEM, or -E2BIG. */
int match_pack(const struct match_dfa *d, struct match_bank *bank);

/* --- match_plan.c: which selector goes into which bank ---------------------------- */

#define MATCH_PLAIN   ~0u /* the group of those that lie beside each other without growing */
#define MATCH_REFUSED ~0u /* instead of a bank */

/* Those that have to be remembered beside each other: their automaton may grow with 2 to the power of n. */
struct match_group {
	size_t n;
	size_t fit; /* so many of them, in one bank */
	bool whole; /* measured: all of them */
	bool regex;
	char suffix[64]; /* of patterns: what is right of their stars, "" for a last label */
};

struct match_plan {
	const struct match_selector *selectors;
	size_t n;
	uint32_t *group; /* of a selector */
	uint32_t *rank;	 /* within its group */
	uint32_t *bank;	 /* where it goes */
	struct match_group *groups;
	size_t n_groups;
	size_t n_banks;
	size_t nodes_max; /* of a bank: the next plain selectors go into the next one */
};

int match_plan_init(struct match_plan *p, const struct match_selector *s, size_t n);
void match_plan_fini(struct match_plan *p);
/*
 * How many of each group fit beside each other: in so many entries a group at most, and three
 * times that for all of them. Returns 0 or -ENOMEM.
 */
int match_plan_measure(struct match_plan *p, size_t entries);

/* One selector, which is well-formed. */
void match_nfa_add(struct match_nfa *a, const struct match_selector *s, uint32_t number);

#endif
