/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_made.h - between core's tables and the kernel's maps: for daemon_policy_*.c. By any thread. */
#ifndef SNP_DAEMON_POLICY_MADE_H
#define SNP_DAEMON_POLICY_MADE_H

#include "snooper/core/policy_change.h"

struct daemon;
struct maps_problem;
struct policy_change;
struct snp_conf;

/* What a policy is compiled for: a configuration's endpoints, by their numbers, and its values. */
struct policy_ground {
	struct policy_endpoint *endpoints; /* owned; their labels are conf's */
	bool locked;
	struct policy_input in; /* policy, host and generation are the caller's to set */
};

/* 0, or -errno and *why: endpoints cannot be numbered. For policy_ground_fini() in any case. */
int policy_ground_init(struct policy_ground *g, const struct daemon *d, const struct snp_conf *conf,
		       bool locked, struct maps_problem *why);
/* Add the endpoints that only the other one has. 0, or -ENOMEM and *why. */
int policy_ground_join(struct policy_ground *g, const struct policy_ground *other,
		       struct maps_problem *why);
void policy_ground_fini(struct policy_ground *g);
/* Another configuration's were numbered, and it does not come: d->conf's are in use still. */
void policy_ground_back(const struct daemon *d);

/* Our own addresses, the caller's; those that are known where they cannot be read. 1: they changed; 0; -ENOMEM. */
int policy_host_read(const struct daemon *d, struct snp_addr **host, size_t *n);

/* A generation of these tables in the kernel, not in force: its descriptor, or -errno. */
int policy_made_put(const struct policy_made *m, const uint8_t *tables, size_t n);
/*
 * The first step from what is in force, and was not made by us: c->made gets its tables. conf's endpoints
 * without a glob in force are strangers to it. 0; -E2BIG: they do not fit together; -errno.
 */
int policy_made_beside(const struct daemon *d, const struct snp_conf *conf,
		       struct policy_change *c);

#endif
