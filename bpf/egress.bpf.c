/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egress.bpf.c - cgroup_skb/egress: questions on their way out. Always lets them pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/egress") int snp_egress(struct __sk_buff *skb)
{
	struct snp_kconf *conf = snp_conf_now();
	struct bpf_sock *sk;
	struct pkt p = {};

	if (!conf || pkt_read(skb, &p) != PKT_UDP || p.refused)
		return 1;
	if (!port_observed(conf, p.dport))
		return 1;
	sk = skb->sk;
	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	learn_query(skb, &p, conf, sk);
	return 1;
}
