/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plant.h - what a test tells plant.bpf.c, and what that answers. Kernel and user space.
 */
#ifndef SNP_TESTS_PLANT_H
#define SNP_TESTS_PLANT_H

#include <linux/types.h>

/* One row of snp_t_control: how the planted question differs from the one the answer claims. */
struct snp_t_control {
	__u32 plant; /* 0: nothing is planted */
	__u32 state; /* enum snp_q_state */
	__u64 name_xor;
	__u32 server_xor;
	__u32 type_xor;
	__u32 age_ms;
	__u32 fresh; /* 1: another key of the names' hash each run: every name and fact is new */
	__u32 other_netns; /* 1: the asker lives in another network namespace */
	__u32 reserved;
};

/* One row of snp_t_verdict: the last run. Names and addresses stay in slot 0 of its CPU's scratch. */
struct snp_t_verdict {
	__u32 runs;
	__u32 err; /* 0 or DNS_E(reason), as learn_ingress() returned it */
	__u32 cpu;
	__u32 planted;
};

#endif
