/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* floor.h - what bench_parse.c tells floor.bpf.c. Kernel and user space. */
#ifndef SNP_TESTS_FLOOR_H
#define SNP_TESTS_FLOOR_H

#include "bpf/snp_event.h"

#define FLOOR_HEADERS 28 /* IPv4 and UDP */

struct floor_state {
	__u32 answers; /* updates of floor_facts a run */
	__u32 fresh;   /* 1: under a new name each run */
	__u64 runs;
	struct snp_fact_key key;
	struct snp_fact fact;
	struct snp_event event;
	__u8 msg[65536 + 64];
};

#endif
