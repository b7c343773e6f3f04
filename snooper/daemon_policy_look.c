/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_look.c - what is known, under the identities that a policy gives its names. */
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/daemon.h"
#include "snooper/io/maps_policy.h"

/* Of a slice: names, and facts by bank, each with a few look-ups in maps. A millisecond, five at worst. */
#define LOOK_SLICE 256

static void give(struct daemon *d, const struct snp_name_key *key, const struct snp_addr *addr,
		 uint32_t identity, uint64_t expiry_ns, uint64_t now_ns)
{
	struct maps_grant_row g = {
		.addr = *addr,
		.scope = key->scope,
		.identity = identity,
		.end_ms = expiry_ns / SNP_NS_PER_MS,
		.now_ms = now_ns / SNP_NS_PER_MS,
	};
	int r = maps_row_give(d->maps, &g);

	if (r > 0)
		d->policy.given++;
	else if (r < 0)
		d->policy.not_given++;
}

/* The identities of a name, by bank, as the kernel would find them. How many there are. */
static size_t identities(const struct policy_view *v, const struct fqdn_name *name,
			 uint32_t out[static SNP_MATCH_BANKS])
{
	uint32_t index[SNP_MATCH_BANKS];
	size_t n = 0;

	if (!v->tables || !v->names->n || name->key.scope == SNP_SCOPE_NONE ||
	    match_name(v->automata, name->wire, name->wire_len, index))
		return 0;
	for (size_t b = 0; b < v->automata->n_banks; b++) {
		const struct snp_out *o = snp_out_at(v->tables, b, index[b]);

		if (index[b] && o->identity)
			out[n++] = o->identity;
	}
	return n;
}

/*
 * From the last fact to the first: one that goes is replaced by the last, one that comes stands behind.
 * What is left of the budget.
 */
static size_t look_at_facts(struct daemon *d, const struct fqdn_name *name, uint32_t *left,
			    const uint32_t *ids, size_t n, size_t budget)
{
	uint64_t now_ns = clock_boot_ns();

	if (*left > name->n_facts)
		*left = name->n_facts;
	while (*left && budget) {
		const struct fqdn_fact *f = &name->facts[--*left];
		uint64_t until_ns = f->expiry_ns > f->granted_ns ? f->expiry_ns : f->granted_ns;

		for (size_t i = 0; i < n && until_ns > now_ns; i++)
			give(d, &name->key, &f->addr, ids[i], until_ns, now_ns);
		budget -= budget < n ? budget : n;
	}
	return budget;
}

/* One scope of a name. What is left of the budget; 0 also when it did not do. */
static size_t look_at_scope(struct daemon *d, const struct snp_name_key *key, size_t budget)
{
	struct policy_looking *l = &d->policy.looking;
	const struct policy_view v = daemon_policy_coming(d);
	uint32_t ids[SNP_MATCH_BANKS];
	struct fqdn_name name;
	bool needed;
	size_t n;

	if (!fqdn_cache_find(d->cache, key, &name))
		return budget;
	if (!l->is_within) {
		needed = daemon_policy_needs(d, key, name.wire, name.wire_len);
		if (needed != name.needed) {
			fqdn_cache_name(d->cache, key, name.wire, name.wire_len, needed, 0);
			fqdn_cache_find(d->cache, key, &name);
		}
		l->facts = name.n_facts;
		l->is_within = true;
	}
	n = identities(&v, &name, ids);
	budget = n ? look_at_facts(d, &name, &l->facts, ids, n, budget) : budget;
	l->is_within = n && l->facts;
	return budget;
}

static void note_scope(void *ctx, const struct fqdn_name *name)
{
	struct daemon_policy *p = ctx;
	struct policy_looking *l = &p->looking;

	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct snp_name_key *more = realloc(l->scopes, room * sizeof(*more));

		if (!more) {
			p->not_given++;
			return;
		}
		l->scopes = more;
		l->room = room;
	}
	l->scopes[l->n++] = name->key;
}

static bool next_name(struct daemon *d)
{
	struct policy_looking *l = &d->policy.looking;
	struct fqdn_name name;

	l->n = l->next = 0;
	if (!fqdn_cache_next(d->cache, &l->cursor, &name))
		return false;
	fqdn_cache_scopes(d->cache, &name.key, note_scope, &d->policy);
	return true;
}

void daemon_policy_look_start(struct daemon *d)
{
	struct policy_looking *l = &d->policy.looking;

	l->cursor = 0;
	l->n = l->next = 0;
	l->is_within = false;
}

bool daemon_policy_look_step(struct daemon *d)
{
	struct policy_looking *l = &d->policy.looking;

	/* Of those that the one before needed it is noted that nobody does any more. */
	if (!daemon_policy_coming(d).names->n && !d->policy.made.names.n)
		return false;
	for (size_t budget = LOOK_SLICE; budget; budget--) {
		if (l->next == l->n && !next_name(d))
			return false;
		if (l->next == l->n)
			continue;
		budget = look_at_scope(d, &l->scopes[l->next], budget);
		if (l->is_within)
			break;
		l->next++;
		if (!budget)
			break;
	}
	return true;
}

static void grant(struct daemon *d, const struct policy_view *v, const struct fqdn_name *name,
		  const struct snp_addr *addr, uint64_t expiry_ns)
{
	uint32_t ids[SNP_MATCH_BANKS];
	size_t n = identities(v, name, ids);

	for (size_t i = 0; i < n; i++)
		give(d, &name->key, addr, ids[i], expiry_ns, clock_boot_ns());
}

void daemon_policy_grant(struct daemon *d, const struct snp_name_key *key,
			 const struct snp_addr *addr, uint64_t expiry_ns)
{
	const struct policy_view now = daemon_policy_now(d), coming = daemon_policy_coming(d);
	struct fqdn_name name;

	if (!fqdn_cache_find(d->cache, key, &name))
		return;
	grant(d, &now, &name, addr, expiry_ns);
	if (coming.automata != now.automata)
		grant(d, &coming, &name, addr, expiry_ns);
}
