/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_show.c - what callers of the gRPC face see, read from cache and maps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/core/match_pattern.h"
#include "snooper/core/name.h"
#include "snooper/daemon.h"

#define LIST_SLICE   2048 /* facts looked at in a turn, at a look-up each */
#define CHAIN_MAX    16
#define CAP_SHOWN_NS (60 * SNP_NS_PER_S)

static uint64_t ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / SNP_NS_PER_MS : 0;
}

/*
 * How long a fact holds: as the maps say, for news of a renewal may be held back, and
 * as the cache does, which may know more than them. False: it is over.
 */
static bool fact_now(struct daemon *d, const struct snp_name_key *name,
		     const struct fqdn_fact *fact, uint64_t now_ns, struct snp_listed_addr *out)
{
	struct snp_fact_key key = {.name = *name, .addr = fact->addr};
	uint64_t until_ns = fact->granted_ns, seen_ns = fact->last_seen_ns;
	struct snp_fact row;

	if (!maps_fact(d->maps, MAPS_LEARNED, &key, &row)) {
		seen_ns = row.last_seen_ns;
		if (row.expiry_ns > until_ns)
			until_ns = row.expiry_ns;
	}
	if (until_ns <= now_ns && fact->expiry_ns <= now_ns)
		return false;
	*out = (struct snp_listed_addr){
		.addr = fact->addr,
		.expires_in_ms = ms_between(now_ns, until_ns),
		.first_seen_ms = ms_between(fact->first_seen_ns, now_ns),
		.last_seen_ms = ms_between(seen_ns, now_ns),
		.origin = fact->origin,
		.reconcile = fqdn_reconcile_text(fact->reconcile),
	};
	return true;
}

static size_t list_addrs(struct daemon *d, const struct fqdn_name *name, uint64_t now_ns,
			 struct snp_listed_addr *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < name->n_facts; i++)
		n += fact_now(d, &name->key, &name->facts[i], now_ns, &out[n]);
	return n;
}

struct chain {
	const char *names[CHAIN_MAX];
	char text[CHAIN_MAX][NAME_TEXT_MAX];
	size_t n;
};

/* Follow the CNAMEs that hold now. Each target has a row of its own in the maps. */
static void list_chain(struct daemon *d, const struct snp_name_key *from, uint64_t now_ns,
		       struct chain *chain, bool *truncated)
{
	struct snp_name_key key = *from;
	struct snp_name_row row;

	chain->n = 0;
	*truncated = false;
	if (maps_name(d->maps, &key, &row))
		return;
	*truncated = row.truncated;
	while (chain->n < CHAIN_MAX && row.alias_id && row.alias_expiry_ns > now_ns) {
		key.id = row.alias_id;
		if (maps_name(d->maps, &key, &row) ||
		    name_to_text(row.wire, row.wire_len, chain->text[chain->n]) < 0)
			break;
		chain->names[chain->n] = chain->text[chain->n];
		chain->n++;
	}
}

/* -EAGAIN: there is nothing to show of it. */
static int list_one(struct daemon *d, const struct fqdn_name *name, const char *pattern,
		    uint64_t now_ns, export_emit_fn emit, void *emit_ctx)
{
	SNP_CLEANUP(snp_freep)
	struct snp_listed_addr *addrs = NULL;
	struct snp_listed_name line = {0};
	char text[NAME_TEXT_MAX];
	struct chain chain;

	if (name_to_text(name->wire, name->wire_len, text) < 0)
		return -EAGAIN;
	if (pattern && !match_pattern(pattern, text))
		return -EAGAIN;
	addrs = calloc(name->n_facts + 1, sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	line.n_addrs = list_addrs(d, name, now_ns, addrs);
	if (!line.n_addrs)
		return -EAGAIN;
	list_chain(d, &name->key, now_ns, &chain, &line.truncated);
	line.name = text;
	line.addrs = addrs;
	line.cnames = chain.names;
	line.n_cnames = chain.n;
	return emit(emit_ctx, &line);
}

int daemon_list(void *ctx, const char *pattern, uint64_t *cursor, export_emit_fn emit,
		void *emit_ctx)
{
	struct daemon *d = ctx;
	uint64_t now_ns = clock_boot_ns();
	struct fqdn_name name;

	if (pattern && !*pattern)
		pattern = NULL;
	if (pattern && !match_pattern_valid(pattern))
		return -EINVAL;
	for (unsigned int looked = 0; looked < LIST_SLICE; looked += name.n_facts + 1) {
		int r;

		if (!fqdn_cache_next(d->cache, cursor, &name))
			return 0;
		r = list_one(d, &name, pattern, now_ns, emit, emit_ctx);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0)
			return 1; /* no more room now */
	}
	return 1;
}

static void status_proxy(struct daemon *d, struct snp_status *st, uint64_t now_ns)
{
	uint64_t active_since = d->started_ns, bypassed_since = 0;

	st->proxy.configured = d->conf->proxy.n_addresses > 0;
	for (uint32_t i = 0; i < d->conf->proxy.n_addresses && i < SNP_PROXIES_MAX; i++) {
		struct snp_proxy_row row;

		if (maps_proxy(d->maps, i, &row) || row.generation != d->proxy_generation)
			continue;
		st->proxy.bypassed_queries += row.queries;
		if (row.bypassed && (!bypassed_since || row.since_ns < bypassed_since))
			bypassed_since = row.since_ns;
		if (!row.bypassed && row.since_ns > active_since)
			active_since = row.since_ns;
	}
	st->proxy.bypassed = bypassed_since != 0;
	st->proxy.since_ms = ms_between(bypassed_since ? bypassed_since : active_since, now_ns);
}

/* Degradations: caps and losses that were reached in the last minute, and standing ones. */
static size_t status_degraded(struct daemon *d, const struct snp_status *st, uint64_t now_ns)
{
	static const struct {
		enum snp_stat stat;
		enum snp_degraded reason;
	} recent[] = {
		{SNP_STAT_MAP_FULL, SNP_DEGRADED_MAP_FULL},
		{SNP_STAT_NAMES_FULL, SNP_DEGRADED_NAMES_FULL},
		{SNP_STAT_QUOTA, SNP_DEGRADED_QUOTA},
		{SNP_STAT_NAME_CAP, SNP_DEGRADED_NAME_CAP},
		{SNP_STAT_ADDR_CAP, SNP_DEGRADED_ADDR_CAP},
		{SNP_STAT_NO_SCRATCH, SNP_DEGRADED_NO_SCRATCH},
		{SNP_STAT_Q_STORAGE, SNP_DEGRADED_Q_STORAGE},
		{SNP_STAT_BYPASS_NONE, SNP_DEGRADED_BYPASS_NONE},
		{SNP_STAT_BYPASS_UNKNOWN, SNP_DEGRADED_BYPASS_UNKNOWN},
	};
	bool is[SNP_DEGRADED_END] = {
		[SNP_DEGRADED_PROXY_BYPASSED] = st->proxy.bypassed,
		[SNP_DEGRADED_LIMITS_KEPT] = maps_limits_differ(d->maps),
		[SNP_DEGRADED_UNREACHABLE] = daemon_reconcile_is_unreachable(d),
		[SNP_DEGRADED_CACHE_FULL] = d->cache_full,
		[SNP_DEGRADED_RESCANNING] =
			d->scan.stage != SCAN_IDLE && d->grew_ns[SNP_STAT_RING_LOST],
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(recent) / sizeof(recent[0]); i++) {
		uint64_t grew_ns = d->grew_ns[recent[i].stat];

		is[recent[i].reason] = grew_ns && grew_ns + CAP_SHOWN_NS > now_ns;
	}
	for (unsigned int reason = 0; reason < SNP_DEGRADED_END; reason++)
		if (is[reason])
			d->degraded[n++] = snp_degraded_text(reason);
	return n;
}

void daemon_status(void *ctx, struct snp_status *st)
{
	struct daemon *d = ctx;
	uint64_t now_ns = clock_boot_ns();
	static const char *const modes[] = {"observe", "audit", "enforce"};

	memset(st, 0, sizeof(*st));
	st->version = SNP_VERSION;
	/* What is in force, not what is asked for: nothing is enforced yet. */
	st->mode = modes[SNP_POLICY_OBSERVE];
	maps_stats(d->maps, st->stats);
	st->cache.names = fqdn_cache_names(d->cache);
	st->cache.addresses = fqdn_cache_facts(d->cache);
	status_proxy(d, st, now_ns);
	st->untrusted = d->untrusted;
	st->n_untrusted = maps_untrusted(d->maps, d->untrusted, UNTRUSTED_SHOWN);
	st->degraded = d->degraded;
	st->n_degraded = status_degraded(d, st, now_ns);
}
