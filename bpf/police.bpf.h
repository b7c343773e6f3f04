/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * police.bpf.h - what an endpoint sends: let go, or refused.
 *
 * police_packet() at egress judges what connect and sendmsg could not (raw sockets, ICMP,
 * fast open, sockets that were passed on), keeps flows that were admitted going, and
 * lets answers to others go. police_address() is for connect and sendmsg, which can
 * say EPERM before anything is sent. police_heard() at ingress notes who asks a server.
 */
#ifndef SNP_POLICE_BPF_H
#define SNP_POLICE_BPF_H

#include "bpf/learn.bpf.h"
#include "bpf/police_live.bpf.h"
#include "bpf/police_trust.bpf.h"
#include "bpf/snp_cgroup.bpf.h"
#include "bpf/snp_proxy.bpf.h"

/* What else a packet says, besides where it goes. */
struct police_packet {
	__u8 begins; /* SYN without ACK */
	__u8 tcp;
	__u8 routed; /* IPv4 options, or IPv6 extension headers: its header may lead elsewhere */
	__u8 neighbours; /* ICMPv6 that the network needs: neighbours, routers, groups */
};

/* Ports, and TCP's flags, from off. */
static __always_inline void police_ports(struct __sk_buff *skb, __u32 off, __u8 protocol,
					 struct snp_flow_to *to, struct police_packet *is)
{
	__be16 ports[2];
	__u8 flags = 0;

	to->protocol = protocol;
	to->port = 0;
	to->no_ports = 1;
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		if (bpf_skb_load_bytes(skb, off, ports, sizeof(ports)))
			return;
		to->port = bpf_ntohs(ports[1]);
		to->no_ports = 0;
	}
	if (protocol == IPPROTO_ICMPV6 && !bpf_skb_load_bytes(skb, off, &flags, sizeof(flags)))
		is->neighbours = (flags >= 130 && flags <= 137) || flags == 143;
	if (protocol != IPPROTO_TCP)
		return;
	is->tcp = 1;
	bpf_skb_load_bytes(skb, off + 13, &flags, sizeof(flags));
	is->begins = (flags & 0x12) == 0x02;
}

/* 0, or -1: no IP. A fragment that is not the first has no ports. */
static __always_inline int
police_read(struct __sk_buff *skb, struct snp_flow_to *to, struct police_packet *is)
{
	__u32 next, off;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return -1;
		addr_from_v4(&to->addr, ip.daddr);
		if (ip.frag_off & bpf_htons(0x1fff)) {
			to->protocol = ip.protocol;
			to->no_ports = 1;
			return 0;
		}
		is->routed = ip.ihl != 5;
		police_ports(skb, ip.ihl * 4, ip.protocol, to, is);
		return 0;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return -1;
		__builtin_memcpy(&to->addr, &ip.daddr, sizeof(to->addr));
		next = ip.nexthdr;
		off = sizeof(ip);
		is->routed = next != IPPROTO_TCP;
		if (next != IPPROTO_TCP && next != IPPROTO_UDP &&
		    pkt_v6_skip(skb, &next, &off) != PKT_UDP) {
			to->protocol = next;
			to->no_ports = 1;
			return 0;
		}
		police_ports(skb, off, next, to, is);
		return 0;
	}
	return -1;
}

/* Is it a resolver that this host trusts, from here? Questions to it are judged by their names. */
static __always_inline int police_is_resolver(const struct snp_flow_to *to)
{
	struct snp_kconf *conf = snp_conf_now();

	return conf && (to->protocol == IPPROTO_UDP || to->protocol == IPPROTO_TCP) &&
	       port_observed(conf, to->port) && server_flags(conf, &to->addr, to->port);
}

/*
 * A raw socket of the kernel's own is of the cgroup of whoever made the network namespace. Its
 * resets are answers, and without its neighbour discovery (RFC 4861, RFC 3810) nothing leaves
 * the host.
 */
static __always_inline int police_is_kernels(struct __sk_buff *skb, struct bpf_sock *sk,
					     const struct snp_flow_to *to,
					     const struct police_packet *is)
{
	if (sk->type != SOCK_RAW || !is_kernels(sk))
		return 0;
	if (is->tcp)
		return !is->begins;
	return to->protocol == IPPROTO_ICMP || is->neighbours;
}

/* Where names are judged: a name server on a loopback address, trusted or not, is asked by names too. */
static __always_inline int police_is_loopback_server(const struct snp_flow_to *to)
{
	struct snp_kconf *conf = snp_conf_now();

	return conf && (to->protocol == IPPROTO_UDP || to->protocol == IPPROTO_TCP) &&
	       addr_is_loopback(&to->addr) && port_observed(conf, to->port);
}

/* What is sent to a resolver, and can be no question that is judged. */
static __always_inline enum police police_no_question(struct __sk_buff *skb, __u32 tcp)
{
	if (snp_dns_refused(skb))
		return POLICE_GO;
	if (tcp)
		snp_cut(skb);
	return POLICE_STOP;
}

/* A raw socket's packet to a resolver, where names are judged: a question like any other. */
static __always_inline enum police
police_raw_question(struct __sk_buff *skb, const struct police_packet *is)
{
	if (!is->tcp)
		return POLICE_ASK;
	return snp_dns_refused(skb) ? POLICE_GO : POLICE_STOP;
}

/* At egress. */
static __always_inline enum police police_packet(struct __sk_buff *skb)
{
	const __u8 *tables = police_tables();
	struct police_packet is = {};
	struct police_case c = {};
	struct snp_member *m;
	struct bpf_sock *sk;
	__u32 raw = 0, class, dns;

	if (!tables)
		return POLICE_GO;
	c.cgroup_id = bpf_skb_cgroup_id(skb);
	m = member_of_skb(skb);
	if (!m)
		return POLICE_GO;
	c.who = *m;
	class = snp_policy_class(tables, m->endpoint & (SNP_ENDPOINTS_MAX - 1));
	if (!class || police_read(skb, &c.key.to, &is))
		return POLICE_GO;
	c.head = snp_policy_head(tables);
	sk = skb->sk;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		raw = sk->type == SOCK_RAW;
		c.type = *(volatile __u32 *)&sk->type;
	}
	dns = snp_class_at(tables, class)->flags & SNP_CLASS_DNS;
	if (snp_is_resolver(&c.key.to) || (dns && police_is_loopback_server(&c.key.to))) {
		if (dns && packet_may_change(skb, is.tcp))
			return police_no_question(skb, is.tcp);
		if (!raw)
			return !dns ? POLICE_GO : is.tcp ? POLICE_ASK_TCP : POLICE_ASK;
		if (dns)
			return police_raw_question(skb, &is);
	}
	if (packet_stays(skb, &c.key.to) || (sk && police_is_kernels(skb, sk, &c.key.to, &is)))
		return POLICE_GO;
	/* Accepted connections have none, and need none. */
	if (sk)
		c.ways = bpf_sk_storage_get(&snp_flow, sk, 0,
					    is.tcp && !is.begins ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
	/* Of TCP only what begins a connection is judged, unless somebody writes his own headers. */
	if (is.tcp && !is.begins && !raw && !(c.ways && flow_of(c.ways, &c.key.to)) &&
	    !(is.routed && sk && packet_strays(skb, sk, &c.key.to)))
		return POLICE_GO;
	if (c.key.to.protocol == IPPROTO_UDP)
		c.netns_cookie = packet_netns(skb);
	c.key.cookie = SNP_FLOW_OF(bpf_get_socket_cookie(skb), SNP_ENDPOINT_PLACE(c.who.endpoint));
	if (police_flow(&c))
		return POLICE_GO;
	if (c.cut && is.tcp)
		snp_cut(skb);
	return POLICE_STOP;
}

/* Have the packet's connection ended: its addresses, as its socket has them, to the daemon. */
static __always_inline int police_cut(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct snp_event_cut *e;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	/* A raw socket has none, however many packets of it look like one. */
	if (!sk || sk->type != SOCK_STREAM)
		return 0;
	e = bpf_ringbuf_reserve(&snp_ring, sizeof(*e), 0);
	if (!e) {
		snp_count(SNP_STAT_VERDICTS_LOST);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->version = SNP_EVENT_CUT;
	e->local_port = sk->src_port;
	e->remote_port = bpf_ntohs(sk->dst_port);
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		addr_from_v4(&e->local, sk->src_ip4);
		addr_from_v4(&e->remote, sk->dst_ip4);
	} else {
		e->local.w[0] = sk->src_ip6[0];
		e->local.w[1] = sk->src_ip6[1];
		e->local.w[2] = sk->src_ip6[2];
		e->local.w[3] = sk->src_ip6[3];
		e->remote.w[0] = sk->dst_ip6[0];
		e->remote.w[1] = sk->dst_ip6[1];
		e->remote.w[2] = sk->dst_ip6[2];
		e->remote.w[3] = sk->dst_ip6[3];
	}
	e->ts_ns = bpf_ktime_get_boot_ns();
	e->cookie = bpf_get_socket_cookie(skb);
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* A question that may not be asked, or cannot be read, of an endpoint with rules.dns. 1: it goes all the same. */
static __always_inline int police_dns_refused(struct __sk_buff *skb)
{
	const __u8 *tables = police_tables();
	struct snp_member *m = member_of_skb(skb);
	struct judge *j;
	__u32 index;
	int may;

	if (!tables || !m)
		return 1;
	j = judge_claim(&index);
	if (!j)
		return snp_policy_head(tables)->mode != SNP_MODE_ENFORCE;
	__builtin_memset(&j->to, 0, sizeof(j->to));
	j->endpoint = m->endpoint;
	j->to.protocol = IPPROTO_UDP;
	j->mode = snp_policy_head(tables)->mode;
	j->generation = snp_policy_head(tables)->generation;
	may = snp_judged(index, bpf_skb_cgroup_id(skb), SNP_VERDICT_DENY_DNS);
	judge_give(j);
	return may;
}

/* The question in the slot, of an endpoint with rules.dns. 1: it may be asked. */
static __always_inline int police_question(struct __sk_buff *skb, struct snp_scratch_slot *slot)
{
	const __u8 *tables;
	struct snp_member *m = member_of_skb(skb);
	__u32 i;

	/* Numbers of sets mean something in their own generation only. */
	for (i = 0; i < NAME_TRIES; i++) {
		tables = police_tables();
		if (!tables || !m)
			return 1;
		slot->class = snp_policy_class(tables, m->endpoint & (SNP_ENDPOINTS_MAX - 1));
		if (!snp_match(slot->index) ||
		    *(volatile __u32 *)&slot->generation != snp_policy_head(tables)->generation)
			continue;
		if (name_may_be_asked(slot, tables))
			return 1;
		break;
	}
	return snp_dns_refused(skb);
}

/*
 * Has a socket of somebody else than the endpoint sent it, here? A sender's address alone is no proof: any program
 * may have one that is not its host's (IPV6_FREEBIND). Not inlined: for its stack.
 */
static __attribute__((noinline)) int
police_is_anothers(struct __sk_buff *skb, const struct pkt *p, __u32 endpoint)
{
	struct bpf_sock_tuple t = {};
	struct snp_member *m;
	struct bpf_sock *from;
	__u64 id;

	if (addr_is_v4(&p->src)) {
		t.ipv4.saddr = p->dst.w[3];
		t.ipv4.sport = bpf_htons(p->dport);
		t.ipv4.daddr = p->src.w[3];
		t.ipv4.dport = bpf_htons(p->sport);
		from = bpf_sk_lookup_udp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(t.ipv6.saddr, &p->dst, sizeof(t.ipv6.saddr));
		t.ipv6.sport = bpf_htons(p->dport);
		__builtin_memcpy(t.ipv6.daddr, &p->src, sizeof(t.ipv6.daddr));
		t.ipv6.dport = bpf_htons(p->sport);
		from = bpf_sk_lookup_udp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!from)
		return 0;
	id = bpf_sk_cgroup_id(from);
	bpf_sk_release(from);
	m = member_row(id);
	return m ? m->endpoint != endpoint : !endpoints_incomplete();
}

/* A datagram came to a socket of an endpoint: what goes back is an answer. */
static __always_inline void police_hears(struct __sk_buff *skb)
{
	const __u8 *tables = police_tables();
	struct snp_flow_ways *ways;
	struct snp_flow_key key = {.to = {.protocol = IPPROTO_UDP}};
	struct snp_member *m;
	struct snp_flow *f;
	struct bpf_sock *sk;
	struct pkt p = {};

	if (!tables || pkt_read(skb, &p) != PKT_UDP)
		return;
	m = member_of_skb(skb);
	if (!m || !snp_policy_class(tables, m->endpoint & (SNP_ENDPOINTS_MAX - 1)))
		return;
	/* From this host to itself, yet not from the address it came to: who has sent it? */
	if (packet_loops(skb) && !addr_equal(&p.src, &p.dst) &&
	    !police_is_anothers(skb, &p, m->endpoint))
		return;
	key.to.addr = p.src;
	key.to.port = p.sport;
	sk = skb->sk;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	ways = sk ? bpf_sk_storage_get(&snp_flow, sk, 0, 0) : NULL;
	key.cookie = SNP_FLOW_OF(bpf_get_socket_cookie(skb), SNP_ENDPOINT_PLACE(m->endpoint));
	f = ways ? flow_of(ways, &key.to) : NULL;
	if (!f)
		f = bpf_map_lookup_elem(&snp_flows, &key);
	/* What answers us is no question, even if policy has ended the flow since. */
	if ((f && flow_was_used(f, snp_policy_head(tables), bpf_ktime_get_boot_ns())) ||
	    snp_is_resolver(&key.to))
		return;
	key.cookie = heard_by(m->endpoint, packet_netns(skb));
	police_note_heard(snp_policy_head(tables), &key);
}

/* Loopback, or no address at all: what Linux takes for it. */
static __always_inline int police_is_here(const struct snp_addr *a)
{
	return addr_is_loopback(a) || (addr_is_v4(a) ? !a->w[3] : !a->q[0] && !a->q[1]);
}

/*
 * connect, and send with a destination. Returns 1: let it go on; 0: EPERM.
 */
static __always_inline int police_address(struct bpf_sock_addr *ctx, const struct snp_endpoint *at)
{
	const __u8 *tables = police_tables();
	struct bpf_sock *sk = ctx->sk;
	struct police_case c = {.by_call = 1};
	struct snp_member *owner;

	if (!tables || !sk)
		return 1;
	owner = member_of_sock(sk, &c.cgroup_id);
	if (!owner || !snp_policy_class(tables, owner->endpoint))
		return 1;
	c.head = snp_policy_head(tables);
	c.who = *owner;
	police_call(ctx, at, &c.key.to);
	if (police_is_here(&at->addr) || snp_is_resolver(&c.key.to))
		return 1;
	c.ways = bpf_sk_storage_get(&snp_flow, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	c.key.cookie = SNP_FLOW_OF(bpf_get_socket_cookie(ctx), SNP_ENDPOINT_PLACE(c.who.endpoint));
	c.netns_cookie = bpf_get_netns_cookie(ctx);
	return police_flow(&c);
}

#endif
