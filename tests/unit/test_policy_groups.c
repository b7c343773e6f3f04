/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "snooper/core/policy_groups.h"

/* The group's ports in a class, 0: none; it says each class once. */
static uint32_t ports_in(const struct policy_groups *g, uint32_t group, uint32_t class)
{
	uint32_t step = group, its, ports, found = 0;

	while (policy_groups_next(g, &step, &its, &ports)) {
		assert_int_not_equal(ports, 0);
		if (its != class)
			continue;
		assert_int_equal(found, 0);
		found = ports;
	}
	return found;
}

static void test_3_3_what_is_allowed_the_same_is_one_group(void **state)
{
	static const struct policy_grant one[] = {{0, 1}, {1, 1}, {2, 2}};
	static const struct policy_grant two[] = {{2, 1}, {1, 2}};
	struct policy_ports *p = policy_ports_new();
	struct policy_groups *g = policy_groups_new(p, 4, 6);
	uint32_t a, b, ab;

	policy_ports_of(p, &(struct policy_port){6, 1, 1}, 1, &a);
	policy_ports_of(p, &(struct policy_port){6, 2, 2}, 1, &b);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
	policy_ports_union(p, a, b, &ab);
	/* 1: {0}, 2: {1}, 3: {0, 1}, 4: {2}, 5: {1, 2, 3} */
	policy_groups_member(g, 0, 1);
	policy_groups_member(g, 1, 2);
	policy_groups_member(g, 0, 3);
	policy_groups_member(g, 1, 3);
	policy_groups_member(g, 2, 4);
	policy_groups_member(g, 1, 5);
	policy_groups_member(g, 3, 5);
	policy_groups_member(g, 2, 5);
	assert_int_equal(policy_groups_class(g, 7, one, 3), 0);
	assert_int_equal(policy_groups_class(g, 8, two, 2), 0);
	assert_int_equal(policy_groups_class(g, 9, NULL, 0), 0);
	for (uint32_t i = 1; i < 6; i++)
		assert_int_not_equal(policy_groups_of(g, i), 0);
	/* 2 and 3 have port 1 in class 7, port 2 in class 8. */
	assert_int_equal(policy_groups_of(g, 2), policy_groups_of(g, 3));
	assert_int_not_equal(policy_groups_of(g, 1), policy_groups_of(g, 2));
	assert_int_equal(ports_in(g, policy_groups_of(g, 1), 7), a);
	assert_int_equal(ports_in(g, policy_groups_of(g, 1), 8), 0);
	assert_int_equal(ports_in(g, policy_groups_of(g, 2), 8), b);
	assert_int_equal(ports_in(g, policy_groups_of(g, 4), 7), b);
	assert_int_equal(ports_in(g, policy_groups_of(g, 4), 8), a);
	assert_int_equal(ports_in(g, policy_groups_of(g, 5), 7), ab);
	assert_int_equal(ports_in(g, policy_groups_of(g, 5), 8), ab);
	assert_int_equal(ports_in(g, policy_groups_of(g, 5), 9), 0);
	policy_groups_free(g);
	policy_groups_free(NULL);
	policy_ports_free(p);
}

static void test_3_3_what_no_class_allows_has_no_group(void **state)
{
	struct policy_ports *p = policy_ports_new();
	struct policy_groups *g = policy_groups_new(p, 2, 3);

	policy_groups_member(g, 1, 2);
	assert_int_equal(policy_groups_class(g, 1, &(struct policy_grant){0, 1}, 1), 0);
	assert_int_equal(policy_groups_of(g, 1), 0);
	assert_int_equal(policy_groups_of(g, 2), 0);
	assert_int_equal(policy_groups_end(g), 1);
	policy_groups_free(g);
	policy_ports_free(p);
}

/* A policy for all of them: as many rows as classes, whatever the number of things. */
static void test_3_3_thousands_in_many_classes_are_few_groups(void **state)
{
	enum { THINGS = 5000, CLASSES = 100 };
	static struct policy_grant grants[THINGS];
	struct policy_ports *p = policy_ports_new();
	struct policy_groups *g = policy_groups_new(p, THINGS, THINGS + 1);

	for (uint32_t i = 0; i < THINGS; i++) {
		grants[i] = (struct policy_grant){i, 1 + i % 3};
		assert_int_equal(policy_groups_member(g, i, THINGS - i), 0);
	}
	for (uint32_t i = 1; i <= CLASSES; i++)
		assert_int_equal(policy_groups_class(g, i, grants, THINGS), 0);
	assert_int_equal(policy_groups_end(g), 1 + 3 * CLASSES);
	for (uint32_t i = 0; i < THINGS; i++)
		assert_int_equal(ports_in(g, policy_groups_of(g, THINGS - i), CLASSES / 2),
				 1 + i % 3);
	policy_groups_free(g);
	policy_ports_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_what_is_allowed_the_same_is_one_group),
		cmocka_unit_test(test_3_3_what_no_class_allows_has_no_group),
		cmocka_unit_test(test_3_3_thousands_in_many_classes_are_few_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
