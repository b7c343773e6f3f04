/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_cache.c - names and their facts: the table, the places, the caps. */
#include "snooper/core/fqdn_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

const char *fqdn_reconcile_text(enum fqdn_reconcile r)
{
	static const char *const texts[] = {
		[FQDN_PENDING] = "pending",	    [FQDN_CONFIRMED] = "confirmed",
		[FQDN_UNCONFIRMED] = "unconfirmed", [FQDN_CONFLICT] = "conflict",
		[FQDN_UNREACHABLE] = "unreachable", [FQDN_OFF] = "off",
	};

	return (size_t)r < sizeof(texts) / sizeof(texts[0]) ? texts[r] : "off";
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
	c->n_buckets = 1024;
	c->buckets = calloc(c->n_buckets, sizeof(struct fqdn_entry *));
	if (!c->buckets) {
		free(c);
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
	free(c->due[0].at);
	free(c->due[1].at);
	free(c->places);
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

static struct fqdn_entry *find_alive(const struct fqdn_cache *c, const struct snp_name_key *key)
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

/* Twice the buckets. Without memory the chains grow longer instead. */
static void widen(struct fqdn_cache *c)
{
	struct fqdn_entry **wider = calloc(c->n_buckets * 2, sizeof(struct fqdn_entry *));
	struct fqdn_node *n;

	if (!wider)
		return;
	free(c->buckets);
	c->buckets = wider;
	c->n_buckets *= 2;
	TAILQ_FOREACH(n, &c->order, order)
	if (!n->is_reader)
		chain(c, (struct fqdn_entry *)n);
}

void fqdn_entry_free(struct fqdn_cache *c, struct fqdn_entry *e)
{
	struct fqdn_entry **at = bucket_of(c, &e->key);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	TAILQ_REMOVE(&c->order, &e->node, order);
	free(e->facts);
	free(e);
}

/* --- places --------------------------------------------------------------------- */

static int take_place(struct fqdn_cache *c, struct fqdn_entry *e)
{
	while (c->hole < c->n_places && c->places[c->hole])
		c->hole++;
	if (c->hole == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		struct fqdn_entry **places = realloc(c->places, room * sizeof(struct fqdn_entry *));

		if (!places)
			return -ENOMEM;
		c->places = places;
		c->room = room;
	}
	if (c->hole == c->n_places)
		c->n_places++;
	e->place = c->hole;
	c->places[c->hole++] = e;
	return 0;
}

static void give_place(struct fqdn_cache *c, const struct fqdn_entry *e)
{
	c->places[e->place] = NULL;
	if (e->place < c->hole)
		c->hole = e->place;
}

/* --- names ---------------------------------------------------------------------- */

/* When the first fact of e is over; a name without any is over already. */
static uint64_t due_of(const struct fqdn_entry *e)
{
	uint64_t due_ns = e->n_facts ? UINT64_MAX : 0;

	for (uint32_t i = 0; i < e->n_facts; i++) {
		const struct fqdn_fact *f = &e->facts[i];
		uint64_t end_ns = f->expiry_ns > f->granted_ns ? f->expiry_ns : f->granted_ns;

		if (end_ns < due_ns)
			due_ns = end_ns;
	}
	return due_ns;
}

static void due_again(struct fqdn_cache *c, struct fqdn_entry *e)
{
	uint64_t due_ns = due_of(e);

	if (due_ns == e->due_ns)
		return;
	e->due_ns = due_ns;
	fqdn_due_moved(&c->due[e->needed], e);
}

static void drop_name(struct fqdn_cache *c, struct fqdn_entry *e)
{
	give_place(c, e);
	fqdn_due_remove(&c->due[e->needed], e);
	c->facts -= e->n_facts;
	free(e->facts);
	e->facts = NULL;
	e->n_facts = e->room = 0;
	c->names--;
	fqdn_watch_gone(c, e);
}

/* Room for one more name, that policy needs: one goes that it does not need. */
static int make_room(struct fqdn_cache *c, bool needed, uint64_t now_ns)
{
	struct fqdn_due *others = &c->due[0];

	if (c->names < c->max_names)
		return 0;
	if (others->n && (needed || others->at[0]->due_ns < now_ns)) {
		drop_name(c, others->at[0]);
		c->counts.evicted_names++;
		return 0;
	}
	c->counts.refused_names++;
	return -ENOSPC;
}

static int come_alive(struct fqdn_cache *c, struct fqdn_entry *e, bool needed, uint64_t now_ns)
{
	int r;

	e->needed = needed;
	e->due_ns = now_ns; /* it ends soon, unless a fact comes */
	r = fqdn_due_add(&c->due[needed], e);
	if (r)
		return r;
	r = take_place(c, e);
	if (r) {
		fqdn_due_remove(&c->due[needed], e);
		return r;
	}
	c->names++;
	fqdn_watch_changed(c, e);
	return 0;
}

static int revive(struct fqdn_cache *c, struct fqdn_entry *e, bool needed, uint64_t now_ns)
{
	uint32_t readers = e->place;
	int r = come_alive(c, e, needed, now_ns);

	if (r) {
		e->place = readers;
		return r;
	}
	e->gone = false;
	c->n_gone--;
	return 0;
}

static int add_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len, bool needed, uint64_t now_ns)
{
	struct fqdn_entry *e = calloc(1, sizeof(*e) + wire_len);
	int r;

	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->wire_len = wire_len;
	memcpy(e->wire, wire, wire_len);
	r = come_alive(c, e, needed, now_ns);
	if (r) {
		free(e);
		return r;
	}
	chain(c, e);
	if (c->names > c->n_buckets)
		widen(c);
	return 0;
}

static void need(struct fqdn_cache *c, struct fqdn_entry *e)
{
	fqdn_due_remove(&c->due[0], e);
	if (fqdn_due_add(&c->due[1], e))
		fqdn_due_add(&c->due[0], e); /* there is room: it was there */
	else
		e->needed = true;
}

int fqdn_cache_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len, bool needed, uint64_t now_ns)
{
	struct fqdn_entry *e = find(c, key);
	int r;

	if (e && !e->gone) {
		if (needed && !e->needed)
			need(c, e);
		return 0;
	}
	r = make_room(c, needed, now_ns);
	if (r)
		return r;
	return e ? revive(c, e, needed, now_ns) : add_name(c, key, wire, wire_len, needed, now_ns);
}

/* --- facts ---------------------------------------------------------------------- */

static struct fqdn_fact *find_fact(const struct fqdn_entry *e, const struct snp_addr *addr)
{
	for (uint32_t i = 0; i < e->n_facts; i++)
		if (!memcmp(&e->facts[i].addr, addr, sizeof(*addr)))
			return &e->facts[i];
	return NULL;
}

static struct fqdn_fact *add_fact(struct fqdn_cache *c, struct fqdn_entry *e, int *error)
{
	if (c->facts >= c->max_facts) {
		c->counts.refused_facts++;
		*error = -ENOSPC;
		return NULL;
	}
	if (e->n_facts == e->room) {
		uint32_t room = e->room ? e->room * 2 : 1;
		struct fqdn_fact *facts = realloc(e->facts, room * sizeof(*facts));

		if (!facts) {
			*error = -ENOMEM;
			return NULL;
		}
		e->facts = facts;
		e->room = room;
	}
	c->facts++;
	return &e->facts[e->n_facts++];
}

static bool later(uint64_t *to, uint64_t at)
{
	if (at <= *to)
		return false;
	*to = at;
	return true;
}

/* Is that news? */
static bool renew(struct fqdn_fact *have, const struct fqdn_fact *fact)
{
	bool news = later(&have->expiry_ns, fact->expiry_ns);

	news |= later(&have->granted_ns, fact->granted_ns);
	if (fact->expiry_ns) {
		later(&have->last_seen_ns, fact->last_seen_ns);
		have->ttl_s = fact->ttl_s;
		have->origin = SNP_ORIGIN_KERNEL;
		if (!have->cgroup_id)
			have->cgroup_id = fact->cgroup_id;
	}
	return news;
}

int fqdn_cache_put(struct fqdn_cache *c, const struct snp_name_key *name,
		   const struct fqdn_fact *fact)
{
	struct fqdn_entry *e = find_alive(c, name);
	struct fqdn_fact *f;
	int error = 0;

	if (!e)
		return -ENOENT;
	f = find_fact(e, &fact->addr);
	if (f) {
		if (!renew(f, fact))
			return 0;
	} else {
		f = add_fact(c, e, &error);
		if (!f)
			return error;
		*f = *fact;
	}
	due_again(c, e);
	fqdn_watch_changed(c, e);
	return 1;
}

void fqdn_cache_judge(struct fqdn_cache *c, const struct snp_name_key *name,
		      const struct snp_addr *addr, enum fqdn_reconcile outcome)
{
	struct fqdn_entry *e = find_alive(c, name);
	struct fqdn_fact *f = e ? find_fact(e, addr) : NULL;

	if (!f || f->reconcile == outcome)
		return;
	f->reconcile = outcome;
	fqdn_watch_changed(c, e);
}

static void drop_fact(struct fqdn_cache *c, struct fqdn_entry *e, struct fqdn_fact *f)
{
	*f = e->facts[--e->n_facts];
	c->facts--;
}

/* Some facts of e were dropped. */
static void dropped(struct fqdn_cache *c, struct fqdn_entry *e)
{
	if (!e->n_facts) {
		drop_name(c, e);
		return;
	}
	due_again(c, e);
	fqdn_watch_changed(c, e);
}

void fqdn_cache_drop(struct fqdn_cache *c, const struct snp_fact_key *key)
{
	struct fqdn_entry *e = find_alive(c, &key->name);
	struct fqdn_fact *f = e ? find_fact(e, &key->addr) : NULL;

	if (!f)
		return;
	drop_fact(c, e, f);
	dropped(c, e);
}

/* --- what is over ---------------------------------------------------------------- */

/* News of a renewal may be held back (a tenth of the TTL): ask before forgetting. */
static bool is_over(const struct fqdn_entry *e, struct fqdn_fact *f, uint64_t before_ns,
		    fqdn_expiry_fn expiry, void *ctx)
{
	struct snp_fact_key key = {.name = e->key, .addr = f->addr};
	uint64_t expiry_ns = 0, granted_ns = 0;

	if (f->expiry_ns >= before_ns || f->granted_ns >= before_ns)
		return false;
	expiry(ctx, &key, &expiry_ns, &granted_ns);
	later(&f->expiry_ns, expiry_ns);
	later(&f->granted_ns, granted_ns);
	return f->expiry_ns < before_ns && f->granted_ns < before_ns;
}

/* How many facts were looked at. */
static size_t expire_name(struct fqdn_cache *c, struct fqdn_entry *e, uint64_t before_ns,
			  fqdn_expiry_fn expiry, void *ctx)
{
	uint32_t had = e->n_facts;

	for (uint32_t i = e->n_facts; i--;)
		if (is_over(e, &e->facts[i], before_ns, expiry, ctx))
			drop_fact(c, e, &e->facts[i]);
	if (e->n_facts != had || !had)
		dropped(c, e);
	else
		due_again(c, e);
	return had + 1;
}

uint64_t fqdn_cache_expire(struct fqdn_cache *c, uint64_t before_ns, size_t budget,
			   fqdn_expiry_fn expiry, void *ctx)
{
	uint64_t next_ns = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		struct fqdn_due *d = &c->due[i];
		size_t looked;

		while (budget && d->n && d->at[0]->due_ns < before_ns) {
			looked = expire_name(c, d->at[0], before_ns, expiry, ctx);
			budget = looked < budget ? budget - looked : 0;
		}
		if (d->n && d->at[0]->due_ns < next_ns)
			next_ns = d->at[0]->due_ns;
	}
	return next_ns;
}

/* --- reading ----------------------------------------------------------------------- */

void fqdn_entry_show(const struct fqdn_entry *e, struct fqdn_name *out)
{
	*out = (struct fqdn_name){.key = e->key,
				  .changed = e->changed,
				  .n_facts = e->n_facts,
				  .wire_len = e->wire_len,
				  .wire = e->wire,
				  .facts = e->facts};
}

bool fqdn_cache_find(const struct fqdn_cache *c, const struct snp_name_key *key,
		     struct fqdn_name *out)
{
	const struct fqdn_entry *e = find_alive(c, key);

	if (e && out)
		fqdn_entry_show(e, out);
	return e;
}

bool fqdn_cache_next(const struct fqdn_cache *c, uint64_t *cursor, struct fqdn_name *out)
{
	while (*cursor < c->n_places) {
		const struct fqdn_entry *e = c->places[(*cursor)++];

		if (!e)
			continue;
		fqdn_entry_show(e, out);
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

const struct fqdn_cache_counts *fqdn_cache_counts(const struct fqdn_cache *c)
{
	return &c->counts;
}
