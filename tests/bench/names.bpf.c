/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * names.bpf.c - what a name matches, for BPF_PROG_TEST_RUN: by snp_match(), as an answer has it
 * matched, and by an LPM trie of names backwards.
 *
 * Each run takes the next name to a slot, as a packet's would be there. names_none does just that.
 * The trie is at its best here: it is no map of a map, so it could not be replaced as a whole, it keeps one
 * number for a selector, and the name is turned around by words.
 */
#include "bpf/snp_name.bpf.h"
#include "tests/bench/names.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct trie_key);
	__type(value, __u32);
} names_trie SEC(".maps");

struct names_row names_rows[NAMES_MAX];
struct trie_key names_key;
__u32 names_at;
__u64 names_cgroup;

static __always_inline struct snp_scratch_slot *next_name(struct names_row **row)
{
	__u32 at = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS, i;
	struct snp_scratch_slot *slot = snp_scratch_take(at);
	struct names_row *r = &names_rows[names_at & (NAMES_MAX - 1)];

	if (!slot)
		return NULL;
	names_at++;
	slot->index = at;
	slot->walk.name_len[0] = r->len;
	for (i = 0; i < 256 / 8; i++)
		((__u64 *)slot->walk.names)[i] = ((__u64 *)r->wire)[i];
	*row = r;
	return slot;
}

SEC("cgroup_skb/ingress") int names_none(struct __sk_buff *skb)
{
	struct names_row *row;
	struct snp_scratch_slot *slot = next_name(&row);

	if (!slot)
		return 0;
	row->found[0] = slot->walk.name_len[0];
	snp_scratch_give(slot);
	return 1;
}

SEC("cgroup_skb/ingress") int names_ours(struct __sk_buff *skb)
{
	struct names_row *row;
	struct snp_scratch_slot *slot = next_name(&row);
	__u32 i;

	if (!slot)
		return 0;
	snp_match(slot->index);
	for (i = 0; i < SNP_MATCH_BANKS; i++)
		row->found[i] = slot->identity[i];
	snp_scratch_give(slot);
	return 1;
}

SEC("cgroup_skb/ingress") int names_by_trie(struct __sk_buff *skb)
{
	struct names_row *row;
	struct snp_scratch_slot *slot = next_name(&row);
	__u32 i, len, *bits;

	if (!slot)
		return 0;
	len = row->len & 0xff;
	for (i = 0; i < 256 / 8 && i * 8 < len; i++)
		*(__u64 *)(names_key.name + i * 8) =
			__builtin_bswap64(*(__u64 *)(row->before + ((len - i * 8) & 0xff)));
	names_key.name[len] = TRIE_END;
	names_key.bits = (len + 1) * 8;
	bits = bpf_map_lookup_elem(&names_trie, &names_key);
	row->found[0] = bits ? *bits : 0;
	snp_scratch_give(slot);
	return 1;
}

/* Of which cgroup is what a test run sends? */
SEC("cgroup_skb/ingress") int names_whose(struct __sk_buff *skb)
{
	names_cgroup = bpf_skb_cgroup_id(skb);
	return 1;
}
