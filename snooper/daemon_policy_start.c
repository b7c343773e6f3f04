/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_start.c - the first policy of a daemon, after none or after that of a daemon before it. */
#include <errno.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"
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

static void stay_with_what_was(struct daemon_policy *p)
{
	p->unread = true;
	log_err("event=policy-unread hint=\"what was in force before stays: generation %u\"",
		p->generation);
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

int daemon_policy_start(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	int r = recall(d);

	if (r)
		return policy_change_refuse(why, r, "what was in force before");
	if (!c->take && d->policy.in_force) {
		stay_with_what_was(&d->policy);
		return 0;
	}
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
	int r = d->policy.next ? step(d, c, POLICY_NEXT, why) : 0;

	d->policy.next = NULL;
	return r;
}
