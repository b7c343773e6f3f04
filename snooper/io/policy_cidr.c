/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* toCIDR and toCIDRSet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_value.h"
#include "snooper/io/policy_reader.h"

const struct policy_field policy_cidr_fields[] = {
	{"cidr", POLICY_READ, NULL, NULL},
	{"except", POLICY_READ, NULL, NULL},
	{"cidrGroupRef", POLICY_REFUSED,
	 "CiliumCIDRGroup objects are not read here: write the prefixes out", NULL},
	{"cidrGroupSelector", POLICY_REFUSED,
	 "CiliumCIDRGroup objects are not read here: write the prefixes out", NULL},
	{0},
};

/* An address without a prefix length is itself. */
static const char *parse_address(const char *text, struct snp_cidr *c)
{
	const char *why = conf_value_addr(text, &c->addr);

	c->ipv6 = strchr(text, ':');
	c->prefix = 128;
	return why;
}

/* Prefixes of Cilium may have bits behind them; that is worth a word, no more. */
static void warn_of_bits(struct policy_reader *r, const struct conf_node *n,
			 const struct snp_cidr *c, const char *why)
{
	char shown[CONF_SHOWN_MAX], addr[CONF_ADDR_TEXT];

	policy_warning(r, n, "'%s' %s: read as '%s/%u'", conf_shown(n->text, shown), why,
		       conf_addr_text(&c->addr, addr), c->ipv6 ? c->prefix : c->prefix - 96u);
}

static bool
take_prefix(struct policy_reader *r, const struct conf_node *n, bool bare, struct snp_cidr *c)
{
	char shown[CONF_SHOWN_MAX];
	const char *why;

	if (!policy_is_value(r, n))
		return false;
	memset(c, 0, sizeof(*c));
	if (bare && !strchr(n->text, '/'))
		why = parse_address(n->text, c);
	else
		why = conf_value_cidr(n->text, c);
	if (why && (c->prefix || c->ipv6) && strchr(n->text, '/')) {
		warn_of_bits(r, n, c, why);
		why = NULL;
	}
	if (!why && c->ipv6 && c->prefix >= 96 && conf_addr_is_v4(&c->addr))
		why = "is IPv4 written as IPv6: write it as IPv4";
	if (why)
		policy_error(r, n, "'%s' %s", conf_shown(n->text, shown), why);
	return !why;
}

static struct policy_cidr *grow(struct policy_rule *rule)
{
	struct policy_cidr *more = policy_grown(rule->cidrs, rule->n_cidrs, sizeof(*more));

	if (more)
		rule->cidrs = more;
	return more ? &more[rule->n_cidrs] : NULL;
}

int policy_take_cidrs(struct policy_reader *r, const struct conf_node *list,
		      struct policy_rule *rule)
{
	if (!policy_is_list(r, list) || !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		struct snp_cidr in;
		struct policy_cidr *c;

		if (!take_prefix(r, n, true, &in))
			continue;
		c = grow(rule);
		if (!c)
			return -ENOMEM;
		*c = (struct policy_cidr){.in = in, .at = policy_place(r, n)};
		rule->n_cidrs++;
	}
	return 0;
}

static bool is_inside(const struct snp_cidr *in, const struct snp_cidr *out)
{
	size_t bytes = out->prefix / 8, bits = out->prefix % 8;

	if (in->ipv6 != out->ipv6 || in->prefix < out->prefix ||
	    memcmp(in->addr.b, out->addr.b, bytes) != 0)
		return false;
	return !bits || !((in->addr.b[bytes] ^ out->addr.b[bytes]) >> (8 - bits));
}

static int take_except(struct policy_reader *r, const struct conf_node *list, struct policy_cidr *c)
{
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_list(r, list) || !list->n_entries ||
	    !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	c->except = calloc(list->n_entries, sizeof(*c->except));
	if (!c->except)
		return -ENOMEM;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		struct snp_cidr *e = &c->except[c->n_except];

		if (!take_prefix(r, n, false, e))
			continue;
		if (is_inside(e, &c->in))
			c->n_except++;
		else
			policy_error(r, n, "'%s' is not inside its cidr",
				     conf_shown(n->text, shown));
	}
	return 0;
}

static int
take_set_entry(struct policy_reader *r, const struct conf_node *map, struct policy_rule *rule)
{
	const struct conf_node *cidr, *except;
	struct policy_cidr *c;
	struct snp_cidr in;
	int res;

	if (!policy_is_map(r, map))
		return 0;
	res = policy_walk(r, map, policy_cidr_fields, NULL);
	if (res < 0)
		return res;
	cidr = policy_entry(map, "cidr");
	except = policy_entry(map, "except");
	if (!cidr) {
		if (!policy_entry(map, "cidrGroupRef") && !policy_entry(map, "cidrGroupSelector"))
			policy_error(r, map, "has no cidr");
		return 0;
	}
	if (!take_prefix(r, cidr, false, &in))
		return 0;
	c = grow(rule);
	if (!c)
		return -ENOMEM;
	*c = (struct policy_cidr){.in = in, .at = policy_place(r, cidr)};
	rule->n_cidrs++;
	return except ? take_except(r, except, c) : 0;
}

int policy_take_cidr_set(struct policy_reader *r, const struct conf_node *list,
			 struct policy_rule *rule)
{
	if (!policy_is_list(r, list) || !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = take_set_entry(r, n, rule);

		if (res < 0)
			return res;
	}
	return 0;
}
