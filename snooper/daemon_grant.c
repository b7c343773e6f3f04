/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_grant.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/clock.h"
#include "snooper/daemon.h"

#define GRANT_SLICE 128 /* addresses, with up to 20 look-ups in maps each */

static uint32_t clamp_ttl(const struct snp_conf *conf, uint32_t ttl_s)
{
	uint32_t min_s = conf->policy.min_ttl_ns / SNP_NS_PER_S;
	uint32_t max_s = conf->policy.max_ttl_ns / SNP_NS_PER_S;

	if (ttl_s < min_s)
		ttl_s = min_s;
	return ttl_s > max_s ? max_s : ttl_s;
}

/* May the name hold one more? What the kernel learned counts, too. */
static bool
has_room(const struct daemon *d, const struct snp_name_key *key, const struct snp_addr *addr)
{
	struct fqdn_name name;

	return fqdn_cache_find(d->cache, key, &name) &&
	       (name.n_facts < d->conf->limits.addresses_per_name ||
		fqdn_cache_has(d->cache, key, addr));
}

/* Write what was found until expiry_ns. 0, or -errno: it is not written. */
static int grant_one(struct daemon *d, const struct granting *g, const struct snp_addr *addr,
		     uint64_t expiry_ns, uint64_t now_ns)
{
	struct snp_fact_key key = {.name = g->name, .addr = *addr};
	struct fqdn_fact fact = {.addr = *addr, .reconcile = FQDN_CONFIRMED};
	struct snp_fact row;
	bool had;
	int r;

	if (reconcile_refused(d->conf, addr))
		return -EPERM;
	if (!has_room(d, &g->name, addr))
		return -ENOSPC;
	had = !maps_fact(d->maps, MAPS_GRANTED, &key, &row);
	row = reconcile_grant(had ? &row : NULL, expiry_ns, g->lifetime_s, now_ns);
	r = maps_grant(d->maps, &key, &row);
	if (r < 0)
		return r;
	fact.granted_ns = row.expiry_ns;
	fact.first_seen_ns = row.first_seen_ns;
	fact.last_seen_ns = row.last_seen_ns;
	fact.cgroup_id = row.cgroup_id;
	fact.ttl_s = row.ttl_s;
	fact.origin = row.origin;
	daemon_policy_grant(d, &g->name, addr, row.expiry_ns);
	r = fqdn_cache_put(d->cache, &g->name, &fact);
	return r < 0 ? r : 0;
}

/* A piece of them, from `from` on, as far as one turn goes. How many that were. */
static size_t grant_some(struct daemon *d, const struct granting *g, const struct snp_addr *from,
			 size_t n, uint64_t expiry_ns)
{
	uint64_t now_ns = clock_boot_ns();

	if (n > GRANT_SLICE)
		n = GRANT_SLICE;
	for (size_t i = 0; i < n; i++) {
		if (grant_one(d, g, &from[i], expiry_ns, now_ns) == 0)
			d->reconciler.counts.granted++;
		else
			d->reconciler.counts.refused++;
	}
	return n;
}

/* What is left of an answer. */
struct grant_rest {
	TAILQ_ENTRY(grant_rest) link;
	const struct granting *g;
	uint64_t expiry_ns;
	grant_done_fn done;
	void *ctx;
	size_t n, next;
	struct snp_addr addrs[];
};

static void arm(struct daemon *d)
{
	const struct timeval now = {0};

	if (!TAILQ_EMPTY(&d->reconciler.grants.rest))
		event_add(d->reconciler.grants.turn, &now);
}

static void end(struct daemon *d, struct grant_rest *r)
{
	TAILQ_REMOVE(&d->reconciler.grants.rest, r, link);
	r->done(r->ctx, r->next == r->n);
	free(r);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct grant_rest *r = TAILQ_FIRST(&d->reconciler.grants.rest);

	if (!r)
		return;
	r->next += grant_some(d, r->g, r->addrs + r->next, r->n - r->next, r->expiry_ns);
	if (r->next == r->n)
		end(d, r);
	arm(d);
}

int daemon_grants_init(struct daemon *d)
{
	TAILQ_INIT(&d->reconciler.grants.rest);
	d->reconciler.grants.turn = event_new(d->base, -1, 0, on_turn, d);
	return d->reconciler.grants.turn ? 0 : -ENOMEM;
}

void daemon_grants_fini(struct daemon *d)
{
	struct grants *waiting = &d->reconciler.grants;
	struct grant_rest *r;

	if (!waiting->turn)
		return;
	while ((r = TAILQ_FIRST(&waiting->rest))) {
		d->reconciler.counts.refused += r->n - r->next;
		end(d, r);
	}
	event_free(waiting->turn);
	waiting->turn = NULL;
}

static void grant_all(struct daemon *d, struct granting *g, const struct reconcile_found *found,
		      uint64_t expiry_ns, grant_done_fn done, void *ctx)
{
	size_t did = grant_some(d, g, found->addrs, found->n, expiry_ns), left = found->n - did;
	struct grant_rest *r;

	if (!left) {
		done(ctx, true);
		return;
	}
	r = malloc(sizeof(*r) + left * sizeof(r->addrs[0]));
	if (!r) {
		d->reconciler.counts.refused += left;
		done(ctx, false);
		return;
	}
	*r = (struct grant_rest){
		.g = g, .expiry_ns = expiry_ns, .done = done, .ctx = ctx, .n = left};
	memcpy(r->addrs, found->addrs + did, left * sizeof(r->addrs[0]));
	TAILQ_INSERT_TAIL(&d->reconciler.grants.rest, r, link);
	arm(d);
}

void daemon_grant(struct daemon *d, struct granting *g, const struct reconcile_found *found,
		  grant_done_fn done, void *ctx)
{
	uint32_t ttl_s = clamp_ttl(d->conf, found->ttl_s), lifetime_s;
	struct fqdn_name name;

	if (!found->n || !fqdn_cache_find(d->cache, &g->name, &name)) {
		done(ctx, true);
		return;
	}
	lifetime_s = reconcile_lifetime(&name, ttl_s, g->client_ns);
	if (lifetime_s > g->lifetime_s)
		g->lifetime_s = lifetime_s;
	if (!ttl_s) {
		d->reconciler.counts.refused += found->n;
		done(ctx, false);
		return;
	}
	if (!g->ttl_s || ttl_s < g->ttl_s)
		g->ttl_s = ttl_s;
	grant_all(d, g, found, clock_boot_ns() + ttl_s * SNP_NS_PER_S, done, ctx);
}
