/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stages.bpf.c - the stages of a run that are verified by themselves (snp_scratch.bpf.h). */
#include "bpf/snp_commit.bpf.h"

__attribute__((noinline)) int snp_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS, i;

	for (i = 0; i < SNP_SCRATCH_SLOTS; i++) {
		struct snp_scratch_slot *s = snp_scratch_at(first + i);

		if (!s)
			break;
		if (!__sync_val_compare_and_swap(&s->busy, 0, 1))
			return first + i;
		snp_count(SNP_STAT_SLOT_BUSY);
	}
	snp_count(SNP_STAT_NO_SCRATCH);
	return -1;
}

/* Walk a part of the slot's message. 0, or DNS_E(reason). */
__attribute__((noinline)) int snp_walk(__u32 at, __u32 part)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	if (!slot)
		return DNS_E(NO_SCRATCH);
	if (part == SNP_WALK_RECORDS)
		return dns_walk_records(&slot->walk);
	return dns_walk_question(&slot->walk, part == SNP_WALK_ANSWER ? DNS_FLAG_QR : 0);
}

/* Write what the slot's message says. How many addresses stand in the maps now. */
__attribute__((noinline)) int snp_commit(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	struct snp_kconf *conf;
	__u32 which;

	if (!slot)
		return 0;
	which = slot->conf & 1;
	conf = bpf_map_lookup_elem(&snp_conf, &which);
	return conf ? commit_message(slot, conf) : 0;
}
