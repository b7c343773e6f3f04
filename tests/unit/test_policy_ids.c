/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy.h"
#include "snooper/core/policy_ids.h"

#define NAME	POLICY_MATCH_NAME
#define PATTERN POLICY_MATCH_PATTERN
#define MAGIC	0x6b657074u

static void check_text(const struct policy_ids *ids, uint32_t number, enum policy_selector_kind k,
		       const char *text)
{
	enum policy_selector_kind kind;

	assert_string_equal(policy_ids_text(ids, number, &kind), text);
	assert_int_equal(kind, k);
}

static void
check_set(const struct policy_ids *ids, uint32_t identity, const uint32_t *want, size_t n_want)
{
	size_t n;
	const uint32_t *set = policy_ids_set(ids, identity, &n);

	assert_int_equal(n, n_want);
	assert_memory_equal(set, want, n * sizeof(*want));
}

static bool keep_odd(void *ctx, uint32_t selector)
{
	return selector % 2;
}

static bool keep_none(void *ctx, uint32_t selector)
{
	return false;
}

/* a.b, a.b as a pattern, *.c; {1}, {1, 3}, {2} */
static struct policy_ids *some_ids(void)
{
	struct policy_ids *ids = policy_ids_new();

	assert_int_equal(policy_ids_selector(ids, NAME, "a.b"), 1);
	assert_int_equal(policy_ids_selector(ids, PATTERN, "a.b"), 2);
	assert_int_equal(policy_ids_selector(ids, PATTERN, "*.c"), 3);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){1}, 1), 1);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){1, 3}, 2), 2);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){2}, 1), 3);
	return ids;
}

static void test_3_3_a_number_stands_for_one_thing(void **state)
{
	struct policy_ids *ids = some_ids();
	size_t n = 7;

	assert_int_equal(policy_ids_selector(ids, PATTERN, "a.b"), 2);
	assert_int_equal(policy_ids_selector(ids, NAME, "A.b"), 4);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){1, 3}, 2), 2);
	assert_int_equal(policy_ids_end(ids), 4);
	check_text(ids, 1, NAME, "a.b");
	check_text(ids, 2, PATTERN, "a.b");
	check_set(ids, 2, (uint32_t[]){1, 3}, 2);
	assert_null(policy_ids_text(ids, 5, NULL));
	assert_null(policy_ids_set(ids, 4, &n));
	assert_int_equal(n, 0);
	policy_ids_free(ids);
	policy_ids_free(NULL);
}

static void test_3_3_what_is_trimmed_comes_back_under_another_number(void **state)
{
	struct policy_ids *ids = some_ids();
	size_t n;

	policy_ids_trim(ids, keep_odd, NULL);
	assert_null(policy_ids_text(ids, 2, NULL));
	assert_null(policy_ids_set(ids, 3, &n)); /* of selector 2 alone */
	check_set(ids, 2, (uint32_t[]){1, 3}, 2);
	assert_int_equal(policy_ids_selector(ids, PATTERN, "a.b"), 4);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){4}, 1), 4);
	policy_ids_trim(ids, keep_none, NULL);
	for (uint32_t i = 0; i < 5; i++) {
		assert_null(policy_ids_text(ids, i, NULL));
		assert_null(policy_ids_set(ids, i, &n));
	}
	assert_int_equal(policy_ids_end(ids), 5);
	assert_int_equal(policy_ids_selector(ids, NAME, "a.b"), 5);
	policy_ids_free(ids);
}

/* An identity of which one selector stays is kept whole: what it stands for does not change. */
static void test_3_3_an_identity_is_kept_whole(void **state)
{
	struct policy_ids *ids = some_ids();

	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){2, 3}, 2), 4);
	policy_ids_trim(ids, keep_odd, NULL);
	check_set(ids, 4, (uint32_t[]){2, 3}, 2);
	policy_ids_free(ids);
}

static struct policy_ids *saved_and_loaded(const struct policy_ids *ids)
{
	struct policy_ids *back = policy_ids_new();
	uint8_t *bytes = NULL;
	size_t len = 0;

	assert_int_equal(policy_ids_save(ids, &bytes, &len), 0);
	assert_int_equal(policy_ids_load(back, bytes, len), 0);
	free(bytes);
	return back;
}

static void test_3_3_numbers_outlive_the_daemon(void **state)
{
	struct policy_ids *ids = some_ids(), *back, *again;
	uint8_t *a = NULL, *b = NULL;
	size_t n_a, n_b;

	policy_ids_trim(ids, keep_odd, NULL);
	back = saved_and_loaded(ids);
	check_text(back, 1, NAME, "a.b");
	check_text(back, 3, PATTERN, "*.c");
	assert_null(policy_ids_text(back, 2, NULL));
	check_set(back, 2, (uint32_t[]){1, 3}, 2);
	assert_int_equal(policy_ids_end(back), 4);
	/* Also the numbers that were dropped last are not given again. */
	policy_ids_trim(back, keep_none, NULL);
	again = saved_and_loaded(back);
	assert_int_equal(policy_ids_selector(again, NAME, "a.b"), 4);
	assert_int_equal(policy_ids_identity(again, (uint32_t[]){4}, 1), 4);
	/* The same state is the same bytes. */
	assert_int_equal(policy_ids_save(again, &a, &n_a), 0);
	policy_ids_free(back);
	back = saved_and_loaded(again);
	assert_int_equal(policy_ids_save(back, &b, &n_b), 0);
	assert_int_equal(n_a, n_b);
	assert_memory_equal(a, b, n_a);
	free(a);
	free(b);
	policy_ids_free(ids);
	policy_ids_free(back);
	policy_ids_free(again);
}

struct row {
	const char *what;
	size_t n;
	uint32_t words[16];
};

/* Selector 1 is the name "ab", 2 "cd": its kind, the text, a zero. */
#define AB 1, 4, 0x00626100u
#define CD 2, 4, 0x00646300u

static const struct row refused[] = {
	{"nothing", 0, {0}},
	{"another magic", 5, {MAGIC + 1, 1, 0, 1, 0}},
	{"no tables", 1, {MAGIC}},
	{"no identities", 3, {MAGIC, 1, 0}},
	{"more selectors than there are", 5, {MAGIC, 3, 2, AB}},
	{"more than memory", 6, {MAGIC, 3, UINT32_MAX, AB}},
	{"a selector longer than the bytes", 6, {MAGIC, 2, 1, 1, UINT32_MAX, 0x00626100u}},
	{"a number that was not given yet", 8, {MAGIC, 1, 1, AB, 1, 0}},
	{"number 0", 8, {MAGIC, 2, 1, 0, 4, 0x00626100u, 1, 0}},
	{"more numbers than possible", 5, {MAGIC, (1u << 22) + 2, 0, 1, 0}},
	{"more identities than possible", 5, {MAGIC, 1, 0, SNP_IDENTITY_MAX + 2, 0}},
	{"a number twice", 11, {MAGIC, 3, 2, AB, 1, 4, 0x00646300u, 1, 0}},
	{"a selector twice", 11, {MAGIC, 3, 2, AB, 2, 4, 0x00626100u, 1, 0}},
	{"a selector of no kind", 8, {MAGIC, 2, 1, 1, 4, 0x00626103u, 1, 0}},
	{"a selector without its zero", 8, {MAGIC, 2, 1, 1, 4, 0x63626100u, 1, 0}},
	{"a selector with a zero inside", 8, {MAGIC, 2, 1, 1, 4, 0x00006100u, 1, 0}},
	{"a selector without a text", 7, {MAGIC, 2, 1, 1, 0, 1, 0}},
	{"an identity of nothing", 10, {MAGIC, 2, 1, AB, 2, 1, 1, 0}},
	{"an identity of half a number", 11, {MAGIC, 2, 1, AB, 2, 1, 1, 2, 1}},
	{"an identity of selector 0", 11, {MAGIC, 2, 1, AB, 2, 1, 1, 4, 0}},
	{"an identity of no selector", 11, {MAGIC, 2, 1, AB, 2, 1, 1, 4, 2}},
	{"an identity unsorted", 15, {MAGIC, 3, 2, AB, CD, 2, 1, 1, 8, 2, 1}},
	{"an identity with one twice", 15, {MAGIC, 3, 2, AB, CD, 2, 1, 1, 8, 1, 1}},
};

static void test_3_3_bytes_that_nobody_saved_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct policy_ids *ids = policy_ids_new();

		print_message("%s\n", refused[i].what);
		assert_int_equal(
			policy_ids_load(ids, (const uint8_t *)refused[i].words, refused[i].n * 4),
			-EPROTO);
		/* Nothing of it was taken. */
		assert_null(policy_ids_text(ids, 1, NULL));
		assert_int_equal(policy_ids_selector(ids, NAME, "x"), 1);
		assert_int_equal(policy_ids_identity(ids, (uint32_t[]){1}, 1), 1);
		policy_ids_free(ids);
	}
}

/* The rows above differ in one thing from what is taken. Zeros follow where a region is larger. */
static void test_3_3_bytes_that_were_saved_are_taken(void **state)
{
	static const struct row row = {"", 15, {MAGIC, 3, 2, AB, CD, 2, 1, 1, 8, 1, 2}};
	struct policy_ids *ids = policy_ids_new();

	assert_int_equal(policy_ids_load(ids, (const uint8_t *)row.words, sizeof(row.words)), 0);
	check_text(ids, 1, NAME, "ab");
	check_text(ids, 2, NAME, "cd");
	check_set(ids, 1, (uint32_t[]){1, 2}, 2);
	policy_ids_free(ids);
}

/* Each cut, and each byte changed: refused, or something that can be saved and loaded. */
static void test_3_3_bytes_that_were_spoiled_do_no_harm(void **state)
{
	struct policy_ids *ids = some_ids();
	uint8_t *bytes = NULL;
	size_t len;

	assert_int_equal(policy_ids_save(ids, &bytes, &len), 0);
	policy_ids_free(ids);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *some = malloc(cut + 1);

		memcpy(some, bytes, cut);
		ids = policy_ids_new();
		assert_int_equal(policy_ids_load(ids, some, cut), -EPROTO);
		policy_ids_free(ids);
		free(some);
	}
	for (size_t i = 0; i < len * 8; i++) {
		int e;

		bytes[i / 8] ^= 1u << i % 8;
		ids = policy_ids_new();
		e = policy_ids_load(ids, bytes, len);
		assert_true(!e || e == -EPROTO);
		if (!e)
			policy_ids_free(saved_and_loaded(ids));
		policy_ids_free(ids);
		bytes[i / 8] ^= 1u << i % 8;
	}
	free(bytes);
}

static void test_3_3_out_of_numbers_is_told_from_out_of_memory(void **state)
{
	static const uint32_t last[] = {MAGIC, (1u << 22) + 1, 0, SNP_IDENTITY_MAX + 1, 0};
	struct policy_ids *ids = policy_ids_new();

	assert_false(policy_ids_selectors_full(ids));
	assert_false(policy_ids_identities_full(ids));
	assert_int_equal(policy_ids_load(ids, (const uint8_t *)last, sizeof(last)), 0);
	assert_true(policy_ids_selectors_full(ids));
	assert_true(policy_ids_identities_full(ids));
	assert_int_equal(policy_ids_selector(ids, NAME, "a"), 0);
	assert_int_equal(policy_ids_identity(ids, (uint32_t[]){1}, 1), 0);
	policy_ids_free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_a_number_stands_for_one_thing),
		cmocka_unit_test(test_3_3_what_is_trimmed_comes_back_under_another_number),
		cmocka_unit_test(test_3_3_an_identity_is_kept_whole),
		cmocka_unit_test(test_3_3_numbers_outlive_the_daemon),
		cmocka_unit_test(test_3_3_bytes_that_nobody_saved_are_refused),
		cmocka_unit_test(test_3_3_bytes_that_were_saved_are_taken),
		cmocka_unit_test(test_3_3_bytes_that_were_spoiled_do_no_harm),
		cmocka_unit_test(test_3_3_out_of_numbers_is_told_from_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
