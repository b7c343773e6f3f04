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

static __always_inline int plant_question(struct learn *l, const struct snp_t_control *how)
{
	struct dns_walk *w = &l->slot->walk;
	struct snp_addr server = l->p->src;
	struct bpf_sock *sk = learn_sock(l);
	struct snp_asker *asker;
	struct question q;

	if (!sk || learn_read(l, DNS_FLAG_QR))
		return 0;
	w->hash[0] ^= how->name_xor;
	w->qtype ^= how->type_xor;
	server.w[3] ^= how->server_xor;
	learn_question(l, &server, l->p->sport, l->p->dport, bpf_ktime_get_boot_ns(), &q);
	q.q.asked_ms -= how->age_ms;
	q.q.head |= how->state & SNP_Q_STATE;
	question_note(l->skb, &q, l->conf->query_timeout_ms);
	if (!l->conf->netns_cookie)
		return 1;
	asker = bpf_sk_storage_get(&snp_asker, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!asker)
		return 0;
	asker->netns_cookie = l->conf->netns_cookie + how->other_netns;
	return 1;
}

/* Two functions beside each other: with the hook inlined into the program their stacks would add up. */
__attribute__((noinline)) int snp_t_plant_it(struct __sk_buff *skb)
{
	__u32 zero = 0;
	const struct snp_t_control *how = bpf_map_lookup_elem(&snp_t_control, &zero);
	struct learn l = {};
	struct pkt p = {};
	int planted;

	if (!how)
		return 0;
	if (how->fresh) {
		struct snp_kconf *conf = snp_conf_pick(&l.which);

		if (conf)
			conf->key[0]++;
	}
	if (!how->plant || !learn_packet(skb, &l, &p, 1) || p.refused || learn_begin(&l))
		return 0;
	planted = plant_question(&l, how);
	snp_scratch_give(l.slot);
	return planted;
}

__attribute__((noinline)) int snp_t_learn_it(struct __sk_buff *skb)
{
	return learn_ingress(skb);
}

SEC("cgroup_skb/ingress") int snp_t_ingress(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct snp_t_verdict *v = bpf_map_lookup_elem(&snp_t_verdict, &zero);

	if (!v)
		return 1;
	v->planted = snp_t_plant_it(skb);
	v->err = snp_t_learn_it(skb);
	v->cpu = bpf_get_smp_processor_id();
	v->runs++;
	return 1;
}

/* What planting alone costs, for the bench. */
SEC("cgroup_skb/ingress") int snp_t_plant(struct __sk_buff *skb)
{
	snp_t_plant_it(skb);
	return 1;
}
