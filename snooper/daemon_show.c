/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_show.c - what callers of the gRPC face see, read from cache and maps. */
#include <errno.h>
#include <string.h>

#include "snooper/base/clock.h"
#include "snooper/core/match_pattern.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/endpoints.h"

#define CAP_SHOWN_NS (60 * SNP_NS_PER_S)

struct listing {
	export_emit_fn emit;
	void *emit_ctx;
};

static bool emit_listed(void *ctx, const struct snp_listed_name *name)
{
	const struct listing *l = ctx;

	/* One that is on its way out: an alias, or expired since. */
	return name->n_addrs ? l->emit(l->emit_ctx, name) : true;
}

int daemon_list(void *ctx, const char *pattern, uint64_t *cursor, export_emit_fn emit,
		void *emit_ctx)
{
	struct daemon *d = ctx;
	uint64_t now_ns = clock_boot_ns();
	struct listing l = {emit, emit_ctx};
	struct fqdn_name name;

	if (pattern && !*pattern)
		pattern = NULL;
	if (pattern && !match_pattern_valid(pattern))
		return -EINVAL;
	for (size_t looked = 0; looked < DAEMON_SLICE;) {
		int r;

		if (!fqdn_cache_next(d->cache, cursor, &name))
			return 0;
		looked += daemon_name_facts(d, &name) + 1;
		r = daemon_show_name(d, &name, pattern, now_ns, emit_listed, &l);
		if (r <= 0)
			return r < 0 ? r : 1; /* 0: no more room now */
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
	st->proxy.since_ms =
		daemon_ms_between(bypassed_since ? bypassed_since : active_since, now_ns);
}

static bool is_recent(uint64_t grew_ns, uint64_t now_ns)
{
	return grew_ns && grew_ns + CAP_SHOWN_NS > now_ns;
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
		{SNP_STAT_ROWS_FULL, SNP_DEGRADED_ROWS_FULL},
		{SNP_STAT_FLOWS_FULL, SNP_DEGRADED_FLOWS_FULL},
		{SNP_STAT_NO_JUDGE, SNP_DEGRADED_NO_JUDGE},
		{SNP_STAT_NAME_CAP, SNP_DEGRADED_NAME_CAP},
		{SNP_STAT_ADDR_CAP, SNP_DEGRADED_ADDR_CAP},
		{SNP_STAT_NO_SCRATCH, SNP_DEGRADED_NO_SCRATCH},
		{SNP_STAT_Q_STORAGE, SNP_DEGRADED_Q_STORAGE},
		{SNP_STAT_BYPASS_NONE, SNP_DEGRADED_BYPASS_NONE},
		{SNP_STAT_BYPASS_UNKNOWN, SNP_DEGRADED_BYPASS_UNKNOWN},
	};
	bool is[SNP_DEGRADED_END] = {
		[SNP_DEGRADED_POLICY_LOCKED] = d->policy.locked,
		[SNP_DEGRADED_POLICY_UNREAD] = d->policy.unread,
		[SNP_DEGRADED_PROXY_BYPASSED] = st->proxy.bypassed,
		[SNP_DEGRADED_MEMBERS_MISSED] = endpoints_incomplete(d->endpoints, d->maps),
		[SNP_DEGRADED_SOCKETS_OUTSIDE] = endpoints_strays(d->endpoints) > 0,
		[SNP_DEGRADED_LIMITS_KEPT] = maps_limits_differ(d->maps),
		[SNP_DEGRADED_UNREACHABLE] = daemon_reconcile_is_unreachable(d),
		[SNP_DEGRADED_CACHE_FULL] = d->cache_full,
		[SNP_DEGRADED_RESCANNING] = d->scan.stage != SCAN_IDLE &&
					    is_recent(d->grew_ns[SNP_STAT_RING_LOST], now_ns),
		[SNP_DEGRADED_DESCRIPTORS] = is_recent(d->descriptors.grew_ns, now_ns),
		[SNP_DEGRADED_LOG_LOST] = is_recent(d->log_lost.grew_ns, now_ns),
		[SNP_DEGRADED_UNTRUSTED] = is_recent(d->untrusted.unlisted_grew, now_ns),
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(recent) / sizeof(recent[0]); i++)
		is[recent[i].reason] = is_recent(d->grew_ns[recent[i].stat], now_ns);
	for (unsigned int reason = 0; reason < SNP_DEGRADED_END; reason++)
		if (is[reason])
			d->degraded[n++] = snp_degraded_text(reason);
	return n;
}

void daemon_status(void *ctx, struct snp_status *st)
{
	struct daemon *d = ctx;
	uint64_t now_ns = clock_boot_ns();
	const struct fqdn_cache_counts *counts = fqdn_cache_counts(d->cache);

	memset(st, 0, sizeof(*st));
	st->version = SNP_VERSION;
	st->mode = daemon_mode_names[d->conf->policy.mode];
	maps_stats(d->maps, st->stats);
	st->cache.names = fqdn_cache_names(d->cache);
	st->cache.addresses = fqdn_cache_facts(d->cache);
	st->cache.evicted_names = counts->evicted_names;
	st->cache.refused_names = counts->refused_names;
	st->cache.refused_addresses = counts->refused_facts;
	status_proxy(d, st, now_ns);
	st->untrusted = d->untrusted_rows;
	st->n_untrusted = daemon_untrusted_look(d, st->stats, now_ns);
	st->untrusted_unlisted = d->untrusted.unlisted;
	daemon_note_shortages(d, now_ns);
	st->n_endpoints = endpoints_show(d->endpoints, d->maps, &st->endpoints);
	daemon_policy_status(d, st, now_ns);
	st->degraded = d->degraded;
	st->n_degraded = status_degraded(d, st, now_ns);
}
