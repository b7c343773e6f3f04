/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ingress.bpf.c - cgroup_skb/ingress: answers on their way to a socket. Always lets them pass. */
#include "bpf/learn.bpf.h"

SEC("cgroup_skb/ingress") int snp_ingress(struct __sk_buff *skb)
{
	learn_ingress(skb);
	return 1;
}
