/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * endpoints.h - the endpoints of the configuration, and the cgroups and sockets that are theirs.
 *
 * io. Life cycle, at start and at each reload, in this order:
 * endpoints_new() gives numbers, endpoints_in_force() puts the globs in force, links_attach() (at
 * start before that) has the kernel follow new cgroups, endpoints_settle() reads the tree: nothing falls
 * between. Then endpoints_audit() looks at the sockets that were there before, and
 * endpoints_enforced() at the connections among them, if policy is new to them.
 *
 * Those three, and endpoints_new(), take their time: they are for any thread, one at a time, and
 * while the same endpoints are in force. What a look finds is taken by the loop's.
 * Everything else is the loop thread's.
 */
#ifndef SNP_ENDPOINTS_H
#define SNP_ENDPOINTS_H

#include "snooper/core/status.h"
#include "snooper/io/maps.h"

struct endpoints; /* opaque; endpoints.c */

struct endpoints_seen; /* what a look found; opaque */

/*
 * What conf says. 0 and *out, or -errno and *why; nothing is in force by it. Numbers of
 * endpoints that conf has no more stay theirs while there is room. tables: of the policy in force
 * until now (region SNP_POLICY_TABLES), NULL: none that we know of.
 */
int endpoints_new(struct maps *m, const struct snp_conf *conf, const uint8_t *tables,
		  struct endpoints **out, struct maps_problem *why);
void endpoints_free(struct endpoints *e); /* by any thread */

/* In place of those before (NULL: none): what was told of them is not told again. 0 or -errno. */
int endpoints_in_force(struct endpoints *e, struct maps *m, const struct endpoints *before);

/*
 * By any thread, before the first: the numbers that it will give, conf->n_endpoints of them.
 * 0, or -errno and *why. A name keeps its number from now on; those of no other are noted as gone.
 */
int endpoints_give_numbers(struct maps *m, const struct snp_conf *conf, const uint8_t *tables,
			   uint32_t *numbers, struct maps_problem *why);

/* For a look, as of the last one. NULL: out of memory. */
struct endpoints_seen *endpoints_seen_new(const struct endpoints *e);
void endpoints_seen_free(struct endpoints_seen *seen);
/* It was a look at these. */
void endpoints_take_seen(struct endpoints *e, struct endpoints_seen *seen);

/*
 * Make the members what the tree says: add, change, take away; what is removed but
 * has sockets left stays. What could not be done is logged and shows as incomplete.
 */
void endpoints_settle(const struct endpoints *e, struct maps *m, struct endpoints_seen *seen);

/* Did it give a cgroup of one endpoint to another? */
bool endpoints_moved(const struct endpoints_seen *seen);

/* Look at all open sockets: note whose they are, log those that an endpoint only holds. */
void endpoints_audit(const struct endpoints *e, struct maps *m, struct endpoints_seen *seen);

/*
 * The policy in force, region SNP_POLICY_TABLES, NULL: none. For each endpoint that it is the first
 * to refuse anything, or would: count the connections that were open before. They go on.
 */
void endpoints_enforced(const struct endpoints *e, struct maps *m, const uint8_t *tables,
			struct endpoints_seen *seen);

/* Is a cgroup missing among the members: to settle again, now and then? */
bool endpoints_incomplete(const struct endpoints *e, struct maps *m);

/* The number of the i-th endpoint of the configuration. */
uint32_t endpoints_number(const struct endpoints *e, size_t i);
/* Which of them has the number; SIZE_MAX: none. */
size_t endpoints_find(const struct endpoints *e, uint32_t number);

/*
 * Count the cgroups of endpoints, a piece of them; anew: begin, when no count is under way. True:
 * there is more. Of as many as fit in a piece (MAPS_MEMBERS) one call knows them all.
 */
bool endpoints_count(struct endpoints *e, struct maps *m, bool anew);
/* For status: of each endpoint its cgroups, by the last count, and what the audit found. Returns how many; *out is borrowed. */
size_t endpoints_show(struct endpoints *e, struct maps *m, const struct snp_status_endpoint **out);
/* Sockets of endpoints' processes that no hook sees as theirs, as of the last audit. */
uint64_t endpoints_strays(const struct endpoints *e);

#endif
