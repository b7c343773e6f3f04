/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_commit_name.bpf.h - the row of a name, and what a commit works with.
 *
 * Kernel side, for snp_commit.bpf.h. Times are CLOCK_BOOTTIME nanoseconds.
 *
 * Rows are written in place only until SNP_REVIVE_AFTER_NS past their expiry; later they are
 * replaced whole. The daemon collects them no sooner than SNP_COLLECT_AFTER_NS, so
 * no write ever lands in a row that was collected and given to another key.
 */
#ifndef SNP_COMMIT_NAME_BPF_H
#define SNP_COMMIT_NAME_BPF_H

#include "bpf/snp_scratch.bpf.h"
#include "bpf/snp_tally.bpf.h"

/*
 * What a commit works with: pointers only. All that changes is in the slot, in
 * map memory, or the verifier would follow each address as a state of its own.
 */
struct commit {
	struct snp_scratch_slot *slot;
	struct snp_kconf *conf;
	struct snp_name_row *name; /* row of the question's name */
};

/* Move *to forward to at; another CPU may be at it as well. */
static __always_inline void later(__u64 *to, __u64 at)
{
	__u64 seen = *to, had;
	__u32 i;

	for (i = 0; i < 3; i++) {
		if (seen >= at)
			return;
		had = __sync_val_compare_and_swap(to, seen, at);
		if (had == seen)
			return;
		seen = had;
	}
}

/* A name seen for the first time counts against its asker's quota. 0, or -1: refused. */
static __always_inline int name_add(struct commit *c, const struct snp_name_key *key)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_tally_key *t = &slot->names_of;
	__u64 *names;
	long r;

	t->id[0] = slot->cgroup_id;
	t->id[1] = 0;
	t->scope = 0;
	t->kind = SNP_TALLY_CGROUP_NAMES;
	if (tally_room(t, c->conf->per_endpoint, SNP_STAT_QUOTA, &names))
		return -1;
	r = bpf_map_update_elem(&snp_names, key, &slot->name, BPF_NOEXIST);
	if (r == -17 /* EEXIST: another CPU was first */)
		return 0;
	if (!r && !tally_add(t, names))
		return 0;
	if (!r)
		bpf_map_delete_elem(&snp_names, key);
	snp_count(SNP_STAT_NAMES_FULL);
	return -1;
}

/* What a new row says of names[i] of the walk; had: the row that it replaces, or NULL. */
static __always_inline struct snp_name_row *
name_fresh(struct commit *c, __u32 i, __u64 expiry_ns, const struct snp_name_row *had)
{
	struct dns_walk *w = &c->slot->walk;
	struct snp_name_row *fresh = &c->slot->name;
	const __u8 *wire = dns_name(w, i);
	__u32 j;

	fresh->first_seen_ns = had ? had->first_seen_ns : c->slot->now_ns;
	fresh->last_seen_ns = c->slot->now_ns;
	fresh->expiry_ns = expiry_ns;
	fresh->alias_id = 0;
	fresh->alias_expiry_ns = 0;
	for (j = 0; j < SNP_INHERITED; j++)
		fresh->inherited[j] = had ? had->inherited[j] : 0;
	fresh->cgroup_id = had ? had->cgroup_id : c->slot->cgroup_id;
	fresh->added = had ? had->added : 0;
	fresh->wire_len = w->name_len[i & (DNS_NAMES - 1)];
	fresh->truncated = 0;
	for (j = 0; j < sizeof(fresh->wire); j += 8)
		dns_put_word(fresh->wire + j, dns_word(wire + j));
	return fresh;
}

/*
 * The row of names[i] of the walk, made if need be, good until expiry_ns at
 * least. NULL: refused, and counted. Not inlined: called for a name and its targets.
 */
static __attribute__((noinline)) struct snp_name_row *
name_row(struct commit *c, __u32 i, __u64 expiry_ns)
{
	struct snp_scratch_slot *slot = c->slot;
	struct dns_walk *w = &slot->walk;
	struct snp_name_key key = {.scope = slot->key.name.scope};
	__u32 len = w->name_len[i & (DNS_NAMES - 1)] & 0xff;
	struct snp_name_row *row;

	key.id = w->hash[i & (DNS_NAMES - 1)];
	row = bpf_map_lookup_elem(&snp_names, &key);
	if (row) {
		if (row->wire_len != len || !dns_same_name(row->wire, dns_name(w, i), len)) {
			snp_count(SNP_STAT_COLLISION);
			return NULL;
		}
		if (slot->now_ns < row->expiry_ns + SNP_REVIVE_AFTER_NS) {
			row->last_seen_ns = slot->now_ns;
			later(&row->expiry_ns, expiry_ns);
			return row;
		}
	}
	name_fresh(c, i, expiry_ns, row);
	/* One that the daemon collects at this very moment is a new one. */
	if (!row || bpf_map_update_elem(&snp_names, &key, &slot->name, BPF_EXIST)) {
		slot->name.cgroup_id = slot->cgroup_id;
		slot->name.added = 0;
		if (name_add(c, &key))
			return NULL;
	}
	return bpf_map_lookup_elem(&snp_names, &key);
}

#endif
