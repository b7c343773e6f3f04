/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_match.c - selectors of any bytes, compiled beside each other, and names walked through them.
 *
 * Lines: "n NAME", "p PATTERN" or "r REGEX" is a selector, anything else a name in
 * presentation form. The matcher of match_pattern.c says what a name and a pattern
 * have to match, and so does each pattern once more, written as a regular expression.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"
#include "snooper/core/match_priv.h"
#include "snooper/core/name.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 16
#define TEXT_MAX  4096
/* What takes longer than that is not what is looked for here. */
#define SMALL 20000

struct given {
	struct match_selector s[2 * LINES_MAX];
	bool again[2 * LINES_MAX]; /* says the same as the one before */
	char *text[3 * LINES_MAX]; /* owned */
	const char *names[LINES_MAX];
	size_t n, n_text, n_names;
};

static char *keep(struct given *g, const char *text)
{
	char *copy = strdup(text);

	require(copy && g->n_text < 3 * LINES_MAX);
	return g->text[g->n_text++] = copy;
}

/* The pattern, said as a regular expression. */
static void write_as_regex(const char *pattern, char *out)
{
	size_t n = strlen(pattern), stars = strspn(pattern, "*");

	n -= pattern[n - 1] == '.';
	if (stars && stars == n) {
		strcpy(out, "(?:(?:[-\\w]+\\.)*[-\\w]+)?");
		return;
	}
	*out = '\0';
	if (stars >= 2 && pattern[stars] == '.') {
		out = stpcpy(out, "(?:[-\\w]+\\.)+");
		pattern += stars + 1;
		n -= stars + 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (pattern[i] != '*')
			out += sprintf(out, pattern[i] == '.' ? "\\%c" : "%c", pattern[i]);
		else if (i + 1 == n || pattern[i + 1] != '*')
			out = stpcpy(out, "[-\\w]*");
	}
}

static void take_selector(struct given *g, enum policy_selector_kind kind, const char *text)
{
	struct match_selector s = {kind, text};
	struct match_problem problem = {.position = 0};
	static char regex[TEXT_MAX];
	int err;

	if (g->n + 2 > 2 * LINES_MAX)
		return;
	err = match_check(&s, &problem);
	require(err == 0 || (err == -EINVAL && problem.text[0]));
	require(problem.position <= strlen(text) + 1);
	if (err)
		return;
	s.text = keep(g, text);
	g->s[g->n++] = s;
	if (kind == POLICY_MATCH_REGEX || !text[strspn(text, ".")])
		return;
	write_as_regex(text, regex);
	if (strlen(regex) > MATCH_REGEX_MAX)
		return;
	g->again[g->n] = true;
	g->s[g->n++] = (struct match_selector){POLICY_MATCH_REGEX, keep(g, regex)};
}

static void take_line(struct given *g, const char *line)
{
	if (line[0] && line[1] == ' ' && strchr("npr", line[0]))
		take_selector(g,
			      line[0] == 'n'   ? POLICY_MATCH_NAME
			      : line[0] == 'p' ? POLICY_MATCH_PATTERN
					       : POLICY_MATCH_REGEX,
			      line + 2);
	else if (g->n_names < LINES_MAX)
		g->names[g->n_names++] = keep(g, line);
}

/* Would it be compiled in no time? */
static int is_small(const struct given *g)
{
	struct match_sets outs;
	struct match_dfa d;
	struct match_nfa a;
	int err;

	require(!match_nfa_init(&a) && !match_sets_init(&outs));
	for (uint32_t i = 0; i < g->n; i++)
		match_nfa_add(&a, &g->s[i], i);
	match_nfa_finish(&a);
	err = match_dfa_make(&d, &a, &outs, SMALL);
	require(!err || err == -E2BIG);
	if (!err)
		match_dfa_fini(&d);
	match_sets_fini(&outs);
	match_nfa_fini(&a);
	return !err;
}

static int is_in(const struct match_tables *t, const uint32_t *index, uint32_t selector)
{
	size_t n;

	for (size_t i = 0; i < t->n_banks; i++) {
		const uint32_t *set = match_set(&t->banks[i], index[i], &n);

		for (size_t k = 0; k < n; k++)
			if (set[k] == selector)
				return 1;
	}
	return 0;
}

static void check_name(const struct given *g, const struct match_tables *t, const char *name)
{
	uint32_t index[SNP_MATCH_BANKS];
	char text[NAME_TEXT_MAX];
	uint8_t wire[256];
	int len = name_from_text(name, wire);

	if (len < 0)
		return;
	require(!match_name(t, wire, (size_t)len, index));
	require(name_to_text(wire, (size_t)len, text) > 0);
	for (uint32_t i = 0; i < g->n; i++) {
		if (g->s[i].kind != POLICY_MATCH_REGEX)
			require(is_in(t, index, i) == match_pattern(g->s[i].text, text));
		else if (g->again[i])
			require(is_in(t, index, i) == is_in(t, index, i - 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char all[TEXT_MAX / 8];
	struct given g = {.n = 0};
	struct match_problems problems;
	struct match_tables t;
	char *save, *line;

	if (size >= sizeof(all) || memchr(data, 0, size))
		return 0;
	memcpy(all, data, size);
	all[size] = '\0';
	line = strtok_r(all, "\n", &save);
	for (int i = 0; line && i < LINES_MAX; i++, line = strtok_r(NULL, "\n", &save))
		take_line(&g, line);
	if (is_small(&g)) {
		require(!match_compile(g.s, g.n, &t, &problems));
		for (size_t i = 0; i < g.n_names; i++)
			check_name(&g, &t, g.names[i]);
		match_tables_fini(&t);
		match_problems_fini(&problems);
	}
	for (size_t i = 0; i < g.n_text; i++)
		free(g.text[i]);
	return 0;
}
