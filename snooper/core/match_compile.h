/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_compile.h - selectors into the tables that a name is walked through.
 *
 * core: pure. Meaning: matchName and matchPattern as in match_pattern.h. matchRegex: against the
 * name in lower case, without its final dot, from its first character to its last;
 * literals, `.` (a dot too), classes, \d \w and their negations, groups, | * + ? {m,n}. Letters
 * match in either case. A name with any other byte than [-a-zA-Z0-9_] in a label matches none.
 *
 * The tables are one bank unless the automaton would not fit in SNP_REGION_BYTES.
 * What makes it grow beyond all bounds are labels with two or more stars, many of them under
 * one suffix, and regular expressions that begin and end in `.*`: it has to remember
 * which of them it has seen so far. Those are then spread over more banks.
 */
#ifndef SNP_MATCH_COMPILE_H
#define SNP_MATCH_COMPILE_H

#include "snooper/core/match.h"
#include "snooper/core/policy.h"

/* A regular expression: so many characters, and states of its own. */
#define MATCH_REGEX_MAX	  1024
#define MATCH_REGEX_NODES 16384
#define MATCH_REPEAT_MAX  255

struct match_selector {
	enum policy_selector_kind kind;
	const char *text;
};

/* What is wrong with a selector. */
struct match_problem {
	uint32_t selector;
	uint32_t position; /* in its text, from 1; 0: all of it */
	char text[192];
};

struct match_problems {
	struct match_problem *list;
	size_t n;
};

void match_problems_fini(struct match_problems *p);

/* Is one selector well-formed? Returns 0; -EINVAL with *problem filled, selector 0; or -ENOMEM. */
int match_check(const struct match_selector *s, struct match_problem *problem);

/*
 * Compile n selectors, which sets name by their index. Spellings that mean the same are all named.
 *
 * Returns 0 and *out, for match_tables_fini(); -EINVAL: *problems has every
 * selector that is malformed; -E2BIG: every selector that does not fit, each with the
 * bound; -ENOMEM. *problems is for match_problems_fini() in any case.
 */
int match_compile(const struct match_selector *s, size_t n, struct match_tables *out,
		  struct match_problems *problems);

#endif
