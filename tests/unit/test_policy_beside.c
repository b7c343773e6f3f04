/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The first step from tables that an earlier snooperd made: what they allow stays, and names have both's identities. */
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
#include "snooper/core/policy_beside.h"

#define PLACE	 1 /* of the endpoint that both know */
#define STRANGER 2 /* of the one that only the next one knows */

/* The endpoints may reach one pattern, and ask for it. */
static struct policy *policy_of(const char *pattern)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct policy_rule *r = calloc(2, sizeof(*r));

	p->specs = calloc(1, sizeof(*p->specs));
	p->n_specs = 1;
	p->specs[0].rules = r;
	p->specs[0].n_rules = 1;
	p->specs[0].default_deny = true;
	r->fqdns = calloc(1, sizeof(*r->fqdns));
	r->fqdns[0].kind = POLICY_MATCH_PATTERN;
	r->fqdns[0].text = strdup(pattern);
	r->n_fqdns = 1;
	return p;
}

static const struct policy_endpoint endpoints[] = {{.number = PLACE}, {.number = STRANGER}};

static struct policy_made
make(struct policy_ids *ids, const char *pattern, uint32_t generation, size_t n_endpoints)
{
	struct policy *p = policy_of(pattern);
	struct policy_input in = {.policy = p,
				  .endpoints = endpoints,
				  .n_endpoints = n_endpoints,
				  .generation = generation};
	struct policy_refusal why = {.text = ""};
	struct policy_made m;

	assert_int_equal(policy_change_make(ids, NULL, &in, &m, &why), 0);
	policy_free(p);
	return m;
}

/* As they are found in the kernel: whole regions. */
static struct policy_earlier
earlier_of(const struct policy_made *m, enum policy_side side, const uint32_t *stranger)
{
	const struct snp_policy_head *head = snp_policy_head(m->tables[side]);
	struct policy_earlier was = {
		.tables = m->tables[side],
		.strangers = stranger,
		.n_strangers = stranger ? 1 : 0,
	};

	for (uint32_t i = 0; i < head->n_banks; i++) {
		const struct match_bank *b = i < m->automata.n_banks
						     ? &m->automata.banks[i]
						     : &m->beside.banks[i - m->automata.n_banks];

		was.banks[i] = calloc(1, SNP_REGION_BYTES);
		memcpy(was.banks[i], b->region, b->bytes);
	}
	return was;
}

/* A name's identities as the kernel finds them, by the side before. How many. */
static size_t identities(const struct policy_made *m, const char *name, uint32_t *out)
{
	const uint8_t *tables = m->tables[POLICY_BEFORE];
	struct match_tables all = {.n_banks = snp_policy_head(tables)->n_banks};
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t wire[256];
	int len = name_from_text(name, wire);
	size_t n = 0;

	for (size_t i = 0; i < all.n_banks; i++)
		all.banks[i] = i < m->automata.n_banks ? m->automata.banks[i]
						       : m->beside.banks[i - m->automata.n_banks];
	assert_int_equal(match_name(&all, wire, (size_t)len, index), 0);
	for (uint32_t i = 0; i < all.n_banks; i++)
		if (index[i] && snp_out_at(tables, i, index[i])->identity)
			out[n++] = snp_out_at(tables, i, index[i])->identity;
	return n;
}

/* May an endpoint reach what it learns by a name, once one of these tables is in force? */
static bool
allows(const struct policy_made *m, enum policy_side side, uint32_t endpoint, const char *name)
{
	const uint8_t *tables = m->tables[side];
	uint32_t class = snp_policy_class(tables, endpoint), ids[SNP_MATCH_BANKS];
	size_t n = identities(m, name, ids);

	if (!(snp_class_at(tables, class)->flags & SNP_CLASS_DEFAULT_DENY))
		return true;
	for (size_t i = 0; i < n; i++)
		if (snp_allowed(tables, class, ids[i]))
			return true;
	return false;
}

static void test_3_3_names_have_the_identities_of_both(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy_made a = make(ids, "*.one.test", 5, 1), b = make(a.ids, "x*.*.test", 7, 2);
	struct policy_earlier was = earlier_of(&a, POLICY_NEXT, NULL);
	uint32_t found[SNP_MATCH_BANKS];

	assert_int_equal(policy_beside(&b, &was, 6), 0);
	policy_earlier_fini(&was);
	assert_int_equal(snp_policy_head(b.tables[POLICY_BEFORE])->generation, 6);
	assert_int_equal(snp_policy_head(b.tables[POLICY_BEFORE])->n_banks, 2);
	assert_int_equal(b.beside.n_banks, 1);
	assert_int_equal(identities(&b, "xyz.one.test", found), 2);
	assert_int_equal(identities(&b, "xyz.two.test", found), 1);
	assert_int_equal(identities(&b, "abc.one.test", found), 1);
	assert_int_equal(identities(&b, "abc.two.test", found), 0);
	/* What the first one allows, as it did; of what was learned meanwhile the second finds its own. */
	assert_true(allows(&b, POLICY_BEFORE, PLACE, "abc.one.test"));
	assert_true(allows(&b, POLICY_BEFORE, PLACE, "xyz.one.test"));
	assert_false(allows(&b, POLICY_BEFORE, PLACE, "xyz.two.test"));
	assert_true(allows(&b, POLICY_NEXT, PLACE, "xyz.two.test"));
	assert_true(allows(&b, POLICY_NEXT, PLACE, "xyz.one.test"));
	assert_false(allows(&b, POLICY_NEXT, PLACE, "abc.one.test"));
	policy_made_fini(&a);
	policy_made_fini(&b);
	policy_ids_free(ids);
}

/* However often one starts with the same files, and dies before the second step. */
static void test_3_3_what_is_there_is_not_put_beside_itself(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy_made a = make(ids, "*.one.test", 5, 1),
			   was_made = make(a.ids, "x*.*.test", 7, 2);
	struct policy_earlier was = earlier_of(&a, POLICY_NEXT, NULL);

	assert_int_equal(policy_beside(&was_made, &was, 6), 0);
	policy_earlier_fini(&was);
	for (uint32_t i = 0; i < 2 * SNP_MATCH_BANKS; i++) {
		struct policy_made m = make(was_made.ids, "x*.*.test", 8 + 2 * i, 2);
		uint32_t found[SNP_MATCH_BANKS];

		was = earlier_of(&was_made, POLICY_BEFORE, NULL);
		assert_int_equal(policy_beside(&m, &was, 7 + 2 * i), 0);
		policy_earlier_fini(&was);
		assert_int_equal(snp_policy_head(m.tables[POLICY_BEFORE])->n_banks, 2);
		assert_int_equal(m.n_tables[POLICY_BEFORE], was_made.n_tables[POLICY_BEFORE]);
		assert_int_equal(identities(&m, "xyz.one.test", found), 2);
		assert_true(allows(&m, POLICY_BEFORE, PLACE, "abc.one.test"));
		policy_made_fini(&was_made);
		was_made = m;
	}
	policy_made_fini(&a);
	policy_made_fini(&was_made);
	policy_ids_free(ids);
}

static void test_3_3_a_stranger_may_do_nothing_until_it_is_known(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct policy_made a = make(ids, "*.one.test", 5, 1), b = make(a.ids, "*.one.test", 7, 2);
	const uint32_t stranger = STRANGER;
	struct policy_earlier was = earlier_of(&a, POLICY_NEXT, &stranger);
	const uint8_t *tables;
	uint32_t class;

	assert_int_equal(policy_beside(&b, &was, 6), 0);
	policy_earlier_fini(&was);
	tables = b.tables[POLICY_BEFORE];
	class = snp_policy_class(tables, STRANGER);
	assert_int_equal(snp_class_at(tables, class)->flags,
			 SNP_CLASS_DEFAULT_DENY | SNP_CLASS_DNS);
	assert_false(allows(&b, POLICY_BEFORE, STRANGER, "abc.one.test"));
	assert_true(allows(&b, POLICY_BEFORE, PLACE, "abc.one.test"));
	assert_true(allows(&b, POLICY_NEXT, STRANGER, "abc.one.test"));
	/* One that neither of them judges. */
	assert_int_equal(snp_policy_class(tables, 3), 0);
	policy_made_fini(&a);
	policy_made_fini(&b);
	policy_ids_free(ids);
}

static void test_3_3_more_banks_than_there_is_room_for_are_refused(void **state)
{
	static const char *const patterns[] = {"a*.test", "b*.test", "c*.test", "d*.test",
					       "e*.test"};
	struct policy_ids *ids = policy_ids_new();
	struct policy_made m = make(ids, patterns[0], 1, 1);

	for (uint32_t i = 1; i < 5; i++) {
		struct policy_made next = make(m.ids, patterns[i], 2 * i + 1, 1);
		struct policy_earlier was =
			earlier_of(&m, m.tables[POLICY_BEFORE] ? POLICY_BEFORE : POLICY_NEXT, NULL);

		assert_int_equal(policy_beside(&next, &was, 2 * i),
				 i < SNP_MATCH_BANKS ? 0 : -E2BIG);
		assert_int_equal(!next.tables[POLICY_BEFORE], i == SNP_MATCH_BANKS);
		policy_earlier_fini(&was);
		policy_made_fini(&m);
		m = next;
	}
	/* Tables that do not say how long they are: of a version before ours. */
	((struct snp_policy_head *)m.tables[POLICY_NEXT])->bytes = 0;
	{
		struct policy_made next = make(m.ids, "f*.test", 11, 1);
		struct policy_earlier was = earlier_of(&m, POLICY_NEXT, NULL);

		assert_int_equal(policy_beside(&next, &was, 10), -E2BIG);
		policy_earlier_fini(&was);
		policy_made_fini(&next);
	}
	policy_made_fini(&m);
	policy_ids_free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_names_have_the_identities_of_both),
		cmocka_unit_test(test_3_3_what_is_there_is_not_put_beside_itself),
		cmocka_unit_test(test_3_3_a_stranger_may_do_nothing_until_it_is_known),
		cmocka_unit_test(test_3_3_more_banks_than_there_is_room_for_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
