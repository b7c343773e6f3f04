/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_compile.h - a policy as the tables that the kernel reads (bpf/snp_policy.h).
 *
 * core: pure. A reload goes from policy A to policy B in two steps, so that no
 * address that both allow is refused in between: the names of both are gathered
 * (policy_names) and one automaton made of them all; the tables of A are made anew for
 * that automaton and put in force; what is learned is looked at again with it; then the
 * tables of B for the same automaton. Whoever makes tables for a policy has
 * gathered its names.
 */
#ifndef SNP_POLICY_COMPILE_H
#define SNP_POLICY_COMPILE_H

#include "bpf/snp_policy.h"
#include "snooper/core/match.h"
#include "snooper/core/policy_ids.h"

/* --- every selector of one or two policies, once --- */

struct policy_name {
	enum policy_selector_kind kind;
	const char *text;	/* as written; of the ids */
	uint32_t selector;	/* its number */
	bool fqdn, dns;		/* it stands in toFQDNs, in rules.dns */
	bool fqdn_now, dns_now; /* ... of the policy in force (policy_names_mark()) */
	struct policy_place at; /* of its first use */
};
struct policy_names {
	struct policy_name *at;
	size_t n, room;
	uint32_t *by_selector; /* index in `at` plus one, by number */
	size_t n_selectors;
};

/* 0, -ENOMEM, or -E2BIG: out of numbers. On failure names holds what it held, or more. */
int policy_names_add(struct policy_names *names, struct policy_ids *ids, const struct policy *p);
/* Where a selector that was added stands in `at`. 0 or -ENOMEM. */
int policy_names_find(const struct policy_names *names, const struct policy_ids *ids,
		      const struct policy_selector *s, size_t *at);
/* p is in force; its names were added. How many there are of it; -ENOMEM. */
int policy_names_mark(struct policy_names *names, const struct policy_ids *ids,
		      const struct policy *p);
void policy_names_fini(struct policy_names *names);

/* --- tables --- */

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
