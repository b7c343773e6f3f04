/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_grant.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/clock.h"
#include "snooper/daemon.h"

#define GRANT_SLICE 128 /* addresses of a turn, with up to 20 look-ups in maps each */

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

/* How many of n addresses this turn of the loop may write yet. */
static size_t take_turn(struct daemon *d, size_t n)
{
	struct grants *q = &d->reconciler.grants;

	if (q->turn != d->turns.n) {
		q->turn = d->turns.n;
		q->left = GRANT_SLICE;
	}
	if (n > q->left)
		n = q->left;
	q->left -= n;
	return n;
}

static void grant_some(struct daemon *d, const struct granting *g, const struct snp_addr *addrs,
		       size_t n, uint64_t expiry_ns)
{
	uint64_t now_ns = clock_boot_ns();

	for (size_t i = 0; i < n; i++) {
		if (grant_one(d, g, &addrs[i], expiry_ns, now_ns) == 0)
			d->reconciler.counts.granted++;
		else
			d->reconciler.counts.refused++;
	}
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
	const struct grants *q = &d->reconciler.grants;
	const struct timeval now = {0};

	/* One that is about to run would be put off. */
	if (!TAILQ_EMPTY(&q->rest) && !event_pending(q->next, EV_TIMEOUT, NULL))
		event_add(q->next, &now);
}

static void add(struct grants *q, struct grant_rest *r)
{
	TAILQ_INSERT_TAIL(&q->rest, r, link);
	q->n++;
}

static struct grant_rest *take(struct grants *q)
{
	struct grant_rest *r = TAILQ_FIRST(&q->rest);

	if (!r)
		return NULL;
	TAILQ_REMOVE(&q->rest, r, link);
	q->n--;
	return r;
}

static void end(struct daemon *d, struct grant_rest *r)
{
	d->reconciler.counts.refused += r->n - r->next;
	r->done(r->ctx, r->next == r->n);
	free(r);
}

/* A piece of an answer. It stands behind the others then: a few addresses need not wait for thousands. */
static void go_on(struct daemon *d, struct grant_rest *r)
{
	bool is_over = r->expiry_ns <= clock_boot_ns();
	size_t n = is_over ? 0 : take_turn(d, r->n - r->next);

	grant_some(d, r->g, r->addrs + r->next, n, r->expiry_ns);
	r->next += n;
	if (is_over || r->next == r->n)
		end(d, r);
	else
		add(&d->reconciler.grants, r);
}

static void on_next(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct grants *q = &d->reconciler.grants;

	for (size_t waiting = q->n; waiting; waiting--) {
		go_on(d, take(q));
		if (!q->left)
			break;
	}
	arm(d);
}

int daemon_grants_init(struct daemon *d)
{
	struct grants *q = &d->reconciler.grants;

	TAILQ_INIT(&q->rest);
	q->next = event_new(d->base, -1, 0, on_next, d);
	return q->next ? 0 : -ENOMEM;
}

void daemon_grants_fini(struct daemon *d)
{
	struct grants *q = &d->reconciler.grants;
	struct grant_rest *r;

	if (!q->next)
		return;
	while ((r = take(q)))
		end(d, r);
	event_free(q->next);
	q->next = NULL;
}

static void grant_all(struct daemon *d, struct granting *g, const struct reconcile_found *found,
		      uint64_t expiry_ns, grant_done_fn done, void *ctx)
{
	struct grants *q = &d->reconciler.grants;
	size_t now = q->n ? 0 : take_turn(d, found->n), left = found->n - now;
	struct grant_rest *r = left ? malloc(sizeof(*r) + left * sizeof(r->addrs[0])) : NULL;

	grant_some(d, g, found->addrs, now, expiry_ns);
	if (!r) {
		d->reconciler.counts.refused += left;
		done(ctx, !left);
		return;
	}
	*r = (struct grant_rest){
		.g = g, .expiry_ns = expiry_ns, .done = done, .ctx = ctx, .n = left};
	memcpy(r->addrs, found->addrs + now, left * sizeof(r->addrs[0]));
	add(q, r);
	arm(d);
}

void daemon_grant(struct daemon *d, struct granting *g, const struct reconcile_found *found,
		  grant_done_fn done, void *ctx)
{
	uint32_t ttl_s = clamp_ttl(d->conf, found->ttl_s), lifetime_s;
	uint64_t now_ns = clock_boot_ns();
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
	if (!g->since_ns)
		g->since_ns = now_ns;
	grant_all(d, g, found, now_ns + ttl_s * SNP_NS_PER_S, done, ctx);
}
