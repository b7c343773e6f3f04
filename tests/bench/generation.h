/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * generation.h - selectors as a generation of policy in the kernel: one rule, one endpoint, any port.
 *
 * What fails here ends the program: figures of something else are worth nothing.
 */
#ifndef SNP_BENCH_GENERATION_H
#define SNP_BENCH_GENERATION_H

#include "snooper/core/policy_compile.h"
#include "tests/bench/selectors.h"

#define GENERATION_ENDPOINT 1

struct generation {
	struct match_tables automata;
	uint8_t *tables; /* a whole region */
	size_t table_bytes, automata_bytes;
	uint64_t compile_ns, fill_ns;
	int map_fd; /* the map of regions */
};

/* number: the generation's. */
void generation_make(struct generation *g, const struct set *s, uint32_t number);
/* Put it in force. */
void generation_publish(const struct generation *g, int policy_fd);
void generation_fini(struct generation *g);

#endif
