/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_count.c - how many cgroups each endpoint has: counted a piece at a time, for there may be many. */
#include <string.h>

#include "snooper/io/endpoints_priv.h"

static void begin(struct endpoints_count *c)
{
	memset(c->now, 0, sizeof(c->now));
	c->at = (struct maps_members_pos){.spare = false};
	c->under_way = true;
}

bool endpoints_count(struct endpoints *e, struct maps *m, bool anew)
{
	struct endpoints_count *c = &e->count;
	struct maps_member rows[MAPS_MEMBERS];
	size_t n, seen = 0;
	int r;

	if (!e->n || !(anew || c->under_way))
		return false;
	if (!c->under_way)
		begin(c);
	do {
		r = maps_members_next(m, &c->at, rows, &n);
		for (size_t i = 0; i < n; i++)
			c->now[SNP_ENDPOINT_PLACE(rows[i].of.endpoint)]++;
		seen += n;
	} while (r > 0 && (seen < MAPS_MEMBERS || c->at.spare));
	if (r > 0)
		return true;
	c->under_way = false;
	if (!r)
		memcpy(c->last, c->now, sizeof(c->last));
	return false;
}
