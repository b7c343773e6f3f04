/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ingress.bpf.c - cgroup_skb/ingress: what comes to a socket. Always lets it pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/ingress") int snp_ingress(struct __sk_buff *skb)
{
	if (snp_policy_now())
		snp_heard_from(skb);
	learn_ingress(skb);
	return 1;
}
