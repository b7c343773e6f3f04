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
#include "bpf/snp_question.bpf.h"

#define SERVER_TRUSTED 0x80000000u

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

static __always_inline void question_of(struct snp_question *q, const struct snp_kconf *conf,
					const struct dns_walk *w, const struct snp_addr *server,
					__u16 server_port, __u16 our_port, __u64 now_ns)
{
	q->name = w->hash[0];
	q->server = question_server(conf, server, server_port, our_port);
	q->asked_ms = now_ns / 1000000;
	q->id = w->id;
	q->qtype = w->qtype;
	q->state = SNP_Q_ASKED;
}

/* What a run works with. */
struct learn {
	struct __sk_buff *skb;
	struct bpf_sock *sk;
	const struct pkt *p;
	struct snp_kconf *conf;
	__u32 which; /* of the two configurations */
	__u32 at;    /* the slot's index */
	struct snp_scratch_slot *slot;
};

/* A slot for this run. 0, or -1: none free. */
static __always_inline int learn_begin(struct learn *l)
{
	int at = snp_scratch_claim();

	if (at < 0)
		return -1;
	l->at = at;
	l->slot = snp_scratch_at(at);
	if (!l->slot)
		return -1;
	l->slot->conf = l->which;
	return 0;
}

/* Copy the message to the slot and read its question. 0, or DNS_E(reason). */
static __always_inline __u32 learn_read(struct learn *l, __u32 part)
{
	struct dns_walk *w = &l->slot->walk;
	__u32 e;

	w->key[0] = l->conf->key[0];
	w->key[1] = l->conf->key[1];
	w->svcb_hints = l->conf->svcb_hints;
	e = pkt_message(l->skb, l->p, w);
	return e ? e : (__u32)snp_walk(l->at, part);
}

static __always_inline void learn_query(struct learn *l)
{
	const struct snp_kconf *conf = l->conf;
	const struct pkt *p = l->p;
	__u32 server = server_flags(conf, &p->dst, p->dport);
	struct snp_questions *own;
	struct snp_question q;

	if (!server)
		return;
	if (l->skb->gso_segs > 1) {
		snp_count(SNP_STAT_SEGMENTED);
		return;
	}
	if (learn_begin(l))
		return;
	if (learn_read(l, SNP_WALK_QUERY)) {
		snp_count(SNP_STAT_Q_SHAPE);
	} else {
		question_of(&q, conf, &l->slot->walk, &p->dst, p->dport, p->sport,
			    bpf_ktime_get_boot_ns());
		if (server & SNP_SERVER_FALLBACK && detour_sending(l->sk))
			q.state = SNP_Q_DETOUR;
		own = bpf_sk_storage_get(&snp_questions, l->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (own)
			question_note(l->sk, own, &q, conf->query_timeout_ms);
		else
			snp_count(SNP_STAT_Q_STORAGE);
	}
	snp_scratch_give(l->slot);
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

/* Rules 2 to 6, in the slot. 0, or DNS_E(reason). */
static __always_inline __u32 learn_message(struct learn *l, struct snp_questions *own)
{
	struct snp_scratch_slot *slot = l->slot;
	struct dns_walk *w = &slot->walk;
	const struct pkt *p = l->p;
	struct snp_question want, *asked;
	__u32 e, state, why = SNP_STAT_UNASKED;

	e = learn_read(l, SNP_WALK_ANSWER);
	if (e)
		return e;
	if (!own)
		return DNS_E(UNASKED);
	/* One look at the clock for the whole answer. */
	slot->now_ns = bpf_ktime_get_boot_ns();
	question_of(&want, l->conf, w, &p->src, p->sport, p->dport, slot->now_ns);
	asked = question_find(l->sk, own, &want, l->conf->query_timeout_ms, &why);
	if (!asked)
		return why + 1;
	state = asked->state;
	slot->detour = state == SNP_Q_DETOUR;
	if (w->flags & 0xf) {
		question_close(asked, state);
		return DNS_E(RCODE);
	}
	e = snp_walk(l->at, SNP_WALK_RECORDS);
	if (e)
		return e;
	if (!question_close(asked, state))
		return DNS_E(DOUBLED);
	learn_count(w);
	slot->cgroup_id = bpf_skb_cgroup_id(l->skb);
	if (snp_commit(l->at))
		snp_count(SNP_STAT_LEARNED);
	return 0;
}

/* Whose socket is bound at the proxy's address here? 0: of proxy.cgroup, or nobody's. */
static __always_inline __u32 learn_squatted(struct learn *l)
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

/* Rule 1. 0, or DNS_E(reason). */
static __always_inline __u32 learn_trust(struct learn *l, __u32 server,
					 const struct snp_questions *own)
{
	if (server & SNP_SERVER_LOOPBACK && (!own || own->netns_cookie != l->conf->netns_cookie))
		return DNS_E(UNTRUSTED_NETNS);
	if (server & SNP_SERVER_PROXY && l->conf->proxy_cgroup_id && learn_squatted(l))
		return DNS_E(PROXY_SQUATTED);
	return 0;
}

/* 0, or DNS_E(reason), for the caller to count. */
static __always_inline __u32 learn_answer(struct learn *l)
{
	struct snp_questions *own;
	__u32 e, detour, server;

	if (l->p->refused)
		return l->p->refused + 1;
	server = server_flags(l->conf, &l->p->src, l->p->sport);
	if (!server) {
		count_untrusted(&l->p->src);
		return 0;
	}
	if (l->skb->gso_segs > 1)
		return DNS_E(SEGMENTED);
	own = bpf_sk_storage_get(&snp_questions, l->sk, 0, 0);
	e = learn_trust(l, server, own);
	if (e)
		return e;
	if (learn_begin(l))
		return 0; /* counted there */
	/*
	 * By way of map memory: as constants in registers the verifier would follow
	 * each of the reasons through all that comes after.
	 */
	l->slot->detour = 1;
	l->slot->why = learn_message(l, own);
	e = *(volatile __u32 *)&l->slot->why;
	detour = *(volatile __u32 *)&l->slot->detour;
	snp_scratch_give(l->slot);
	if (server & SNP_SERVER_FALLBACK)
		detour_arrived(l->sk, detour & 1);
	return e;
}

/* A packet at a hook: is it for us? 1 and *l, *p; or 0. */
static __always_inline int learn_packet(struct __sk_buff *skb, struct learn *l, struct pkt *p)
{
	struct bpf_sock *sk;

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
	if (!port_observed(l->conf, p->sport) && !port_observed(l->conf, p->dport))
		return 0;
	sk = skb->sk;
	if (!sk)
		return 0;
	l->sk = bpf_sk_fullsock(sk);
	return l->sk != NULL;
}

/* The ingress hook. 0, or the DNS_E(reason) of an answer that it counted. */
static __always_inline __u32 learn_ingress(struct __sk_buff *skb)
{
	struct learn l = {};
	struct pkt p = {};
	__u32 e;

	if (!learn_packet(skb, &l, &p) || !port_observed(l.conf, p.sport))
		return 0;
	e = learn_answer(&l);
	if (e)
		snp_count(e - 1);
	return e;
}

#endif
