/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_commit_fact.bpf.h - a fact: written within its caps, or its expiry moved.
 *
 * Kernel side, for snp_commit.bpf.h; written as names are (snp_commit_name.bpf.h). What
 * a fact is, is in the slot: its key, its scope, its asker.
 */
#ifndef SNP_COMMIT_FACT_BPF_H
#define SNP_COMMIT_FACT_BPF_H

#include "bpf/snp_commit_name.bpf.h"

/* The three tallies of the fact at hand, in the slot: the stack is short. */
static __always_inline void tallies_of(struct snp_scratch_slot *slot)
{
	struct snp_tally_key *t = &slot->by_name;

	t->id[0] = slot->key.name.id;
	t->id[1] = 0;
	t->scope = slot->key.name.scope;
	t->kind = SNP_TALLY_NAME;
	t = &slot->by_addr;
	t->addr = slot->key.addr;
	t->scope = slot->key.name.scope;
	t->kind = SNP_TALLY_ADDR;
	t = &slot->by_cgroup;
	t->id[0] = slot->cgroup_id;
	t->id[1] = 0;
	t->scope = 0;
	t->kind = SNP_TALLY_CGROUP;
}

/* A fact seen for the first time: caps, then the row. 0 when it stands. */
static __attribute__((noinline)) int fact_new(struct commit *c, __u64 expiry_ns, __u32 ttl_s)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_kconf *conf = c->conf;
	struct snp_name_row *name = c->name;
	struct snp_fact *fact = &slot->fact;
	__u64 *by_cgroup, *by_addr;
	long r;

	tallies_of(slot);
	fact->expiry_ns = expiry_ns;
	fact->announced_ns = expiry_ns;
	fact->first_seen_ns = slot->now_ns;
	fact->last_seen_ns = slot->now_ns;
	fact->cgroup_id = slot->cgroup_id;
	fact->ttl_s = ttl_s;
	fact->origin = SNP_ORIGIN_KERNEL;
	fact->chain = slot->chain;
	fact->generation = slot->generation;
	fact->identity = slot->sole;
	if (tally_held(&slot->by_name, name->added, conf->addresses_per_name) >=
	    conf->addresses_per_name) {
		snp_count(SNP_STAT_NAME_CAP);
		return -1;
	}
	if (tally_room(&slot->by_cgroup, conf->per_endpoint, SNP_STAT_QUOTA, &by_cgroup) ||
	    tally_room(&slot->by_addr, conf->names_per_address, SNP_STAT_ADDR_CAP, &by_addr))
		return -1;
	r = bpf_map_update_elem(&snp_learned, &slot->key, fact, BPF_NOEXIST);
	if (r == -17 /* EEXIST: another CPU was first */)
		return 0;
	if (r)
		goto full;
	if (tally_add(&slot->by_cgroup, by_cgroup))
		goto uncounted;
	if (tally_add(&slot->by_addr, by_addr)) {
		tally_take_back(&slot->by_cgroup);
		goto uncounted;
	}
	__sync_fetch_and_add(&name->added, 1);
	snp_count(SNP_STAT_FACTS_NEW);
	return 0;
uncounted:
	bpf_map_delete_elem(&snp_learned, &slot->key);
full:
	snp_count(SNP_STAT_MAP_FULL);
	return -1;
}

/* By how much an expiry must have moved since it was last told, to be told again. */
static __always_inline __u64 worth_telling(__u32 ttl_s)
{
	__u64 tenth = (__u64)ttl_s * (NS_PER_S / 10);

	return tenth < NS_PER_S ? NS_PER_S : tenth;
}

/* A fact that is there: move its expiry. Returns 1 when that is news. */
static __always_inline int
fact_renew(struct commit *c, struct snp_fact *row, __u64 expiry_ns, __u32 ttl_s)
{
	__u64 announced = row->announced_ns;

	if (c->slot->now_ns >= row->expiry_ns + SNP_REVIVE_AFTER_NS) {
		struct snp_fact *whole = &c->slot->fact;

		*whole = *row;
		whole->expiry_ns = expiry_ns;
		whole->announced_ns = expiry_ns;
		whole->last_seen_ns = c->slot->now_ns;
		whole->ttl_s = ttl_s;
		whole->chain = c->slot->chain;
		whole->generation = c->slot->generation;
		whole->identity = c->slot->sole;
		if (bpf_map_update_elem(&snp_learned, &c->slot->key, whole, BPF_EXIST))
			return fact_new(c, expiry_ns, ttl_s) ? 0 : 1;
		snp_count(SNP_STAT_FACTS_RENEWED);
		return 1;
	}
	row->last_seen_ns = c->slot->now_ns;
	row->chain = c->slot->chain;
	row->identity = c->slot->sole;
	row->generation = c->slot->generation;
	if (expiry_ns <= row->expiry_ns)
		return 0;
	later(&row->expiry_ns, expiry_ns);
	row->ttl_s = ttl_s;
	snp_count(SNP_STAT_FACTS_RENEWED);
	if (expiry_ns < announced + worth_telling(ttl_s))
		return 0;
	/* Of two CPUs that find it worth telling, one tells. */
	return __sync_val_compare_and_swap(&row->announced_ns, announced, expiry_ns) == announced;
}

#endif
