/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * selectors.h - selectors in the shapes that people write, at random but always the same, and names for them.
 *
 * A smaller set is the first of a larger one.
 */
#ifndef SNP_BENCH_SELECTORS_H
#define SNP_BENCH_SELECTORS_H

#include <stdbool.h>

#include "bpf/dns_load.h"
#include "snooper/core/match_compile.h"

#define NAMES	 4096
#define TEXT_MAX 128

struct set {
	size_t n;
	struct match_selector *s;
	char (*text)[TEXT_MAX];
};

/* two_stars: of a third of them a label has two, right under a TLD. Ends the program when out of memory. */
struct set make_set(size_t n, bool two_stars);
void free_set(struct set *s);

struct names {
	uint8_t wire[NAMES][SNP_NAME_ROOM];
	size_t len[NAMES], bytes;
};

/* Half of them, the even ones, are made of one of the first n selectors, its stars filled in. */
void make_names(struct names *names, const struct set *s, size_t from);

#endif
