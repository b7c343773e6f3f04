/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* egress.bpf.c - cgroup_skb/egress: questions on their way out. Always lets them pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/egress") int snp_egress(struct __sk_buff *skb)
{
	struct learn l = {};
	struct pkt p = {};

	if (learn_packet(skb, &l, &p, 0) && !p.refused)
		learn_query(&l);
	return 1;
}
