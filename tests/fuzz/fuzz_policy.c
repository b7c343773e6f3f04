/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_policy.c - any bytes as a file of policies: an answer, the promises of the headers kept, nothing leaked.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"
#include "snooper/io/policy_yaml.h"
#include "tests/fuzz/fuzz_diag.h"

static void check_place(const struct policy *p, const struct policy_place *at)
{
	require(at->file == p->files[0] && at->line > 0 && at->column > 0);
}

static void check_selectors(const struct policy *p, const struct policy_selector *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_place(p, &s[i].at);
		require(s[i].text[0] != '\0' && strcmp(s[i].text, ".") != 0);
		if (s[i].kind != POLICY_MATCH_REGEX)
			require(match_pattern_valid(s[i].text));
		if (s[i].kind == POLICY_MATCH_NAME)
			require(!strchr(s[i].text, '*'));
	}
}

static void check_prefix(const struct snp_cidr *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	int v4 = !memcmp(c->addr.b, mapped, sizeof(mapped));

	require(c->prefix <= 128 && (c->ipv6 || (v4 && c->prefix >= 96)));
	require(!c->ipv6 || !v4 || c->prefix < 96);
	for (unsigned int bit = c->prefix; bit < 128; bit++)
		require(!(c->addr.b[bit / 8] & (0x80 >> bit % 8)));
}

static void check_cidr(const struct policy *p, const struct policy_cidr *c)
{
	check_place(p, &c->at);
	check_prefix(&c->in);
	for (size_t i = 0; i < c->n_except; i++) {
		check_prefix(&c->except[i]);
		require(c->except[i].prefix >= c->in.prefix && c->except[i].ipv6 == c->in.ipv6);
	}
}

static void check_ports(const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *port = &rule->ports[i];

		require(port->first <= port->last);
		require(!port->protocol || port->protocol == IPPROTO_TCP ||
			port->protocol == IPPROTO_UDP || port->protocol == IPPROTO_SCTP);
		require(!rule->has_dns || (port->first == 53 && port->last == 53));
	}
	require(!rule->has_dns || (rule->n_dns && rule->n_ports));
	require(rule->has_dns || !rule->n_dns);
}

static void check_rule(const struct policy *p, const struct policy_rule *rule)
{
	int kinds = (rule->n_fqdns > 0) + (rule->n_cidrs > 0) + (rule->entities > 0) +
		    rule->resolvers + rule->anywhere;

	check_place(p, &rule->at);
	require(kinds <= 1);
	require(!rule->anywhere || rule->n_ports);
	require(!rule->resolvers || rule->has_dns);
	require(!rule->deny || (!rule->n_fqdns && !rule->has_dns && !rule->resolvers));
	check_selectors(p, rule->fqdns, rule->n_fqdns);
	check_selectors(p, rule->dns, rule->n_dns);
	for (size_t i = 0; i < rule->n_cidrs; i++)
		check_cidr(p, &rule->cidrs[i]);
	check_ports(rule);
}

static void check_spec(const struct policy *p, const struct policy_spec *s)
{
	static struct snp_label labels[] = {{"a", "b"}, {POLICY_NAMESPACE_LABEL, "n"}};

	check_place(p, &s->at);
	require(s->name[0] != '\0');
	require(!s->namespace || !strncmp(s->name, s->namespace, strlen(s->namespace)));
	for (size_t i = 0; i < s->n_selects; i++) {
		const struct policy_expression *e = &s->selects[i];

		require(e->key[0] && !strchr(e->key, ':'));
		require((e->op <= POLICY_NOT_IN) == (e->n_values > 0));
	}
	for (size_t i = 0; i < s->n_rules; i++)
		check_rule(p, &s->rules[i]);
	policy_selects(s, labels, 2);
	require(!s->n_selects ? policy_selects(s, labels, 1) : 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_diag diag = {0};
	struct policy *p = NULL;
	int r;

	r = policy_read_text("policy.yaml", (const char *)data, size, &p, &diag);
	require_diag(r, p != NULL, &diag);
	for (size_t i = 0; p && i < p->n_specs; i++)
		check_spec(p, &p->specs[i]);
	conf_diag_fini(&diag);
	policy_free(p);
	return 0;
}
