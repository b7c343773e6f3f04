/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_rule.h"

#include <string.h>

#include "snooper/core/policy_ranges.h"

#define UDP	 17
#define UDP_LITE 136

static bool is_of(const struct snp_cidr *c, policy_address a)
{
	policy_address host =
		c->prefix ? ((policy_address)1 << (128 - c->prefix)) - 1 : ~(policy_address)0;

	return (a & ~host) == (policy_address_of(&c->addr) & ~host);
}

static bool cidr_holds(const struct policy_cidr *c, policy_address a)
{
	if (!is_of(&c->in, a) || (c->in.ipv6 && a >= POLICY_V4_FIRST && a <= POLICY_V4_LAST))
		return false;
	for (size_t i = 0; i < c->n_except; i++)
		if (is_of(&c->except[i], a))
			return false;
	return true;
}

static bool ports_hold(const struct policy_rule *rule, const struct snp_flow_to *to)
{
	if (!rule->n_ports || !to)
		return true;
	for (size_t i = 0; i < rule->n_ports && !to->no_ports; i++) {
		const struct policy_port *p = &rule->ports[i];
		uint8_t protocol = to->protocol == UDP_LITE ? UDP : to->protocol;

		if ((!p->protocol || p->protocol == protocol) && p->first <= to->port &&
		    to->port <= p->last)
			return true;
	}
	return false;
}

static bool is_host(const struct policy_asker *who, const struct snp_addr *addr)
{
	for (size_t i = 0; i < who->n_host; i++)
		if (!memcmp(&who->host[i], addr, sizeof(*addr)))
			return true;
	return false;
}

static const struct policy_place *place_in(const struct policy_rule *rule,
					   const struct policy_asker *who,
					   const struct snp_addr *addr)
{
	policy_address a = policy_address_of(addr);
	enum policy_entity side = is_host(who, addr) ? POLICY_HOST : POLICY_WORLD;

	if (rule->anywhere || rule->entities & (POLICY_ALL | side))
		return &rule->at;
	for (size_t i = 0; i < rule->n_cidrs; i++)
		if (cidr_holds(&rule->cidrs[i], a))
			return &rule->cidrs[i].at;
	return NULL;
}

static bool selects(const struct policy_spec *s, const struct policy_asker *who)
{
	return policy_selects(s, who->labels, who->n_labels);
}

const struct policy_place *
policy_rule_of_address(const struct policy *p, const struct policy_asker *who, bool deny,
		       const struct snp_addr *addr, const struct snp_flow_to *to)
{
	for (size_t i = 0; p && i < p->n_specs; i++) {
		const struct policy_spec *s = &p->specs[i];

		for (size_t j = 0; j < s->n_rules && selects(s, who); j++) {
			const struct policy_place *at = NULL;

			if (s->rules[j].deny == deny && ports_hold(&s->rules[j], to))
				at = place_in(&s->rules[j], who, addr);
			if (at)
				return at;
		}
	}
	return NULL;
}

const struct policy_place *
policy_rule_of_default(const struct policy *p, const struct policy_asker *who)
{
	for (size_t i = 0; p && i < p->n_specs; i++)
		if (p->specs[i].default_deny && selects(&p->specs[i], who))
			return &p->specs[i].at;
	return NULL;
}

void policy_rule_of_names(const struct policy *p, const struct policy_asker *who,
			  const struct snp_flow_to *to, policy_selector_fn visit, void *ctx)
{
	for (size_t i = 0; p && i < p->n_specs; i++) {
		const struct policy_spec *s = &p->specs[i];

		for (size_t j = 0; j < s->n_rules && selects(s, who); j++) {
			const struct policy_rule *rule = &s->rules[j];

			for (size_t k = 0; k < rule->n_fqdns && ports_hold(rule, to); k++)
				visit(ctx, &rule->fqdns[k]);
		}
	}
}
