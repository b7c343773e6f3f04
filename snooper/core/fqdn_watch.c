/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_watch.c - readers of the order of changes. */
#include "snooper/core/fqdn_watch.h"

#include <stdlib.h>
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

/* So many of those that are gone are freed with each that goes, and each that is told: they become fewer. */
#define SWEPT 4

void fqdn_watch_changed(struct fqdn_cache *c, struct fqdn_entry *e)
{
	if (e->changed)
		TAILQ_REMOVE(&c->order, &e->node, order);
	e->changed = ++c->changes;
	TAILQ_INSERT_TAIL(&c->order, &e->node, order);
	fqdn_same_changed(c, e);
}

/* Must w still be told of e, which is gone? */
static bool has_to_tell(const struct fqdn_watch *w, const struct fqdn_entry *e)
{
	return !w->lost && w->seen < e->changed;
}

/* What changed until then has been told to all. */
static uint64_t told_to_all(const struct fqdn_cache *c)
{
	const struct fqdn_watch *w;
	uint64_t told = UINT64_MAX;

	LIST_FOREACH(w, &c->watches, all)
	if (!w->lost && w->seen < told)
		told = w->seen;
	return told;
}

void fqdn_watch_sweep(struct fqdn_cache *c, size_t most)
{
	uint64_t told = TAILQ_EMPTY(&c->gone) ? 0 : told_to_all(c);
	struct fqdn_entry *e;

	while (most-- && (e = TAILQ_FIRST(&c->gone)) && e->changed <= told) {
		TAILQ_REMOVE(&c->gone, e, all_gone);
		c->n_gone--;
		fqdn_entry_free(c, e);
	}
}

/* Too many wait: the readers that the first of them waits for lose their place. */
static void shed(struct fqdn_cache *c)
{
	struct fqdn_watch *w;

	if (c->n_gone <= FQDN_GONE_MAX)
		return;
	LIST_FOREACH(w, &c->watches, all)
	w->lost |= has_to_tell(w, TAILQ_FIRST(&c->gone));
}

void fqdn_watch_gone(struct fqdn_cache *c, struct fqdn_entry *e)
{
	e->gone = true;
	fqdn_watch_changed(c, e);
	TAILQ_INSERT_TAIL(&c->gone, e, all_gone);
	c->n_gone++;
	shed(c);
	fqdn_watch_sweep(c, SWEPT);
}

struct fqdn_watch *fqdn_watch_new(struct fqdn_cache *c)
{
	struct fqdn_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->node.is_reader = true;
	w->cache = c;
	w->seen = c->changes;
	TAILQ_INSERT_HEAD(&c->order, &w->node, order);
	LIST_INSERT_HEAD(&c->watches, w, all);
	return w;
}

void fqdn_watch_free(struct fqdn_watch *w)
{
	if (!w)
		return;
	TAILQ_REMOVE(&w->cache->order, &w->node, order);
	LIST_REMOVE(w, all);
	free(w);
}

/* Will w come to the same name again, in a scope in which it changed later? */
static bool comes_again(const struct fqdn_watch *w, const struct fqdn_entry *e)
{
	for (const struct fqdn_entry *later = e->same.before; later; later = later->same.before)
		if (!later->gone || has_to_tell(w, later))
			return true;
	return false;
}

/* Show e, or, when it is gone, the same name in a scope in which it is not. */
static void show(struct fqdn_watch *w, struct fqdn_entry *e, struct fqdn_name *out)
{
	const struct fqdn_entry *alive = e->gone ? fqdn_same_alive(e) : e;

	fqdn_entry_show(alive ? alive : e, out);
	if (!alive) {
		memcpy(w->wire, e->wire, e->wire_len);
		out->wire = w->wire;
	}
}

enum fqdn_watched fqdn_watch_next(struct fqdn_watch *w, struct fqdn_name *out)
{
	struct fqdn_cache *c = w->cache;
	struct fqdn_node *n;

	while (!w->lost && (n = TAILQ_NEXT(&w->node, order))) {
		struct fqdn_entry *e = (struct fqdn_entry *)n;
		bool tell = !n->is_reader && (!e->gone || has_to_tell(w, e));

		TAILQ_REMOVE(&c->order, &w->node, order);
		TAILQ_INSERT_AFTER(&c->order, n, &w->node, order);
		if (!tell)
			continue;
		if (w->seen < e->changed)
			w->seen = e->changed;
		if (!comes_again(w, e)) {
			show(w, e, out);
			if (e->gone)
				fqdn_watch_sweep(c, SWEPT);
			return FQDN_WATCH_NAME;
		}
	}
	if (w->lost)
		return FQDN_WATCH_LOST;
	if (!w->synced) {
		w->synced = true;
		return FQDN_WATCH_SYNCED;
	}
	return FQDN_WATCH_IDLE;
}
