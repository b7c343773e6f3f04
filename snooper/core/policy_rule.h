/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_rule.h - where in the files it is written, what the tables have come to.
 *
 * core: pure. Tables know unions; a person wants the line. The first one that says it counts.
 */
#ifndef SNP_POLICY_RULE_H
#define SNP_POLICY_RULE_H

#include "snooper/core/policy.h"
#include "bpf/snp_policy.h"

/* Who asks, where to. to NULL in what follows: on any port. */
struct policy_asker {
	const struct snp_label *labels;
	size_t n_labels;
	const struct snp_addr *host; /* this host's own addresses */
	size_t n_host;
};

/* The toCIDR entry, or the rule, that allows (or denies) the address by itself; NULL: none. */
const struct policy_place *
policy_rule_of_address(const struct policy *p, const struct policy_asker *who, bool deny,
		       const struct snp_addr *addr, const struct snp_flow_to *to);

/* The spec by which what nothing allows is refused; NULL: none. */
const struct policy_place *
policy_rule_of_default(const struct policy *p, const struct policy_asker *who);

/*
 * The toFQDNs selectors of the specs that select who, on rules that hold the port: each is visited as
 * often as it is written, in the order of the files.
 */
typedef void (*policy_selector_fn)(void *ctx, const struct policy_selector *s);
void policy_rule_of_names(const struct policy *p, const struct policy_asker *who,
			  const struct snp_flow_to *to, policy_selector_fn visit, void *ctx);

#endif
