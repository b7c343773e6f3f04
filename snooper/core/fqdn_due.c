/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_due.c - which name is due soonest: a binary heap. */
#include "snooper/core/fqdn_cache_priv.h"

static uint64_t ns(const struct fqdn_due *d, const struct fqdn_entry *e)
{
	return e->due.ns[d->what];
}

static void put(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	d->at[i] = e;
	e->due.at[d->what] = i;
}

static void rise(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	while (i && ns(d, d->at[(i - 1) / 2]) > ns(d, e)) {
		put(d, i, d->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(d, i, e);
}

static void sink(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	size_t child;

	while ((child = 2 * i + 1) < d->n) {
		if (child + 1 < d->n && ns(d, d->at[child + 1]) < ns(d, d->at[child]))
			child++;
		if (ns(d, d->at[child]) >= ns(d, e))
			break;
		put(d, i, d->at[child]);
		i = child;
	}
	put(d, i, e);
}

void fqdn_due_add(struct fqdn_due *d, struct fqdn_entry *e)
{
	rise(d, d->n++, e);
}

void fqdn_due_moved(struct fqdn_due *d, struct fqdn_entry *e)
{
	rise(d, e->due.at[d->what], e);
	sink(d, e->due.at[d->what], e);
}

void fqdn_due_remove(struct fqdn_due *d, struct fqdn_entry *e)
{
	size_t i = e->due.at[d->what];
	struct fqdn_entry *last = d->at[--d->n];

	if (last == e)
		return;
	put(d, i, last);
	fqdn_due_moved(d, last);
}
