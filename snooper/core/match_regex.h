/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_regex.h - a regular expression as a tree: between match_regex_parse.c and match_regex.c only.
 *
 * core: pure.
 */
#ifndef SNP_MATCH_REGEX_H
#define SNP_MATCH_REGEX_H

#include "snooper/core/match_priv.h"

#define REGEX_ENDLESS ~0u

enum regex_op { REGEX_NOTHING, REGEX_SYMBOL, REGEX_THEN, REGEX_EITHER, REGEX_REPEAT };

struct regex_part {
	enum regex_op op;
	uint32_t a, b;	       /* other parts */
	uint64_t on;	       /* REGEX_SYMBOL: one of these */
	unsigned int min, max; /* REGEX_REPEAT */
};

struct regex {
	struct regex_part *parts;
	size_t n, room;
	uint32_t whole;
};

/* Returns 0; -EINVAL with *problem filled, or -ENOMEM, and then *r holds nothing. */
int regex_parse(const char *text, struct regex *r, struct match_problem *problem);
void regex_fini(struct regex *r);

#endif
