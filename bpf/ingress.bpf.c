/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ingress.bpf.c - cgroup_skb/ingress: answers on their way to a socket. Always lets them pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/ingress") int snp_ingress(struct __sk_buff *skb)
{
	struct learn l = {};
	struct pkt p = {};
	__u32 e;

	if (!learn_packet(skb, &l, &p) || !port_observed(l.conf, p.sport))
		return 1;
	e = learn_answer(&l);
	if (e)
		snp_count(e - 1);
	return 1;
}
