/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * learn.bpf.h - the two halves of learning, shared by the hooks and the tests.
 *
 * learn_query() at egress: remember a question to a trusted server.
 * learn_answer() at ingress: the six rules, then commit; learn_ingress() is
 * the whole of that hook.
 * Neither ever holds back a packet.
 */
#ifndef SNP_LEARN_BPF_H
#define SNP_LEARN_BPF_H

#include "bpf/snp_commit.bpf.h"
#include "bpf/snp_detour.bpf.h"
#include "bpf/snp_endpoint.bpf.h"
#include "bpf/snp_question.bpf.h"

#define SERVER_TRUSTED 0x80000000u

#define SNP_LOOPBACK 1 /* LOOPBACK_IFINDEX: in every network namespace */
/* linux/if_packet.h: a multicast packet that comes back to its own host. */
#define PACKET_LOOPBACK 5

/* Does the packet come from this host? */
static __always_inline int packet_loops(const struct __sk_buff *skb)
{
	return skb->ifindex == SNP_LOOPBACK || skb->pkt_type == PACKET_LOOPBACK;
}

/*
 * SERVER_TRUSTED and the flags of the server at addr:port, or 0. Not a pointer
 * to it: that would be 64 different ones to the verifier, each followed to the end.
 */
static __always_inline __u32 server_flags(const struct snp_kconf *conf, const struct snp_addr *addr,
					  __u16 port)
{
	__u32 i;

	for (i = 0; i < SNP_SERVERS_MAX && i < conf->n_servers; i++)
		if (conf->servers[i].at.port == port && addr_equal(&conf->servers[i].at.addr, addr))
			return conf->servers[i].flags | SERVER_TRUSTED;
	return 0;
}

static __always_inline void count_untrusted(const struct snp_addr *server)
{
	__u64 one = 1, *row = bpf_map_lookup_elem(&snp_untrusted, server);

	if (row)
		__sync_fetch_and_add(row, 1);
	else
		bpf_map_update_elem(&snp_untrusted, server, &one, BPF_NOEXIST);
	snp_count(SNP_STAT_UNTRUSTED_SERVER);
}

/* What a run works with. */
struct learn {
	struct __sk_buff *skb;
	const struct pkt *p;
	struct snp_kconf *conf;
	__u32 which; /* of the two configurations */
	__u32 at;    /* the slot's index */
	struct snp_scratch_slot *slot;
};

/* A slot for this run. 0, or -1: none free. */
static __always_inline int learn_begin(struct learn *l)
{
	int at = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS;

	l->slot = snp_scratch_take(at);
	if (!l->slot) {
		at = snp_scratch_claim();
		if (at < 0)
			return -1;
		l->slot = snp_scratch_at(at);
		if (!l->slot)
			return -1;
	}
	l->at = at;
	l->slot->index = at;
	l->slot->conf = l->which;
	return 0;
}

/* For whom the slot's message is, and what policy there is for them. */
static __always_inline void learn_whose(struct learn *l)
{
	struct snp_scratch_slot *slot = l->slot;
	struct snp_member *m = endpoints_exist() ? member_of_skb(l->skb) : NULL;
	const struct snp_policy_head *head;
	const __u8 *tables;
	void *generation;

	slot->endpoint = m ? m->endpoint & (SNP_ENDPOINTS_MAX - 1) : 0;
	slot->scope = m ? m->scope : SNP_SCOPE_NONE;
	slot->class = 0;
	slot->generation = 0;
	slot->matched_only = 0;
	generation = snp_policy_now();
	tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;
	if (tables) {
		head = snp_policy_head(tables);
		slot->class = snp_policy_class(tables, slot->endpoint);
		slot->generation = head->generation;
		slot->matched_only = head->matched_only;
		slot->want.idle_ms = head->grace_ns / NS_PER_MS + 1000;
	}
	/* Also for an endpoint that no policy selects: it does not ask again when one comes in force that does. */
	slot->grants = tables && slot->scope != SNP_SCOPE_NONE;
	slot->at_all = slot->grants || slot->matched_only;
}

/* Copy the message to the slot and read its question. 0, or DNS_E(reason). */
static __always_inline __u32 learn_read(struct learn *l, __u32 expect_qr)
{
	struct dns_walk *w = &l->slot->walk;
	__u32 e;

	w->key[0] = l->conf->key[0];
	w->key[1] = l->conf->key[1];
	w->svcb_hints = l->conf->svcb_hints;
	e = pkt_message(l->skb, l->p, w);
	return e ? e : (__u32)snp_read_question(l->at, expect_qr);
}

/* The packet's socket, or NULL. */
static __always_inline struct bpf_sock *learn_sock(const struct learn *l)
{
	struct bpf_sock *sk = l->skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

/* The question in the slot, between a server and a socket of ours. */
static __always_inline void learn_question(const struct learn *l, const struct snp_addr *server,
					   __u16 server_port, __u16 our_port, __u64 now_ns,
					   struct question *out)
{
	const struct dns_walk *w = &l->slot->walk;
	struct question_of of = {
		.name = w->hash[0],
		.cookie = bpf_get_socket_cookie(l->skb),
		.server = server,
		.server_port = server_port,
		.our_port = our_port,
		.id = w->id,
		.qtype = w->qtype,
		.loops = packet_loops(l->skb),
	};

	question_make(out, l->conf, &of, now_ns);
}

/* What cannot be read as a question: it goes, unless questions are judged. */
static __always_inline int learn_unread(struct __sk_buff *skb, int judged)
{
	return judged ? snp_dns_refused(skb) : 1;
}

/* Note the question. `judged`: only if its endpoint may ask it. 1: the packet may go; 0: it may not. */
static __always_inline int learn_query(struct learn *l, int judged)
{
	const struct pkt *p = l->p;
	__u32 server = server_flags(l->conf, &p->dst, p->dport);
	struct question *q;
	struct bpf_sock *sk;
	int may = 1;

	/* Of no resolver, and judged: a name server on loopback, whose answers teach nothing. */
	if ((!server && !judged) || l->skb->mark == SNP_PROBE_MARK)
		return learn_unread(l->skb, judged);
	if (l->skb->gso_segs > 1) {
		snp_count(SNP_STAT_SEGMENTED);
		return learn_unread(l->skb, judged);
	}
	if (learn_begin(l))
		return learn_unread(l->skb, judged);
	if (learn_read(l, 0)) {
		snp_count(SNP_STAT_Q_SHAPE);
		may = learn_unread(l->skb, judged);
	} else if ((!judged || (may = snp_may_ask(l->skb, l->at))) && server) {
		q = &l->slot->asked;
		learn_question(l, &p->dst, p->dport, p->sport, bpf_ktime_get_boot_ns(), q);
		q->q.head |= SNP_Q_ASKED;
		if (server & SNP_SERVER_FALLBACK) {
			sk = learn_sock(l);
			if (sk && detour_sending(sk))
				q->q.head = question_head(q->q.head, SNP_Q_DETOUR);
		}
		question_note(l->skb, q, l->conf->query_timeout_ms);
	}
	snp_scratch_give(l->slot);
	return may;
}

static __always_inline void learn_count(const struct dns_walk *w)
{
	snp_count(SNP_STAT_PARSED);
	if (w->truncated)
		snp_count(SNP_STAT_TRUNCATED);
	if (w->trailing)
		snp_count(SNP_STAT_TRAILING);
	if (w->off_chain)
		snp_count_n(SNP_STAT_OFF_CHAIN, w->off_chain);
	if (w->rr_class)
		snp_count_n(SNP_STAT_RR_CLASS, w->rr_class);
	if (w->too_many)
		snp_count_n(SNP_STAT_TOO_MANY, w->too_many);
}

/* Is it to snooperd's own socket? What that finds is not learned here. */
static __always_inline int learn_is_own(const struct learn *l)
{
	struct bpf_sock *sk = learn_sock(l);

	return sk && sk->mark == SNP_PROBE_MARK;
}

/* Rules 2 to 6, in the slot. 0, or DNS_E(reason). */
static __always_inline __u32 learn_message(struct learn *l)
{
	struct snp_scratch_slot *slot = l->slot;
	struct dns_walk *w = &slot->walk;
	const struct pkt *p = l->p;
	struct snp_question *asked;
	__u32 e, head = 0, why = SNP_STAT_UNASKED;

	e = learn_read(l, DNS_FLAG_QR);
	if (e)
		return e;
	/* One look at the clock for the whole answer. */
	slot->now_ns = bpf_ktime_get_boot_ns();
	learn_question(l, &p->src, p->sport, p->dport, slot->now_ns, &slot->asked);
	asked = question_find(l->skb, &slot->asked, l->conf->query_timeout_ms, &head, &why);
	if (!asked) {
		if (!learn_is_own(l))
			return why + 1;
		snp_count(SNP_STAT_OWN);
		return 0;
	}
	slot->detour = (head & SNP_Q_STATE) == SNP_Q_DETOUR;
	if (w->flags & 0xf) {
		question_close(asked, head);
		return DNS_E(RCODE);
	}
	slot->cgroup_id = bpf_skb_cgroup_id(l->skb);
	learn_whose(l);
	slot->want.now_ms = slot->now_ns / NS_PER_MS;
	e = snp_read_records(l->at);
	if (e) {
		snp_commit_unread(l->at);
		return e;
	}
	if (!question_close(asked, head))
		return DNS_E(DOUBLED);
	learn_count(w);
	if (snp_commit(l->at))
		snp_count(SNP_STAT_LEARNED);
	return 0;
}

/* Whose socket is bound at the proxy's address here? 0: of proxy.cgroup, or nobody's. Not inlined: for its stack. */
static __attribute__((noinline)) __u32 learn_squatted(struct learn *l)
{
	const struct pkt *p = l->p;
	struct bpf_sock_tuple t = {};
	struct bpf_sock *there;
	__u64 cgroup_id;

	if (addr_is_v4(&p->src)) {
		t.ipv4.daddr = p->src.w[3];
		t.ipv4.dport = bpf_htons(p->sport);
		there = bpf_sk_lookup_udp(l->skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(t.ipv6.daddr, &p->src, sizeof(t.ipv6.daddr));
		t.ipv6.dport = bpf_htons(p->sport);
		there = bpf_sk_lookup_udp(l->skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	/* None here: the proxy is in another namespace, or it died after it answered. */
	if (!there)
		return 0;
	cgroup_id = bpf_sk_ancestor_cgroup_id(there, l->conf->proxy_cgroup_level);
	bpf_sk_release(there);
	return cgroup_id != l->conf->proxy_cgroup_id;
}

/* Did the packet's socket ask in snooperd's network namespace? */
static __always_inline int learn_is_ours(const struct learn *l)
{
	struct bpf_sock *sk = learn_sock(l);
	struct snp_asker *asker = sk ? bpf_sk_storage_get(&snp_asker, sk, 0, 0) : NULL;

	return asker && asker->netns_cookie == l->conf->netns_cookie;
}

/* Rule 1. 0, or DNS_E(reason). */
static __always_inline __u32 learn_trust(struct learn *l, __u32 server)
{
	if (server & SNP_SERVER_LOOPBACK && !learn_is_ours(l))
		return DNS_E(UNTRUSTED_NETNS);
	if (server & SNP_SERVER_PROXY && l->conf->proxy_cgroup_id && learn_squatted(l))
		return DNS_E(PROXY_SQUATTED);
	return 0;
}

/* 0, or DNS_E(reason), for the caller to count. */
static __always_inline __u32 learn_answer(struct learn *l)
{
	__u32 e, detour, server;
	struct bpf_sock *sk;

	if (l->p->refused)
		return l->p->refused + 1;
	server = server_flags(l->conf, &l->p->src, l->p->sport);
	if (!server) {
		count_untrusted(&l->p->src);
		return 0;
	}
	if (l->skb->gso_segs > 1)
		return DNS_E(SEGMENTED);
	e = learn_trust(l, server);
	if (e)
		return e;
	if (learn_begin(l))
		return 0; /* counted there */
	/*
	 * By way of map memory: as constants in registers the verifier would follow
	 * each of the reasons through all that comes after.
	 */
	l->slot->detour = 1;
	l->slot->why = learn_message(l);
	e = *(volatile __u32 *)&l->slot->why;
	detour = *(volatile __u32 *)&l->slot->detour;
	snp_scratch_give(l->slot);
	if (server & SNP_SERVER_FALLBACK) {
		sk = learn_sock(l);
		if (sk)
			detour_arrived(sk, detour & 1);
	}
	return e;
}

/*
 * A packet at a hook: is it for us? Then 1, and *l, *p are set. `incoming`: the
 * resolver is where it came from.
 */
static __always_inline int
learn_packet(struct __sk_buff *skb, struct learn *l, struct pkt *p, int incoming)
{
	l->skb = skb;
	l->p = p;
	l->conf = snp_conf_pick(&l->which);
	if (!l->conf)
		return 0;
	switch (pkt_read(skb, p)) {
	case PKT_REFUSED:
		snp_count(p->refused);
		return 0;
	case PKT_UDP:
		break;
	default:
		return 0;
	}
	return port_observed(l->conf, incoming ? p->sport : p->dport);
}

/* The ingress hook. 0, or the DNS_E(reason) of an answer that it counted. */
static __always_inline __u32 learn_ingress(struct __sk_buff *skb)
{
	struct learn l = {};
	struct pkt p = {};
	__u32 e;

	if (!learn_packet(skb, &l, &p, 1))
		return 0;
	e = learn_answer(&l);
	if (e)
		snp_count(e - 1);
	return e;
}

#endif
