/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"

/* Where a port set begins to hold, or no longer does. */
struct edge {
	policy_address at;
	uint32_t ports;
	int8_t by; /* 1 or -1 */
	bool deny;
};

struct policy_ranges {
	struct edge *edges;
	size_t n, room;
};

struct policy_ranges *policy_ranges_new(void)
{
	return calloc(1, sizeof(struct policy_ranges));
}

void policy_ranges_free(struct policy_ranges *r)
{
	if (r)
		free(r->edges);
	free(r);
}

policy_address policy_address_of(const struct snp_addr *a)
{
	policy_address x = 0;

	for (size_t i = 0; i < sizeof(a->b); i++)
		x = x << 8 | a->b[i];
	return x;
}

int policy_ranges_add(struct policy_ranges *r, policy_address first, policy_address last,
		      uint32_t ports, bool deny)
{
	struct edge *more;

	if (!ports)
		return 0;
	if (r->n + 2 > r->room) {
		size_t room = r->room ? r->room * 2 : 64;

		more = realloc(r->edges, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->edges = more;
		r->room = room;
	}
	r->edges[r->n++] = (struct edge){first, ports, 1, deny};
	if (last != ~(policy_address)0)
		r->edges[r->n++] = (struct edge){last + 1, ports, -1, deny};
	return 0;
}

static void span_of(const struct snp_cidr *c, policy_address *first, policy_address *last)
{
	policy_address host =
		c->prefix ? ((policy_address)1 << (128 - c->prefix)) - 1 : ~(policy_address)0;

	*first = policy_address_of(&c->addr) & ~host;
	*last = *first | host;
}

/* [first, last] of a CIDR; the v4-mapped addresses, which are IPv4, are left out of IPv6. */
static int add_span(struct policy_ranges *r, bool ipv6, policy_address first, policy_address last,
		    uint32_t ports, bool deny)
{
	int e = 0;

	if (!ipv6 || last < POLICY_V4_FIRST || first > POLICY_V4_LAST)
		return policy_ranges_add(r, first, last, ports, deny);
	if (first < POLICY_V4_FIRST)
		e = policy_ranges_add(r, first, POLICY_V4_FIRST - 1, ports, deny);
	if (!e && last > POLICY_V4_LAST)
		e = policy_ranges_add(r, POLICY_V4_LAST + 1, last, ports, deny);
	return e;
}

struct span {
	policy_address first, last;
};

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

int policy_ranges_cidr(struct policy_ranges *r, const struct policy_cidr *c, uint32_t ports,
		       bool deny)
{
	SNP_CLEANUP(snp_freep)
	struct span *except = calloc(c->n_except + 1, sizeof(*except));
	policy_address at, last;
	int e;

	if (!except)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_except; i++)
		span_of(&c->except[i], &except[i].first, &except[i].last);
	qsort(except, c->n_except, sizeof(*except), by_first);
	span_of(&c->in, &at, &last);
	for (size_t i = 0; i < c->n_except; i++) {
		if (except[i].last < at || except[i].first > last)
			continue;
		if (except[i].first > at) {
			e = add_span(r, c->in.ipv6, at, except[i].first - 1, ports, deny);
			if (e)
				return e;
		}
		if (except[i].last >= last)
			return 0;
		at = except[i].last + 1;
	}
	return add_span(r, c->in.ipv6, at, last, ports, deny);
}

/* --- sweeping over the edges --- */

static int by_place(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* How often each port set holds at the place that the sweep has reached. */
struct held {
	uint32_t *times;  /* by port set */
	uint32_t *active; /* the sets with times > 0 */
	size_t n;
	uint32_t ports; /* their union, unless `changed` */
	bool changed;
};

static void held_change(struct held *h, const struct edge *e)
{
	if (e->by > 0) {
		if (h->times[e->ports]++)
			return;
		h->active[h->n++] = e->ports;
		h->changed = true;
		return;
	}
	if (--h->times[e->ports])
		return;
	h->changed = true;
	for (size_t i = 0; i < h->n; i++)
		if (h->active[i] == e->ports) {
			h->active[i] = h->active[--h->n];
			return;
		}
}

static int held_union(struct held *h, struct policy_ports *ports, uint32_t *out)
{
	uint32_t all = 0;
	int r = 0;

	for (size_t i = 0; h->changed && i < h->n && !r; i++)
		r = policy_ports_union(ports, all, h->active[i], &all);
	if (r)
		return r;
	if (h->changed)
		h->ports = all;
	h->changed = false;
	*out = h->ports;
	return 0;
}

static int sweep(const struct edge *edges, size_t n_edges, struct policy_ports *ports,
		 struct held held[2], policy_address first, policy_address last,
		 struct policy_range *out, size_t *n)
{
	size_t i = 0;
	int r;

	*n = 0;
	for (policy_address at = first;;) {
		struct policy_range *p = &out[*n];

		for (; i < n_edges && edges[i].at <= at; i++)
			held_change(&held[edges[i].deny], &edges[i]);
		p->from = at;
		r = held_union(&held[0], ports, &p->allow);
		if (!r)
			r = held_union(&held[1], ports, &p->deny);
		if (r)
			return r;
		if (!*n || p[-1].allow != p->allow || p[-1].deny != p->deny)
			(*n)++;
		if (i == n_edges || edges[i].at > last)
			return 0;
		at = edges[i].at;
	}
}

int policy_ranges_take(const struct policy_ranges *r, struct policy_ports *ports,
		       policy_address first, policy_address last, struct policy_range **out,
		       size_t *n)
{
	uint32_t sets = policy_ports_end(ports);
	struct policy_range *made = calloc(r->n + 1, sizeof(*made));
	uint32_t *room = calloc(sets * 4 + 1, sizeof(*room));
	struct held held[2] = {{.times = room, .active = room + sets},
			       {.times = room + sets * 2, .active = room + sets * 3}};
	int e = -ENOMEM;

	if (made && room) {
		if (r->n)
			qsort(r->edges, r->n, sizeof(*r->edges), by_place);
		e = sweep(r->edges, r->n, ports, held, first, last, made, n);
	}
	free(room);
	if (e)
		free(made);
	else
		*out = made;
	return e;
}
