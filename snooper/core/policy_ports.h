/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_ports.h - sets of ports, each known by a number.
 *
 * core: pure. Number 0 is the empty set. The same set has the same number, and
 * the union of two is worked out once.
 */
#ifndef SNP_POLICY_PORTS_H
#define SNP_POLICY_PORTS_H

#include "bpf/snp_policy.h"
#include "snooper/core/policy.h"

#define POLICY_PORT_SETS_MAX 0xffff /* what a range of addresses can name */
#define POLICY_PORT_RUNS_MAX 255    /* of one set and protocol */

struct policy_ports; /* opaque; policy_ports.c */

struct policy_ports *policy_ports_new(void);
void policy_ports_free(struct policy_ports *p);

/*
 * What toPorts names; n == 0: everything, ICMP too. 0 and *number; -ENOMEM; -E2BIG: too many sets;
 * -EOVERFLOW: too many runs of ports in one.
 */
int policy_ports_of(struct policy_ports *p, const struct policy_port *ports, size_t n,
		    uint32_t *number);
int policy_ports_union(struct policy_ports *p, uint32_t a, uint32_t b, uint32_t *number);

/* Numbers are below. */
uint32_t policy_ports_end(const struct policy_ports *p);
/* Does the set hold every port of every protocol? Else: */
bool policy_ports_all(const struct policy_ports *p, uint32_t number);
/* ... the limits of its runs of ports (snp_policy.h), borrowed, and *n. */
const uint32_t *policy_ports_limits(const struct policy_ports *p, uint32_t number,
				    unsigned int protocol, size_t *n);

#endif
