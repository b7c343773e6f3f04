/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * floor.bpf.c - what learning cannot cost less than: the message copied to map
 * memory, one look-up, an update per answer, one ring record; and nothing at all.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/snp_event.h"
#include "tests/bench/floor.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct floor_state);
} floor_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct snp_name_key);
	__type(value, __u64);
} floor_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct snp_fact_key);
	__type(value, struct snp_fact);
} floor_facts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} floor_ring SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static long floor_answer(__u32 i, struct floor_state **state)
{
	struct floor_state *s = *state;

	s->key.addr.w[3] = i;
	bpf_map_update_elem(&floor_facts, &s->key, &s->fact, BPF_ANY);
	return 0;
}

SEC("cgroup_skb/ingress") int floor_empty(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/ingress") int floor_ingress(struct __sk_buff *skb)
{
	__u32 zero = 0, len = skb->len, n;
	struct floor_state *s = bpf_map_lookup_elem(&floor_state, &zero);

	if (!s || len <= FLOOR_HEADERS)
		return 1;
	len -= FLOOR_HEADERS;
	asm volatile("%0 &= 0xffff" : "+r"(len));
	if (!len || bpf_skb_load_bytes(skb, FLOOR_HEADERS, s->msg, len))
		return 1;
	if (s->fresh)
		s->key.name.id++;
	bpf_map_lookup_elem(&floor_names, &s->key.name);
	bpf_loop(s->answers, floor_answer, &s, 0);
	n = s->answers;
	if (n > SNP_EVENT_FACTS)
		n = SNP_EVENT_FACTS;
	bpf_ringbuf_output(&floor_ring, &s->event, SNP_EVENT_BYTES(n), BPF_RB_NO_WAKEUP);
	s->runs++;
	return 1;
}
