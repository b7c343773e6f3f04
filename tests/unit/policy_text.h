/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_text.h - a policy as text to compare, and rows of {YAML, what is said, what is read}.
 *
 * A line for each spec: name, namespace, whether it denies by default, whom it
 * selects. Below it a line for each rule: allow or deny, destination, ports, names.
 * Include behind cmocka.h.
 */
#ifndef SNP_TEST_POLICY_TEXT_H
#define SNP_TEST_POLICY_TEXT_H

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_value.h"
#include "snooper/io/policy_yaml.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The three lines before a spec, and a spec that selects everybody: egress stands on line 6. */
#define HEAD "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n"
#define SPEC HEAD "spec:\n  endpointSelector: {}\n"

struct text {
	char buf[65536];
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	t->used += (size_t)vsnprintf(t->buf + t->used, sizeof(t->buf) - t->used, format, ap);
	va_end(ap);
	assert_true(t->used < sizeof(t->buf));
}

static void put_expression(struct text *t, const struct policy_expression *e)
{
	static const char *const ops[] = {"in", "not in", "exists", "absent"};

	put(t, " %s %s", e->key, ops[e->op]);
	for (size_t i = 0; i < e->n_values; i++)
		put(t, "%s%s", i ? "," : " ", e->values[i]);
	put(t, ";");
}

static void put_selectors(struct text *t, const struct policy_selector *s, size_t n)
{
	static const char *const kinds[] = {"", "pattern ", "regex "};

	for (size_t i = 0; i < n; i++)
		put(t, " %s%s", kinds[s[i].kind], s[i].text);
}

static void put_cidr(struct text *t, const struct snp_cidr *c)
{
	char addr[CONF_ADDR_TEXT];

	put(t, "%s/%u", conf_addr_text(&c->addr, addr), c->ipv6 ? c->prefix : c->prefix - 96u);
}

static void put_destination(struct text *t, const struct policy_rule *rule)
{
	if (rule->anywhere)
		put(t, " anywhere");
	put_selectors(t, rule->fqdns, rule->n_fqdns);
	for (size_t i = 0; i < rule->n_cidrs; i++) {
		put(t, " ");
		put_cidr(t, &rule->cidrs[i].in);
		for (size_t j = 0; j < rule->cidrs[i].n_except; j++) {
			put(t, "-");
			put_cidr(t, &rule->cidrs[i].except[j]);
		}
	}
	put(t, "%s%s%s", rule->entities & POLICY_WORLD ? " world" : "",
	    rule->entities & POLICY_ALL ? " all" : "", rule->entities & POLICY_HOST ? " host" : "");
	put(t, "%s", rule->resolvers ? " resolvers" : "");
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return protocol ? "?" : "any";
	}
}

static void put_rule(struct text *t, const struct policy_rule *rule)
{
	put(t, "  %s", rule->deny ? "deny" : "allow");
	put_destination(t, rule);
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *p = &rule->ports[i];

		put(t, " %s:%u", protocol_name(p->protocol), p->first);
		if (p->last != p->first)
			put(t, "-%u", p->last);
	}
	if (rule->has_dns)
		put(t, " dns");
	put_selectors(t, rule->dns, rule->n_dns);
	put(t, "\n");
}

static void put_policy(struct text *t, const struct policy *p)
{
	t->used = 0;
	t->buf[0] = '\0';
	for (size_t i = 0; i < p->n_specs; i++) {
		const struct policy_spec *s = &p->specs[i];

		put(t, "%s%s%s%s:", s->name, s->namespace ? " of " : "",
		    s->namespace ? s->namespace : "", s->default_deny ? " denies" : "");
		for (size_t j = 0; j < s->n_selects; j++)
			put_expression(t, &s->selects[j]);
		put(t, "\n");
		for (size_t j = 0; j < s->n_rules; j++)
			put_rule(t, &s->rules[j]);
	}
}

struct row {
	const char *yaml;
	const char *said; /* every line without its "f:"; NULL: nothing */
	const char *read; /* NULL: refused */
};

/* "f:" before every line of expected. */
static void check_said(const char *got, const char *expected)
{
	static struct text all;

	all.used = 0;
	all.buf[0] = '\0';
	for (const char *p = expected ? expected : ""; *p;) {
		size_t len = strcspn(p, "\n");

		put(&all, "f:%.*s\n", (int)len, p);
		p += len + (p[len] == '\n');
	}
	assert_string_equal(got ? got : "", all.buf);
}

static void check_row(const struct row *row)
{
	static struct text got;
	struct conf_diag d = {0};
	struct policy *p = NULL;
	int r = policy_read_text("f", row->yaml, strlen(row->yaml), &p, &d);

	print_message("--- %s\n", row->yaml);
	check_said(d.text, row->said);
	assert_int_equal(r, row->read ? 0 : -EINVAL);
	assert_int_equal(p == NULL, r < 0);
	if (p) {
		put_policy(&got, p);
		assert_string_equal(got.buf, row->read);
	}
	conf_diag_fini(&d);
	policy_free(p);
}

static inline void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i]);
}

#endif
