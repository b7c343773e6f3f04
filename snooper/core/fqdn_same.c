/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_same.c - one name in all its scopes: who lists or watches names is told of it once.
 *
 * Entries of a name stand in the order of their last change, latest first; the first one is found by
 * the id, which is the same in every scope. A name has one place, held by any entry of it that is
 * alive, so that a listing can stop and go on.
 */
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

#define NO_PLACE UINT32_MAX

/* Ids are keyed hashes already. Two names with one id stay two. */
static struct fqdn_entry **bucket_of(const struct fqdn_cache *c, uint64_t id)
{
	return &c->ids[id & (c->n_buckets - 1)];
}

static bool is_same(const struct fqdn_entry *a, const struct fqdn_entry *b)
{
	return a->key.id == b->key.id && a->wire_len == b->wire_len &&
	       !memcmp(a->wire, b->wire, a->wire_len);
}

/* Where the first entry of e's name hangs; *it is NULL when there is none. */
static struct fqdn_entry **first_of(const struct fqdn_cache *c, const struct fqdn_entry *e)
{
	struct fqdn_entry **at = bucket_of(c, e->key.id);

	while (*at && !is_same(*at, e))
		at = &(*at)->same.next_id;
	return at;
}

void fqdn_same_join(struct fqdn_cache *c, struct fqdn_entry *e)
{
	struct fqdn_entry **at = first_of(c, e), *first = *at;

	e->same.before = NULL;
	e->same.behind = first;
	e->same.next_id = first ? first->same.next_id : NULL;
	if (first)
		first->same.before = e;
	*at = e;
}

void fqdn_same_leave(struct fqdn_cache *c, struct fqdn_entry *e)
{
	struct fqdn_entry *behind = e->same.behind;

	if (behind)
		behind->same.before = e->same.before;
	if (e->same.before) {
		e->same.before->same.behind = behind;
		return;
	}
	/* It was the first. */
	if (behind)
		behind->same.next_id = e->same.next_id;
	*first_of(c, e) = behind ? behind : e->same.next_id;
}

void fqdn_same_changed(struct fqdn_cache *c, struct fqdn_entry *e)
{
	if (!e->same.before)
		return;
	fqdn_same_leave(c, e);
	fqdn_same_join(c, e);
}

struct fqdn_entry *fqdn_same_alive(const struct fqdn_entry *e)
{
	struct fqdn_entry *other;

	for (other = e->same.behind; other; other = other->same.behind)
		if (!other->gone)
			return other;
	for (other = e->same.before; other; other = other->same.before)
		if (!other->gone)
			return other;
	return NULL;
}

/* --- places ----------------------------------------------------------------------- */

void fqdn_place_take(struct fqdn_cache *c, struct fqdn_entry *e)
{
	e->place = NO_PLACE;
	if (fqdn_same_alive(e))
		return; /* its name has one */
	while (c->hole < c->n_places && c->places[c->hole])
		c->hole++;
	if (c->hole == c->n_places)
		c->n_places++;
	e->place = c->hole;
	c->places[c->hole++] = e;
}

void fqdn_place_give(struct fqdn_cache *c, const struct fqdn_entry *e)
{
	struct fqdn_entry *heir;

	if (e->place == NO_PLACE)
		return;
	heir = fqdn_same_alive(e);
	c->places[e->place] = heir;
	if (heir)
		heir->place = e->place;
	else if (e->place < c->hole)
		c->hole = e->place;
}

/* --- reading ---------------------------------------------------------------------- */

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

void fqdn_cache_scopes(const struct fqdn_cache *c, const struct snp_name_key *key,
		       fqdn_scope_fn visit, void *ctx)
{
	const struct fqdn_entry *known = fqdn_entry_find(c, key), *e;
	struct fqdn_name name;

	for (e = known ? *first_of(c, known) : NULL; e; e = e->same.behind) {
		if (e->gone)
			continue;
		fqdn_entry_show(e, &name);
		visit(ctx, &name);
	}
}
