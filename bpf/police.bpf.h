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
#include "bpf/snp_judge.bpf.h"
#include "bpf/snp_proxy.bpf.h"

#define SOCK_RAW_TYPE 3

/* What else a packet says, besides where it goes. */
struct police_packet {
	__u8 begins; /* SYN without ACK */
	__u8 tcp;
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
static __always_inline int police_resolver(const struct snp_flow_to *to)
{
	struct snp_kconf *conf = snp_conf_now();

	return conf && (to->protocol == IPPROTO_UDP || to->protocol == IPPROTO_TCP) &&
	       port_observed(conf, to->port) && server_flags(conf, &to->addr, to->port);
}

/* Has this peer sent a datagram to the socket of late? */
static __always_inline int
police_was_heard(const struct snp_policy_head *head, __u64 now_ns, const struct snp_flow_key *key)
{
	__u64 *heard_ns = bpf_map_lookup_elem(&snp_heard, key);

	return heard_ns && now_ns - *heard_ns < head->idle_ns;
}

/* --- flows --- */

static __always_inline int flow_is(const struct snp_flow *f, const struct snp_flow_to *to)
{
	return f->verdict && f->port == to->port && f->protocol == to->protocol &&
	       addr_equal(&f->addr, &to->addr);
}

static __always_inline struct snp_flow *
flow_of(struct snp_flow_ways *ways, const struct snp_flow_to *to)
{
	__u32 i;

	for (i = 0; i < SNP_FLOW_WAYS; i++)
		if (flow_is(&ways->way[i], to))
			return &ways->way[i];
	return NULL;
}

static __always_inline void flow_write(struct snp_flow *f, const struct judge *j, __u32 v)
{
	f->verdict = SNP_VERDICT_NONE;
	f->addr = j->to.addr;
	f->port = j->to.port;
	f->protocol = j->to.protocol;
	f->generation = j->generation;
	f->identity = j->identity;
	f->used_s = j->now_ns / NS_PER_S;
	*(volatile __u8 *)&f->verdict = v;
}

/* Remember an admitted flow where there is room: a way of its socket, or the table of all. */
static __always_inline void
flow_keep(struct snp_flow_ways *ways, const struct snp_flow_key *key, struct judge *j, __u32 v)
{
	__u32 i;

	for (i = 0; ways && i < SNP_FLOW_WAYS; i++)
		if (!ways->way[i].verdict || j->to.protocol == IPPROTO_TCP ||
		    flow_is(&ways->way[i], &j->to)) {
			flow_write(&ways->way[i], j, v);
			return;
		}
	flow_write(&j->fresh, j, v);
	if (bpf_map_update_elem(&snp_flows, key, &j->fresh, BPF_ANY))
		snp_count(SNP_STAT_FLOWS_FULL);
}

/* --- who sends what, and what comes of it --- */

struct police_case {
	const struct snp_policy_head *head;
	struct snp_member who;
	struct snp_flow_key key;    /* where to, and whose flow */
	struct snp_flow_ways *ways; /* of its socket, or NULL */
	__u64 cgroup_id;
	__u32 keep; /* remember the flow when it is admitted */
	__u32 cut;  /* out: it was admitted before, and has just been refused */
};

/* The policy in force that is more than watched, or NULL. */
static __always_inline const __u8 *police_tables(void)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;

	return tables && snp_policy_head(tables)->mode != SNP_MODE_OBSERVE ? tables : NULL;
}

/* What is not worth a count each time: answers, and what is judged elsewhere. */
static __always_inline int police_counts(__u32 v)
{
	return v != SNP_VERDICT_LIVE && v != SNP_VERDICT_REPLY && v != SNP_VERDICT_NONE;
}

/* f is the flow, known from before, or NULL. 1: it may go. */
static __always_inline int
police_judge(struct police_case *c, struct snp_flow *f, __u64 now_ns, __u32 again)
{
	__u32 index, v;
	struct judge *j = judge_claim(&index);
	int may;

	if (!j)
		return 0;
	j->endpoint = c->who.endpoint & (SNP_ENDPOINTS_MAX - 1);
	j->scope = c->who.scope;
	j->to = c->key.to;
	j->now_ns = now_ns;
	j->again = again;
	j->admitted = f ? f->identity : 0;
	snp_judge(index);
	if (*(volatile __u32 *)&j->stale)
		snp_judge(index);
	v = *(volatile __u32 *)&j->verdict;
	may = 1;
	if (!SNP_VERDICT_IS_DENY(v)) {
		if (c->keep && v != SNP_VERDICT_NONE)
			flow_keep(c->ways, &c->key, j,
				  v == SNP_VERDICT_LIVE ? SNP_VERDICT_NAME : v);
		if (police_counts(v))
			snp_judged(index, c->cgroup_id, v);
	} else if (!police_was_heard(c->head, now_ns, &c->key)) {
		/* Known as refused from now on: the rest of its connection is no answer to anybody. */
		if (f)
			f->verdict = SNP_VERDICT_DENY_WITHDRAWN;
		may = snp_judged(index, c->cgroup_id, again ? SNP_VERDICT_DENY_WITHDRAWN : v);
		c->cut = again && !may;
	}
	judge_give(j);
	return may;
}

/* 1: what c's socket sends may go. This is what each packet of a stream pays. */
static __always_inline int police_flow(struct police_case *c)
{
	struct snp_flow *f = c->ways ? flow_of(c->ways, &c->key.to) : NULL;
	__u64 now_ns = bpf_ktime_get_boot_ns();
	__u32 now_s = now_ns / NS_PER_S, again;

	if (!f)
		f = bpf_map_lookup_elem(&snp_flows, &c->key);
	again = f && !SNP_VERDICT_IS_DENY(f->verdict) &&
		now_s - f->used_s <= c->head->idle_ns / NS_PER_S;
	if (again && f->generation == c->head->generation) {
		if (f->used_s != now_s)
			f->used_s = now_s;
		return 1;
	}
	return police_judge(c, f, now_ns, again);
}

/* At egress. */
static __always_inline enum police police_packet(struct __sk_buff *skb)
{
	const __u8 *tables = police_tables();
	struct police_packet is = {};
	struct police_case c = {};
	struct snp_member *m;
	struct bpf_sock *sk;
	__u32 raw = 0, class;

	if (!tables)
		return POLICE_GO;
	c.cgroup_id = bpf_skb_cgroup_id(skb);
	m = member_of_cgroup(c.cgroup_id);
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
	if (sk)
		raw = sk->type == SOCK_RAW_TYPE;
	if (!raw && police_resolver(&c.key.to)) {
		if (!(snp_class_at(tables, class)->flags & SNP_CLASS_DNS))
			return POLICE_GO;
		return is.tcp ? POLICE_ASK_TCP : POLICE_ASK;
	}
	if (addr_is_loopback(&c.key.to.addr))
		return POLICE_GO;
	if (sk)
		c.ways =
			bpf_sk_storage_get(&snp_flow, sk, 0, raw ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
	/* Of TCP only what begins a connection is judged, unless somebody writes his own headers. */
	if (is.tcp && !is.begins && !raw && !(c.ways && flow_of(c.ways, &c.key.to)))
		return POLICE_GO;
	c.key.cookie = bpf_get_socket_cookie(skb);
	c.keep = !raw;
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
	if (!sk)
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

/* The question in the slot, of an endpoint with rules.dns. 1: it may be asked. */
static __always_inline int police_question(struct __sk_buff *skb, struct snp_scratch_slot *slot)
{
	const __u8 *tables = police_tables();
	struct snp_member *m = member_of_skb(skb);
	__u32 index;
	struct judge *j;
	int may;

	if (!tables || !m)
		return 1;
	slot->class = snp_policy_class(tables, m->endpoint & (SNP_ENDPOINTS_MAX - 1));
	if (snp_match(slot->index) && name_may_be_asked(slot, tables))
		return 1;
	j = judge_claim(&index);
	if (!j)
		return 0;
	__builtin_memset(&j->to, 0, sizeof(j->to));
	j->endpoint = m->endpoint & (SNP_ENDPOINTS_MAX - 1);
	j->to.protocol = IPPROTO_UDP;
	j->mode = snp_policy_head(tables)->mode;
	j->generation = snp_policy_head(tables)->generation;
	may = snp_judged(index, bpf_skb_cgroup_id(skb), SNP_VERDICT_DENY_DNS);
	judge_give(j);
	return may;
}

/* A datagram came to a socket of an endpoint: what goes back is an answer. */
static __always_inline void police_hears(struct __sk_buff *skb)
{
	const __u8 *tables = police_tables();
	struct snp_flow_ways *ways;
	struct snp_flow_key key = {.to = {.protocol = IPPROTO_UDP}};
	struct snp_member *m;
	struct bpf_sock *sk;
	struct pkt p = {};
	__u64 now_ns, *heard_ns;

	if (!tables || pkt_read(skb, &p) != PKT_UDP)
		return;
	m = member_of_skb(skb);
	if (!m || !snp_policy_class(tables, m->endpoint & (SNP_ENDPOINTS_MAX - 1)))
		return;
	key.to.addr = p.src;
	key.to.port = p.sport;
	sk = skb->sk;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	ways = sk ? bpf_sk_storage_get(&snp_flow, sk, 0, 0) : NULL;
	if ((ways && flow_of(ways, &key.to)) || police_resolver(&key.to))
		return;
	key.cookie = bpf_get_socket_cookie(skb);
	now_ns = bpf_ktime_get_boot_ns();
	heard_ns = bpf_map_lookup_elem(&snp_heard, &key);
	if (!heard_ns)
		bpf_map_update_elem(&snp_heard, &key, &now_ns, BPF_ANY);
	else if (now_ns - *heard_ns > NS_PER_S)
		*heard_ns = now_ns;
}

/* Where a connect or a sendmsg goes. */
static __always_inline void
police_call(struct bpf_sock_addr *ctx, const struct snp_endpoint *at, struct snp_flow_to *to)
{
	to->addr = at->addr;
	to->protocol = ctx->protocol;
	switch (ctx->protocol) {
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		to->port = at->port;
		return;
	}
	if (ctx->type == SOCK_STREAM) {
		to->protocol = IPPROTO_TCP; /* MPTCP's number is its own */
		to->port = at->port;
		return;
	}
	to->no_ports = 1;
}

/*
 * connect, and send with a destination, by a socket whose endpoint is known. Returns 1: let it
 * go on; 0: EPERM.
 */
static __always_inline int police_address(struct bpf_sock_addr *ctx, const struct snp_endpoint *at)
{
	const __u8 *tables = police_tables();
	struct bpf_sock *sk = ctx->sk;
	struct police_case c = {.keep = 1};
	struct snp_member *owner;

	if (!tables || !sk)
		return 1;
	owner = owner_of(sk);
	if (!owner || !owner->endpoint ||
	    !snp_policy_class(tables, owner->endpoint & (SNP_ENDPOINTS_MAX - 1)))
		return 1;
	c.head = snp_policy_head(tables);
	c.who = *owner;
	police_call(ctx, at, &c.key.to);
	if (addr_is_loopback(&at->addr) || police_resolver(&c.key.to))
		return 1;
	c.ways = bpf_sk_storage_get(&snp_flow, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	c.key.cookie = bpf_get_socket_cookie(ctx);
	c.cgroup_id = bpf_get_current_cgroup_id();
	return police_flow(&c);
}

#endif
