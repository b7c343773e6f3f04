/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* toPorts: ports, protocols, and rules.dns. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "snooper/io/conf_value.h"
#include "snooper/io/policy_reader.h"

#define PORTS_MAX 40 /* Cilium's */
#define PORT_DNS  53

#define NO_L7  "only dns is read here: leaving this out would allow more than is written"
#define NO_TLS "TLS is not looked into here: leaving this out would allow more than is written"

const struct policy_field policy_ports_fields[] = {
	{"ports", POLICY_READ, NULL, NULL},
	{"rules", POLICY_READ, NULL, NULL},
	{"serverNames", POLICY_REFUSED, NO_TLS, NULL},
	{"terminatingTLS", POLICY_REFUSED, NO_TLS, NULL},
	{"originatingTLS", POLICY_REFUSED, NO_TLS, NULL},
	{"listener", POLICY_REFUSED, "there is no Envoy here to redirect to", NULL},
	{0},
};

const struct policy_field policy_deny_ports_fields[] = {
	{"ports", POLICY_READ, NULL, NULL},
	{"rules", POLICY_REFUSED, "egressDeny knows ports only, as in Cilium", NULL},
	{0},
};

const struct policy_field policy_port_fields[] = {
	{"port", POLICY_READ, NULL, NULL},
	{"endPort", POLICY_READ, NULL, NULL},
	{"protocol", POLICY_READ, NULL, NULL},
	{0},
};

const struct policy_field policy_rules_fields[] = {
	{"dns", POLICY_READ, NULL, NULL},	{"http", POLICY_REFUSED, NO_L7, NULL},
	{"kafka", POLICY_REFUSED, NO_L7, NULL}, {"l7proto", POLICY_REFUSED, NO_L7, NULL},
	{"l7", POLICY_REFUSED, NO_L7, NULL},	{0},
};

static bool take_number(struct policy_reader *r, const struct conf_node *n, uint16_t *out)
{
	char shown[CONF_SHOWN_MAX];
	const char *why;
	uint64_t value;

	if (!policy_is_value(r, n))
		return false;
	why = conf_value_number(n->text, &value);
	if (why && strpbrk(n->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		why = "is the name of a service: write its number";
	if (!why && value > UINT16_MAX)
		why = "is not between 0 and 65535";
	if (why)
		policy_error(r, n, "'%s' %s", conf_shown(n->text, shown), why);
	else
		*out = (uint16_t)value;
	return !why;
}

static bool take_protocol(struct policy_reader *r, const struct conf_node *n, uint8_t *out)
{
	static const struct {
		const char *word;
		uint8_t protocol;
	} words[] = {
		{"TCP", IPPROTO_TCP},
		{"UDP", IPPROTO_UDP},
		{"SCTP", IPPROTO_SCTP},
		{"ANY", 0},
		{"", 0},
	};
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_value(r, n))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i].word, n->text) != 0)
			continue;
		*out = words[i].protocol;
		return true;
	}
	policy_error(r, n, "'%s' is none of TCP, UDP, SCTP and ANY", conf_shown(n->text, shown));
	return false;
}

/* Port 0 is Cilium's word for all of them; endPort 0 is none. */
static bool
take_range(struct policy_reader *r, const struct conf_node *map, struct policy_port *out)
{
	const struct conf_node *port = policy_entry(map, "port");
	const struct conf_node *end = policy_entry(map, "endPort");
	uint16_t last = 0;

	if (!port)
		policy_error(r, map, "has no port");
	if (!port || !take_number(r, port, &out->first) || (end && !take_number(r, end, &last)))
		return false;
	out->last = out->first ? out->first : UINT16_MAX;
	if (!last)
		return true;
	if (!out->first)
		policy_error(r, end, "port 0 is every port: no endPort goes with it");
	else if (last < out->first)
		policy_error(r, end, "%u is below port %u", last, out->first);
	out->last = last;
	return out->first && last >= out->first;
}

/* 1: taken into *out; 0: refused. */
static int take_port(struct policy_reader *r, const struct conf_node *map, struct policy_port *out)
{
	const struct conf_node *protocol;
	bool good;
	int res;

	if (!policy_is_map(r, map))
		return 0;
	res = policy_walk(r, map, policy_port_fields, NULL);
	if (res < 0)
		return res;
	protocol = policy_entry(map, "protocol");
	good = take_range(r, map, out);
	out->protocol = 0;
	return (!protocol || take_protocol(r, protocol, &out->protocol)) && good;
}

static int
take_list(struct policy_reader *r, const struct conf_node *list, struct policy_rule *part)
{
	if (list->n_entries > PORTS_MAX) {
		policy_error(r, list, "%zu ports: at most %d are possible, as in Cilium",
			     list->n_entries, PORTS_MAX);
		return 0;
	}
	if (!policy_room_for_parts(r, list, list->n_entries))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		struct policy_port *more = policy_grown(part->ports, part->n_ports, sizeof(*more));
		int res;

		if (!more)
			return -ENOMEM;
		part->ports = more;
		res = take_port(r, n, &more[part->n_ports]);
		if (res < 0)
			return res;
		part->n_ports += (size_t)res;
	}
	return 0;
}

static void check_dns_ports(struct policy_reader *r, const struct conf_node *dns,
			    const struct policy_rule *part)
{
	for (size_t i = 0; i < part->n_ports; i++) {
		const struct policy_port *p = &part->ports[i];

		if (p->first == PORT_DNS && p->last == PORT_DNS && p->protocol != IPPROTO_SCTP)
			continue;
		policy_error_key(r, dns, "goes with port 53 of TCP, UDP or ANY, and no other");
		return;
	}
}

/* The rules of an entry: its names, or NULL when there are none. */
static int
dns_of(struct policy_reader *r, const struct conf_node *entry, const struct conf_node **out)
{
	const struct conf_node *rules = policy_entry(entry, "rules");

	*out = NULL;
	if (!rules)
		return 0;
	*out = policy_entry(rules, "dns");
	return policy_walk(r, rules, policy_rules_fields, NULL);
}

static struct policy_rule *add_part(struct policy_parts *parts)
{
	struct policy_rule *more = policy_grown(parts->rules, parts->n, sizeof(*more));

	if (!more)
		return NULL;
	parts->rules = more;
	more[parts->n] = (struct policy_rule){0};
	return &more[parts->n++];
}

/* The part for ports without names: the first one that has none. */
static struct policy_rule *plain_part(struct policy_parts *parts)
{
	for (size_t i = 0; i < parts->n; i++) {
		if (!parts->rules[i].has_dns)
			return &parts->rules[i];
	}
	return add_part(parts);
}

static int
take_entry(struct policy_reader *r, const struct conf_node *map, struct policy_parts *parts)
{
	const struct conf_node *ports, *dns = NULL;
	struct policy_rule *part;
	int res;

	if (!policy_is_map(r, map))
		return 0;
	res = policy_walk(r, map, parts->deny ? policy_deny_ports_fields : policy_ports_fields,
			  NULL);
	if (res == 0 && !parts->deny)
		res = dns_of(r, map, &dns);
	ports = policy_entry(map, "ports");
	if (!ports || (ports->kind == CONF_LIST && !ports->n_entries)) {
		policy_error(r, map, "has no ports, and so allows nothing in Cilium: leave it out");
		return res;
	}
	if (res < 0 || !policy_is_list(r, ports))
		return res;
	part = dns ? add_part(parts) : plain_part(parts);
	if (!part)
		return -ENOMEM;
	part->has_dns = dns;
	res = take_list(r, ports, part);
	if (res < 0 || !dns)
		return res;
	check_dns_ports(r, dns, part);
	return policy_take_fqdns(r, dns, &part->dns, &part->n_dns);
}

int policy_take_ports(struct policy_reader *r, const struct conf_node *list,
		      struct policy_parts *parts)
{
	if (!policy_is_list(r, list) || !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = take_entry(r, n, parts);

		if (res < 0)
			return res;
	}
	return 0;
}
