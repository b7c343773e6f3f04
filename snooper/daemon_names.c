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

int daemon_show_name(struct daemon *d, const struct fqdn_name *name, const char *pattern,
		     uint64_t now_ns, export_emit_fn emit, void *emit_ctx)
{
	SNP_CLEANUP(snp_freep)
	struct snp_listed_addr *addrs = NULL;
	struct snp_listed_name line = {0};
	const char *selectors[SELECTORS_SHOWN], *endpoint;
	char text[NAME_TEXT_MAX];
	struct chain chain;

	if (name_to_text(name->wire, name->wire_len, text) < 0)
		return 1;
	if (pattern && !match_pattern(pattern, text))
		return 1;
	addrs = calloc(name->n_facts + 1, sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	line.name = text;
	line.addrs = addrs;
	line.n_selectors =
		daemon_policy_selectors(d, name->wire, name->wire_len, selectors, SELECTORS_SHOWN);
	line.selectors = selectors;
	endpoint = daemon_policy_endpoint(d, name->key.scope);
	line.endpoints = &endpoint;
	line.n_endpoints = endpoint != NULL;
	line.n_addrs = list_addrs(d, name, now_ns, addrs);
	if (line.n_addrs) {
		list_chain(d, &name->key, now_ns, &chain, &line.truncated);
		line.cnames = chain.names;
		line.n_cnames = chain.n;
	}
	return emit(emit_ctx, &line);
}
