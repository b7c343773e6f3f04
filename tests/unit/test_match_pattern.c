/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/match_pattern.h"

static char *without_dot(const char *s)
{
	char *copy = strdup(s);
	size_t n = strlen(copy);

	if (n > 1 && copy[n - 1] == '.')
		copy[n - 1] = '\0';
	return copy;
}

/* The same answer with and without each final dot, and in upper case. */
static void check_row(const char *pattern, const char *name, bool want)
{
	SNP_CLEANUP(snp_freep)
	char *p = without_dot(pattern);
	SNP_CLEANUP(snp_freep)
	char *n = without_dot(name);
	char shout[300];
	size_t i;

	print_message("%s %s %d\n", pattern, name, want);
	assert_true(match_pattern_valid(pattern));
	assert_int_equal(match_pattern(pattern, name), want);
	assert_int_equal(match_pattern(p, name), want);
	assert_int_equal(match_pattern(pattern, n), want);
	assert_int_equal(match_pattern(p, n), want);
	for (i = 0; name[i]; i++)
		shout[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
	shout[i] = '\0';
	assert_int_equal(match_pattern(pattern, shout), want);
}

static void every_row_of_the_table_holds(void **state)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("tests/data/matchpattern.tsv", "r");
	char line[600];
	int rows = 0;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f)); /* the heading */
	while (fgets(line, sizeof(line), f)) {
		char *save, *pattern = strtok_r(line, "\t\n", &save);
		char *name = strtok_r(NULL, "\t\n", &save);
		char *want = strtok_r(NULL, "\t\n", &save);

		if (!pattern)
			continue;
		assert_non_null(want);
		check_row(pattern, name, !strcmp(want, "1"));
		rows++;
	}
	assert_true(rows >= 60);
}

static const struct row {
	const char *pattern, *name;
	bool want;
} rows[] = {
	{".", ".", true},
	{".", "com.", false},
	{"com", ".", false},
	{"*.*", ".", false},
	{"*", "a_b.-c-.9", true},
	{"*", "a\\.b.c", false},
	{"*", "a\\032b.c", false},
	{"a*", "a\\.b", false},
	{"**.b.c", "a\\.x.b.c", false},
	{"a.b", "a\\.b", false},
	{"*.*.com", "a.b.com", true},
	{"*.*.com", "b.com", false},
	{"**.*.com", "a.b.com", true},
	{"**.*.com", "b.com", false},
	{"**.*a*.com", "x.y.bab.com", true},
	{"*a*b*c*.com", "xxaxxbxxcxx.com", true},
	{"*a*b*c*.com", "xxaxxcxxbxx.com", false},
	{"a*a*a*a*a*b.com", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac.com",
	 false},
	{"a*.com", "a.b.com", false},
	{"*.com", "com", false},
	{"*.com", ".com", false},
	{"**.com", "a..com", false},
	{"*com", "com", true},
	{"com*", "com", true},
	{"x**y.com", "xy.com", true},
	{"x**y.com", "xaby.com", true},
	{"x**y.com", "xa.by.com", false},
	{"sub*.x.io", "sub.x.io", true},
	{"a.**", "a.b", true},
	{"a.**", "a.b.c", false},
	{"**.a.**", "x.y.a.b", true},
	{"**.a.**", "a.b", false},
};

static void rules_beyond_the_table_hold(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(rows[i].pattern, rows[i].name, rows[i].want);
}

static void malformed_patterns_are_refused_and_match_nothing(void **state)
{
	static const char *const bad[] = {"",	   "..",	  ".a",	 "a..b", "a..", "a b",
					  "a\\.b", "\303\251.de", "a/b", "[a]",	 "a\n"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("'%s'\n", bad[i]);
		assert_false(match_pattern_valid(bad[i]));
		assert_false(match_pattern(bad[i], bad[i]));
	}
}

static void pattern_of_255_characters_is_the_longest(void **state)
{
	char pattern[300];

	memset(pattern, '*', sizeof(pattern));
	pattern[255] = '\0';
	assert_true(match_pattern_valid(pattern));
	assert_true(match_pattern(pattern, "a.b"));
	pattern[255] = '*';
	pattern[256] = '\0';
	assert_false(match_pattern_valid(pattern));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_holds),
		cmocka_unit_test(rules_beyond_the_table_hold),
		cmocka_unit_test(malformed_patterns_are_refused_and_match_nothing),
		cmocka_unit_test(pattern_of_255_characters_is_the_longest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
