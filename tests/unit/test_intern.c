/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "snooper/core/intern.h"

#define MANY 5000

static uint32_t add(struct intern *t, const char *text)
{
	return intern_add(t, text, strlen(text));
}

static void check_bytes(const struct intern *t, uint32_t number, const char *text)
{
	size_t len = 0;
	const void *bytes = intern_bytes(t, number, &len);

	assert_non_null(bytes);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
	assert_int_equal(intern_find(t, text, len), number);
}

static void test_3_3_the_same_bytes_have_the_same_number(void **state)
{
	struct intern *t = intern_new(100);

	assert_int_equal(intern_end(t), 1);
	assert_int_equal(add(t, "a"), 1);
	assert_int_equal(add(t, "b"), 2);
	assert_int_equal(add(t, "a"), 1);
	/* Neither the beginning of another, nor one with a zero more. */
	assert_int_equal(add(t, "ab"), 3);
	assert_int_equal(intern_add(t, "a\0", 2), 4);
	assert_int_equal(intern_add(t, "", 0), 5);
	assert_int_equal(intern_add(t, "", 0), 5);
	assert_int_equal(intern_find(t, "c", 1), 0);
	assert_int_equal(intern_count(t), 5);
	assert_int_equal(intern_end(t), 6);
	check_bytes(t, 3, "ab");
	assert_null(intern_bytes(t, 0, NULL));
	assert_null(intern_bytes(t, 6, NULL));
	assert_null(intern_bytes(t, UINT32_MAX, NULL));
	intern_free(t);
}

static void test_3_3_a_number_that_was_dropped_is_not_given_again(void **state)
{
	struct intern *t = intern_new(100);

	add(t, "a");
	add(t, "b");
	intern_drop(t, 2);
	intern_drop(t, 2);
	intern_drop(t, 0);
	intern_drop(t, 99);
	assert_null(intern_bytes(t, 2, NULL));
	assert_int_equal(intern_find(t, "b", 1), 0);
	assert_int_equal(intern_count(t), 1);
	assert_int_equal(intern_end(t), 3);
	assert_int_equal(add(t, "b"), 3);
	intern_drop(t, 3);
	assert_int_equal(add(t, "c"), 4);
	intern_begin_at(t, 50);
	intern_begin_at(t, 7);
	assert_int_equal(add(t, "d"), 50);
	intern_free(t);
}

static void test_3_3_numbers_end_at_the_last_one(void **state)
{
	struct intern *t = intern_new(2);

	assert_int_equal(intern_full(t), 0);
	assert_int_equal(add(t, "a"), 1);
	assert_int_equal(add(t, "b"), 2);
	assert_int_equal(add(t, "c"), 0);
	assert_int_equal(intern_full(t), 1);
	assert_int_equal(add(t, "a"), 1);
	intern_drop(t, 1);
	assert_int_equal(add(t, "c"), 0);
	intern_free(t);
	intern_free(NULL);
}

static void test_3_3_a_number_can_be_put_where_it_was(void **state)
{
	struct intern *t = intern_new(100);

	assert_int_equal(intern_put(t, 7, "g", 1), 0);
	assert_int_equal(intern_put(t, 7, "h", 1), -EEXIST);
	assert_int_equal(intern_put(t, 8, "g", 1), -EEXIST);
	assert_int_equal(intern_put(t, 0, "h", 1), -EINVAL);
	assert_int_equal(intern_put(t, 101, "h", 1), -EINVAL);
	assert_int_equal(intern_put(t, 100, "z", 1), 0);
	assert_int_equal(intern_put(t, 3, "c", 1), 0);
	assert_int_equal(intern_end(t), 101);
	check_bytes(t, 7, "g");
	check_bytes(t, 3, "c");
	assert_int_equal(add(t, "new"), 0);
	intern_free(t);
}

static void test_3_3_thousands_are_found_while_others_go(void **state)
{
	struct intern *t = intern_new(2 * MANY);
	char text[32];

	for (uint32_t i = 1; i <= MANY; i++) {
		snprintf(text, sizeof(text), "name-%u", i);
		assert_int_equal(add(t, text), i);
		if (i % 3 == 0)
			intern_drop(t, i - 1);
	}
	/* And in a copy, when the first is gone. */
	for (int copied = 0; copied < 2; copied++) {
		struct intern *copy = intern_copy(t);

		for (uint32_t i = 1; i <= MANY; i++) {
			snprintf(text, sizeof(text), "name-%u", i);
			if (i % 3 == 2 && i < MANY)
				assert_null(intern_bytes(t, i, NULL));
			else
				check_bytes(t, i, text);
		}
		assert_int_equal(intern_count(t), MANY - MANY / 3);
		intern_free(t);
		t = copy;
	}
	assert_int_equal(add(t, "one more"), MANY + 1);
	intern_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_the_same_bytes_have_the_same_number),
		cmocka_unit_test(test_3_3_a_number_that_was_dropped_is_not_given_again),
		cmocka_unit_test(test_3_3_numbers_end_at_the_last_one),
		cmocka_unit_test(test_3_3_a_number_can_be_put_where_it_was),
		cmocka_unit_test(test_3_3_thousands_are_found_while_others_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
