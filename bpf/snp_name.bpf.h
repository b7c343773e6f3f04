/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_name.bpf.h - what policy says of a name: identities, and who may ask for it.
 *
 * All in the slot: what is matched is names[0] of its walk.
 */
#ifndef SNP_NAME_BPF_H
#define SNP_NAME_BPF_H

#include "bpf/snp_scratch.bpf.h"

/* One automaton's word on the name. 0, or -1: the generation was replaced meanwhile. */
static __always_inline int name_match_bank(struct snp_scratch_slot *slot, __u32 bank)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;
	const __u8 *region;
	const struct snp_out *out;
	__u32 index;

	if (!tables || snp_policy_head(tables)->generation != slot->generation)
		return -1;
	region = snp_policy_region(generation, SNP_POLICY_BANK + bank);
	if (!region)
		return 0;
	index = snp_match_walk(region, &slot->marks, slot->walk.names,
			       slot->walk.name_len[0] & 0xff);
	if (!index)
		return 0;
	out = snp_out_at(tables, bank, index);
	slot->identity[bank & (SNP_MATCH_BANKS - 1)] = out->identity;
	slot->dns[bank & (SNP_MATCH_BANKS - 1)] = out->dns;
	return 0;
}

/* generation 0: it was replaced meanwhile, and the next answer is matched again. */
static long name_match_next(__u32 i, struct snp_scratch_slot **ctx)
{
	struct snp_scratch_slot *slot = *ctx;

	if (!name_match_bank(slot, i & (SNP_MATCH_BANKS - 1)))
		return 0;
	slot->generation = 0;
	return 1;
}

/* Match names[0] of the slot for its asker. 1: there is a policy. */
static __always_inline int name_match(struct snp_scratch_slot *slot)
{
	void *generation = snp_policy_now();
	const struct snp_policy_head *head;
	const __u8 *tables;
	__u32 i, n;

	for (i = 0; i < SNP_MATCH_BANKS; i++) {
		slot->identity[i] = 0;
		slot->dns[i] = 0;
	}
	if (!generation)
		return 0;
	tables = snp_policy_region(generation, SNP_POLICY_TABLES);
	if (!tables)
		return 0;
	head = snp_policy_head(tables);
	slot->generation = head->generation;
	n = head->n_banks;
	if (snp_match_mark(&slot->marks, slot->walk.names, slot->walk.name_len[0] & 0xff))
		return 1;
	bpf_loop(n < SNP_MATCH_BANKS ? n : SNP_MATCH_BANKS, name_match_next, &slot, 0);
	return 1;
}

/* May the slot's asker ask for names[0]? Its class is set, and rules.dns apply to it. */
static __always_inline int
name_may_be_asked(const struct snp_scratch_slot *slot, const __u8 *tables)
{
	__u32 i;

	for (i = 0; i < SNP_MATCH_BANKS; i++)
		if (slot->dns[i] && snp_allowed(tables, slot->class | SNP_ALLOW_DNS, slot->dns[i]))
			return 1;
	return 0;
}

#endif
