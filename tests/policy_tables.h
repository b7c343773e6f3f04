/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_tables.h - one generation: names gathered, automata, tables; and asking them as the kernel does.
 *
 * Asked only by snp_policy_look.h and match_name(). What cannot fail here ends the test.
 */
#ifndef SNP_TEST_POLICY_TABLES_H
#define SNP_TEST_POLICY_TABLES_H

#include "tests/policy_model.h"

struct tables {
	struct policy_names names; /* add to them first */
	struct match_tables automata;
	uint8_t *tables; /* a whole region */
};

/* Automata of the names. */
void tables_match(struct tables *t);
/* The tables of p for them; once more for another policy. */
void tables_make(struct tables *t, const struct policy *p, struct policy_ids *ids,
		 const struct model_world *w);
void tables_fini(struct tables *t);

/* What a name has, by bank: 0 is none. */
struct tables_outs {
	uint32_t identities[SNP_MATCH_BANKS], dns[SNP_MATCH_BANKS];
	size_t n;
};
struct tables_outs tables_outs_of(const struct tables *t, const char *name);

/* May an endpoint go there, which was learned under n identities? As snp_judge.bpf.h has it. */
enum snp_verdict tables_judge(const uint8_t *tables, uint32_t endpoint, const uint32_t *identities,
			      size_t n, const struct snp_flow_to *to);
/* May it ask for a name with these? */
bool tables_may_ask(const uint8_t *tables, uint32_t endpoint, const uint32_t *dns, size_t n);

#endif
