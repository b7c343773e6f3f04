/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_ranges.h - CIDRs with their ports, as ranges of addresses that do not overlap.
 *
 * core: pure. Add CIDRs, then take the ranges: from the lowest address up, each
 * to the next one's beginning, with the union of the port sets that hold there.
 * IPv4 addresses are v4-mapped; 0.0.0.0/0 is ::ffff:0:0/96.
 */
#ifndef SNP_POLICY_RANGES_H
#define SNP_POLICY_RANGES_H

#include "snooper/core/policy_ports.h"

typedef unsigned __int128 policy_address; /* the first byte is the most significant one */

#define POLICY_V4_FIRST ((policy_address)0xffff << 32)
#define POLICY_V4_LAST	(POLICY_V4_FIRST | 0xffffffff)

struct policy_range {
	policy_address from;
	uint32_t deny, allow; /* port sets */
};

struct policy_ranges; /* opaque; policy_ranges.c */

struct policy_ranges *policy_ranges_new(void);
void policy_ranges_free(struct policy_ranges *r);

policy_address policy_address_of(const struct snp_addr *a);

/* Everything in [first, last]: allowed, or denied, on these ports. 0 or -ENOMEM. */
int policy_ranges_add(struct policy_ranges *r, policy_address first, policy_address last,
		      uint32_t ports, bool deny);
/* A CIDR without its exceptions. One that is written as IPv6 has no IPv4 in it. */
int policy_ranges_cidr(struct policy_ranges *r, const struct policy_cidr *c, uint32_t ports,
		       bool deny);

/*
 * The ranges of [first, last], the first of them from `first`; *n of them, the caller's to
 * free. 0; -ENOMEM; else as policy_ports_union().
 */
int policy_ranges_take(const struct policy_ranges *r, struct policy_ports *ports,
		       policy_address first, policy_address last, struct policy_range **out,
		       size_t *n);

#endif
