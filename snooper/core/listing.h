/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * listing.h - one line of `snooperctl names`, as plain data.
 *
 * core: pure. Names are presentation form (name.h): lower case, no final dot
 * ("." for the root), other bytes as \DDD. Everything is borrowed for the call.
 */
#ifndef SNP_LISTING_H
#define SNP_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_fact.h"

struct snp_listed_addr {
	struct snp_addr addr;
	uint64_t expires_in_ms;
	uint64_t first_seen_ms, last_seen_ms; /* ago */
	enum snp_origin origin;
	const char *reconcile; /* "off" until reconciliation looks at it */
};

struct snp_listed_name {
	const char *name;
	const struct snp_listed_addr *addrs;
	size_t n_addrs;
	const char *const *cnames;
	size_t n_cnames;
	const char *const *selectors;
	size_t n_selectors;
	size_t selectors_more; /* that match, too */
	const char *const *endpoints;
	size_t n_endpoints;
	bool truncated;
};

#endif
