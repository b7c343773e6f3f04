/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Globs of cgroups: a table that reads as the rules, and fnmatch(3) as a second opinion. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snooper/core/cgroup_glob.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void globs_match_component_by_component(void **state)
{
	static const struct {
		const char *glob, *path;
		enum glob_found found;
	} rows[] = {
		{"/", "/", GLOB_MATCH},
		{"/", "/a", GLOB_NO},
		{"/a", "/", GLOB_ABOVE},
		{"/a", "/a", GLOB_MATCH},
		{"/a", "/ab", GLOB_NO},
		{"/ab", "/a", GLOB_NO},
		{"/a", "/a/b", GLOB_NO}, /* its members are told by their parent */
		{"/a/b", "/a", GLOB_ABOVE},
		{"/a*", "/a", GLOB_MATCH},
		{"/a*", "/abc", GLOB_MATCH},
		{"/a*", "/a/b", GLOB_NO},
		{"/a*/c", "/ab", GLOB_ABOVE},
		{"/a*/c", "/ab/c", GLOB_MATCH},
		{"/a*/c", "/ab/b/c", GLOB_NO},
		{"/*", "/", GLOB_ABOVE},
		{"/*/*", "/a", GLOB_ABOVE},
		{"/*/*", "/a/b", GLOB_MATCH},
		{"/*b", "/abab", GLOB_MATCH},
		{"/*b", "/aba", GLOB_NO},
		{"/*a*b*/x", "/zazbz", GLOB_ABOVE},
		{"/**", "/a", GLOB_MATCH},
		{"/**", "/a/b", GLOB_NO},
		{"/?", "/a", GLOB_MATCH},
		{"/?", "/ab", GLOB_NO},
		{"/a?b", "/a/b", GLOB_NO},
		{"/p\\x2dq*", "/p\\x2dqr", GLOB_MATCH}, /* as systemd writes p-q */
		{"/[a]", "/[a]", GLOB_MATCH},
		{"/[a]", "/a", GLOB_NO},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		enum glob_found found = cgroup_glob(rows[i].glob, rows[i].path);

		if (found != rows[i].found)
			fail_msg("%s on %s: %d", rows[i].glob, rows[i].path, found);
	}
}

static void what_is_too_long_matches_nothing(void **state)
{
	char path[SNP_GLOB_PATH_BYTES + 1] = "/";

	memset(path + 1, 'a', sizeof(path) - 2);
	assert_int_equal(cgroup_glob("/a*", path), GLOB_NO);
	path[SNP_GLOB_PATH_BYTES - 1] = 0;
	assert_int_equal(cgroup_glob("/a*", path), GLOB_MATCH);
	assert_int_equal(cgroup_glob(path, path), GLOB_MATCH);
}

static void levels_are_components(void **state)
{
	assert_int_equal(cgroup_level("/"), 0);
	assert_int_equal(cgroup_level("/a"), 1);
	assert_int_equal(cgroup_level("/a/b*"), 2);
}

/* Absolute, without doubled or final slashes, of few enough bytes that many match. */
static void make_path(char *to, size_t most, const char *from)
{
	size_t n = 1 + (size_t)rand() % most, i = 0;

	to[i++] = '/';
	while (i < n) {
		to[i] = from[(size_t)rand() % strlen(from)];
		i += to[i] != '/' || to[i - 1] != '/';
	}
	while (i > 1 && to[i - 1] == '/')
		i--;
	to[i] = 0;
}

static void a_million_pairs_agree_with_fnmatch(void **state)
{
	unsigned int matched = 0;

	srand(1);
	for (int i = 0; i < 1000000; i++) {
		char glob[16], path[16];
		bool ours, theirs;

		make_path(glob, 9, "ab/**?");
		make_path(path, 9, "abb/");
		if (!strcmp(path, "/"))
			continue; /* has no component that a star could be of */
		ours = cgroup_glob(glob, path) == GLOB_MATCH;
		theirs = !fnmatch(glob, path, FNM_PATHNAME | FNM_NOESCAPE);
		if (ours != theirs)
			fail_msg("%s on %s: we say %d", glob, path, ours);
		matched += ours;
	}
	assert_in_range(matched, 10000, 900000);
}

/* A directory is looked into if, and only if, a path below it could match. */
static void above_is_said_where_something_below_matches(void **state)
{
	srand(2);
	for (int i = 0; i < 200000; i++) {
		char glob[16], path[32];
		size_t len;

		make_path(glob, 9, "ab/**?");
		make_path(path, 9, "abb/");
		if (cgroup_glob(glob, path) != GLOB_MATCH || !strcmp(path, "/"))
			continue;
		while ((len = (size_t)(strrchr(path, '/') - path))) {
			path[len] = 0;
			if (cgroup_glob(glob, path) != GLOB_ABOVE)
				fail_msg("%s is not above on %s", glob, path);
		}
		assert_int_equal(cgroup_glob(glob, "/"), GLOB_ABOVE);
	}
}

/* What is told of both beforehand never denies what the comparison would find, and denies most of the rest. */
static void what_cannot_match_is_told_beforehand(void **state)
{
	unsigned int kept = 0, spared = 0;

	srand(3);
	for (int i = 0; i < 1000000; i++) {
		char glob[16], path[16];
		struct cgroup_gist of_glob, of_path;

		make_path(glob, 9, "abcd/*?");
		make_path(path, 9, "abcd/");
		of_glob = cgroup_glob_gist(glob);
		of_path = cgroup_path_gist(path);
		if (cgroup_glob_may(glob, &of_glob, path, &of_path))
			kept++;
		else if (cgroup_glob(glob, path) != GLOB_NO)
			fail_msg("%s on %s: it is denied", glob, path);
		else
			spared++;
	}
	assert_true(spared > kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_match_component_by_component),
		cmocka_unit_test(what_is_too_long_matches_nothing),
		cmocka_unit_test(levels_are_components),
		cmocka_unit_test(a_million_pairs_agree_with_fnmatch),
		cmocka_unit_test(above_is_said_where_something_below_matches),
		cmocka_unit_test(what_cannot_match_is_told_beforehand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
