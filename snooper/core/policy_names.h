/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_names.h - every selector of one or two policies, once, in the order in which they are written first.
 *
 * core: pure. Two selectors are the same if their kinds and spellings are. Numbers are of policy_ids.h, which
 * owns the texts; what automata give out are indices in `at`.
 */
#ifndef SNP_POLICY_NAMES_H
#define SNP_POLICY_NAMES_H

#include "snooper/core/match_compile.h"
#include "snooper/core/policy_ids.h"

/* A reload goes from one policy to another. */
enum policy_side { POLICY_BEFORE, POLICY_NEXT, POLICY_SIDES };

/* Where a selector stands in one of them. */
struct policy_use {
	bool fqdn, dns;		/* in toFQDNs, in rules.dns */
	struct policy_place at; /* of the first time; borrowed from that policy */
};

struct policy_name {
	enum policy_selector_kind kind;
	const char *text;  /* as written; of the ids */
	uint32_t selector; /* its number */
	bool fqdn, dns;	   /* in either policy */
	struct policy_use in[POLICY_SIDES];
};

struct policy_names {
	struct policy_name *at;
	size_t n, room;
	size_t of[POLICY_SIDES]; /* how many stand in each */
	uint32_t *by_selector;	 /* index in `at` plus one, by number */
	size_t n_selectors;
};

/* 0, -ENOMEM, or -E2BIG: out of numbers. On failure names holds what it held, or more. */
int policy_names_add(struct policy_names *names, struct policy_ids *ids, const struct policy *p,
		     enum policy_side side);
/* Where a selector that was added stands in `at`. 0 or -ENOMEM. */
int policy_names_find(const struct policy_names *names, const struct policy_ids *ids,
		      const struct policy_selector *s, size_t *at);
/* One automaton of them all: as match_compile(), whose selectors are indices in `at`. */
int policy_names_match(const struct policy_names *names, struct match_tables *automata,
		       struct match_problems *problems);
void policy_names_fini(struct policy_names *names);

#endif
