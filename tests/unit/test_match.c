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

#include "snooper/base/cleanup.h"
#include "snooper/core/match_compile.h"
#include "snooper/core/match_pattern.h"
#include "snooper/core/name.h"

#define NAME	POLICY_MATCH_NAME
#define PATTERN POLICY_MATCH_PATTERN
#define REGEX	POLICY_MATCH_REGEX

static struct match_tables compiled(const struct match_selector *s, size_t n)
{
	struct match_problems problems;
	struct match_tables t = {.n_banks = 0};

	assert_int_equal(match_compile(s, n, &t, &problems), 0);
	assert_int_equal(problems.n, 0);
	match_problems_fini(&problems);
	return t;
}

/* A bit for each selector that the name matches; the sets are sorted and name none twice. */
static uint64_t matched(const struct match_tables *t, const char *name)
{
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t wire[256];
	int len = name_from_text(name, wire);
	uint64_t bits = 0;

	assert_true(len > 0);
	assert_int_equal(match_name(t, wire, (size_t)len, index), 0);
	for (size_t i = 0; i < t->n_banks; i++) {
		size_t n;
		const uint32_t *set = match_set(&t->banks[i], index[i], &n);

		assert_int_equal(n != 0, index[i] != 0);
		for (size_t k = 0; k < n; k++) {
			assert_true(set[k] < 64);
			assert_true(!k || set[k] > set[k - 1]);
			assert_false(bits & 1ull << set[k]);
			bits |= 1ull << set[k];
		}
	}
	return bits;
}

/* One selector, one name. */
static bool matches(enum policy_selector_kind kind, const char *text, const char *name)
{
	struct match_selector s = {.kind = kind, .text = text};
	struct match_tables t = compiled(&s, 1);
	uint64_t bits = matched(&t, name);

	match_tables_fini(&t);
	return bits;
}

struct row {
	char pattern[128], name[128];
	bool want;
};

static size_t read_rows(struct row *rows, size_t max)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("tests/data/matchpattern.tsv", "r");
	char line[600];
	size_t n = 0;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f)); /* the heading */
	while (n < max && fgets(line, sizeof(line), f)) {
		int want;

		if (sscanf(line, "%127[^\t]\t%127[^\t]\t%d", rows[n].pattern, rows[n].name,
			   &want) != 3)
			continue;
		rows[n++].want = want;
	}
	assert_true(n >= 60);
	return n;
}

/* A space is written as it is in the table; our presentation form escapes it. A star is no wildcard in a name. */
static void name_of(const struct row *row, char text[static 256])
{
	*text = '\0';
	for (const char *p = row->name; *p; p++)
		sprintf(text + strlen(text), *p == ' ' ? "\\032" : "%c", *p);
}

static void test_3_4_every_row_of_the_table_holds(void **state)
{
	static struct row rows[256];
	size_t n = read_rows(rows, 256);
	char name[256];

	for (size_t i = 0; i < n; i++) {
		print_message("%s %s %d\n", rows[i].pattern, rows[i].name, rows[i].want);
		name_of(&rows[i], name);
		assert_int_equal(matches(PATTERN, rows[i].pattern, name), rows[i].want);
		if (!strchr(rows[i].pattern, '*'))
			assert_int_equal(matches(NAME, rows[i].pattern, name), rows[i].want);
	}
}

static void test_3_4_every_row_holds_with_all_the_patterns_beside_each_other(void **state)
{
	static struct row rows[256];
	size_t n = read_rows(rows, 256), n_selectors = 0;
	struct match_selector s[64];
	struct match_tables t;

	/* One selector for each pattern of the table: its rows stand together. */
	for (size_t i = 0; i < n && n_selectors < 64; i++)
		if (!i || strcmp(rows[i].pattern, rows[i - 1].pattern) != 0)
			s[n_selectors++] = (struct match_selector){PATTERN, rows[i].pattern};
	t = compiled(s, n_selectors);
	assert_int_equal(t.n_banks, 1);
	for (size_t i = 0; i < n; i++) {
		char name[256];
		uint64_t bits;

		name_of(&rows[i], name);
		bits = matched(&t, name);
		for (size_t k = 0; k < n_selectors; k++) {
			if (!strcmp(s[k].text, rows[i].pattern))
				assert_int_equal(bits >> k & 1, rows[i].want);
			if (!strchr(name, '\\'))
				assert_int_equal(bits >> k & 1, match_pattern(s[k].text, name));
		}
	}
	match_tables_fini(&t);
}

static void test_3_4_several_selectors_of_a_name_are_all_told(void **state)
{
	static const struct match_selector s[] = {
		{PATTERN, "*"},
		{PATTERN, "*.example.com"},
		{NAME, "www.example.com"},
		{PATTERN, "**.com"},
		{PATTERN, "w*.example.*"},
		{REGEX, "www\\.(example|test)\\.com"},
		{NAME, "WWW.Example.COM."},
		{PATTERN, "*w*w*.example.com"},
		{NAME, "example.com"},
	};
	struct match_tables t = compiled(s, 9);

	assert_int_equal(matched(&t, "www.example.com"), 0xff);
	assert_int_equal(matched(&t, "www.example.com."), 0xff);
	assert_int_equal(matched(&t, "ww.example.com"), 0x9b);
	assert_int_equal(matched(&t, "www.test.com"), 0x29);
	assert_int_equal(matched(&t, "example.com"), 0x109);
	assert_int_equal(matched(&t, "w.w.example.com"), 0x09);
	assert_int_equal(matched(&t, "www.example.org"), 0x11);
	assert_int_equal(matched(&t, "com"), 0x01);
	assert_int_equal(matched(&t, "."), 0x01);
	assert_int_equal(matched(&t, "www\\.example.com"), 0);
	assert_int_equal(matched(&t, "w\\032w.example.com"), 0);
	match_tables_fini(&t);
}

static void test_3_4_no_selector_matches_nothing(void **state)
{
	struct match_tables t = compiled(NULL, 0);

	assert_int_equal(matched(&t, "."), 0);
	assert_int_equal(matched(&t, "a.b"), 0);
	match_tables_fini(&t);
}

static void test_3_4_root_is_matched_by_itself_and_by_stars_only(void **state)
{
	assert_true(matches(PATTERN, ".", "."));
	assert_true(matches(NAME, ".", "."));
	assert_false(matches(PATTERN, ".", "com"));
	assert_true(matches(PATTERN, "***", "."));
	assert_false(matches(PATTERN, "*.*", "."));
	assert_true(matches(REGEX, ".*", "."));
	assert_true(matches(REGEX, "|com", "."));
	assert_false(matches(REGEX, ".", "."));
}

/* 127 labels, and a name of 255 bytes with the longest labels. */
static void test_3_4_longest_names_are_walked_to_their_end(void **state)
{
	char many[256] = "", wide[256];

	for (int i = 0; i < 127; i++)
		strcat(many, i ? ".a" : "a");
	memset(wide, 'b', 253);
	wide[63] = wide[127] = wide[191] = '.';
	wide[253] = '\0';
	assert_true(matches(PATTERN, "*", many));
	assert_true(matches(NAME, many, many));
	assert_true(matches(PATTERN, "**.a.a.a", many));
	assert_false(matches(NAME, many, many + 2));
	assert_false(matches(NAME, many + 2, many));
	assert_true(matches(NAME, wide, wide));
	assert_true(matches(PATTERN, "b*b*b*b*b.b*.*b.*", wide));
	assert_false(matches(PATTERN, "b*b*b*b*b.b*.*b.*c", wide));
}

static void test_3_4_malformed_wire_names_are_refused(void **state)
{
	static const struct match_selector s = {PATTERN, "*"};
	static const struct {
		uint8_t wire[8];
		size_t len;
	} bad[] = {{"", 0},    {"\1a", 2},    {"\2a", 2}, {"\1a\0", 2},
		   {"\0a", 2}, {"\1a\0b", 4}, {"\377", 1}};
	struct match_tables t = compiled(&s, 1);
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t long_one[300] = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("%zu\n", i);
		assert_int_equal(match_name(&t, bad[i].wire, bad[i].len, index), -EINVAL);
	}
	for (size_t i = 0; i < 299; i += 2)
		long_one[i] = 1;
	assert_int_equal(match_name(&t, long_one, 299, index), -EINVAL);
	assert_int_equal(match_name(&t, long_one, 255, index), -EINVAL);
	match_tables_fini(&t);
}

static void test_3_4_every_malformed_selector_is_named(void **state)
{
	static const struct match_selector s[] = {
		{NAME, "a..b"},	  {NAME, "good.com"}, {NAME, "a*.b"},
		{PATTERN, "a b"}, {REGEX, "a(b"},
	};
	struct match_problems problems;
	struct match_tables t;

	assert_int_equal(match_compile(s, 5, &t, &problems), -EINVAL);
	assert_int_equal(problems.n, 4);
	assert_int_equal(problems.list[0].selector, 0);
	assert_int_equal(problems.list[1].selector, 2);
	assert_int_equal(problems.list[2].selector, 3);
	assert_int_equal(problems.list[3].selector, 4);
	assert_int_equal(problems.list[3].position, 2);
	match_problems_fini(&problems);
}

static const struct {
	const char *text;
	uint32_t position;
} bad_regexes[] = {
	{"", 1},
	{"(a", 1},
	{"a)", 2},
	{"a**", 3},
	{"*a", 1},
	{"a{2", 2},
	{"a{3,2}", 2},
	{"a{256}", 3},
	{"a{,3}", 2},
	{"[a", 3},
	{"[]", 3},
	{"[z-a]", 2},
	{"[ ]", 1},
	{"[[:alpha:]]", 2},
	{"a b", 2},
	{"\303\244", 1},
	{"(a)\\1", 4},
	{"a\\", 2},
	{"\\q", 1},
	{"(?i)a", 1},
	{"(?P<x>a)", 1},
	{"a^", 2},
	{"a$b", 2},
	{"(a$)", 3},
	{"((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))", 33},
	{"((a{255}){255}){255}", 0},
};

static void test_3_4_malformed_regexes_are_told_with_their_position(void **state)
{
	for (size_t i = 0; i < sizeof(bad_regexes) / sizeof(bad_regexes[0]); i++) {
		struct match_selector s = {REGEX, bad_regexes[i].text};
		struct match_problem problem;

		assert_int_equal(match_check(&s, &problem), -EINVAL);
		print_message("%s: %u: %s\n", s.text, problem.position, problem.text);
		assert_int_equal(problem.position, bad_regexes[i].position);
		assert_true(problem.text[0]);
	}
}

static const struct {
	const char *text, *name;
	bool want;
} regexes[] = {
	{"www\\.example\\.com", "www.example.com.", true},
	{"www\\.example\\.com", "wwwxexample.com", false},
	{"^www\\.example\\.com$", "www.example.com", true},
	{"^a$|^b$", "b", true},
	{"www.example.com", "www.example.com", true},
	{"www.example.com", "wwwxexample.com", true},
	{".*\\.example\\.com", "a.b.example.com", true},
	{".*\\.example\\.com", "example.com", false},
	{"example", "www.example.com", false},
	{"[a-c]+\\.x", "abcab.x", true},
	{"[^a-c]+\\.x", "abcab.x", false},
	{"[^a-c]+\\.x", "d.e.x", true},
	{"[^.]+\\.x", "d.e.x", false},
	{"api-\\d{2,4}\\.x", "api-123.x", true},
	{"api-\\d{2,4}\\.x", "api-1.x", false},
	{"api-\\d{2,4}\\.x", "api-12345.x", false},
	{"\\w+\\.x", "a_b9.x", true},
	{"\\w+\\.x", "a-b.x", false},
	{"\\W\\D\\.x", "-a.x", true},
	{"(?:ab){3}", "ababab", true},
	{"(ab){3}", "abab", false},
	{"(a|b)*c?", "abba", true},
	{"(a|b)*c?", "abbac", true},
	{"(a|b)*c?", "abbacc", false},
	{"a{2,}", "aaaaa", true},
	{"a{2,}", "a", false},
	{"a{0}b", "b", true},
	{"WWW\\.[A-Z]+", "www.com", true},
	{"[]a]+", "aa", true},
	{"[a\\-z]+", "a-z", true},
	{"[a-]+", "-a", true},
	{"a+?b*?", "aab", true},
	{".*", "a\\.b.c", false},
	{".*", "a\\032b", false},
	{".+\\.(com|org)", "a.b.org", true},
	{"(a*)*b", "aaab", true},
	{"()|a", "a", true},
};

static void test_3_4_regexes_match_the_whole_name(void **state)
{
	for (size_t i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++) {
		print_message("%s %s %d\n", regexes[i].text, regexes[i].name, regexes[i].want);
		assert_int_equal(matches(REGEX, regexes[i].text, regexes[i].name), regexes[i].want);
	}
}

/* n patterns *abc*.tld, each with letters of its own. */
static struct match_selector *make_two_stars(size_t n, const char *suffix)
{
	struct match_selector *s = calloc(n, sizeof(*s));

	assert_non_null(s);
	for (size_t i = 0; i < n; i++) {
		char *text;

		assert_true(asprintf(&text, "*%c%c%zu*.%s", 'a' + (int)(i % 26),
				     'a' + (int)(i / 26 % 26), i, suffix) > 0);
		s[i] = (struct match_selector){PATTERN, text};
	}
	return s;
}

static void free_two_stars(struct match_selector *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((char *)s[i].text);
	free(s);
}

static void test_3_4_two_star_labels_beside_each_other_go_into_more_banks(void **state)
{
	struct match_selector *s = make_two_stars(30, "com");
	struct match_tables t = compiled(s, 30);

	assert_in_range(t.n_banks, 2, SNP_MATCH_BANKS);
	for (size_t i = 0; i < t.n_banks; i++)
		assert_true(t.banks[i].bytes <= SNP_REGION_BYTES);
	assert_int_equal(matched(&t, "xx-aa0-ba1-ca2-za25.com"), 0x2000007);
	assert_int_equal(matched(&t, "bb27db29.com"), 0x28000000);
	assert_int_equal(matched(&t, "bb2db9.com"), 0);
	match_tables_fini(&t);
	free_two_stars(s, 30);
}

static void test_3_4_what_does_not_fit_is_named_with_the_bound(void **state)
{
	struct match_selector *s = make_two_stars(200, "com");
	struct match_problems problems;
	struct match_tables t;
	size_t fit;

	assert_int_equal(match_compile(s, 200, &t, &problems), -E2BIG);
	assert_in_range(problems.n, 100, 190);
	fit = 200 - problems.n;
	for (size_t i = 0; i < problems.n; i++)
		assert_int_equal(problems.list[i].selector, fit + i);
	print_message("%s\n", problems.list[0].text);
	assert_non_null(strstr(problems.list[0].text, "before .com"));
	match_problems_fini(&problems);
	/* The bound is true. */
	assert_int_equal(match_compile(s, fit, &t, &problems), 0);
	match_tables_fini(&t);
	match_problems_fini(&problems);
	free_two_stars(s, 200);
}

/* Under no suffix at all: they are no regular expressions for that. */
static void test_3_4_what_does_not_fit_is_named_by_its_kind(void **state)
{
	struct match_selector *s = make_two_stars(200, "");
	struct match_problems problems;
	struct match_tables t;

	assert_int_equal(match_compile(s, 200, &t, &problems), -E2BIG);
	assert_non_null(strstr(problems.list[0].text, "of 200 with two stars in their last label"));
	match_problems_fini(&problems);
	free_two_stars(s, 200);
}

static void test_3_4_two_star_labels_under_suffixes_of_their_own_fit_in_thousands(void **state)
{
	struct match_selector *s = calloc(3000, sizeof(*s));
	struct match_tables t;

	assert_non_null(s);
	for (size_t i = 0; i < 3000; i++) {
		char *text;

		assert_true(asprintf(&text, "*mid%zu*.d%zu.com", i % 3, i / 3) > 0);
		s[i] = (struct match_selector){PATTERN, text};
	}
	t = compiled(s, 3000);
	assert_int_equal(t.n_banks, 1);
	match_tables_fini(&t);
	free_two_stars(s, 3000);
}

static void test_3_4_regex_too_large_when_alone_is_named(void **state)
{
	static const struct match_selector s[] = {
		{NAME, "a.b"}, {REGEX, "a.{40}.*b.{40}c"}, {REGEX, ".{30}[ab].*"}};
	struct match_problems problems;
	struct match_tables t;

	assert_int_equal(match_compile(s, 3, &t, &problems), -E2BIG);
	assert_int_equal(problems.n, 1);
	assert_int_equal(problems.list[0].selector, 2);
	print_message("%u: %s\n", problems.list[0].selector, problems.list[0].text);
	match_problems_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_4_every_row_of_the_table_holds),
		cmocka_unit_test(test_3_4_every_row_holds_with_all_the_patterns_beside_each_other),
		cmocka_unit_test(test_3_4_several_selectors_of_a_name_are_all_told),
		cmocka_unit_test(test_3_4_no_selector_matches_nothing),
		cmocka_unit_test(test_3_4_root_is_matched_by_itself_and_by_stars_only),
		cmocka_unit_test(test_3_4_longest_names_are_walked_to_their_end),
		cmocka_unit_test(test_3_4_malformed_wire_names_are_refused),
		cmocka_unit_test(test_3_4_every_malformed_selector_is_named),
		cmocka_unit_test(test_3_4_malformed_regexes_are_told_with_their_position),
		cmocka_unit_test(test_3_4_regexes_match_the_whole_name),
		cmocka_unit_test(test_3_4_two_star_labels_beside_each_other_go_into_more_banks),
		cmocka_unit_test(test_3_4_what_does_not_fit_is_named_with_the_bound),
		cmocka_unit_test(test_3_4_what_does_not_fit_is_named_by_its_kind),
		cmocka_unit_test(
			test_3_4_two_star_labels_under_suffixes_of_their_own_fit_in_thousands),
		cmocka_unit_test(test_3_4_regex_too_large_when_alone_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
