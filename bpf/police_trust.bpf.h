/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * police_trust.bpf.h - is a packet what it looks like when it is judged?
 *
 * Any program may send loopback out of another device (SO_BINDTODEVICE), send IPv6 from an address
 * that is not its host's (IPV6_FREEBIND), lead a connection's packets elsewhere (IPV6_RTHDR),
 * and change bytes after the hook has read them (splice, MSG_ZEROCOPY). Not inlined: their stack is not
 * that of the judging too.
 */
#ifndef SNP_POLICE_TRUST_BPF_H
#define SNP_POLICE_TRUST_BPF_H

#include "bpf/learn.bpf.h"
#include "bpf/snp_cgroup.bpf.h"
#include "bpf/snp_proxy.bpf.h"

/* SKBFL_ZEROCOPY_ENABLE, _SHARED_FRAG, _DONT_ORPHAN, _MANAGED_FRAG_REFS: pages that are not the kernel's alone. */
#define PAGES_OF_OTHERS 0x1b

/*
 * Loopback that does not leave: by the loopback device, and not in somebody else's name, for what answers
 * it is the kernel, with the packet in it. TCP has nothing in it before both have agreed.
 */
static __attribute__((noinline)) int
packet_stays(struct __sk_buff *skb, const struct snp_flow_to *to)
{
	struct snp_addr from;

	if (!addr_is_loopback(&to->addr) || skb->ifindex != SNP_LOOPBACK)
		return 0;
	if (to->protocol == IPPROTO_TCP || addr_is_v4(&to->addr))
		return 1;
	return !bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, saddr), &from, sizeof(from)) &&
	       addr_is_loopback(&from);
}

/*
 * It goes elsewhere than its connection: by a source route, or a routing header. Each word of the
 * peer's address is read by itself: clang would make one pointer of two, which is no socket to the verifier.
 */
static __attribute__((noinline)) int
packet_strays(struct __sk_buff *skb, struct bpf_sock *sk, const struct snp_flow_to *to)
{
	__u32 a = sk->dst_ip6[0], b = sk->dst_ip6[1], c = sk->dst_ip6[2], d = sk->dst_ip6[3];
	__u32 v4 = sk->dst_ip4;

	asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(v4));
	if (!sk->dst_port)
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return to->addr.w[3] != v4;
	return to->addr.w[0] != a || to->addr.w[1] != b || to->addr.w[2] != c || to->addr.w[3] != d;
}

/* The network namespace of its socket, as bpf_get_netns_cookie() tells it where that can be called. */
static __attribute__((noinline)) __u64 packet_netns(struct __sk_buff *skb)
{
	const struct sk_buff *b = (const void *)skb;

	return snp_reads_kernel ? BPF_CORE_READ(b, sk, __sk_common.skc_net.net, net_cookie) : 0;
}

/* Does it hold bytes that its sender can still change? A datagram's are the kernel's when it is sent at once. */
static __attribute__((noinline)) int packet_may_change(struct __sk_buff *skb, __u32 tcp)
{
	const struct sk_buff *b = (const void *)skb;
	const struct skb_shared_info *pages;

	if (!snp_reads_kernel || !BPF_CORE_READ(b, data_len))
		return 0;
	pages = (const void *)(BPF_CORE_READ(b, head) + BPF_CORE_READ(b, end));
	return !tcp || BPF_CORE_READ(pages, flags) & PAGES_OF_OTHERS;
}

#endif
