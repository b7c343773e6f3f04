/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fqdn_due.c - which name has something that is over soonest: a binary heap. */
#include <errno.h>
#include <stdlib.h>

#include "snooper/core/fqdn_cache_priv.h"

static void put(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	d->at[i] = e;
	e->due_at = i;
}

static void rise(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	while (i && d->at[(i - 1) / 2]->due_ns > e->due_ns) {
		put(d, i, d->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(d, i, e);
}

static void sink(struct fqdn_due *d, size_t i, struct fqdn_entry *e)
{
	size_t child;

	while ((child = 2 * i + 1) < d->n) {
		if (child + 1 < d->n && d->at[child + 1]->due_ns < d->at[child]->due_ns)
			child++;
		if (d->at[child]->due_ns >= e->due_ns)
			break;
		put(d, i, d->at[child]);
		i = child;
	}
	put(d, i, e);
}

int fqdn_due_add(struct fqdn_due *d, struct fqdn_entry *e)
{
	if (d->n == d->room) {
		size_t room = d->room ? d->room * 2 : 256;
		struct fqdn_entry **at = realloc(d->at, room * sizeof(struct fqdn_entry *));

		if (!at)
			return -ENOMEM;
		d->at = at;
		d->room = room;
	}
	rise(d, d->n++, e);
	return 0;
}

void fqdn_due_moved(struct fqdn_due *d, struct fqdn_entry *e)
{
	rise(d, e->due_at, e);
	sink(d, e->due_at, e);
}

void fqdn_due_remove(struct fqdn_due *d, struct fqdn_entry *e)
{
	size_t i = e->due_at;
	struct fqdn_entry *last = d->at[--d->n];

	if (last == e)
		return;
	put(d, i, last);
	fqdn_due_moved(d, last);
}
