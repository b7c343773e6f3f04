/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egress.bpf.c - cgroup_skb/egress: what leaves a socket. Only an endpoint's policy ever holds it back. */
#include "bpf/learn.bpf.h"
#include "bpf/police_live.bpf.h"

/* Not inlined: its stack is not the policing's too. 1: the packet may go. */
static __attribute__((noinline)) int egress_learn(struct __sk_buff *skb, int police)
{
	struct learn l = {};
	struct pkt p = {};

	if (!learn_packet(skb, &l, &p, 0) || p.refused)
		return learn_unread(skb, police == POLICE_ASK);
	return learn_query(&l, police == POLICE_ASK);
}

SEC("cgroup_skb/egress") int snp_egress(struct __sk_buff *skb)
{
	void *generation = snp_policy_now();
	int police;

	if (generation && police_live(skb, generation))
		return 1;
	police = generation ? snp_police(skb) : POLICE_GO;
	if (police == POLICE_STOP)
		return 0;
	if (police == POLICE_ASK_TCP)
		return snp_police_tcp(skb) & 1;
	return egress_learn(skb, police) & 1;
}
