/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_facts.c - the facts of a name: put, renewed, over; and when to ask about it. */
#include <errno.h>
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

static uint64_t end_of(const struct fqdn_fact *f)
{
	return f->expiry_ns > f->granted_ns ? f->expiry_ns : f->granted_ns;
}

/* When the first fact of e is over. */
static uint64_t due_of(const struct fqdn_entry *e)
{
	uint64_t due_ns = e->n_facts ? UINT64_MAX : 0;

	for (uint32_t i = 0; i < e->n_facts; i++)
		if (end_of(&e->facts[i]) < due_ns)
			due_ns = end_of(&e->facts[i]);
	return due_ns;
}

static void set_due(struct fqdn_cache *c, struct fqdn_entry *e, uint64_t due_ns)
{
	if (due_ns == e->due.ns[FQDN_DUE_OVER])
		return;
	e->due.ns[FQDN_DUE_OVER] = due_ns;
	fqdn_due_moved(&c->over[e->needed], e);
}

/*
 * f is new, or renewed. Whether it was the first to end is not asked of many facts:
 * that one is looked for when it would have been over.
 */
static void due_with(struct fqdn_cache *c, struct fqdn_entry *e, const struct fqdn_fact *f)
{
	if (e->n_facts <= FQDN_FEW)
		set_due(c, e, due_of(e));
	else if (end_of(f) < e->due.ns[FQDN_DUE_OVER])
		set_due(c, e, end_of(f));
}

static void set_outcome(struct fqdn_entry *e, struct fqdn_fact *f, enum fqdn_reconcile outcome)
{
	e->n_pending -= f->reconcile == FQDN_PENDING;
	e->n_pending += outcome == FQDN_PENDING;
	f->reconcile = outcome;
}

static int add_fact(struct fqdn_cache *c, struct fqdn_entry *e, const struct fqdn_fact *fact,
		    struct fqdn_fact **out)
{
	struct fqdn_fact *f;

	if (c->facts >= c->max_facts) {
		c->counts.refused_facts++;
		return -ENOSPC;
	}
	f = fqdn_index_add(e, &fact->addr);
	if (!f)
		return -ENOMEM;
	*f = *fact;
	e->n_pending += f->reconcile == FQDN_PENDING;
	c->facts++;
	*out = f;
	return 0;
}

static bool later(uint64_t *to, uint64_t at)
{
	if (at <= *to)
		return false;
	*to = at;
	return true;
}

/* Is that news? */
static bool renew(struct fqdn_entry *e, struct fqdn_fact *have, const struct fqdn_fact *fact)
{
	bool news = later(&have->expiry_ns, fact->expiry_ns);

	news |= later(&have->granted_ns, fact->granted_ns);
	/* Whether anybody asks about it has changed since. */
	if ((have->reconcile == FQDN_OFF) != (fact->reconcile == FQDN_OFF)) {
		set_outcome(e, have, fact->reconcile);
		news = true;
	}
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
	struct fqdn_entry *e = fqdn_entry_find(c, name);
	struct fqdn_fact *f;

	if (!e)
		return -ENOENT;
	f = fqdn_index_find(e, &fact->addr);
	if (f) {
		if (!renew(e, f, fact))
			return 0;
	} else {
		int r = add_fact(c, e, fact, &f);

		if (r)
			return r;
	}
	due_with(c, e, f);
	fqdn_watch_changed(c, e);
	return 1;
}

void fqdn_cache_partial(struct fqdn_cache *c, const struct snp_name_key *name, bool partial)
{
	struct fqdn_entry *e = fqdn_entry_find(c, name);

	if (!e || e->partial == partial)
		return;
	e->partial = partial;
	fqdn_watch_changed(c, e);
}

void fqdn_cache_judge(struct fqdn_cache *c, const struct snp_name_key *name,
		      const struct snp_addr *addr, enum fqdn_reconcile outcome)
{
	struct fqdn_entry *e = fqdn_entry_find(c, name);
	struct fqdn_fact *f = e ? fqdn_index_find(e, addr) : NULL;

	if (!f || f->reconcile == outcome)
		return;
	set_outcome(e, f, outcome);
	fqdn_watch_changed(c, e);
}

bool fqdn_cache_has(const struct fqdn_cache *c, const struct snp_name_key *name,
		    const struct snp_addr *addr)
{
	const struct fqdn_entry *e = fqdn_entry_find(c, name);

	return e && fqdn_index_find(e, addr);
}

static void drop_fact(struct fqdn_cache *c, struct fqdn_entry *e, struct fqdn_fact *f)
{
	e->n_pending -= f->reconcile == FQDN_PENDING;
	fqdn_index_remove(e, f);
	fqdn_index_trim(e);
	c->facts--;
}

/* Some facts of e were dropped. */
static void dropped(struct fqdn_cache *c, struct fqdn_entry *e)
{
	if (!e->n_facts) {
		fqdn_entry_drop(c, e);
		return;
	}
	set_due(c, e, due_of(e));
	fqdn_watch_changed(c, e);
}

void fqdn_cache_drop(struct fqdn_cache *c, const struct snp_fact_key *key)
{
	struct fqdn_entry *e = fqdn_entry_find(c, &key->name);
	struct fqdn_fact *f = e ? fqdn_index_find(e, &key->addr) : NULL;

	if (!f)
		return;
	drop_fact(c, e, f);
	dropped(c, e);
}

/* --- whom to ask about ---------------------------------------------------------- */

void fqdn_cache_ask(struct fqdn_cache *c, const struct snp_name_key *name, uint64_t at_ns)
{
	struct fqdn_entry *e = fqdn_entry_find(c, name);

	if (!e)
		return;
	e->due.ns[FQDN_DUE_ASK] = at_ns;
	if (e->waits)
		fqdn_due_moved(&c->ask, e);
	else
		fqdn_due_add(&c->ask, e);
	e->waits = true;
}

bool fqdn_cache_next_ask(struct fqdn_cache *c, uint64_t now_ns, struct fqdn_name *out)
{
	struct fqdn_entry *e = c->ask.n ? c->ask.at[0] : NULL;

	if (!e || e->due.ns[FQDN_DUE_ASK] > now_ns)
		return false;
	fqdn_due_remove(&c->ask, e);
	e->waits = false;
	e->asking = true;
	fqdn_entry_show(e, out);
	return true;
}

uint64_t fqdn_cache_ask_due(const struct fqdn_cache *c)
{
	return c->ask.n ? c->ask.at[0]->due.ns[FQDN_DUE_ASK] : UINT64_MAX;
}

void fqdn_cache_asked(struct fqdn_cache *c, const struct snp_name_key *name, uint64_t answered_ns,
		      bool failed, uint32_t lifetime_s)
{
	struct fqdn_entry *e = fqdn_entry_find(c, name);

	if (!e)
		return;
	e->asking = false;
	if (answered_ns)
		e->asked_ns = answered_ns;
	e->lifetime_s = lifetime_s;
	e->failures = !failed ? 0 : e->failures < UINT8_MAX ? e->failures + 1 : e->failures;
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
		set_due(c, e, due_of(e));
	return had + 1;
}

uint64_t fqdn_cache_expire(struct fqdn_cache *c, uint64_t before_ns, size_t budget,
			   fqdn_expiry_fn expiry, void *ctx)
{
	uint64_t next_ns = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		struct fqdn_due *d = &c->over[i];
		size_t looked;

		while (budget && d->n && d->at[0]->due.ns[FQDN_DUE_OVER] < before_ns) {
			looked = expire_name(c, d->at[0], before_ns, expiry, ctx);
			budget = looked < budget ? budget - looked : 0;
		}
		if (d->n && d->at[0]->due.ns[FQDN_DUE_OVER] < next_ns)
			next_ns = d->at[0]->due.ns[FQDN_DUE_OVER];
	}
	fqdn_watch_sweep(c, budget);
	return next_ns;
}
