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

/* To the class, and ready for the next one. */
static int take_grants(struct granting *g, struct policy_grant **out, size_t *n)
{
	struct policy_grant *all = malloc((g->n + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < g->n; i++) {
		all[i] = (struct policy_grant){g->list[i].name, g->ports[g->list[i].name]};
		g->ports[g->list[i].name] = 0;
	}
	*out = all;
	*n = g->n;
	g->n = 0;
	return 0;
}

static void granting_fini(struct granting *g)
{
	free(g->list);
	free(g->ports);
}

/* What one class is made from. */
struct making {
	const struct policy_input *in;
	struct policy_ids *ids;
	struct policy_ports *ports;
	struct policy_ranges *ranges;
	struct policy_class *class;
	struct granting fqdns, dns;
};

static int add_fqdns(struct making *m, const struct policy_rule *rule, uint32_t ports)
{
	int e = 0;

	for (size_t i = 0; i < rule->n_fqdns && !e; i++) {
		size_t at;

		e = policy_names_find(m->in->names, m->ids, &rule->fqdns[i], &at);
		if (!e)
			e = grant(m->ports, &m->fqdns, at, ports);
	}
	return e;
}

static int add_dns(struct making *m, const struct policy_rule *rule)
{
	int e = 0;

	if (rule->has_dns)
		m->class->flags |= SNP_CLASS_DNS;
	for (size_t i = 0; i < rule->n_dns && !e; i++) {
		size_t at;

		e = policy_names_find(m->in->names, m->ids, &rule->dns[i], &at);
		if (!e)
			e = grant(m->ports, &m->dns, at, 1);
	}
	return e;
}

static int add_rule(struct making *m, const struct policy_rule *rule)
{
	uint32_t ports;
	int e = policy_ports_of(m->ports, rule->ports, rule->n_ports, &ports);

	if (!e)
		e = add_dns(m, rule);
	if (!e)
		e = add_fqdns(m, rule, ports);
	return e ? e : add_addresses(m->in, rule, m->ranges, ports);
}

/* --- a class: the specs that are its key, by their index --- */

static int add_spec(struct making *m, const struct policy_spec *spec)
{
	int e = 0;

	if (spec->default_deny)
		m->class->flags |= SNP_CLASS_DEFAULT_DENY;
	for (size_t i = 0; i < spec->n_rules && !e; i++)
		e = add_rule(m, &spec->rules[i]);
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

	m->ranges = policy_ranges_new();
	if (!m->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n && !e; i++) {
		if (specs[i] == POLICY_LOCKED)
			m->class->flags |= SNP_CLASS_DEFAULT_DENY | SNP_CLASS_DNS;
		else
			e = add_spec(m, &m->in->policy->specs[specs[i]]);
	}
	if (!e)
		e = take_ranges(m);
	if (!e)
		e = take_grants(&m->fqdns, &m->class->grants, &m->class->n_grants);
	if (!e)
		e = take_grants(&m->dns, &m->class->dns, &m->class->n_dns);
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

static int
classify(struct making *m, struct policy_classes *out, struct intern *keys, uint32_t *specs)
{
	for (size_t i = 0; i < m->in->n_endpoints; i++) {
		const struct policy_endpoint *e = &m->in->endpoints[i];
		size_t n = specs_of(m->in, e, specs);
		uint32_t number;

		if (!n)
			continue;
		number = intern_add(keys, specs, n * sizeof(*specs));
		if (!number)
			return -ENOMEM;
		out->of[e->number % SNP_ENDPOINTS_MAX] = number;
		if (number < out->n)
			continue;
		out->n = number + 1;
		m->class = &out->at[number];
		int r = make_class(m, specs, n);

		if (r)
			return r;
	}
	return 0;
}

int policy_classes_make(const struct policy_input *in, struct policy_ids *ids,
			struct policy_ports *ports, struct policy_classes *out)
{
	struct making m = {.in = in, .ids = ids, .ports = ports};
	size_t n_specs = in->policy ? in->policy->n_specs : 0;
	struct intern *keys = intern_new(SNP_ENDPOINTS_MAX);
	uint32_t *specs = calloc(n_specs + 1, sizeof(*specs));
	int e = -ENOMEM;

	out->n = 1;
	out->at = calloc(in->n_endpoints + 1, sizeof(*out->at));
	out->of = calloc(SNP_ENDPOINTS_MAX, sizeof(*out->of));
	m.fqdns.ports = calloc(in->names->n + 1, sizeof(*m.fqdns.ports));
	m.dns.ports = calloc(in->names->n + 1, sizeof(*m.dns.ports));
	if (keys && specs && out->at && out->of && m.fqdns.ports && m.dns.ports)
		e = classify(&m, out, keys, specs);
	granting_fini(&m.fqdns);
	granting_fini(&m.dns);
	intern_free(keys);
	free(specs);
	return e;
}

void policy_classes_fini(struct policy_classes *c)
{
	for (size_t i = 0; c->at && i < c->n; i++) {
		free(c->at[i].grants);
		free(c->at[i].dns);
		free(c->at[i].v4);
		free(c->at[i].v6);
	}
	free(c->at);
	free(c->of);
}
