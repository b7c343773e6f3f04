/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egress and egressDeny: what a policy allows and denies, entry by entry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/policy_reader.h"

/* An entry while it is read. */
struct entry {
	struct policy_rule rule;	   /* its destinations */
	struct policy_parts parts;	   /* its ports */
	const struct conf_node *to;	   /* the destinations' key; NULL: none was written */
	const struct conf_node *endpoints; /* toEndpoints */
};

static int take_fqdns(struct policy_reader *r, const struct conf_node *n, void *entry);
static int take_cidr(struct policy_reader *r, const struct conf_node *n, void *entry);
static int take_cidr_set(struct policy_reader *r, const struct conf_node *n, void *entry);
static int take_entities(struct policy_reader *r, const struct conf_node *n, void *entry);
static int take_endpoints(struct policy_reader *r, const struct conf_node *n, void *entry);
static int take_ports(struct policy_reader *r, const struct conf_node *n, void *entry);

#define NOT_KUBERNETES "Kubernetes objects are not known here: write names or prefixes"
#define NOT_SEEN       "snooper does not see this: leaving it out would allow more than is written"
#define NO_ICMP                                                                                    \
	"ICMP types are not read: an entry without toPorts and icmps has all of ICMP, to its "     \
	"destinations"

const struct policy_field policy_egress_fields[] = {
	{"toFQDNs", POLICY_READ, NULL, take_fqdns},
	{"toCIDR", POLICY_READ, NULL, take_cidr},
	{"toCIDRSet", POLICY_READ, NULL, take_cidr_set},
	{"toEntities", POLICY_READ, NULL, take_entities},
	{"toEndpoints", POLICY_READ, NULL, take_endpoints},
	{"toPorts", POLICY_READ, NULL, take_ports},
	{"toServices", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"toGroups", POLICY_REFUSED, "no cloud is asked from here: write prefixes", NULL},
	{"toNodes", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"toRequires", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"icmps", POLICY_REFUSED, NO_ICMP, NULL},
	{"authentication", POLICY_REFUSED, NOT_SEEN, NULL},
	{0},
};

const struct policy_field policy_deny_fields[] = {
	{"toCIDR", POLICY_READ, NULL, take_cidr},
	{"toCIDRSet", POLICY_READ, NULL, take_cidr_set},
	{"toEntities", POLICY_READ, NULL, take_entities},
	{"toPorts", POLICY_READ, NULL, take_ports},
	{"toFQDNs", POLICY_REFUSED, "names can be allowed, not denied, as in Cilium", NULL},
	{"toEndpoints", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"toServices", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"toGroups", POLICY_REFUSED, "no cloud is asked from here: write prefixes", NULL},
	{"toNodes", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"toRequires", POLICY_REFUSED, NOT_KUBERNETES, NULL},
	{"icmps", POLICY_REFUSED, "ICMP types are not read: leaving this out would deny less",
	 NULL},
	{0},
};

/* Cilium allows one kind of destination in an entry, and so do we. */
static void set_destination(struct policy_reader *r, struct entry *e, const struct conf_node *n)
{
	if (e->to)
		policy_error_key(r, n, "stands beside %s: write an entry for each", e->to->key);
	else
		e->to = n;
}

static int take_fqdns(struct policy_reader *r, const struct conf_node *n, void *into)
{
	struct entry *e = into;

	set_destination(r, e, n);
	return policy_take_fqdns(r, n, &e->rule.fqdns, &e->rule.n_fqdns);
}

static int take_cidr(struct policy_reader *r, const struct conf_node *n, void *into)
{
	struct entry *e = into;

	set_destination(r, e, n);
	return policy_take_cidrs(r, n, &e->rule);
}

static int take_cidr_set(struct policy_reader *r, const struct conf_node *n, void *into)
{
	struct entry *e = into;

	set_destination(r, e, n);
	return policy_take_cidr_set(r, n, &e->rule);
}

/* 0: none that is read here. */
static enum policy_entity entity_of(struct policy_reader *r, const struct conf_node *n)
{
	static const char *const known[] = {
		"cluster",   "init",	       "ingress", "remote-node", "health",     "none",
		"unmanaged", "kube-apiserver", "aks",	  "world-ipv4",	 "world-ipv6",
	};
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_value(r, n))
		return 0;
	if (!strcmp(n->text, "world"))
		return POLICY_WORLD;
	if (!strcmp(n->text, "all"))
		return POLICY_ALL;
	if (!strcmp(n->text, "host"))
		return POLICY_HOST;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i], n->text) != 0)
			continue;
		policy_error(r, n, "the entity '%s' is not known here: world, all and host are",
			     n->text);
		return 0;
	}
	policy_error(r, n, "'%s' is no entity: world, all and host are",
		     conf_shown(n->text, shown));
	return 0;
}

static int take_entities(struct policy_reader *r, const struct conf_node *list, void *into)
{
	struct entry *e = into;

	set_destination(r, e, list);
	if (!policy_is_list(r, list))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next)
		e->rule.entities |= entity_of(r, n);
	return 0;
}

static int take_endpoints(struct policy_reader *r, const struct conf_node *list, void *into)
{
	struct entry *e = into;

	set_destination(r, e, list);
	if (!policy_is_list(r, list))
		return 0;
	e->endpoints = list;
	e->rule.resolvers = list->n_entries > 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = policy_take_endpoints(r, n, NULL);

		if (res < 0)
			return res;
	}
	return 0;
}

static int take_ports(struct policy_reader *r, const struct conf_node *n, void *into)
{
	struct entry *e = into;

	return policy_take_ports(r, n, &e->parts);
}

/* The way to the resolvers, with the names that may be asked there; other endpoints are not known here. */
static void check_endpoints(struct policy_reader *r, const struct entry *e)
{
	bool dns = e->parts.n > 0;

	for (size_t i = 0; i < e->parts.n; i++)
		dns = dns && e->parts.rules[i].has_dns;
	if (e->rule.resolvers && !dns)
		policy_error_key(r, e->endpoints,
				 "is read as the endpoint's resolvers only, with port 53 and "
				 "rules.dns in all of toPorts (matchPattern \"*\": every name)");
}

static int copy_fqdns(const struct policy_rule *from, struct policy_rule *to)
{
	to->fqdns = from->n_fqdns ? calloc(from->n_fqdns, sizeof(*to->fqdns)) : NULL;
	if (from->n_fqdns && !to->fqdns)
		return -ENOMEM;
	for (; to->n_fqdns < from->n_fqdns; to->n_fqdns++) {
		struct policy_selector *s = &to->fqdns[to->n_fqdns];

		*s = from->fqdns[to->n_fqdns];
		s->text = strdup(s->text);
		if (!s->text)
			return -ENOMEM;
	}
	return 0;
}

static int copy_cidrs(const struct policy_rule *from, struct policy_rule *to)
{
	to->cidrs = from->n_cidrs ? calloc(from->n_cidrs, sizeof(*to->cidrs)) : NULL;
	if (from->n_cidrs && !to->cidrs)
		return -ENOMEM;
	for (; to->n_cidrs < from->n_cidrs; to->n_cidrs++) {
		struct policy_cidr *c = &to->cidrs[to->n_cidrs];

		*c = from->cidrs[to->n_cidrs];
		if (!c->n_except)
			continue;
		c->except = calloc(c->n_except, sizeof(*c->except));
		if (!c->except)
			return -ENOMEM;
		memcpy(c->except, from->cidrs[to->n_cidrs].except,
		       c->n_except * sizeof(*c->except));
	}
	return 0;
}

/* Does the destination fit once more? */
static bool
has_room(struct policy_reader *r, const struct conf_node *at, const struct policy_rule *rule)
{
	size_t parts = rule->n_cidrs;

	for (size_t i = 0; i < rule->n_cidrs; i++)
		parts += rule->cidrs[i].n_except;
	return policy_room_for_selectors(r, at, rule->n_fqdns) &&
	       policy_room_for_parts(r, at, parts);
}

/* One more rule, spec's at once. NULL when out of memory. */
static struct policy_rule *add_rule(struct policy_spec *spec)
{
	struct policy_rule *more = policy_grown(spec->rules, spec->n_rules, sizeof(*more));

	if (!more)
		return NULL;
	spec->rules = more;
	more[spec->n_rules] = (struct policy_rule){0};
	return &more[spec->n_rules++];
}

/* The entry's destinations with each of its parts; the last part takes the original. */
static int add_parts(struct policy_reader *r, const struct conf_node *at, struct entry *e,
		     struct policy_spec *spec)
{
	for (size_t i = 0; i < e->parts.n; i++) {
		struct policy_rule *part = &e->parts.rules[i], *rule;
		bool last = i + 1 == e->parts.n;

		if (!last && !has_room(r, at, &e->rule))
			return 0;
		rule = add_rule(spec);
		if (!rule)
			return -ENOMEM;
		*rule = *part; /* moved */
		*part = (struct policy_rule){0};
		rule->deny = e->rule.deny;
		rule->at = e->rule.at;
		rule->anywhere = !e->to;
		rule->entities = e->rule.entities;
		rule->resolvers = e->rule.resolvers;
		if (last) {
			rule->fqdns = e->rule.fqdns;
			rule->n_fqdns = e->rule.n_fqdns;
			rule->cidrs = e->rule.cidrs;
			rule->n_cidrs = e->rule.n_cidrs;
			e->rule = (struct policy_rule){0};
		} else if (copy_fqdns(&e->rule, rule) < 0 || copy_cidrs(&e->rule, rule) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int add_entry(struct policy_reader *r, const struct conf_node *at, struct entry *e,
		     struct policy_spec *spec)
{
	struct policy_rule *rule;

	if (e->parts.n)
		return add_parts(r, at, e, spec);
	rule = add_rule(spec);
	if (!rule)
		return -ENOMEM;
	*rule = e->rule; /* moved */
	e->rule = (struct policy_rule){0};
	return 0;
}

static void entry_fini(struct entry *e)
{
	policy_rule_fini(&e->rule);
	for (size_t i = 0; i < e->parts.n; i++)
		policy_rule_fini(&e->parts.rules[i]);
	free(e->parts.rules);
}

static int take_entry(struct policy_reader *r, const struct conf_node *map,
		      struct policy_spec *spec, bool deny)
{
	struct entry e = {.rule = {.deny = deny, .at = policy_place(r, map)},
			  .parts = {.deny = deny}};
	size_t errors = r->diag->n_errors;
	int res;

	res = policy_walk(r, map, deny ? policy_deny_fields : policy_egress_fields, &e);
	if (res == 0 && r->diag->n_errors == errors && !r->full) {
		check_endpoints(r, &e);
		res = add_entry(r, map, &e, spec);
	}
	entry_fini(&e);
	return res;
}

int policy_take_egress(struct policy_reader *r, const struct conf_node *list,
		       struct policy_spec *spec, bool deny)
{
	if (!policy_is_list(r, list) || !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	if (!list->n_entries && !deny)
		policy_warning(r, list,
			       "an empty list has no effect, as in Cilium: [{}] denies "
			       "everything that nothing else allows");
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = take_entry(r, n, spec, deny);

		if (res < 0)
			return res;
	}
	return 0;
}
