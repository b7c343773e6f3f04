/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_change.h - all that is needed to go from one policy to the next.
 *
 * core: pure. Shares nothing with anybody: a thread of its own may make it while others read what it was given.
 *
 * A reload goes from policy A to policy B in two steps, so that no address that both
 * allow is refused in between: the names of both are gathered, and one automaton
 * made of them all; the tables of A are made anew for that automaton and put in
 * force; what is learned is looked at again with it; then the tables of B for the
 * same automaton.
 */
#ifndef SNP_POLICY_CHANGE_H
#define SNP_POLICY_CHANGE_H

#include "snooper/core/policy_compile.h"

struct policy_made {
	struct policy_ids *ids;
	struct policy_names names;    /* of both, or of the next one alone */
	struct match_tables automata; /* of names */
	/* SNP_REGION_BYTES each, as the kernel has them: a look-up may end anywhere. NULL: none. */
	uint8_t *tables[POLICY_SIDES];
	size_t n_tables[POLICY_SIDES]; /* bytes of them that are not 0 */
	/* Banks that the tables of POLICY_BEFORE have behind those of automata (policy_beside.h): regions alone. */
	struct match_tables beside;
};

/* Why a policy cannot be put in force, for a person. */
struct policy_refusal {
	char text[256];
};

/*
 * From `before` (NULL: there was none) to `next`; their names and automata are made here. ids is what was numbered so far: *out has a copy, and what is new; of
 * withdrawn selectors as much as there is room for.
 *
 * 0, and *out for policy_made_fini(). There are no tables for the side before when both
 * policies do not fit together. -ENOMEM; -E2BIG: the next does not fit; both with *why.
 */
int policy_change_make(const struct policy_ids *ids, const struct policy_input *before,
		       const struct policy_input *next, struct policy_made *out,
		       struct policy_refusal *why);

/* A side's tables once more, for what has changed but names: *tables as above. */
int policy_change_tables(struct policy_made *m, const struct policy_input *in, uint8_t **tables,
			 size_t *n, struct policy_refusal *why);

void policy_made_fini(struct policy_made *m);

#endif
