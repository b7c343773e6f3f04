/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_names.c - a name of the cache as callers see it, with what the maps say of it now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/match_pattern.h"
#include "snooper/core/name.h"
#include "snooper/daemon.h"

#define CHAIN_MAX	16
#define SELECTORS_SHOWN 64

uint64_t daemon_ms_between(uint64_t from_ns, uint64_t to_ns)
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
		.expires_in_ms = daemon_ms_between(now_ns, until_ns),
		.first_seen_ms = daemon_ms_between(fact->first_seen_ns, now_ns),
		.last_seen_ms = daemon_ms_between(seen_ns, now_ns),
		.origin = fact->origin,
		.reconcile = fqdn_reconcile_text(fact->reconcile),
	};
	return true;
}

/* A name in all its scopes, as one. */
struct merging {
	struct daemon *d;
	uint64_t now_ns;
	struct snp_listed_addr *addrs;
	size_t n_addrs;
	const char **endpoints;
	size_t n_endpoints, scopes;
	struct chain {
		const char *names[CHAIN_MAX];
		char text[CHAIN_MAX][NAME_TEXT_MAX];
		size_t n;
	} chain;
	bool truncated;
};

static void drop_merging(struct merging *m)
{
	free(m->addrs);
	free(m->endpoints);
}

static void add_target(struct chain *chain, const struct snp_name_row *row)
{
	char *text = chain->text[chain->n];

	if (name_to_text(row->wire, row->wire_len, text) < 0)
		return;
	for (size_t i = 0; i < chain->n; i++)
		if (!strcmp(chain->names[i], text))
			return;
	chain->names[chain->n++] = text;
}

/* Follow the CNAMEs that hold now. Each target has a row of its own in the maps. */
static void add_chain(struct merging *m, const struct snp_name_key *from)
{
	struct snp_name_key key = *from;
	struct snp_name_row row;

	if (maps_name(m->d->maps, &key, &row))
		return;
	m->truncated |= row.truncated;
	for (int i = 0; i < CHAIN_MAX && m->chain.n < CHAIN_MAX && row.alias_id &&
			row.alias_expiry_ns > m->now_ns;
	     i++) {
		key.id = row.alias_id;
		if (maps_name(m->d->maps, &key, &row))
			return;
		add_target(&m->chain, &row);
	}
}

static void add_scope(void *ctx, const struct fqdn_name *name)
{
	struct merging *m = ctx;
	const char *endpoint = daemon_policy_endpoint(m->d, name->key.scope);
	size_t before = m->n_addrs;

	for (uint32_t i = 0; i < name->n_facts; i++)
		m->n_addrs += fact_now(m->d, &name->key, &name->facts[i], m->now_ns,
				       &m->addrs[m->n_addrs]);
	if (endpoint && (m->n_addrs > before || !name->n_facts))
		m->endpoints[m->n_endpoints++] = endpoint;
	if (m->n_addrs > before)
		add_chain(m, &name->key);
}

static void count_scope(void *ctx, const struct fqdn_name *name)
{
	struct merging *m = ctx;

	m->n_addrs += name->n_facts;
	m->scopes++;
}

static int by_address_then_end(const void *a, const void *b)
{
	const struct snp_listed_addr *x = a, *y = b;
	int r = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return r ? r
		 : (x->expires_in_ms < y->expires_in_ms) - (x->expires_in_ms > y->expires_in_ms);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each address once: as it stands where it holds longest, and ours when the kernel saw it anywhere. */
static void merge(struct merging *m)
{
	size_t n = 0;

	qsort(m->addrs, m->n_addrs, sizeof(*m->addrs), by_address_then_end);
	for (size_t i = 0; i < m->n_addrs; i++) {
		struct snp_listed_addr *a = &m->addrs[i], *kept = n ? &m->addrs[n - 1] : NULL;

		if (!kept || memcmp(&kept->addr, &a->addr, sizeof(a->addr)) != 0) {
			m->addrs[n++] = *a;
			continue;
		}
		if (a->first_seen_ms > kept->first_seen_ms)
			kept->first_seen_ms = a->first_seen_ms;
		if (a->last_seen_ms < kept->last_seen_ms)
			kept->last_seen_ms = a->last_seen_ms;
		if (a->origin == SNP_ORIGIN_KERNEL)
			kept->origin = SNP_ORIGIN_KERNEL;
	}
	m->n_addrs = n;
	qsort(m->endpoints, m->n_endpoints, sizeof(*m->endpoints), by_text);
}

size_t daemon_name_facts(const struct daemon *d, const struct fqdn_name *name)
{
	struct merging m = {.n_addrs = 0};

	fqdn_cache_scopes(d->cache, &name->key, count_scope, &m);
	return m.n_addrs;
}

/* In all scopes that it is known in; in the one that it had, when it is gone. 0 or -ENOMEM. */
static int gather(struct merging *m, const struct fqdn_name *name)
{
	fqdn_cache_scopes(m->d->cache, &name->key, count_scope, m);
	m->addrs = calloc(m->n_addrs + 1, sizeof(*m->addrs));
	m->endpoints = calloc(m->scopes + 1, sizeof(*m->endpoints));
	if (!m->addrs || !m->endpoints)
		return -ENOMEM;
	m->n_addrs = 0;
	if (m->scopes)
		fqdn_cache_scopes(m->d->cache, &name->key, add_scope, m);
	else
		add_scope(m, name);
	if (m->scopes > 1)
		merge(m);
	return 0;
}

int daemon_show_name(struct daemon *d, const struct fqdn_name *name, const char *pattern,
		     uint64_t now_ns, export_emit_fn emit, void *emit_ctx)
{
	SNP_CLEANUP(drop_merging)
	struct merging m = {.d = d, .now_ns = now_ns};
	const char *selectors[SELECTORS_SHOWN];
	char text[NAME_TEXT_MAX];
	size_t n;

	if (name_to_text(name->wire, name->wire_len, text) < 0)
		return 1;
	if (pattern && !match_pattern(pattern, text))
		return 1;
	if (gather(&m, name))
		return -ENOMEM;
	n = daemon_policy_selectors(d, name->wire, name->wire_len, selectors, SELECTORS_SHOWN);
	return emit(emit_ctx,
		    &(struct snp_listed_name){
			    .name = text,
			    .addrs = m.addrs,
			    .n_addrs = m.n_addrs,
			    .cnames = m.chain.names,
			    .n_cnames = m.chain.n,
			    .selectors = selectors,
			    .n_selectors = n < SELECTORS_SHOWN ? n : SELECTORS_SHOWN,
			    .selectors_more = n < SELECTORS_SHOWN ? 0 : n - SELECTORS_SHOWN,
			    .endpoints = m.endpoints,
			    .n_endpoints = m.n_endpoints,
			    .truncated = m.truncated,
		    });
}
