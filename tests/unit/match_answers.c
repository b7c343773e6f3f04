/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_answers.c - what the compiled tables say, for match_differential.py, over a pipe.
 *
 *   name|pattern|regex TEXT   one more selector
 *   compile                   -> "ok BANKS BYTES", or "refused SELECTOR...", and its tables stand
 *   walk NAME                 -> the selectors that it matches
 *   reset                     no selectors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_compile.h"
#include "snooper/core/name.h"

#define SELECTORS_MAX 100000

static struct match_selector selectors[SELECTORS_MAX];
static size_t n_selectors;
static struct match_tables tables;

static void reset(void)
{
	for (size_t i = 0; i < n_selectors; i++)
		free((char *)selectors[i].text);
	n_selectors = 0;
	match_tables_fini(&tables);
}

static void compile(void)
{
	struct match_problems problems;
	size_t bytes = 0;
	int err;

	match_tables_fini(&tables);
	err = match_compile(selectors, n_selectors, &tables, &problems);
	for (size_t i = 0; i < tables.n_banks; i++)
		bytes += tables.banks[i].bytes;
	if (!err)
		printf("ok %zu %zu", tables.n_banks, bytes);
	else
		printf("refused");
	for (size_t i = 0; i < problems.n; i++)
		printf(" %u", problems.list[i].selector);
	puts("");
	match_problems_fini(&problems);
}

static void walk(const char *name)
{
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t wire[256];
	int len = name_from_text(name, wire);

	if (len < 0 || match_name(&tables, wire, (size_t)len, index)) {
		puts("bad name");
		return;
	}
	for (size_t i = 0; i < tables.n_banks; i++) {
		size_t n;
		const uint32_t *set = match_set(&tables.banks[i], index[i], &n);

		for (size_t k = 0; k < n; k++)
			printf("%u ", set[k]);
	}
	puts("");
}

static void add(enum policy_selector_kind kind, const char *text)
{
	if (n_selectors == SELECTORS_MAX)
		abort();
	selectors[n_selectors++] = (struct match_selector){kind, strdup(text)};
}

int main(void)
{
	static char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		char *text = line + strcspn(line, " \n");

		line[strcspn(line, "\n")] = '\0';
		text += *text == ' ';
		if (!strncmp(line, "name ", 5))
			add(POLICY_MATCH_NAME, text);
		else if (!strncmp(line, "pattern ", 8))
			add(POLICY_MATCH_PATTERN, text);
		else if (!strncmp(line, "regex ", 6))
			add(POLICY_MATCH_REGEX, text);
		else if (!strcmp(line, "compile"))
			compile();
		else if (!strncmp(line, "walk ", 5))
			walk(text);
		else if (!strcmp(line, "reset"))
			reset();
		fflush(stdout);
	}
	reset();
	return 0;
}
