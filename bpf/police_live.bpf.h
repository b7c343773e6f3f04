/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * police_live.bpf.h - a flow that was admitted goes on: what nearly every packet and send is.
 *
 * Its socket remembers it, under the generation in force: nothing else is asked. Neither who sends
 * (a change of endpoints or resolvers begins another generation, and cgroups go from one endpoint to
 * another before it comes in force, or have one more), nor whether it is a question (those to
 * resolvers are never remembered). Whatever is less plain is police.bpf.h's.
 */
#ifndef SNP_POLICE_LIVE_BPF_H
#define SNP_POLICE_LIVE_BPF_H

#include "bpf/police_flow.bpf.h"

struct live_head4 {
	struct iphdr ip;
	__be16 ports[2];
};
struct live_head6 {
	struct ipv6hdr ip;
	__be16 ports[2];
};

/* Where a packet of the plainest shape goes: TCP or UDP, no fragment, no options. -1: another. */
static __always_inline int live_packet(struct __sk_buff *skb, struct snp_flow_to *to)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct live_head4 h;

		if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) || h.ip.ihl != 5 ||
		    h.ip.frag_off & bpf_htons(0x3fff))
			return -1;
		addr_from_v4(&to->addr, h.ip.daddr);
		to->protocol = h.ip.protocol;
		to->port = bpf_ntohs(h.ports[1]);
	} else {
		struct live_head6 h;

		if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)))
			return -1;
		__builtin_memcpy(&to->addr, &h.ip.daddr, sizeof(to->addr));
		to->protocol = h.ip.nexthdr;
		to->port = bpf_ntohs(h.ports[1]);
	}
	return to->protocol == IPPROTO_TCP || to->protocol == IPPROTO_UDP ? 0 : -1;
}

/* Is the flow of these ways, under this generation? */
static __always_inline int
live_in(struct snp_flow_ways *ways, const struct snp_flow_to *to, void *generation)
{
	struct snp_flow *f = flow_of(ways, to);
	const __u8 *tables = f ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;

	return tables && flow_goes_on(f, snp_policy_head(tables), bpf_ktime_get_boot_ns());
}

/* A packet at egress. */
static __always_inline int police_live(struct __sk_buff *skb, void *generation)
{
	struct bpf_sock *sk = skb->sk;
	struct snp_flow_ways *ways = sk ? bpf_sk_storage_get(&snp_flow, sk, 0, 0) : NULL;
	struct snp_flow_to to = {};

	return ways && !live_packet(skb, &to) && live_in(ways, &to, generation);
}

/* connect, or sendmsg with a destination. */
static __always_inline int
police_call_live(struct bpf_sock_addr *ctx, const struct snp_endpoint *at, void *generation)
{
	struct bpf_sock *sk = ctx->sk;
	struct snp_flow_ways *ways = sk ? bpf_sk_storage_get(&snp_flow, sk, 0, 0) : NULL;
	struct snp_flow_to to = {};

	if (!ways)
		return 0;
	police_call(ctx, at, &to);
	return live_in(ways, &to, generation);
}

#endif
