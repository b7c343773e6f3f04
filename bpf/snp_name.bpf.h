/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_name.bpf.h - what policy says of a name: identities, and who may ask for it.
 *
 * All in the slot: what is matched is names[0] of its walk.
 */
#ifndef SNP_NAME_BPF_H
#define SNP_NAME_BPF_H

#include "bpf/snp_scratch.bpf.h"

#define NAME_TRIES 3 /* then the next answer is matched again */

struct name_walk {
	struct snp_scratch_slot *slot;
	const __u8 *region;
};

static long name_stride(__u32 i, struct name_walk *w)
{
	return snp_match_stride(w->region, &w->slot->marks, w->slot->walk.names, &w->slot->walked);
}

/* One automaton's word on the name. 0, or -1: the generation was replaced meanwhile. */
static __always_inline int name_match_bank(struct snp_scratch_slot *slot, __u32 bank)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;
	struct name_walk w = {.slot = slot};
	const struct snp_out *out;
	__u32 index;

	if (!tables || snp_policy_head(tables)->generation != slot->generation)
		return -1;
	w.region = snp_policy_region(generation, SNP_POLICY_BANK + bank);
	if (!w.region)
		return 0;
	snp_match_begin(w.region, &slot->marks, slot->walk.name_len[0] & 0xff, &slot->walked);
	bpf_loop(SNP_MATCH_STRIDES, name_stride, &w, 0);
	index = snp_match_end(w.region, &slot->walked);
	if (!index)
		return 0;
	out = snp_out_at(tables, bank, index);
	slot->identity[bank & (SNP_MATCH_BANKS - 1)] = out->identity;
	slot->dns[bank & (SNP_MATCH_BANKS - 1)] = out->dns;
	return 0;
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
	for (i = 0; i < SNP_MATCH_BANKS && i < n; i++)
		if (snp_match_bank(slot->index, i))
			slot->generation = 0; /* replaced meanwhile: NAME_TRIES */
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
