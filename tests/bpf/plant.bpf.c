/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plant.bpf.c - the ingress hook for BPF_PROG_TEST_RUN.
 *
 * A test run has a socket of its own that never asked anything, and it is gone
 * after the call. So the question that the message claims to answer is noted
 * first, by the code that egress uses; then the very body of snp_ingress runs.
 */
#include "bpf/learn.bpf.h"
#include "tests/bpf/plant.h"

struct snp_t_control_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_t_control);
};
struct snp_t_control_map snp_t_control SEC(".maps");

struct snp_t_verdict_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_t_verdict);
};
struct snp_t_verdict_map snp_t_verdict SEC(".maps");

static __always_inline int plant_question(struct __sk_buff *skb, const struct snp_t_control *how,
					  struct snp_kconf *conf, struct bpf_sock *sk,
					  const struct pkt *p)
{
	struct snp_scratch_slot *slot = snp_scratch_take();
	struct snp_questions *own;
	struct snp_question q;
	int planted = 0;

	if (!slot)
		return 0;
	if (learn_read(skb, p, conf, &slot->walk, DNS_FLAG_QR))
		goto give;
	question_of(&q, conf, &slot->walk, &p->src, p->sport, p->dport);
	q.name ^= how->name_xor;
	q.server ^= how->server_xor;
	q.qtype ^= how->type_xor;
	q.asked_ms -= how->age_ms;
	q.state = how->state;
	own = bpf_sk_storage_get(&snp_questions, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!own)
		goto give;
	own->netns_cookie = conf->netns_cookie + how->other_netns;
	question_note(sk, own, &q, conf->query_timeout_ms);
	planted = 1;
give:
	snp_scratch_give(slot);
	return planted;
}

static __attribute__((noinline)) int plant(struct __sk_buff *skb)
{
	__u32 zero = 0;
	const struct snp_t_control *how = bpf_map_lookup_elem(&snp_t_control, &zero);
	struct snp_kconf *conf = snp_conf_now();
	struct bpf_sock *sk;
	struct pkt p = {};

	if (!conf || !how)
		return 0;
	if (how->fresh)
		conf->key[0]++;
	if (!how->plant || pkt_read(skb, &p) != PKT_UDP || p.refused)
		return 0;
	sk = skb->sk;
	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	return plant_question(skb, how, conf, sk, &p);
}

SEC("cgroup_skb/ingress") int snp_t_ingress(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct snp_t_verdict *v = bpf_map_lookup_elem(&snp_t_verdict, &zero);

	if (!v)
		return 1;
	v->planted = plant(skb);
	v->err = learn_ingress(skb);
	v->cpu = bpf_get_smp_processor_id();
	v->runs++;
	return 1;
}

/* What planting alone costs, for the bench. */
SEC("cgroup_skb/ingress") int snp_t_plant(struct __sk_buff *skb)
{
	plant(skb);
	return 1;
}
