/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/fqdn_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Names stand in numbered places, so that a listing can stop and go on, and
 * are found by chains of a hash table. Their ids are keyed hashes already.
 */
struct entry {
	struct snp_name_key key;
	struct entry *next; /* in its bucket */
	size_t place;
	uint32_t n_facts, room;
	struct fqdn_fact *facts;
	uint8_t wire_len;
	uint8_t wire[];
};

struct fqdn_cache {
	size_t max_names, max_facts;
	size_t names, facts;
	struct entry **places;
	size_t n_places, room;
	size_t hole; /* no place below it is empty */
	size_t swept;
	struct entry **buckets;
	size_t n_buckets; /* a power of two */
};

struct fqdn_cache *fqdn_cache_new(size_t max_names, size_t max_facts)
{
	struct fqdn_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->max_names = max_names;
	c->max_facts = max_facts;
	c->n_buckets = 1024;
	c->buckets = calloc(c->n_buckets, sizeof(struct entry *));
	if (!c->buckets) {
		free(c);
		return NULL;
	}
	return c;
}

void fqdn_cache_free(struct fqdn_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_places; i++) {
		if (c->places[i])
			free(c->places[i]->facts);
		free(c->places[i]);
	}
	free(c->places);
	free(c->buckets);
	free(c);
}

static bool same_key(const struct snp_name_key *a, const struct snp_name_key *b)
{
	return a->id == b->id && a->scope == b->scope;
}

static struct entry **bucket_of(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	return &c->buckets[(key->id + key->scope * 0x9e3779b97f4a7c15ull) & (c->n_buckets - 1)];
}

static struct entry *find(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	struct entry *e = *bucket_of(c, key);

	while (e && !same_key(&e->key, key))
		e = e->next;
	return e;
}

/* Twice the buckets. Without memory the chains grow longer instead. */
static void widen(struct fqdn_cache *c)
{
	struct entry **wider = calloc(c->n_buckets * 2, sizeof(struct entry *));

	if (!wider)
		return;
	free(c->buckets);
	c->buckets = wider;
	c->n_buckets *= 2;
	for (size_t i = 0; i < c->n_places; i++) {
		struct entry *e = c->places[i], **to;

		if (!e)
			continue;
		to = bucket_of(c, &e->key);
		e->next = *to;
		*to = e;
	}
}

bool fqdn_cache_has(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	return find(c, key) != NULL;
}

static int take_place(struct fqdn_cache *c, size_t *place)
{
	while (c->hole < c->n_places && c->places[c->hole])
		c->hole++;
	if (c->hole == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		struct entry **places = realloc(c->places, room * sizeof(struct entry *));

		if (!places)
			return -ENOMEM;
		c->places = places;
		c->room = room;
	}
	if (c->hole == c->n_places)
		c->n_places++;
	*place = c->hole++;
	return 0;
}

int fqdn_cache_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len)
{
	struct entry *e, **bucket;
	int r;

	if (find(c, key))
		return 0;
	if (c->names >= c->max_names)
		return -ENOSPC;
	e = calloc(1, sizeof(*e) + wire_len);
	if (!e)
		return -ENOMEM;
	r = take_place(c, &e->place);
	if (r < 0) {
		free(e);
		return r;
	}
	e->key = *key;
	e->wire_len = wire_len;
	memcpy(e->wire, wire, wire_len);
	c->places[e->place] = e;
	if (++c->names > c->n_buckets)
		widen(c);
	/* widen() has chained every place, this one too. */
	bucket = bucket_of(c, key);
	if (find(c, key) != e) {
		e->next = *bucket;
		*bucket = e;
	}
	return 0;
}

static struct fqdn_fact *find_fact(const struct entry *e, const struct snp_addr *addr)
{
	for (uint32_t i = 0; i < e->n_facts; i++)
		if (!memcmp(&e->facts[i].addr, addr, sizeof(*addr)))
			return &e->facts[i];
	return NULL;
}

int fqdn_cache_put(struct fqdn_cache *c, const struct snp_fact_key *key,
		   const struct snp_fact *fact)
{
	struct entry *e = find(c, &key->name);
	struct fqdn_fact *f;

	if (!e)
		return -ENOENT;
	f = find_fact(e, &key->addr);
	if (f) {
		uint64_t expiry_ns = f->fact.expiry_ns;

		f->fact = *fact;
		if (f->fact.expiry_ns < expiry_ns)
			f->fact.expiry_ns = expiry_ns;
		return 0;
	}
	if (c->facts >= c->max_facts)
		return -ENOSPC;
	if (e->n_facts == e->room) {
		uint32_t room = e->room ? e->room * 2 : 2;

		f = realloc(e->facts, room * sizeof(*f));
		if (!f)
			return -ENOMEM;
		e->facts = f;
		e->room = room;
	}
	e->facts[e->n_facts++] = (struct fqdn_fact){.addr = key->addr, .fact = *fact};
	c->facts++;
	return 0;
}

static void drop_fact(struct fqdn_cache *c, struct entry *e, struct fqdn_fact *f)
{
	*f = e->facts[--e->n_facts];
	c->facts--;
}

void fqdn_cache_drop(struct fqdn_cache *c, const struct snp_fact_key *key)
{
	struct entry *e = find(c, &key->name);
	struct fqdn_fact *f = e ? find_fact(e, &key->addr) : NULL;

	if (f)
		drop_fact(c, e, f);
}

static void drop_name(struct fqdn_cache *c, struct entry *e)
{
	struct entry **at = bucket_of(c, &e->key);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	c->places[e->place] = NULL;
	if (e->place < c->hole)
		c->hole = e->place;
	c->names--;
	free(e->facts);
	free(e);
}

/* News of a renewal may be held back (a tenth of the TTL): ask before forgetting. */
static bool
is_over(struct entry *e, struct fqdn_fact *f, uint64_t before_ns, fqdn_expiry_fn expiry, void *ctx)
{
	struct snp_fact_key key = {.name = e->key, .addr = f->addr};
	uint64_t now;

	if (f->fact.expiry_ns >= before_ns)
		return false;
	now = expiry(ctx, &key);
	if (now > f->fact.expiry_ns)
		f->fact.expiry_ns = now;
	return f->fact.expiry_ns < before_ns;
}

void fqdn_cache_sweep(struct fqdn_cache *c, uint64_t before_ns, size_t budget,
		      fqdn_expiry_fn expiry, void *ctx)
{
	if (budget > c->n_places)
		budget = c->n_places;
	while (budget--) {
		struct entry *e;

		if (c->swept >= c->n_places)
			c->swept = 0;
		e = c->places[c->swept++];
		if (!e)
			continue;
		for (uint32_t i = e->n_facts; i--;)
			if (is_over(e, &e->facts[i], before_ns, expiry, ctx))
				drop_fact(c, e, &e->facts[i]);
		if (!e->n_facts)
			drop_name(c, e);
	}
}

bool fqdn_cache_next(const struct fqdn_cache *c, uint64_t *cursor, struct fqdn_name *out)
{
	while (*cursor < c->n_places) {
		const struct entry *e = c->places[(*cursor)++];

		if (!e)
			continue;
		*out = (struct fqdn_name){.key = e->key,
					  .n_facts = e->n_facts,
					  .wire_len = e->wire_len,
					  .wire = e->wire,
					  .facts = e->facts};
		return true;
	}
	return false;
}

size_t fqdn_cache_names(const struct fqdn_cache *c)
{
	return c->names;
}

size_t fqdn_cache_facts(const struct fqdn_cache *c)
{
	return c->facts;
}
