/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_pattern.h - one name against one matchPattern, with Cilium's meaning.
 *
 * core: pure. For people asking (`names PATTERN`): a backtracking matcher for
 * a single pattern. Policy has tables of its own.
 */
#ifndef SNP_MATCH_PATTERN_H
#define SNP_MATCH_PATTERN_H

#include <stdbool.h>

/*
 * Well-formed: ^([-a-zA-Z0-9_*]+[.]?)+$, at most 255 characters. "." (the root) is
 * accepted too: it is a name that can be asked for.
 */
bool match_pattern_valid(const char *pattern);

/*
 * Case folded, final dots optional on both sides, anchored at both ends.
 *  - stars only: any name whose labels consist of [-a-zA-Z0-9_], and the root;
 *  - a leading run of two or more stars and a dot: one or more whole labels;
 *  - every other run of stars: zero or more of those characters, never a dot.
 * name is presentation form; an escape in it matches nothing but itself.
 */
bool match_pattern(const char *pattern, const char *name);

#endif
