/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_learn.h"

#include <errno.h>

#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/io/maps_policy.h"

/* Half a millisecond each, mostly; with a million of them, and memory that is not at hand, three. */
#define SCAN_SLICE   256 /* rows */
#define EXPIRE_FACTS 256 /* at two look-ups each */
#define DRAIN_SLICE  256 /* records of the ring, and their facts */

/* How long a name without a fact is kept: until it was asked for. */
#define NO_FACT_NS (15 * SNP_NS_PER_S)

static int is_full(struct daemon *d, int error)
{
	if (!d->cache_full)
		log_warn("event=cache-full errno=%d names=%zu addresses=%zu", -error,
			 fqdn_cache_names(d->cache), fqdn_cache_facts(d->cache));
	d->cache_full = true;
	return error;
}

static int know(struct daemon *d, const struct snp_name_key *name, const struct snp_name_row *row)
{
	bool needed = daemon_policy_needs(d, name, row->wire, row->wire_len);
	int r = fqdn_cache_name(d->cache, name, row->wire, row->wire_len, needed,
				clock_boot_ns() + NO_FACT_NS);

	return r < 0 ? is_full(d, r) : 0;
}

/* The name is in the cache. 0, or -errno: it is not. */
static int name_known(struct daemon *d, const struct snp_name_key *name)
{
	struct snp_name_row row;

	if (fqdn_cache_find(d->cache, name, NULL))
		return 0;
	if (maps_name(d->maps, name, &row))
		return -ENOENT; /* collected since */
	return know(d, name, &row);
}

/* Is that news? */
static bool
remember(struct daemon *d, const struct snp_name_key *name, const struct fqdn_fact *fact)
{
	int r;

	if (name_known(d, name) < 0)
		return false;
	r = fqdn_cache_put(d->cache, name, fact);
	if (r < 0)
		is_full(d, r);
	return r > 0;
}

/* Until when a fact is kept: what was learned with TTL 0 was never alive, and is shown for a moment. */
static uint64_t kept_until(uint64_t expiry_ns, uint64_t seen_ns)
{
	return expiry_ns > seen_ns ? expiry_ns : seen_ns + DAEMON_TTL_ZERO_NS;
}

void daemon_news(void *ctx, const struct snp_event *e)
{
	struct daemon *d = ctx;
	struct fqdn_fact fact = {
		.first_seen_ns = e->ts_ns,
		.last_seen_ns = e->ts_ns,
		.cgroup_id = e->cgroup_id,
		.origin = SNP_ORIGIN_KERNEL,
		.reconcile = daemon_reconcile_first(d),
	};

	bool news;

	if (name_known(d, &e->name) < 0)
		return;
	/* For as long as the name is known: the whole answer may be to the other type's question. */
	if (e->flags & SNP_EVENT_PARTIAL)
		fqdn_cache_partial(d->cache, &e->name, true);
	news = !e->nfacts;
	for (unsigned int i = 0; i < e->nfacts; i++) {
		fact.addr = e->facts[i].addr;
		fact.expiry_ns = kept_until(e->facts[i].expiry_ns, e->ts_ns);
		fact.ttl_s = (e->facts[i].expiry_ns - e->ts_ns) / SNP_NS_PER_S;
		news |= remember(d, &e->name, &fact);
	}
	if (news)
		daemon_reconcile_news(d, &e->name);
}

size_t daemon_news_most(const struct daemon *d)
{
	return d->conf->limits.ring_bytes / sizeof(struct snp_event_fact);
}

bool daemon_news_is_old(struct daemon *d, size_t *left)
{
	uint64_t stats[SNP_STAT_MAX];
	bool more;

	if (!*left)
		return d->scan.for_lost;
	more = maps_ring_consume(d->maps, DRAIN_SLICE) == -EAGAIN;
	*left -= *left < DRAIN_SLICE ? *left : DRAIN_SLICE;
	if (more && *left)
		return true;
	*left = 0;
	if (!maps_stats(d->maps, stats) &&
	    stats[SNP_STAT_RING_LOST] != d->stats[SNP_STAT_RING_LOST])
		daemon_scan_for_lost(d);
	return d->scan.for_lost;
}

/* A row of the maps, as the cache has it. */
static struct fqdn_fact fact_of(const struct daemon *d, const struct snp_fact_key *key,
				const struct snp_fact *row, bool granted)
{
	return (struct fqdn_fact){
		.addr = key->addr,
		.expiry_ns = granted ? 0 : kept_until(row->expiry_ns, row->last_seen_ns),
		.granted_ns = granted ? row->expiry_ns : 0,
		.first_seen_ns = row->first_seen_ns,
		.last_seen_ns = row->last_seen_ns,
		.cgroup_id = row->cgroup_id,
		.ttl_s = row->ttl_s,
		.origin = row->origin,
		.reconcile = daemon_reconcile_first(d),
	};
}

static void scan_fact(void *ctx, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	struct daemon *d = ctx;
	bool granted = d->scan.stage == SCAN_GRANTED;
	struct fqdn_fact seen = fact_of(d, key, fact, granted);
	int r;

	if (seen.expiry_ns > d->scan.started_ns || seen.granted_ns > d->scan.started_ns)
		if (remember(d, &key->name, &seen))
			daemon_reconcile_news(d, &key->name);
	if (fact->expiry_ns + SNP_COLLECT_AFTER_NS > d->scan.started_ns)
		return;
	r = granted ? maps_collect_granted(d->maps, key, d->scan.started_ns)
		    : maps_collect_fact(d->maps, key, d->scan.started_ns);
	if (r == 1) {
		d->scan.collected++; /* the cache forgot it long ago */
	} else if (r == 0) {
		d->scan.put_back++;
	}
}

/* Names outlive their facts by a scan or more, so that no fact is left without its name. */
static void scan_name(void *ctx, const struct snp_name_key *key, const struct snp_name_row *row)
{
	struct daemon *d = ctx;
	struct fqdn_name name;
	bool known = fqdn_cache_find(d->cache, key, &name);

	/* One whose news was lost, or that a daemon before us looked up. */
	if (row->truncated && (known ? !name.partial : row->expiry_ns > d->scan.started_ns) &&
	    know(d, key, row) == 0) {
		fqdn_cache_partial(d->cache, key, true);
		daemon_reconcile_news(d, key);
	}
	/* What is renewed by look-ups outlives the client's last answer. */
	if (fqdn_cache_find(d->cache, key, &name)) {
		daemon_reconcile_seen(d, &name);
		return;
	}
	if (row->expiry_ns + 2 * SNP_COLLECT_AFTER_NS <= d->scan.started_ns)
		maps_collect_name(d->maps, key, d->scan.started_ns - SNP_COLLECT_AFTER_NS);
}

/* Before when a verdict row must have ended to be of no use. Soon after a boot: none is. */
static uint64_t rows_over_ns(const struct daemon *d)
{
	uint64_t grace_ns = d->conf->policy.grace_ns;

	return d->scan.started_ns > grace_ns ? d->scan.started_ns - grace_ns : 0;
}

void daemon_scan_start(struct daemon *d)
{
	d->scan.again = d->scan.stage != SCAN_IDLE;
	if (d->scan.again)
		return;
	d->scan.stage = SCAN_LEARNED;
	d->scan.pos = (struct maps_pos){0};
	d->scan.started_ns = clock_boot_ns();
	d->cache_full = false;
}

bool daemon_scan_step(struct daemon *d)
{
	struct scan *s = &d->scan;
	int r = 0;

	switch (s->stage) {
	case SCAN_LEARNED:
		r = maps_walk_facts(d->maps, MAPS_LEARNED, &s->pos, SCAN_SLICE, scan_fact, d);
		break;
	case SCAN_GRANTED:
		r = maps_walk_facts(d->maps, MAPS_GRANTED, &s->pos, SCAN_SLICE, scan_fact, d);
		break;
	case SCAN_NAMES:
		r = maps_walk_names(d->maps, &s->pos, SCAN_SLICE, scan_name, d);
		break;
	case SCAN_ROWS:
	case SCAN_ROWS_GIVEN:
		r = maps_collect_rows(d->maps, s->stage == SCAN_ROWS ? MAPS_LEARNED : MAPS_GRANTED,
				      &s->pos, SCAN_SLICE, rows_over_ns(d));
		break;
	case SCAN_FLOWS:
		r = maps_collect_flows(d->maps, &s->pos, SCAN_SLICE, s->started_ns,
				       d->conf->policy.live_flow_idle_ns);
		break;
	case SCAN_IDLE:
		return false;
	}
	if (r > 0)
		return true;
	if (r < 0)
		log_warn("event=scan-failed stage=%d errno=%d", s->stage, -r);
	s->pos = (struct maps_pos){0};
	s->stage = s->stage == SCAN_FLOWS ? SCAN_IDLE : s->stage + 1;
	if (s->stage == SCAN_IDLE && s->again)
		daemon_scan_start(d); /* news was lost behind where it had been */
	else if (s->stage == SCAN_IDLE)
		s->for_lost = false;
	return s->stage != SCAN_IDLE;
}

static void
expiry_in_maps(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns, uint64_t *granted_ns)
{
	struct daemon *d = ctx;
	struct snp_fact row;

	if (!maps_fact(d->maps, MAPS_LEARNED, key, &row))
		*expiry_ns = kept_until(row.expiry_ns, row.last_seen_ns);
	if (!maps_fact(d->maps, MAPS_GRANTED, key, &row))
		*granted_ns = row.expiry_ns;
}

uint64_t daemon_expire(struct daemon *d)
{
	return fqdn_cache_expire(d->cache, clock_boot_ns(), EXPIRE_FACTS, expiry_in_maps, d);
}
