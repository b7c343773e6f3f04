/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_learn.c - from the maps to the cache: news as they come, scans for what was missed. */
#include <errno.h>

#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"

#define SCAN_ROWS 1024 /* a slice: well under a millisecond */

/* What was just learned with TTL 0 is shown a little longer: it was never alive. */
#define LINGER_NS (10 * SNP_NS_PER_S)

static void remember(struct daemon *d, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	struct snp_name_row row;
	int r;

	if (!fqdn_cache_has(d->cache, &key->name)) {
		if (maps_name(d->maps, &key->name, &row))
			return; /* collected since */
		r = fqdn_cache_name(d->cache, &key->name, row.wire, row.wire_len);
		if (r < 0)
			goto full;
	}
	r = fqdn_cache_put(d->cache, key, fact);
	if (r == 0)
		return;
full:
	if (!d->cache_full)
		log_warn("event=cache-full errno=%d names=%zu addresses=%zu", -r,
			 fqdn_cache_names(d->cache), fqdn_cache_facts(d->cache));
	d->cache_full = true;
}

void daemon_news(void *ctx, const struct snp_event *e)
{
	struct daemon *d = ctx;
	struct snp_fact fact = {
		.first_seen_ns = e->ts_ns,
		.last_seen_ns = e->ts_ns,
		.cgroup_id = e->cgroup_id,
		.origin = SNP_ORIGIN_KERNEL,
	};

	for (unsigned int i = 0; i < e->nfacts; i++) {
		struct snp_fact_key key = {.name = e->name, .addr = e->facts[i].addr};

		fact.expiry_ns = e->facts[i].expiry_ns;
		remember(d, &key, &fact);
	}
}

static void scan_fact(void *ctx, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	struct daemon *d = ctx;
	bool granted = d->scan.stage == SCAN_GRANTED;
	int r;

	if (fact->expiry_ns + SNP_COLLECT_AFTER_NS > d->scan.started_ns) {
		if (fact->expiry_ns + LINGER_NS > d->scan.started_ns)
			remember(d, key, fact);
		return;
	}
	r = granted ? maps_collect_granted(d->maps, key, d->scan.started_ns)
		    : maps_collect_fact(d->maps, key, d->scan.started_ns);
	if (r == 1) {
		d->scan.collected++;
		fqdn_cache_drop(d->cache, key);
	} else if (r == 0) {
		d->scan.put_back++;
	}
}

/* Names outlive their facts by a scan or more, so that no fact is left without its name. */
static void scan_name(void *ctx, const struct snp_name_key *key, const struct snp_name_row *row)
{
	struct daemon *d = ctx;

	if (row->expiry_ns + 2 * SNP_COLLECT_AFTER_NS <= d->scan.started_ns)
		maps_collect_name(d->maps, key, d->scan.started_ns - SNP_COLLECT_AFTER_NS);
}

void daemon_scan_start(struct daemon *d)
{
	if (d->scan.stage != SCAN_IDLE)
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
		r = maps_walk_facts(d->maps, MAPS_LEARNED, &s->pos, SCAN_ROWS, scan_fact, d);
		break;
	case SCAN_GRANTED:
		r = maps_walk_facts(d->maps, MAPS_GRANTED, &s->pos, SCAN_ROWS, scan_fact, d);
		break;
	case SCAN_NAMES:
		r = maps_walk_names(d->maps, &s->pos, SCAN_ROWS, scan_name, d);
		break;
	case SCAN_IDLE:
		return false;
	}
	if (r > 0)
		return true;
	if (r < 0)
		log_warn("event=scan-failed stage=%d errno=%d", s->stage, -r);
	s->pos = (struct maps_pos){0};
	s->stage = s->stage == SCAN_NAMES ? SCAN_IDLE : s->stage + 1;
	return s->stage != SCAN_IDLE;
}

static uint64_t expiry_in_maps(void *ctx, const struct snp_fact_key *key)
{
	struct daemon *d = ctx;
	struct snp_fact fact;

	return maps_fact(d->maps, key, &fact) ? 0 : fact.expiry_ns;
}

void daemon_sweep(struct daemon *d)
{
	fqdn_cache_sweep(d->cache, clock_boot_ns() - LINGER_NS, 4096, expiry_in_maps, d);
}
