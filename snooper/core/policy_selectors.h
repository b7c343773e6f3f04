/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_selectors.h - the distinct selectors of a policy, numbered for match_compile().
 *
 * core: pure. Two are the same if their kinds and spellings are. Numbers are in the order in
 * which they are written first. Texts and places are borrowed from the policy.
 */
#ifndef SNP_POLICY_SELECTORS_H
#define SNP_POLICY_SELECTORS_H

#include "snooper/core/match_compile.h"
#include "snooper/core/policy.h"

enum policy_use { POLICY_USE_FQDN = 1, POLICY_USE_DNS = 2 };

struct policy_selectors {
	struct match_selector *list;
	const struct policy_selector **first; /* where each is written first */
	unsigned int *uses;		      /* enum policy_use, or-ed */
	uint32_t *spelling; /* the first number of the same text: kinds may differ */
	uint32_t *sorted;   /* the numbers by text and kind */
	size_t n;
};

/* Those of toFQDNs and rules.dns. Returns 0 and *out, for policy_selectors_fini(), or -ENOMEM. */
int policy_selectors_collect(const struct policy *p, struct policy_selectors *out);
void policy_selectors_fini(struct policy_selectors *s);

/* The number of a selector of that policy. */
uint32_t
policy_selectors_number(const struct policy_selectors *s, const struct policy_selector *selector);

#endif
