/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From one policy to the next: what both sides' tables say, which numbers stay, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/core/name.h"
#include "snooper/core/policy_change.h"

/* One endpoint, 1, that is allowed n names: PREFIX0SUFFIX, PREFIX1SUFFIX ... */
static struct policy *policy_of(const char *prefix, size_t n, const char *suffix)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct policy_rule *r = calloc(1, sizeof(*r));

	p->specs = calloc(1, sizeof(*p->specs));
	p->n_specs = 1;
	p->specs[0].rules = r;
	p->specs[0].n_rules = 1;
	p->specs[0].default_deny = true;
	r->fqdns = calloc(n, sizeof(*r->fqdns));
	for (; r->n_fqdns < n; r->n_fqdns++)
		assert_true(asprintf(&r->fqdns[r->n_fqdns].text, "%s%zu%s", prefix, r->n_fqdns,
				     suffix) > 0);
	return p;
}

static const struct policy_endpoint endpoint = {.number = 1};

static struct policy_input input_of(const struct policy *p, uint32_t generation)
{
	return (struct policy_input){
		.policy = p, .endpoints = &endpoint, .n_endpoints = 1, .generation = generation};
}

/* What a name gives out, and whether that is allowed, by the tables of a side. */
static uint32_t identity_of(const struct policy_made *m, enum policy_side side, const char *name)
{
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t wire[256];
	int len = name_from_text(name, wire);

	assert_int_equal(match_name(&m->automata, wire, (size_t)len, index), 0);
	return index[0] ? snp_out_at(m->tables[side], 0, index[0])->identity : 0;
}

static bool allows(const struct policy_made *m, enum policy_side side, const char *name)
{
	uint32_t identity = identity_of(m, side, name);
	const uint8_t *tables = m->tables[side];

	return identity && snp_allowed(tables, snp_policy_class(tables, 1), identity);
}

static struct policy_made
change(struct policy_ids *ids, const struct policy *before, const struct policy *next)
{
	struct policy_input a = input_of(before, 6), b = input_of(next, 7);
	struct policy_refusal why = {.text = ""};
	struct policy_made m;

	assert_int_equal(policy_change_make(ids, before ? &a : NULL, &b, &m, &why), 0);
	return m;
}

static void test_3_3_each_side_allows_what_its_policy_does(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy *a = policy_of("a", 3, ".test"), *b = policy_of("b", 2, ".test");
	struct policy_made m = change(ids, a, b);

	assert_int_equal(m.names.of[POLICY_BEFORE], 3);
	assert_int_equal(m.names.of[POLICY_NEXT], 2);
	assert_int_equal(snp_policy_head(m.tables[POLICY_BEFORE])->generation, 6);
	assert_int_equal(snp_policy_head(m.tables[POLICY_NEXT])->generation, 7);
	assert_true(allows(&m, POLICY_BEFORE, "a1.test") && !allows(&m, POLICY_BEFORE, "b1.test"));
	assert_true(allows(&m, POLICY_NEXT, "b1.test") && !allows(&m, POLICY_NEXT, "a1.test"));
	/* A name is the same to both, whoever allows it. */
	assert_int_equal(identity_of(&m, POLICY_BEFORE, "b1.test"),
			 identity_of(&m, POLICY_NEXT, "b1.test"));
	/* What was given is as it was: others read it. */
	assert_int_equal(policy_ids_size(ids).selectors, 0);
	policy_made_fini(&m);
	policy_ids_free(ids);
	policy_free(a);
	policy_free(b);
}

static void test_3_3_the_first_one_has_no_side_before(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy *a = policy_of("a", 3, ".test");
	struct policy_made m = change(ids, NULL, a);

	assert_null(m.tables[POLICY_BEFORE]);
	assert_true(allows(&m, POLICY_NEXT, "a2.test"));
	policy_made_fini(&m);
	policy_ids_free(ids);
	policy_free(a);
}

/* Withdrawn or not: two that take turns spend no more numbers than both have names. */
static void test_3_3_policies_that_take_turns_spend_no_numbers(void **state)
{
	struct policy *p[] = {policy_of("a", 50, ".test"), policy_of("b", 50, ".test"),
			      policy_of("c", 50, ".test")};
	struct policy_ids *ids = policy_ids_new();
	struct policy_made was = {.ids = ids}, m;
	uint32_t first[3] = {0}, end = 0;

	for (size_t i = 0; i < 60; i++) {
		const char *const name[] = {"a7.test", "b7.test", "c7.test"};
		uint32_t identity;

		/* Three of one, then three of the next: the third is no part of the step. */
		m = change(was.ids, i ? p[(i - 1) / 3 % 3] : NULL, p[i / 3 % 3]);
		identity = identity_of(&m, POLICY_NEXT, name[i / 3 % 3]);
		if (!first[i / 3 % 3])
			first[i / 3 % 3] = identity;
		assert_int_equal(identity, first[i / 3 % 3]);
		if (i == 9)
			end = policy_ids_end(m.ids);
		policy_made_fini(&was);
		was = m;
	}
	assert_int_equal(policy_ids_end(was.ids), end);
	assert_int_equal(end, 151);
	policy_made_fini(&was);
	for (size_t i = 0; i < 3; i++)
		policy_free(p[i]);
}

#define LONG ".of-some-length-so-that-few-of-them-fill-all-that-there-is.example.com"

/* Where there is no room for all, who is withdrawn goes; who comes back has other numbers. */
static void test_3_3_withdrawn_selectors_make_room(void **state)
{
	struct policy *a = policy_of("a", 30000, LONG), *b = policy_of("b", 30000, LONG);
	struct policy *none = policy_of("c", 1, ".test");
	struct policy_ids *ids = policy_ids_new();
	struct policy_made one = change(ids, NULL, a), two = change(one.ids, a, none), three, four;

	assert_int_equal(policy_ids_size(two.ids).selectors, 30001);
	three = change(two.ids, none, b);
	assert_int_equal(policy_ids_size(three.ids).selectors, 30001);
	assert_true(policy_ids_size(three.ids).bytes <= POLICY_IDS_BYTES);
	four = change(three.ids, b, none);
	assert_true(allows(&four, POLICY_BEFORE, "b5" LONG) &&
		    !allows(&four, POLICY_NEXT, "b5" LONG));
	assert_int_equal(identity_of(&four, POLICY_NEXT, "b5" LONG),
			 identity_of(&three, POLICY_NEXT, "b5" LONG));
	policy_made_fini(&one);
	policy_made_fini(&two);
	policy_made_fini(&three);
	policy_made_fini(&four);
	policy_ids_free(ids);
	policy_free(a);
	policy_free(b);
	policy_free(none);
}

/* Each fits, both do not: the next one comes without the step between. */
static void test_3_3_two_that_do_not_fit_together_are_swapped_at_once(void **state)
{
	struct policy *a = policy_of("a", 30000, LONG), *b = policy_of("b", 30000, LONG);
	struct policy_ids *ids = policy_ids_new();
	struct policy_made one = change(ids, NULL, a), two = change(one.ids, a, b);

	assert_null(two.tables[POLICY_BEFORE]);
	assert_int_equal(two.names.of[POLICY_BEFORE], 0);
	assert_true(allows(&two, POLICY_NEXT, "b5" LONG) && !allows(&two, POLICY_NEXT, "a5" LONG));
	policy_made_fini(&one);
	policy_made_fini(&two);
	policy_ids_free(ids);
	policy_free(a);
	policy_free(b);
}

static void test_3_3_more_than_is_kept_is_refused_by_its_number(void **state)
{
	struct policy *a = policy_of("a", 45000, LONG), *b = policy_of("b", 3, ".test");
	struct policy_input before = input_of(b, 1), next = input_of(a, 2);
	struct policy_ids *ids = policy_ids_new();
	struct policy_refusal why = {.text = ""};
	struct policy_made m = {.ids = NULL};

	assert_int_equal(policy_change_make(ids, &before, &next, &m, &why), -E2BIG);
	print_message("%s\n", why.text);
	assert_non_null(strstr(why.text, "kept over a restart: 45000, and the 45000 sets"));
	assert_non_null(strstr(why.text, "of 4194300"));
	assert_null(m.ids);
	policy_ids_free(ids);
	policy_free(a);
	policy_free(b);
}

/* One name in a thousand spellings: each is a selector of its own, and all match it. */
static void test_3_3_a_name_may_match_any_number_of_selectors(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy *a = policy_of("", 1024, "");
	struct policy_made m;
	size_t n = 0;

	for (unsigned int i = 0; i < 1024; i++) {
		char text[] = "abcdefghij.test";

		for (unsigned int bit = 0; bit < 10; bit++)
			text[bit] -= i >> bit & 1 ? 'a' - 'A' : 0;
		free(a->specs[0].rules[0].fqdns[i].text);
		a->specs[0].rules[0].fqdns[i].text = strdup(text);
	}
	m = change(ids, NULL, a);
	assert_non_null(policy_ids_set(m.ids, identity_of(&m, POLICY_NEXT, "abcdefghij.test"), &n));
	assert_int_equal(n, 1024);
	assert_true(allows(&m, POLICY_NEXT, "abcdefghij.test"));
	policy_made_fini(&m);
	policy_ids_free(ids);
	policy_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_each_side_allows_what_its_policy_does),
		cmocka_unit_test(test_3_3_the_first_one_has_no_side_before),
		cmocka_unit_test(test_3_3_policies_that_take_turns_spend_no_numbers),
		cmocka_unit_test(test_3_3_withdrawn_selectors_make_room),
		cmocka_unit_test(test_3_3_two_that_do_not_fit_together_are_swapped_at_once),
		cmocka_unit_test(test_3_3_more_than_is_kept_is_refused_by_its_number),
		cmocka_unit_test(test_3_3_a_name_may_match_any_number_of_selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
