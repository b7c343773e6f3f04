/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_start.c - the first policy of a daemon, after none or after that of a daemon before it. */
#include <errno.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"
#include "snooper/daemon_policy_made.h"
#include "snooper/io/maps_policy.h"

/* What was numbered by a daemon before us, and what it put in force. */
static int recall(struct daemon *d)
{
	struct daemon_policy *p = &d->policy;
	SNP_CLEANUP(snp_freep)
	uint8_t *kept = NULL;
	size_t len;
	int r;

	p->made.ids = policy_ids_new();
	if (!p->made.ids)
		return -ENOMEM;
	r = maps_policy_kept(d->maps, &kept, &len);
	p->generation = maps_policy_generation(d->maps);
	if (r == -ENOENT)
		return 0;
	p->in_force = p->generation;
	p->side = POLICY_NEXT;
	if (!r)
		r = maps_policy_region(d->maps, SNP_POLICY_TABLES, &p->made.tables[p->side]);
	if (!r)
		r = policy_ids_load(p->made.ids, kept, len);
	if (r == -EPROTO) {
		/* Numbers mean nothing to us: rows that hold some must not meet ours. */
		log_err("event=policy-forgotten reason=\"what is pinned is not ours\"");
		p->in_force = 0;
		return maps_policy_withdraw(d->maps);
	}
	return r;
}

static int
step(struct daemon *d, struct policy_change *c, enum policy_side side, struct maps_problem *why)
{
	int r = policy_change_publish(d, c, side);

	if (r)
		return policy_change_refuse(why, r, "the kernel did not take it");
	policy_change_taken(d, c, side);
	return 0;
}

/* What was in force stays, and whom it does not know may do nothing, unless policy.on_error is allow. */
static int stay_with_what_was(struct daemon *d, struct maps_problem *why)
{
	SNP_CLEANUP(policy_change_fini)
	struct policy_change c = {.generation = {[POLICY_BEFORE] = d->policy.generation + 1}};
	int r;

	d->policy.unread = true;
	log_err("event=policy-unread hint=\"what was in force before stays: generation %u\"",
		d->policy.generation);
	if (d->conf->policy.on_error_allow)
		return 0;
	c.made.ids = policy_ids_copy(d->policy.made.ids);
	r = c.made.ids ? policy_made_beside(d, d->conf, &c) : -ENOMEM;
	if (r == -E2BIG) {
		log_warn("event=policy-endpoints-unknown hint=\"no room to shut out those that "
			 "are new\"");
		return 0;
	}
	if (!r)
		r = c.fd[POLICY_BEFORE] = policy_made_put(&c.made, c.made.tables[POLICY_BEFORE],
							  c.made.n_tables[POLICY_BEFORE]);
	return r < 0 ? policy_change_refuse(why, r, "what was in force before")
		     : step(d, &c, POLICY_BEFORE, why);
}

int daemon_policy_start(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	int r = recall(d);

	if (r)
		return policy_change_refuse(why, r, "what was in force before");
	if (!c->take && d->policy.in_force)
		return stay_with_what_was(d, why);
	c->locked = !c->take && !d->conf->policy.on_error_allow;
	r = policy_change_prepare(d, d->conf, c, why);
	if (r || !c->has_step)
		return r ? r : step(d, c, POLICY_NEXT, why);
	r = step(d, c, POLICY_BEFORE, why);
	if (!r)
		d->policy.next = c;
	return r;
}

int daemon_policy_started(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	int r = step(d, c, POLICY_NEXT, why);

	d->policy.next = NULL;
	return r;
}
