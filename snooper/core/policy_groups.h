/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_groups.h - identities that the same classes allow the same: kept once, as a group.
 *
 * core: pure; for policy_compile.c. A policy for everybody gives each of its identities to each
 * class: written out that would be their product. Things are identities, or sets of rules.dns
 * selectors: what has a set of names (by index). First every member, then every class once.
 */
#ifndef SNP_POLICY_GROUPS_H
#define SNP_POLICY_GROUPS_H

#include "snooper/core/policy_classes.h"

struct policy_groups; /* opaque; policy_groups.c */

/* Names and things below these numbers; things from 1. NULL: out of memory. ports is borrowed. */
struct policy_groups *policy_groups_new(struct policy_ports *ports, size_t names, size_t things);
void policy_groups_free(struct policy_groups *g);

/* A name is of the thing's set. 0 or -ENOMEM. */
int policy_groups_member(struct policy_groups *g, uint32_t name, uint32_t thing);
/* These names allow a class these ports. 0; -ENOMEM; else as policy_ports_union(). */
int policy_groups_class(struct policy_groups *g, uint32_t class, const struct policy_grant *grants,
			size_t n);

/* The group of a thing, 0: no class allows it anything. */
uint32_t policy_groups_of(const struct policy_groups *g, uint32_t thing);
/* Numbers of groups are below. */
uint32_t policy_groups_end(const struct policy_groups *g);
/* What a group is allowed, class after class: begin with *step = group, until it returns false. */
bool policy_groups_next(const struct policy_groups *g, uint32_t *step, uint32_t *class,
			uint32_t *ports);

#endif
