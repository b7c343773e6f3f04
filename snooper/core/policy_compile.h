/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_compile.h - a policy as the tables that the kernel reads (bpf/snp_policy.h).
 *
 * core: pure. Whoever makes tables for a policy has gathered its names (policy_names.h), and made
 * automata of them. policy_change.h does all of it, for a reload.
 */
#ifndef SNP_POLICY_COMPILE_H
#define SNP_POLICY_COMPILE_H

#include "bpf/snp_policy.h"
#include "snooper/core/match.h"
#include "snooper/core/policy_names.h"

struct policy_endpoint {
	uint32_t number; /* snp_endpoint.h */
	const struct snp_label *labels;
	size_t n_labels;
	bool locked; /* its policy could not be loaded: nothing is allowed */
};

struct policy_input {
	const struct policy *policy; /* NULL: none */
	const struct policy_endpoint *endpoints;
	size_t n_endpoints;
	const struct snp_addr *host; /* this host's own addresses */
	size_t n_host;
	const struct policy_names *names;
	const struct match_tables *automata; /* of names: what they give out are indices in them */
	uint32_t generation;
	enum snp_policy_mode_k mode;
	uint64_t grace_ns, idle_ns;
	bool matched_only;
};

/*
 * Make region SNP_POLICY_TABLES: *tables, *len bytes, at most SNP_REGION_BYTES, the caller's to
 * free. ids gets the identities that are new. 0; -ENOMEM; -E2BIG, and *why says which bound.
 */
int policy_compile(const struct policy_input *in, struct policy_ids *ids, uint8_t **tables,
		   size_t *len, const char **why);

#endif
