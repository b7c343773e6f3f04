/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_pkt.bpf.h - from a packet at a cgroup hook to its UDP addresses and payload.
 *
 * At cgroup_skb offset 0 is the IP header; large datagrams are whole and not
 * linear, so bytes are read by bpf_skb_load_bytes() only. The hook sees v4-mapped
 * sockets as IPv4. Any other arithmetic on a packet is a review stop.
 */
#ifndef SNP_PKT_BPF_H
#define SNP_PKT_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "bpf/dns_load.bpf.h"
#include "bpf/snp_maps.bpf.h"

#define PKT_EXT_HEADERS_MAX 8

/* <sys/socket.h> is of user space; these are ABI. */
#define SOCK_STREAM 1
#define SOCK_DGRAM  2
#define SOCK_RAW    3

enum pkt_kind { PKT_OTHER, PKT_UDP, PKT_REFUSED };

struct pkt {
	struct snp_addr src, dst;
	__u16 sport, dport; /* host order */
	__u32 payload;	    /* offset of the DNS message */
	__u32 len;	    /* its bytes */
	__u32 refused;	    /* enum snp_stat, with PKT_REFUSED */
};

static __always_inline void addr_from_v4(struct snp_addr *a, __be32 v4)
{
	a->q[0] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

static __always_inline int addr_is_v4(const struct snp_addr *a)
{
	return !a->q[0] && a->w[2] == bpf_htonl(0xffff);
}

static __always_inline int addr_equal(const struct snp_addr *a, const struct snp_addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}

static __always_inline int port_observed(const struct snp_kconf *conf, __u16 port)
{
	return conf->ports[port >> 6] >> (port & 63) & 1;
}

static __always_inline int pkt_refuse(struct pkt *p, __u32 why)
{
	p->refused = why;
	return PKT_REFUSED;
}

/* The UDP header, read from off; end is where the IP payload ends. */
static __always_inline int pkt_udp(struct pkt *p, const struct udphdr *udp, __u32 off, __u32 end)
{
	__u32 len = bpf_ntohs(udp->len);

	p->sport = bpf_ntohs(udp->source);
	p->dport = bpf_ntohs(udp->dest);
	p->payload = off + sizeof(*udp);
	p->len = len - sizeof(*udp);
	p->refused = len < sizeof(*udp) || off > end || len > end - off ? SNP_STAT_UDP_LENGTH : 0;
	return PKT_UDP;
}

/* Nearly always UDP follows the shortest IP header: one look for both. */
struct pkt_head4 {
	struct iphdr ip;
	struct udphdr udp;
};
struct pkt_head6 {
	struct ipv6hdr ip;
	struct udphdr udp;
};

static __always_inline int pkt_v4(struct __sk_buff *skb, struct pkt *p)
{
	struct pkt_head4 h;
	__u32 off;

	/* A last fragment may be shorter than both. */
	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) &&
	    bpf_skb_load_bytes(skb, 0, &h.ip, sizeof(h.ip)))
		return PKT_OTHER;
	if (h.ip.protocol != IPPROTO_UDP)
		return PKT_OTHER;
	if (h.ip.frag_off & bpf_htons(0x3fff))
		return pkt_refuse(p, SNP_STAT_FRAGMENT);
	off = h.ip.ihl * 4;
	if ((off != sizeof(h.ip) || skb->len < sizeof(h)) &&
	    bpf_skb_load_bytes(skb, off, &h.udp, sizeof(h.udp)))
		return PKT_OTHER;
	addr_from_v4(&p->src, h.ip.saddr);
	addr_from_v4(&p->dst, h.ip.daddr);
	/* tot_len is 0 in some GSO buffers: the buffer's own length bounds the rest. */
	return pkt_udp(p, &h.udp, off, skb->len);
}

/* Find UDP behind extension headers (RFC 8200 4). Not inlined: it is rare, and verified once. */
static __attribute__((noinline)) int pkt_v6_skip(struct __sk_buff *skb, __u32 *nexthdr, __u32 *offp)
{
	__u32 next = *nexthdr, off = *offp, i;
	__u8 ext[4];

	for (i = 0; i < PKT_EXT_HEADERS_MAX; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			break;
		if (bpf_skb_load_bytes(skb, off, ext, sizeof(ext)))
			return PKT_OTHER;
		if (next == IPPROTO_FRAGMENT) {
			/* Offset and more-fragments both 0: an atomic fragment (RFC 6946), whole. */
			if (ext[2] || ext[3] & 0xf9)
				return PKT_REFUSED;
			off += 8;
		} else if (next == IPPROTO_AH) {
			off += (ext[1] + 2) * 4;
		} else {
			off += (ext[1] + 1) * 8;
		}
		next = ext[0];
	}
	*nexthdr = next;
	*offp = off;
	return PKT_UDP;
}

static __always_inline int pkt_v6(struct __sk_buff *skb, struct pkt *p)
{
	struct pkt_head6 h;
	__u32 next, off = sizeof(h.ip);

	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) &&
	    bpf_skb_load_bytes(skb, 0, &h.ip, sizeof(h.ip)))
		return PKT_OTHER;
	next = h.ip.nexthdr;
	if (next == IPPROTO_TCP)
		return PKT_OTHER;
	if (next != IPPROTO_UDP) {
		int r = pkt_v6_skip(skb, &next, &off);

		if (r == PKT_REFUSED)
			return pkt_refuse(p, SNP_STAT_FRAGMENT);
		if (r != PKT_UDP)
			return PKT_OTHER;
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
		    next == IPPROTO_FRAGMENT || next == IPPROTO_AH)
			return pkt_refuse(p, SNP_STAT_EXT_HEADERS);
		if (next != IPPROTO_UDP)
			return PKT_OTHER;
	}
	if ((off != sizeof(h.ip) || skb->len < sizeof(h)) &&
	    bpf_skb_load_bytes(skb, off, &h.udp, sizeof(h.udp)))
		return PKT_OTHER;
	__builtin_memcpy(&p->src, &h.ip.saddr, sizeof(p->src));
	__builtin_memcpy(&p->dst, &h.ip.daddr, sizeof(p->dst));
	return pkt_udp(p, &h.udp, off, skb->len);
}

/* PKT_UDP: *p is set; p->refused is not 0 when the length lies. PKT_REFUSED: only p->refused is. */
static __always_inline int pkt_read(struct __sk_buff *skb, struct pkt *p)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return pkt_v4(skb, p);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return pkt_v6(skb, p);
	return PKT_OTHER;
}

/* Copy the message of *p to the walker. 0, or the refusal. */
static __always_inline __u32 pkt_message(struct __sk_buff *skb, const struct pkt *p,
					 struct dns_walk *w)
{
	__u64 len = p->len;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return DNS_E(SHORT);
	w->len = len;
	/*
	 * Say the bounds again, in 64 bits: clang may have compared 32, and 6.1
	 * draws nothing from that about the register it passes on.
	 */
	asm volatile("%0 &= 0xffff" : "+r"(len));
	if (len < DNS_HEADER_LEN || bpf_skb_load_bytes(skb, p->payload, w->msg, len))
		return DNS_E(UDP_LENGTH);
	return 0;
}

#endif
