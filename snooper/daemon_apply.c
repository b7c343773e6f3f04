/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_apply.c - d->conf as the kernel side has it: values, endpoints, attachments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon_reload.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/kconf.h"
#include "snooper/io/links.h"
#include "snooper/io/proxy_seed.h"

static int configure(struct daemon *d, struct snp_kconf *k, struct maps_problem *why)
{
	const char *what = "";
	int r = kconf_build(d->conf, k, &what);

	why->kernel = false;
	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "%s: %s", what, strerror(-r));
		return r;
	}
	r = maps_configure(d->maps, k);
	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "cannot write the configuration: %s",
			 strerror(-r));
		return r;
	}
	return 0;
}

static int attach(struct daemon *d, const struct snp_kconf *k, struct maps_problem *why)
{
	int r = links_attach(d->maps, d->conf, why);

	if (r)
		return r;
	d->proxy_generation = k->proxy_generation;
	d->proxy_cgroup_id = k->proxy_cgroup_id;
	/* After the attachment: a socket bound in between is counted by its bind. */
	r = proxy_seed(d->maps, d->conf, k->proxy_generation);
	if (r > 0)
		log_info("event=proxy-sockets found=%d", r);
	if (r < 0)
		snprintf(why->text, sizeof(why->text), "cannot count the proxy's sockets: %s",
			 strerror(-r));
	return r < 0 ? r : 0;
}

static int no_memory(struct maps_problem *why)
{
	why->kernel = false;
	strcpy(why->text, "out of memory");
	return -ENOMEM;
}

int daemon_endpoints_in_force(struct daemon *d, const struct endpoints *before,
			      struct maps_problem *why)
{
	int r = endpoints_in_force(d->endpoints, d->maps, before);

	if (r)
		snprintf(why->text, sizeof(why->text), "cannot write the endpoints: %s",
			 strerror(-r));
	return r;
}

int daemon_apply(struct daemon *d, struct maps_problem *why)
{
	SNP_CLEANUP(snp_freep)
	struct snp_kconf *k = calloc(1, sizeof(*k));
	int r = k ? configure(d, k, why) : no_memory(why);

	return r ? r : attach(d, k, why);
}

static void settle(struct daemon *d)
{
	struct endpoints_seen *seen = daemon_settle_look(d);

	if (seen && endpoints_moved(seen))
		policy_renumbered(d, policy_renumber(d));
	daemon_settle_audit(d, seen);
	daemon_settle_taken(d, seen);
}

/*
 * Policy comes when endpoints have their numbers, and before anything of theirs is seen: no packet goes
 * unjudged. Where an earlier daemon's is in force, that goes on, until all is looked at; a start that
 * fails leaves it there.
 */
int daemon_apply_first(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	SNP_CLEANUP(snp_freep)
	struct snp_kconf *k = calloc(1, sizeof(*k));
	int r = k ? configure(d, k, why) : no_memory(why);

	if (!r)
		r = endpoints_new(d->maps, d->conf, NULL, &d->endpoints, why);
	if (!r)
		r = daemon_policy_start(d, c, why);
	if (!r)
		r = attach(d, k, why);
	if (!r)
		r = daemon_endpoints_in_force(d, NULL, why);
	/* Nothing is between two policies: the cgroups that are there are judged by this one at once. */
	if (!r && !d->policy.next)
		settle(d);
	return r;
}

int daemon_applied(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	struct endpoints_seen *seen;
	int r;

	if (!d->policy.next)
		return 0;
	seen = daemon_settle_look(d);
	r = daemon_policy_started(d, c, why);
	if (!r)
		daemon_settle_audit(d, seen);
	daemon_settle_taken(d, seen);
	return r;
}
