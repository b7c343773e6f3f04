/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_cache.c - names: the table, the caps. */
#include "snooper/core/fqdn_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

#define BUCKETS_MAX (1u << 24)

const char *fqdn_reconcile_text(enum fqdn_reconcile r)
{
	static const char *const texts[] = {
		[FQDN_PENDING] = "pending",	    [FQDN_CONFIRMED] = "confirmed",
		[FQDN_UNCONFIRMED] = "unconfirmed", [FQDN_CONFLICT] = "conflict",
		[FQDN_UNREACHABLE] = "unreachable", [FQDN_OFF] = "off",
	};

	return (size_t)r < sizeof(texts) / sizeof(texts[0]) ? texts[r] : "off";
}

/*
 * All as large as they will ever be: to make them larger would take long, all at once. What is
 * not used yet takes no memory.
 */
static int make_tables(struct fqdn_cache *c)
{
	struct fqdn_entry ***sorted[] = {&c->over[0].at, &c->over[1].at, &c->ask.at, &c->places};

	c->n_buckets = 1024;
	while (c->n_buckets * 2 < c->max_names && c->n_buckets < BUCKETS_MAX)
		c->n_buckets *= 2;
	c->buckets = calloc(c->n_buckets, sizeof(struct fqdn_entry *));
	c->ids = calloc(c->n_buckets, sizeof(struct fqdn_entry *));
	if (!c->buckets || !c->ids)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
		*sorted[i] = calloc(c->max_names, sizeof(struct fqdn_entry *));
		if (!*sorted[i])
			return -ENOMEM;
	}
	return 0;
}

struct fqdn_cache *fqdn_cache_new(size_t max_names, size_t max_facts)
{
	struct fqdn_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->max_names = max_names;
	c->max_facts = max_facts;
	TAILQ_INIT(&c->order);
	LIST_INIT(&c->watches);
	TAILQ_INIT(&c->gone);
	c->over[0].what = c->over[1].what = FQDN_DUE_OVER;
	c->ask.what = FQDN_DUE_ASK;
	if (make_tables(c)) {
		fqdn_cache_free(c);
		return NULL;
	}
	return c;
}

void fqdn_cache_free(struct fqdn_cache *c)
{
	struct fqdn_node *n;

	if (!c)
		return;
	while ((n = TAILQ_FIRST(&c->order))) {
		struct fqdn_entry *e = (struct fqdn_entry *)n;

		TAILQ_REMOVE(&c->order, n, order);
		free(e->facts);
		free(e);
	}
	free(c->over[0].at);
	free(c->over[1].at);
	free(c->ask.at);
	free(c->places);
	free(c->ids);
	free(c->buckets);
	free(c);
}

/* --- the table ---------------------------------------------------------------- */

static struct fqdn_entry **bucket_of(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	return &c->buckets[(key->id + key->scope * 0x9e3779b97f4a7c15ull) & (c->n_buckets - 1)];
}

/* Also one that is gone, and kept for those who must be told. */
static struct fqdn_entry *find(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	struct fqdn_entry *e = *bucket_of(c, key);

	while (e && (e->key.id != key->id || e->key.scope != key->scope))
		e = e->next;
	return e;
}

struct fqdn_entry *fqdn_entry_find(const struct fqdn_cache *c, const struct snp_name_key *key)
{
	struct fqdn_entry *e = find(c, key);

	return e && !e->gone ? e : NULL;
}

static void chain(struct fqdn_cache *c, struct fqdn_entry *e)
{
	struct fqdn_entry **bucket = bucket_of(c, &e->key);

	e->next = *bucket;
	*bucket = e;
}

void fqdn_entry_free(struct fqdn_cache *c, struct fqdn_entry *e)
{
	struct fqdn_entry **at = bucket_of(c, &e->key);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	fqdn_same_leave(c, e);
	TAILQ_REMOVE(&c->order, &e->node, order);
	free(e->facts);
	free(e);
}

/* --- names ---------------------------------------------------------------------- */

void fqdn_entry_drop(struct fqdn_cache *c, struct fqdn_entry *e)
{
	fqdn_place_give(c, e);
	if (e->waits)
		fqdn_due_remove(&c->ask, e);
	e->waits = false;
	fqdn_due_remove(&c->over[e->needed], e);
	c->facts -= e->n_facts;
	free(e->facts);
	e->facts = NULL;
	e->n_facts = e->room = e->n_pending = 0;
	/* Should it come again while readers have to be told: it is a new one. */
	e->asked_ns = e->lifetime_s = e->failures = 0;
	e->asking = e->partial = false;
	c->names--;
	fqdn_watch_gone(c, e);
}

/* Room for one more name, that policy needs: one goes that it does not need. */
static int make_room(struct fqdn_cache *c, bool needed)
{
	struct fqdn_due *others = &c->over[0];

	if (c->names < c->max_names)
		return 0;
	if (needed && others->n) {
		fqdn_entry_drop(c, others->at[0]);
		c->counts.evicted_names++;
		return 0;
	}
	c->counts.refused_names++;
	return -ENOSPC;
}

static void come_alive(struct fqdn_cache *c, struct fqdn_entry *e, bool needed, uint64_t until_ns)
{
	e->needed = needed;
	e->due.ns[FQDN_DUE_OVER] = until_ns;
	fqdn_due_add(&c->over[needed], e);
	fqdn_place_take(c, e);
	c->names++;
	fqdn_watch_changed(c, e);
}

static void revive(struct fqdn_cache *c, struct fqdn_entry *e, bool needed, uint64_t until_ns)
{
	TAILQ_REMOVE(&c->gone, e, all_gone);
	come_alive(c, e, needed, until_ns);
	e->gone = false;
	c->n_gone--;
}

static int add_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len, bool needed, uint64_t until_ns)
{
	/* The name begins in what would be padding. */
	size_t bytes = offsetof(struct fqdn_entry, wire) + wire_len;
	struct fqdn_entry *e = calloc(1, bytes < sizeof(*e) ? sizeof(*e) : bytes);

	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->wire_len = wire_len;
	memcpy(e->wire, wire, wire_len);
	fqdn_same_join(c, e);
	come_alive(c, e, needed, until_ns);
	chain(c, e);
	return 0;
}

static void set_needed(struct fqdn_cache *c, struct fqdn_entry *e, bool needed)
{
	fqdn_due_remove(&c->over[!needed], e);
	fqdn_due_add(&c->over[needed], e);
	e->needed = needed;
}

int fqdn_cache_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len, bool needed, uint64_t until_ns)
{
	struct fqdn_entry *e = fqdn_entry_find(c, key);
	int r;

	if (e) {
		if (needed != e->needed)
			set_needed(c, e, needed);
		return 0;
	}
	r = make_room(c, needed);
	if (r)
		return r;
	/* Making room may have been the end of one that is gone. */
	e = find(c, key);
	if (!e)
		return add_name(c, key, wire, wire_len, needed, until_ns);
	revive(c, e, needed, until_ns);
	return 0;
}

/* --- reading ----------------------------------------------------------------------- */

void fqdn_entry_show(const struct fqdn_entry *e, struct fqdn_name *out)
{
	*out = (struct fqdn_name){.key = e->key,
				  .changed = e->changed,
				  .asked_ns = e->asked_ns,
				  .ask_ns = e->waits ? e->due.ns[FQDN_DUE_ASK] : UINT64_MAX,
				  .lifetime_s = e->lifetime_s,
				  .failures = e->failures,
				  .asking = e->asking,
				  .needed = e->needed,
				  .partial = e->partial,
				  .n_facts = e->n_facts,
				  .n_pending = e->n_pending,
				  .wire_len = e->wire_len,
				  .wire = e->wire,
				  .facts = e->facts};
}

bool fqdn_cache_find(const struct fqdn_cache *c, const struct snp_name_key *key,
		     struct fqdn_name *out)
{
	const struct fqdn_entry *e = fqdn_entry_find(c, key);

	if (e && out)
		fqdn_entry_show(e, out);
	return e;
}

size_t fqdn_cache_names(const struct fqdn_cache *c)
{
	return c->names;
}

size_t fqdn_cache_facts(const struct fqdn_cache *c)
{
	return c->facts;
}

uint64_t fqdn_cache_changes(const struct fqdn_cache *c)
{
	return c->changes;
}

const struct fqdn_cache_counts *fqdn_cache_counts(const struct fqdn_cache *c)
{
	return &c->counts;
}
