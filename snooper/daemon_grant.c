/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_grant.h"

#include <errno.h>

#include "snooper/base/clock.h"
#include "snooper/daemon.h"

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

static void grant_all(struct daemon *d, const struct granting *g,
		      const struct reconcile_found *found, uint32_t ttl_s)
{
	uint64_t now_ns = clock_boot_ns(), expiry_ns = now_ns + ttl_s * SNP_NS_PER_S;

	for (size_t i = 0; i < found->n; i++) {
		if (grant_one(d, g, &found->addrs[i], expiry_ns, now_ns) == 0)
			d->reconciler.counts.granted++;
		else
			d->reconciler.counts.refused++;
	}
}

bool daemon_grant(struct daemon *d, struct granting *g, const struct reconcile_found *found)
{
	uint32_t ttl_s = clamp_ttl(d->conf, found->ttl_s), lifetime_s;
	struct fqdn_name name;

	if (!found->n || !fqdn_cache_find(d->cache, &g->name, &name))
		return true;
	lifetime_s = reconcile_lifetime(&name, ttl_s, g->client_ns);
	if (lifetime_s > g->lifetime_s)
		g->lifetime_s = lifetime_s;
	if (!ttl_s) {
		d->reconciler.counts.refused += found->n;
		return false;
	}
	if (!g->ttl_s || ttl_s < g->ttl_s)
		g->ttl_s = ttl_s;
	grant_all(d, g, found, ttl_s);
	return true;
}
