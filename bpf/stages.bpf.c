/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stages.bpf.c - the stages of a run that are verified by themselves (snp_scratch.bpf.h). */
#include "bpf/snp_commit.bpf.h"

/* When the first slot of this CPU is busy. */
__attribute__((noinline)) int snp_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS, i;

	for (i = 1; i < SNP_SCRATCH_SLOTS; i++) {
		snp_count(SNP_STAT_SLOT_BUSY);
		if (snp_scratch_take(first + i))
			return first + i;
	}
	snp_count(SNP_STAT_SLOT_BUSY);
	snp_count(SNP_STAT_NO_SCRATCH);
	return -1;
}

/* Read the question of the slot's message; expect_qr as in dns_walk_question(). 0, or DNS_E(reason). */
__attribute__((noinline)) int snp_read_question(__u32 at, __u32 expect_qr)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? dns_walk_question(&slot->walk, expect_qr) : DNS_E(NO_SCRATCH);
}

/* Then its records. 0, or DNS_E(reason). */
__attribute__((noinline)) int snp_read_records(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? dns_walk_records(&slot->walk) : DNS_E(NO_SCRATCH);
}

/* The configuration that the slot's run goes by. */
static __always_inline struct snp_kconf *stage_conf(const struct snp_scratch_slot *slot)
{
	__u32 which = slot->conf & 1;

	return bpf_map_lookup_elem(&snp_conf, &which);
}

/* Write what the slot's message says. How many addresses stand in the maps now. */
__attribute__((noinline)) int snp_commit(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	struct snp_kconf *conf = slot ? stage_conf(slot) : NULL;

	return slot && conf ? commit_message(slot, conf) : 0;
}

/* Note that the slot's message could not be read. */
__attribute__((noinline)) int snp_commit_unread(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	struct snp_kconf *conf = slot ? stage_conf(slot) : NULL;

	if (slot && conf)
		commit_unread(slot, conf);
	return 0;
}
