/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_model.h - policies made at random, and what they mean: a second opinion on policy_compile.c.
 *
 * The reference goes through struct policy rule by rule, and shares nothing with the tables:
 * names are compared by match_pattern() and regexec(), addresses bit by bit, ports as written.
 */
#ifndef SNP_TEST_POLICY_MODEL_H
#define SNP_TEST_POLICY_MODEL_H

#include <regex.h>

#include "bpf/snp_policy.h"
#include "snooper/core/policy_compile.h"

/* --- at random; the same seed, the same policy --- */

struct rng {
	uint64_t x; /* not 0 */
};
uint32_t rng_any(struct rng *r, uint32_t below);

/* How much of everything. */
struct model_size {
	uint32_t specs, rules; /* at most: specs; rules of a spec */
	uint32_t selectors;    /* of a rule, at most */
};
struct policy *model_policy(struct rng *r, const struct model_size *size);

#define MODEL_ENDPOINTS 14
#define MODEL_HOSTS	5
struct model_world {
	struct snp_label labels[MODEL_ENDPOINTS][3];
	struct policy_endpoint endpoints[MODEL_ENDPOINTS];
	struct snp_addr hosts[MODEL_HOSTS];
	size_t n_hosts;
};
void model_world(struct rng *r, struct model_world *w);

/* A name, in presentation form: mostly one that a selector of the policy matches, or nearly. */
#define MODEL_NAME 300
void model_name(struct rng *r, const struct policy *p, char name[static MODEL_NAME]);
/* Where to: mostly where something of the policy begins or ends. */
void model_flow(struct rng *r, const struct policy *p, const struct model_world *w,
		struct snp_flow_to *to);

/* --- what a policy means --- */

struct reference {
	const struct policy *policy;
	const struct model_world *world;
	regex_t *regexes; /* of the matchRegex selectors, in order */
	bool *matches;	  /* does the name at hand match? By selector, in order */
	size_t n_selectors, n_regexes;
};

void reference_init(struct reference *ref, const struct policy *p, const struct model_world *w);
void reference_fini(struct reference *ref);
/* The name that the destination was learned by, and that is asked for. NULL: none. */
void reference_name(struct reference *ref, const char *name);
/* The destination was learned by names that matched these selectors of some policy, this one or not. */
void reference_identity(struct reference *ref, const struct policy_ids *ids, uint32_t identity);
enum snp_verdict reference_judge(const struct reference *ref, const struct policy_endpoint *e,
				 const struct snp_flow_to *to);
bool reference_may_ask(const struct reference *ref, const struct policy_endpoint *e);

#endif
