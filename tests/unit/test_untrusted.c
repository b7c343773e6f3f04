/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_untrusted.c - who answers without being trusted: silence ages, answers keep young, what finds no room is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "snooper/core/untrusted.h"

#define S   1000000000ull
#define NOW (5000 * S)

struct table {
	struct untrusted u;
	struct snp_status_server rows[UNTRUSTED_ROWS], over[UNTRUSTED_ROWS];
	size_t n;
	uint64_t all;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct table));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* A server answers, as the kernel counts it. */
static void answer(struct table *t, uint16_t server)
{
	struct snp_addr addr = {.w = {0, 0, 0, server}};
	size_t i = 0;

	t->all++;
	while (i < t->n && memcmp(&t->rows[i].addr, &addr, sizeof(addr)))
		i++;
	if (i == UNTRUSTED_ROWS)
		return;
	if (i == t->n)
		t->rows[t->n++] = (struct snp_status_server){.addr = addr};
	t->rows[i].answers++;
}

static size_t look(struct table *t, uint64_t now_ns)
{
	return untrusted_look(&t->u, t->rows, t->n, t->all, now_ns, t->over);
}

static void test_2_11_who_was_silent_for_an_hour_is_over(void **state)
{
	struct table *t = *state;

	answer(t, 1);
	answer(t, 2);
	assert_int_equal(look(t, NOW), 0);
	answer(t, 2);
	assert_int_equal(look(t, NOW + 15 * S), 0);
	assert_int_equal(look(t, NOW + UNTRUSTED_AGE_NS - 1), 0);
	assert_int_equal(look(t, NOW + UNTRUSTED_AGE_NS), 1);
	assert_int_equal(t->over[0].addr.w[3], 1);
	assert_int_equal(t->over[0].answers, 1);
	assert_int_equal(look(t, NOW + UNTRUSTED_AGE_NS + 15 * S), 2);
}

static void test_2_11_ages_begin_with_the_first_look(void **state)
{
	struct table *t = *state;

	answer(t, 1);
	untrusted_begin(&t->u, t->rows, t->n, t->all);
	assert_int_equal(look(t, 10 * UNTRUSTED_AGE_NS), 0);
	assert_int_equal(look(t, 11 * UNTRUSTED_AGE_NS), 1);
}

static void test_2_11_a_full_list_makes_room_sooner(void **state)
{
	struct table *t = *state;

	for (uint16_t server = 0; server < UNTRUSTED_ROWS; server++)
		answer(t, server);
	assert_int_equal(look(t, NOW), 0);
	answer(t, 7);
	assert_int_equal(look(t, NOW + UNTRUSTED_FULL_AGE_NS - 1), 0);
	assert_int_equal(look(t, NOW + UNTRUSTED_FULL_AGE_NS), UNTRUSTED_ROWS - 1);
	for (size_t i = 0; i < UNTRUSTED_ROWS - 1; i++)
		assert_int_not_equal(t->over[i].addr.w[3], 7);
	/* One went: the others have their hour again. */
	t->n--;
	assert_int_equal(look(t, NOW + 2 * UNTRUSTED_FULL_AGE_NS), 0);
}

static void test_2_11_answers_without_room_are_counted(void **state)
{
	struct table *t = *state;

	t->all = 1000; /* of rows that went before */
	for (uint16_t server = 0; server < UNTRUSTED_ROWS; server++)
		answer(t, server);
	untrusted_begin(&t->u, t->rows, t->n, t->all);
	look(t, NOW);
	assert_int_equal(t->u.unlisted, 0);
	assert_int_equal(t->u.unlisted_grew, 0);
	answer(t, 3);
	answer(t, 1000);
	answer(t, 1001);
	look(t, NOW + S);
	assert_int_equal(t->u.unlisted, 2);
	assert_int_equal(t->u.unlisted_grew, NOW + S);
	/* Rows that go take their answers along. */
	untrusted_gone(&t->u, t->rows[0].answers);
	t->rows[0] = t->rows[--t->n];
	answer(t, 1000);
	look(t, NOW + 2 * S);
	assert_int_equal(t->u.unlisted, 2);
	assert_int_equal(t->u.unlisted_grew, NOW + S);
	assert_int_equal(t->u.aged, 1);
	answer(t, 1001);
	look(t, NOW + 3 * S);
	assert_int_equal(t->u.unlisted, 3);
}

/* The rows are read after the sum: packets in between must not look like a step back. */
static void test_2_11_what_comes_between_the_readings_is_no_matter(void **state)
{
	struct table *t = *state;
	uint64_t all;

	answer(t, 1);
	all = t->all;
	answer(t, 1);
	answer(t, 1);
	t->all = all;
	look(t, NOW);
	assert_int_equal(t->u.unlisted, 0);
	t->all = 3;
	look(t, NOW);
	assert_int_equal(t->u.unlisted, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_2_11_who_was_silent_for_an_hour_is_over),
		TEST(test_2_11_ages_begin_with_the_first_look),
		TEST(test_2_11_a_full_list_makes_room_sooner),
		TEST(test_2_11_answers_without_room_are_counted),
		TEST(test_2_11_what_comes_between_the_readings_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
