/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_grant.bpf.h - what policy makes of an answer: addresses that its asker may use.
 *
 * Under the identities of the question's name, and under those it inherited: it is the target of
 * a CNAME that an earlier answer ended in. All in the slot of the run.
 */
#ifndef SNP_GRANT_BPF_H
#define SNP_GRANT_BPF_H

#include "bpf/snp_name.bpf.h"

/* An answer with TTL 0 is for whoever asked (RFC 1035 3.2.1): for as long as it takes to connect. */
#define GRANT_MIN_NS 1000000000ull

static __always_inline __u64 grant_end_ms(const struct snp_scratch_slot *slot, __u64 end_ns)
{
	__u64 least_ns = slot->now_ns + GRANT_MIN_NS;

	return (end_ns > least_ns ? end_ns : least_ns) / NS_PER_MS;
}

/* The slots of a row that hold now, to the slot of the run. How many. */
static __always_inline __u32 inherited_now(struct snp_scratch_slot *slot,
					   const struct snp_name_row *row)
{
	__u64 now_ms = slot->now_ns / NS_PER_MS;
	__u32 i, n = 0;

	for (i = 0; i < SNP_INHERITED; i++) {
		slot->inherited[i] = 0;
		if (row && SNP_SLOT_END_MS(row->inherited[i]) > now_ms) {
			slot->inherited[i] = row->inherited[i];
			n++;
		}
	}
	return n;
}

static __always_inline struct snp_name_row *name_now(struct snp_scratch_slot *slot)
{
	return bpf_map_lookup_elem(&snp_names, &slot->key.name);
}

/* Has the question's name inherited what may not yet be written at its addresses? */
static __always_inline int grants_by_time(struct snp_scratch_slot *slot)
{
	return slot->grants && inherited_now(slot, name_now(slot));
}

/* One identity of the question's name to its CNAME's target, whose address is still to be asked for. */
static __always_inline void
inherit(struct snp_scratch_slot *slot, struct snp_name_row *row, __u32 identity, __u64 end_ms)
{
	__u32 i, at = 0;
	__u64 have;

	if (!identity)
		return;
	for (i = 0; i < SNP_INHERITED; i++) {
		have = row->inherited[i];
		if (SNP_SLOT_IDENTITY(have) == identity) {
			slot_extend(&row->inherited[i], identity, end_ms);
			return;
		}
		/* A free one is 0, and of the others the one that ends soonest is the least. */
		if (have < row->inherited[at & (SNP_INHERITED - 1)])
			at = i;
	}
	if (SNP_SLOT_END_MS(row->inherited[at & (SNP_INHERITED - 1)]) > slot->now_ns / NS_PER_MS)
		snp_count(SNP_STAT_SLOT_EVICTED);
	row->inherited[at & (SNP_INHERITED - 1)] = SNP_SLOT(identity, end_ms);
}

/*
 * The answer ends in a CNAME without an address: the client will ask for the
 * target itself, under the policy of the name that it began with, while the CNAME holds.
 */
static __attribute__((noinline)) int
inherit_all(struct snp_scratch_slot *slot, struct snp_name_row *row, __u64 end_ns)
{
	__u64 end_ms = grant_end_ms(slot, end_ns), until_ms;
	__u32 i;

	for (i = 0; i < SNP_MATCH_BANKS; i++)
		inherit(slot, row, slot->identity[i], end_ms);
	for (i = 0; i < SNP_INHERITED; i++) {
		until_ms = SNP_SLOT_END_MS(slot->inherited[i]);
		inherit(slot, row, SNP_SLOT_IDENTITY(slot->inherited[i]),
			until_ms < end_ms ? until_ms : end_ms);
	}
	return 0;
}

/*
 * What policy says of the question's name, to the slot. 0, or -1: observe.names is
 * matched, and it is not.
 */
static __attribute__((noinline)) int commit_policy(struct snp_scratch_slot *slot)
{
	struct snp_name_row *row;
	__u32 i, n = 0, one = 0;

	slot->sole = 0;
	if (!slot->at_all)
		return 0;
	snp_match(slot->index);
	row = name_now(slot);
	for (i = 0; i < SNP_MATCH_BANKS; i++)
		if (slot->identity[i]) {
			one = slot->identity[i];
			n++;
		}
	if (inherited_now(slot, row))
		n += 2; /* it ends by itself: never the only one */
	if (n && slot->grants)
		snp_count(SNP_STAT_MATCHED);
	if (slot->grants)
		slot->sole = n > 1 ? SNP_IDENTITY_MANY : one;
	if (n || !slot->matched_only)
		return 0;
	snp_count(SNP_STAT_UNMATCHED);
	return -1;
}

/* The address in the slot's key is usable under an identity until end_ms. */
static __always_inline void grant(struct snp_scratch_slot *slot, __u32 identity, __u64 end_ms)
{
	struct row_want *w = &slot->want;

	w->key.addr = slot->key.addr;
	w->key.scope = slot->scope;
	w->identity = identity;
	w->end_ms = end_ms;
	snp_row_put(slot->index);
}

/* ... under all of the name's: its own, and those of names whose CNAME it is, while that holds. */
static __attribute__((noinline)) int grant_all(struct snp_scratch_slot *slot, __u64 end_ns)
{
	__u64 end_ms = grant_end_ms(slot, end_ns), until_ms;
	__u32 i;

	for (i = 0; i < SNP_MATCH_BANKS; i++)
		if (slot->identity[i])
			grant(slot, slot->identity[i], end_ms);
	for (i = 0; i < SNP_INHERITED; i++) {
		until_ms = SNP_SLOT_END_MS(slot->inherited[i]);
		if (SNP_SLOT_IDENTITY(slot->inherited[i]))
			grant(slot, SNP_SLOT_IDENTITY(slot->inherited[i]),
			      until_ms < end_ms ? until_ms : end_ms);
	}
	return 0;
}

#endif
