/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_endpoint.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/intern.h"

#define POLICY_LOCKED UINT32_MAX /* in place of specs: nothing is allowed */

static const policy_address last_address = ~(policy_address)0;

/* --- one rule's part in a class --- */

static int add_everywhere(struct policy_ranges *r, uint32_t ports, bool deny)
{
	return policy_ranges_add(r, 0, last_address, ports, deny);
}

static int by_value(const void *a, const void *b)
{
	const policy_address *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All but this host's own addresses. */
static int
add_world(const struct policy_input *in, struct policy_ranges *r, uint32_t ports, bool deny)
{
	SNP_CLEANUP(snp_freep)
	policy_address *own = calloc(in->n_host + 1, sizeof(*own));
	policy_address at = 0;
	int e = 0;

	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_host; i++)
		own[i] = policy_address_of(&in->host[i]);
	qsort(own, in->n_host, sizeof(*own), by_value);
	for (size_t i = 0; i < in->n_host && !e; i++) {
		if (own[i] < at)
			continue;
		if (own[i] > at)
			e = policy_ranges_add(r, at, own[i] - 1, ports, deny);
		if (own[i] == last_address)
			return e;
		at = own[i] + 1;
	}
	return e ? e : policy_ranges_add(r, at, last_address, ports, deny);
}

static int
add_host(const struct policy_input *in, struct policy_ranges *r, uint32_t ports, bool deny)
{
	int e = 0;

	for (size_t i = 0; i < in->n_host && !e; i++) {
		policy_address own = policy_address_of(&in->host[i]);

		e = policy_ranges_add(r, own, own, ports, deny);
	}
	return e;
}

static int add_addresses(const struct policy_input *in, const struct policy_rule *rule,
			 struct policy_ranges *r, uint32_t ports)
{
	int e = 0;

	if (rule->anywhere || rule->entities & POLICY_ALL)
		e = add_everywhere(r, ports, rule->deny);
	if (!e && rule->entities & POLICY_WORLD)
		e = add_world(in, r, ports, rule->deny);
	if (!e && rule->entities & POLICY_HOST)
		e = add_host(in, r, ports, rule->deny);
	for (size_t i = 0; i < rule->n_cidrs && !e; i++)
		e = policy_ranges_cidr(r, &rule->cidrs[i], ports, rule->deny);
	return e;
}

/* What selectors allow the class at hand. */
struct granting {
	uint32_t *ports; /* by index in names */
	struct policy_grant *list;
	size_t n, room;
};

static int grant(struct policy_ports *p, struct granting *g, size_t name, uint32_t ports)
{
	struct policy_grant *more;

	if (g->n == g->room) {
		size_t room = g->room ? g->room * 2 : 64;

		more = realloc(g->list, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		g->list = more;
		g->room = room;
	}
	if (!g->ports[name])
		g->list[g->n++].name = name;
	return policy_ports_union(p, g->ports[name], ports, &g->ports[name]);
}

/* What the list says is whole now; ready for the next class, once that is done with. */
static void finish_grants(struct granting *g)
{
	for (size_t i = 0; i < g->n; i++) {
		g->list[i].ports = g->ports[g->list[i].name];
		g->ports[g->list[i].name] = 0;
	}
}

static void granting_fini(struct granting *g)
{
	free(g->list);
	free(g->ports);
}

/* What one class is made from. */
struct making {
	const struct policy_input *in;
	struct policy_ports *ports;
	struct policy_ranges *ranges;
	struct policy_class *class;
	struct granting fqdns, dns;
	/* Every selector of the policy as an index in names, in order; of a spec, from ... on. */
	uint32_t *found;
	size_t *from;
};

static int find_selectors(struct making *m, const struct policy_ids *ids,
			  const struct policy_selector *s, size_t n, size_t *to)
{
	int e = 0;

	for (size_t i = 0; i < n && !e; i++) {
		size_t at;

		e = policy_names_find(m->in->names, ids, &s[i], &at);
		if (!e)
			m->found[(*to)++] = at;
	}
	return e;
}

/* Once for all classes. */
static int find_all(struct making *m, const struct policy_ids *ids)
{
	const struct policy *p = m->in->policy;
	size_t n_specs = p ? p->n_specs : 0, n = 0, to = 0;
	int e = 0;

	for (size_t i = 0; i < n_specs; i++)
		for (size_t k = 0; k < p->specs[i].n_rules; k++)
			n += p->specs[i].rules[k].n_fqdns + p->specs[i].rules[k].n_dns;
	m->found = calloc(n + 1, sizeof(*m->found));
	m->from = calloc(n_specs + 1, sizeof(*m->from));
	if (!m->found || !m->from)
		return -ENOMEM;
	for (size_t i = 0; i < n_specs; i++) {
		const struct policy_spec *s = &p->specs[i];

		m->from[i] = to;
		for (size_t k = 0; k < s->n_rules && !e; k++) {
			e = find_selectors(m, ids, s->rules[k].fqdns, s->rules[k].n_fqdns, &to);
			if (!e)
				e = find_selectors(m, ids, s->rules[k].dns, s->rules[k].n_dns, &to);
		}
	}
	return e;
}

static int
grant_all(struct making *m, struct granting *g, const uint32_t *names, size_t n, uint32_t ports)
{
	int e = 0;

	for (size_t i = 0; i < n && !e; i++)
		e = grant(m->ports, g, names[i], ports);
	return e;
}

/* names: of the rule's selectors, fqdns and then dns. */
static int add_rule(struct making *m, const struct policy_rule *rule, const uint32_t *names)
{
	uint32_t ports;
	int e = policy_ports_of(m->ports, rule->ports, rule->n_ports, &ports);

	if (rule->has_dns)
		m->class->flags |= SNP_CLASS_DNS;
	if (!e)
		e = grant_all(m, &m->fqdns, names, rule->n_fqdns, ports);
	if (!e)
		e = grant_all(m, &m->dns, names + rule->n_fqdns, rule->n_dns, 1);
	return e ? e : add_addresses(m->in, rule, m->ranges, ports);
}

/* --- a class: the specs that are its key, by their index --- */

static int add_spec(struct making *m, uint32_t i_spec)
{
	const struct policy_spec *spec = &m->in->policy->specs[i_spec];
	const uint32_t *names = m->found + m->from[i_spec];
	int e = 0;

	if (spec->default_deny)
		m->class->flags |= SNP_CLASS_DEFAULT_DENY;
	for (size_t i = 0; i < spec->n_rules && !e; i++) {
		e = add_rule(m, &spec->rules[i], names);
		names += spec->rules[i].n_fqdns + spec->rules[i].n_dns;
	}
	return e;
}

/* IPv6: what is below the v4-mapped addresses, and what is above. */
static int take_v6(const struct making *m)
{
	SNP_CLEANUP(snp_freep)
	struct policy_range *above = NULL;
	struct policy_range *all;
	size_t n;
	int e = policy_ranges_take(m->ranges, m->ports, 0, POLICY_V4_FIRST - 1, &m->class->v6,
				   &m->class->n_v6);

	if (!e)
		e = policy_ranges_take(m->ranges, m->ports, POLICY_V4_LAST + 1, last_address,
				       &above, &n);
	if (e)
		return e;
	all = realloc(m->class->v6, (m->class->n_v6 + n) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all + m->class->n_v6, above, n * sizeof(*all));
	m->class->v6 = all;
	m->class->n_v6 += n;
	return 0;
}

static int take_ranges(const struct making *m)
{
	int e = policy_ranges_take(m->ranges, m->ports, POLICY_V4_FIRST, POLICY_V4_LAST,
				   &m->class->v4, &m->class->n_v4);

	return e ? e : take_v6(m);
}

static int make_class(struct making *m, const uint32_t *specs, size_t n)
{
	int e = 0;

	m->fqdns.n = 0;
	m->dns.n = 0;
	m->ranges = policy_ranges_new();
	if (!m->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n && !e; i++) {
		if (specs[i] == POLICY_LOCKED)
			m->class->flags |= SNP_CLASS_DEFAULT_DENY | SNP_CLASS_DNS;
		else
			e = add_spec(m, specs[i]);
	}
	if (!e)
		e = take_ranges(m);
	finish_grants(&m->fqdns);
	finish_grants(&m->dns);
	m->class->grants = m->fqdns.list;
	m->class->n_grants = m->fqdns.n;
	m->class->dns = m->dns.list;
	m->class->n_dns = m->dns.n;
	policy_ranges_free(m->ranges);
	m->ranges = NULL;
	return e;
}

/* The specs that select an endpoint, by index; how many. */
static size_t
specs_of(const struct policy_input *in, const struct policy_endpoint *e, uint32_t *specs)
{
	size_t n = 0;

	if (e->locked)
		specs[n++] = POLICY_LOCKED;
	for (size_t i = 0; !e->locked && in->policy && i < in->policy->n_specs; i++)
		if (policy_selects(&in->policy->specs[i], e->labels, e->n_labels))
			specs[n++] = i;
	return n;
}

/* What is made of a class is borne for one call only: together they could be without measure. */
static int tell_class(struct making *m, uint32_t number, const uint32_t *specs, size_t n,
		      policy_class_fn fn, void *ctx)
{
	struct policy_class class = {.flags = 0};
	int e;

	m->class = &class;
	e = make_class(m, specs, n);
	if (!e)
		e = fn(ctx, number, &class);
	free(class.v4);
	free(class.v6);
	return e;
}

struct classifying {
	struct intern *keys; /* the specs of each class */
	uint32_t *specs;
	policy_class_fn fn;
	void *ctx;
	uint32_t *of;
};

static int classify(struct making *m, struct classifying *c)
{
	int r = 0;

	for (size_t i = 0; i < m->in->n_endpoints && !r; i++) {
		const struct policy_endpoint *e = &m->in->endpoints[i];
		size_t n = specs_of(m->in, e, c->specs);
		uint32_t end = intern_end(c->keys), number;

		if (!n)
			continue;
		number = intern_add(c->keys, c->specs, n * sizeof(*c->specs));
		if (!number)
			return -ENOMEM;
		c->of[e->number % SNP_ENDPOINTS_MAX] = number;
		if (number == end)
			r = tell_class(m, number, c->specs, n, c->fn, c->ctx);
	}
	return r;
}

int policy_classes_make(const struct policy_input *in, const struct policy_ids *ids,
			struct policy_ports *ports, policy_class_fn fn, void *ctx, uint32_t *of,
			size_t *n)
{
	struct making m = {.in = in, .ports = ports};
	size_t n_specs = in->policy ? in->policy->n_specs : 0;
	struct classifying c = {
		.keys = intern_new(SNP_ENDPOINTS_MAX), .fn = fn, .ctx = ctx, .of = of};
	int e = find_all(&m, ids);

	c.specs = calloc(n_specs + 1, sizeof(*c.specs));
	m.fqdns.ports = calloc(in->names->n + 1, sizeof(*m.fqdns.ports));
	m.dns.ports = calloc(in->names->n + 1, sizeof(*m.dns.ports));
	if (!c.keys || !c.specs || !m.fqdns.ports || !m.dns.ports)
		e = -ENOMEM;
	if (!e)
		e = classify(&m, &c);
	if (!e)
		*n = intern_end(c.keys);
	granting_fini(&m.fqdns);
	granting_fini(&m.dns);
	free(m.found);
	free(m.from);
	free(c.specs);
	intern_free(c.keys);
	return e;
}
