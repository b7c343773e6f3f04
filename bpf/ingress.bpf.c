/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ingress.bpf.c - cgroup_skb/ingress: answers on their way to a socket. Always lets them pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/ingress") int snp_ingress(struct __sk_buff *skb)
{
	struct snp_kconf *conf = snp_conf_now();
	struct bpf_sock *sk;
	struct pkt p = {};
	__u32 e;

	if (!conf)
		return 1;
	switch (pkt_read(skb, &p)) {
	case PKT_REFUSED:
		snp_count(p.refused);
		return 1;
	case PKT_UDP:
		break;
	default:
		return 1;
	}
	if (!port_observed(conf, p.sport))
		return 1;
	sk = skb->sk;
	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	e = learn_answer(skb, &p, conf, sk);
	if (e)
		snp_count(e - 1);
	return 1;
}
