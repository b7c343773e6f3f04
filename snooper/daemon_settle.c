/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_settle.c - cgroups and sockets of endpoints are looked through: at start and after a reload, and when the kernel missed some. */
#include <stdlib.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon_reload.h"
#include "snooper/io/endpoints.h"

#define SETTLE_EVERY_NS SNP_NS_PER_S

struct settling {
	struct worker_job job;
	struct daemon *d;
	struct endpoints_seen *seen;
	uint64_t took_ns;
};

struct endpoints_seen *daemon_settle_look(const struct daemon *d)
{
	struct endpoints_seen *seen = endpoints_seen_new(d->endpoints);

	if (!seen) {
		log_err("event=endpoint-cgroups-unread reason=\"out of memory\"");
		return NULL;
	}
	endpoints_settle(d->endpoints, d->maps, seen);
	return seen;
}

void daemon_settle_audit(const struct daemon *d, struct endpoints_seen *seen)
{
	if (!seen)
		return;
	endpoints_audit(d->endpoints, d->maps, seen);
	endpoints_enforced(d->endpoints, d->maps, daemon_policy_coming(d).tables, seen);
}

void daemon_settle_taken(struct daemon *d, struct endpoints_seen *seen_take)
{
	if (seen_take)
		endpoints_take_seen(d->endpoints, seen_take);
	d->settled_ns = clock_boot_ns();
}

/* Sockets are looked at when the endpoints change: what is new in the tree has none yet. */
static void run(struct worker_job *job)
{
	struct settling *s = (struct settling *)job;
	uint64_t began_ns = clock_cpu_ns();

	s->seen = endpoints_seen_new(s->d->endpoints);
	if (s->seen)
		endpoints_settle(s->d->endpoints, s->d->maps, s->seen);
	s->took_ns = clock_cpu_ns() - began_ns;
}

static void drop(struct worker_job *job)
{
	struct settling *s = (struct settling *)job;

	endpoints_seen_free(s->seen);
	free(s);
}

static void done(struct worker_job *job)
{
	struct settling *s = (struct settling *)job;

	daemon_settle_taken(s->d, snp_take(&s->seen));
	s->d->settle_took_ns = s->took_ns;
	s->d->is_settling = false;
	drop(job);
}

void daemon_settle_missed(struct daemon *d, uint64_t now_ns)
{
	struct settling *s;

	/* Of a very large tree, a fiftieth of a CPU at most. */
	if (d->is_settling || now_ns - d->settled_ns < SETTLE_EVERY_NS + 50 * d->settle_took_ns ||
	    !endpoints_incomplete(d->endpoints, d->maps))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->job = (struct worker_job){.run = run, .done = done, .drop = drop};
	s->d = d;
	d->is_settling = true;
	worker_ask(d->worker, &s->job);
}
