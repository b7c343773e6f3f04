/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The bounds of a policy's tables: what fits is found again, what does not is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/snp_policy_look.h"
#include "snooper/core/match_compile.h"
#include "tests/policy_model.h"

#define RANGES_MAX ((1u << SNP_RANGES_BITS) - 1)

/* A policy of one spec for all, and what is compiled from it. */
struct bound {
	struct policy policy;
	struct policy_spec specs[64];
	struct policy_endpoint endpoints[64];
	struct snp_label labels[64];
	char numbers[64][8];
	struct policy_ids *ids;
	uint8_t *tables;
};

static void *some(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	assert_non_null(p);
	return p;
}

/* n endpoints; the first spec is for all of them, those behind it for one each. */
static struct bound *bound_new(size_t n_rules, size_t n_endpoints)
{
	struct bound *b = some(1, sizeof(*b));

	b->ids = policy_ids_new();
	b->policy =
		(struct policy){.specs = b->specs, .n_specs = n_endpoints > 1 ? n_endpoints : 1};
	b->specs[0].rules = some(n_rules, sizeof(*b->specs[0].rules));
	b->specs[0].n_rules = n_rules;
	b->specs[0].default_deny = true;
	for (uint32_t i = 0; i < n_endpoints; i++) {
		snprintf(b->numbers[i], sizeof(b->numbers[i]), "%u", i);
		b->labels[i] = (struct snp_label){(char *)"number", b->numbers[i]};
		b->endpoints[i] = (struct policy_endpoint){
			.number = i + 1, .labels = &b->labels[i], .n_labels = 1};
	}
	for (uint32_t i = 1; i < n_endpoints; i++) {
		struct policy_expression *x = some(1, sizeof(*x));
		char **value = some(1, sizeof(*value));

		*value = strdup(b->numbers[i]);
		*x = (struct policy_expression){strdup("number"), POLICY_IN, value, 1};
		b->specs[i].selects = x;
		b->specs[i].n_selects = 1;
	}
	return b;
}

static int bound_compile(struct bound *b, size_t n_endpoints, const char **why)
{
	struct policy_names names = {.n = 0};
	struct match_tables automata;
	struct match_problems problems;
	struct policy_input in = {.policy = &b->policy,
				  .endpoints = b->endpoints,
				  .n_endpoints = n_endpoints,
				  .names = &names,
				  .automata = &automata};
	struct match_selector *s;
	uint8_t *tables = NULL;
	size_t len = 0;
	clock_t began;
	int e;

	assert_int_equal(policy_names_add(&names, b->ids, &b->policy, POLICY_NEXT), 0);
	s = some(names.n, sizeof(*s));
	for (size_t i = 0; i < names.n; i++)
		s[i] = (struct match_selector){names.at[i].kind, names.at[i].text};
	assert_int_equal(match_compile(s, names.n, &automata, &problems), 0);
	match_problems_fini(&problems);
	free(s);
	*why = NULL;
	began = clock();
	e = policy_compile(&in, b->ids, &tables, &len, why);
	print_message("%zu selectors, %zu endpoints, %zu bytes, %.0f ms: %s\n", names.n,
		      n_endpoints, len, (double)(clock() - began) * 1000 / CLOCKS_PER_SEC,
		      *why ? *why : "fits");
	if (!e) {
		assert_true(len <= SNP_REGION_BYTES);
		b->tables = some(1, SNP_REGION_BYTES);
		memcpy(b->tables, tables, len);
	}
	free(tables);
	policy_names_fini(&names);
	match_tables_fini(&automata);
	return e;
}

static void bound_free(struct bound *b)
{
	for (size_t i = 0; i < b->policy.n_specs; i++) {
		struct policy_spec *s = &b->specs[i];

		for (size_t k = 0; k < s->n_rules; k++)
			policy_rule_fini(&s->rules[k]);
		for (size_t k = 0; k < s->n_selects; k++) {
			free(s->selects[k].key);
			free(s->selects[k].values[0]);
			free(s->selects[k].values);
		}
		free(s->rules);
		free(s->selects);
	}
	policy_ids_free(b->ids);
	free(b->tables);
	free(b);
}

static void refused(struct bound *b, size_t n_endpoints, const char *want)
{
	const char *why;

	assert_int_equal(bound_compile(b, n_endpoints, &why), -E2BIG);
	assert_non_null(why);
	if (!strstr(why, want))
		fail_msg("'%s' has nothing of '%s'", why, want);
	bound_free(b);
}

static void add_ports(struct policy_rule *r, uint32_t first, uint32_t step, uint32_t n)
{
	r->ports = some(n, sizeof(*r->ports));
	for (; r->n_ports < n; r->n_ports++, first += step)
		r->ports[r->n_ports] = (struct policy_port){6, first, first};
}

static void add_name(struct policy_rule *r, const char *name)
{
	r->fqdns = some(1, sizeof(*r->fqdns));
	r->fqdns[r->n_fqdns++] = (struct policy_selector){.text = strdup(name)};
}

/* n single addresses, every other one: 2 n + 1 ranges. */
static void add_cidrs(struct policy_rule *r, uint32_t n, bool ipv6)
{
	r->cidrs = some(n, sizeof(*r->cidrs));
	for (; r->n_cidrs < n; r->n_cidrs++) {
		struct snp_cidr *c = &r->cidrs[r->n_cidrs].in;
		uint32_t low = htobe32(0x0a000001 + 2 * r->n_cidrs);

		*c = (struct snp_cidr){.prefix = 128, .ipv6 = ipv6};
		if (ipv6)
			c->addr.b[0] = 0x20;
		else
			c->addr.b[10] = c->addr.b[11] = 0xff;
		memcpy(c->addr.b + 12, &low, 4);
	}
}

static void test_3_1_too_many_runs_of_ports(void **state)
{
	/* In one rule, */
	struct bound *b = bound_new(1, 1);

	b->specs[0].rules[0].anywhere = true;
	add_ports(&b->specs[0].rules[0], 2, 2, 256);
	refused(b, 1, "255");
	/* ... in what two of them allow a name, */
	b = bound_new(2, 1);
	for (uint32_t i = 0; i < 2; i++) {
		add_name(&b->specs[0].rules[i], "a.example");
		add_ports(&b->specs[0].rules[i], 2 + 1000 * i, 2, 200);
	}
	refused(b, 1, "255");
	/* ... or two selectors, */
	b = bound_new(2, 1);
	for (uint32_t i = 0; i < 2; i++) {
		add_name(&b->specs[0].rules[i], i ? "a.example" : "A.example");
		add_ports(&b->specs[0].rules[i], 2 + 1000 * i, 2, 200);
	}
	refused(b, 1, "255");
	/* ... or where two prefixes meet. */
	b = bound_new(2, 1);
	for (uint32_t i = 0; i < 2; i++) {
		add_cidrs(&b->specs[0].rules[i], 1, false);
		add_ports(&b->specs[0].rules[i], 2 + 1000 * i, 2, 200);
	}
	refused(b, 1, "255");
}

static void test_3_1_too_many_sets_of_ports(void **state)
{
	struct bound *b = bound_new(65536, 1);

	for (uint32_t i = 0; i < 65536; i++)
		add_ports(&b->specs[0].rules[i], i, 1, 1);
	refused(b, 1, "65,535");
}

/* No identity is left for what the names match. */
static void test_3_1_too_many_identities(void **state)
{
	static const uint32_t last[] = {0x6b657074u, 1, 0, SNP_IDENTITY_MAX + 1, 0};
	struct bound *b = bound_new(1, 1);

	add_name(&b->specs[0].rules[0], "a.example");
	assert_int_equal(policy_ids_load(b->ids, (const uint8_t *)last, sizeof(last)), 0);
	refused(b, 1, "4,194,303");
}

/* At the ends, and in the middle, of the most ranges there can be. */
static void check_ranges(const struct bound *b, uint32_t n, bool ipv6)
{
	static const uint32_t at[] = {0, 1, 2, 3, 32767, 32768, 65533, 65534};
	const struct snp_class *c = snp_class_at(b->tables, snp_policy_class(b->tables, 1));

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		for (uint32_t odd = 0; odd < 2; odd++) {
			struct snp_flow_to to = {.protocol = 6};
			uint32_t low = htobe32(0x0a000000 + 2 * at[i] + odd);

			memcpy(to.addr.b + 12, &low, 4);
			to.addr.b[0] = ipv6 ? 0x20 : 0;
			to.addr.b[10] = to.addr.b[11] = ipv6 ? 0 : 0xff;
			assert_int_equal(
				snp_ports_hold(b->tables,
					       snp_class_sets(b->tables, c, &to.addr) >> 16, &to),
				odd && at[i] < n);
		}
}

static void test_3_1_as_many_ranges_as_there_can_be(void **state)
{
	struct bound *b = bound_new(1, 1);
	const char *why;

	add_cidrs(&b->specs[0].rules[0], RANGES_MAX / 2, false);
	assert_int_equal(bound_compile(b, 1, &why), 0);
	check_ranges(b, RANGES_MAX / 2, false);
	bound_free(b);
	/* Of IPv6 the tables are full before. */
	b = bound_new(1, 1);
	add_cidrs(&b->specs[0].rules[0], RANGES_MAX / 2 - 1000, true);
	assert_int_equal(bound_compile(b, 1, &why), 0);
	check_ranges(b, RANGES_MAX / 2 - 1000, true);
	bound_free(b);
}

/* 20,000 prefixes for everybody; the others have a name each, or an address. */
static struct bound *shared_cidrs(uint32_t n, bool address)
{
	struct bound *b = bound_new(1, n);

	add_cidrs(&b->specs[0].rules[0], 20000, false);
	for (uint32_t i = 1; i < n; i++) {
		b->specs[i].rules = some(1, sizeof(*b->specs[i].rules));
		b->specs[i].n_rules = 1;
		add_ports(b->specs[i].rules, i, 1, 1);
		if (address) {
			add_cidrs(b->specs[i].rules, 1, false);
			b->specs[i].rules->cidrs->in.addr.b[12] = 192;
		} else
			add_name(b->specs[i].rules, "own.example");
	}
	return b;
}

static void test_3_1_classes_that_differ_in_names_share_their_ranges(void **state)
{
	struct bound *b = shared_cidrs(60, false);
	const struct snp_class *first, *last;
	const char *why;

	assert_int_equal(bound_compile(b, 60, &why), 0);
	check_ranges(b, 20000, false);
	first = snp_class_at(b->tables, snp_policy_class(b->tables, 1));
	last = snp_class_at(b->tables, snp_policy_class(b->tables, 60));
	assert_ptr_not_equal(first, last);
	assert_int_equal(first->n4, 40001);
	assert_int_equal(first->at4, last->at4);
	assert_int_equal(first->at6, last->at6);
	bound_free(b);
}

static void test_3_1_too_many_ranges(void **state)
{
	struct bound *b = bound_new(1, 1);

	add_cidrs(&b->specs[0].rules[0], RANGES_MAX / 2 + 1, false);
	refused(b, 1, "131,071");
	/* Of many classes, each has what would fit alone. */
	b = shared_cidrs(40, true);
	refused(b, 40, "4 MiB");
}

/* The sets of 1 to n: all of them can be allowed, as identities that were once given. */
static void add_subsets(struct policy_ids *ids, const uint32_t *selectors, uint32_t n)
{
	for (uint32_t bits = 1; bits <= n; bits++) {
		uint32_t set[32], len = 0;

		for (uint32_t k = 0; bits >> k; k++)
			if (bits >> k & 1)
				set[len++] = selectors[k];
		assert_int_equal(policy_ids_identity(ids, set, len), bits);
	}
}

static struct bound *with_identities(uint32_t n)
{
	struct bound *b = bound_new(17, 1);
	uint32_t selectors[17];
	char name[32];

	for (uint32_t i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		add_name(&b->specs[0].rules[i], name);
		selectors[i] = policy_ids_selector(b->ids, POLICY_MATCH_NAME, name);
	}
	add_subsets(b->ids, selectors, n);
	return b;
}

static void test_3_3_the_table_of_identities_is_filled_to_three_quarters(void **state)
{
	enum { MOST = 98000 }; /* of 131,072 */
	struct bound *b = with_identities(MOST);
	const char *why;

	assert_int_equal(bound_compile(b, 1, &why), 0);
	assert_int_equal(snp_policy_head(b->tables)->allow_mask, 131071);
	for (uint32_t i = 1; i < policy_ids_end(b->ids); i++)
		assert_int_not_equal(snp_allowed(b->tables, snp_policy_class(b->tables, 1), i), 0);
	assert_int_equal(snp_allowed(b->tables, 1, policy_ids_end(b->ids)), 0);
	assert_int_equal(snp_allowed(b->tables, 2, 1), 0);
	bound_free(b);
	refused(with_identities(131071), 1, "4 MiB");
}

/* 10,000 selectors for everybody, and 50 endpoints with a rule of their own. */
static void test_3_3_ten_thousand_selectors_in_fifty_classes(void **state)
{
	struct bound *b = bound_new(1, 50);
	struct policy_rule *r = &b->specs[0].rules[0];
	const char *why;
	char name[64];

	r->fqdns = some(10000, sizeof(*r->fqdns));
	for (; r->n_fqdns < 10000; r->n_fqdns++) {
		snprintf(name, sizeof(name), "%sservice-%zu.example.com",
			 r->n_fqdns % 2 ? "*." : "", r->n_fqdns);
		r->fqdns[r->n_fqdns] = (struct policy_selector){
			.kind = r->n_fqdns % 2 ? POLICY_MATCH_PATTERN : POLICY_MATCH_NAME,
			.text = strdup(name)};
	}
	for (uint32_t i = 1; i < 50; i++) {
		b->specs[i].rules = some(1, sizeof(*r));
		b->specs[i].n_rules = 1;
		add_name(b->specs[i].rules, "own.example");
		add_ports(b->specs[i].rules, i, 1, 1);
	}
	assert_int_equal(bound_compile(b, 50, &why), 0);
	for (uint32_t endpoint = 1; endpoint <= 50; endpoint++) {
		uint32_t class = snp_policy_class(b->tables, endpoint), n = 0;

		for (uint32_t i = 1; i < policy_ids_end(b->ids); i++)
			n += snp_allowed(b->tables, class, i) != 0;
		assert_int_equal(n, endpoint == 1 ? 10000 : 10001);
	}
	bound_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_too_many_runs_of_ports),
		cmocka_unit_test(test_3_1_too_many_sets_of_ports),
		cmocka_unit_test(test_3_1_too_many_identities),
		cmocka_unit_test(test_3_1_as_many_ranges_as_there_can_be),
		cmocka_unit_test(test_3_1_classes_that_differ_in_names_share_their_ranges),
		cmocka_unit_test(test_3_1_too_many_ranges),
		cmocka_unit_test(test_3_3_the_table_of_identities_is_filled_to_three_quarters),
		cmocka_unit_test(test_3_3_ten_thousand_selectors_in_fifty_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
