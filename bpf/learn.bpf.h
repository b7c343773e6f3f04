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
#include "bpf/snp_question.bpf.h"

/* The server at addr:port, if the configuration trusts one there. */
static __always_inline const struct snp_server *
server_find(const struct snp_kconf *conf, const struct snp_addr *addr, __u16 port)
{
	__u32 i;

	for (i = 0; i < SNP_SERVERS_MAX && i < conf->n_servers; i++)
		if (conf->servers[i].at.port == port && addr_equal(&conf->servers[i].at.addr, addr))
			return &conf->servers[i];
	return NULL;
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
					__u16 server_port, __u16 our_port)
{
	q->name = w->hash[0];
	q->server = question_server(conf, server, server_port, our_port);
	q->asked_ms = question_clock_ms();
	q->id = w->id;
	q->qtype = w->qtype;
	q->state = SNP_Q_ASKED;
}

/* Read the question of the message into the slot's walker. 0, or DNS_E(reason). */
static __always_inline __u32 learn_read(struct __sk_buff *skb, const struct pkt *p,
					const struct snp_kconf *conf, struct dns_walk *w,
					__u32 expect_qr)
{
	__u32 e;

	w->key[0] = conf->key[0];
	w->key[1] = conf->key[1];
	w->svcb_hints = conf->svcb_hints;
	e = pkt_message(skb, p, w);
	return e ? e : dns_walk_question(w, expect_qr);
}

static __always_inline void
learn_query(struct __sk_buff *skb, const struct pkt *p, struct snp_kconf *conf, struct bpf_sock *sk)
{
	struct snp_scratch_slot *slot;
	struct snp_questions *own;
	struct snp_question q;

	if (!server_find(conf, &p->dst, p->dport))
		return;
	if (skb->gso_segs > 1) {
		snp_count(SNP_STAT_SEGMENTED);
		return;
	}
	slot = snp_scratch_take();
	if (!slot)
		return;
	if (learn_read(skb, p, conf, &slot->walk, 0)) {
		snp_count(SNP_STAT_Q_SHAPE);
	} else {
		question_of(&q, conf, &slot->walk, &p->dst, p->dport, p->sport);
		own = bpf_sk_storage_get(&snp_questions, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (own)
			question_note(sk, own, &q, conf->query_timeout_ms);
		else
			snp_count(SNP_STAT_Q_STORAGE);
	}
	snp_scratch_give(slot);
}

/* The message is in the slot: rules 2 to 6. Returns 0, or DNS_E(reason). */
static __always_inline __u32 learn_message(struct __sk_buff *skb, const struct pkt *p,
					   struct snp_kconf *conf, struct bpf_sock *sk,
					   struct snp_questions *own, struct snp_scratch_slot *slot)
{
	struct dns_walk *w = &slot->walk;
	struct snp_question want, *asked;
	__u32 e, why = SNP_STAT_UNASKED;

	e = learn_read(skb, p, conf, w, DNS_FLAG_QR);
	if (e)
		return e;
	question_of(&want, conf, w, &p->src, p->sport, p->dport);
	asked = own ? question_find(sk, own, &want, conf->query_timeout_ms, &why) : NULL;
	if (!asked)
		return why + 1;
	if (w->flags & 0xf) {
		question_close(asked);
		return DNS_E(RCODE);
	}
	e = dns_walk_records(w);
	if (e)
		return e;
	snp_count(SNP_STAT_PARSED);
	if (!question_close(asked))
		return DNS_E(DOUBLED);
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
	if (commit_message(slot, conf, bpf_ktime_get_boot_ns(), bpf_skb_cgroup_id(skb)))
		snp_count(SNP_STAT_LEARNED);
	return 0;
}

/* May a loopback server or the proxy be believed by this socket? 0, or DNS_E(reason). */
static __always_inline __u32 learn_trust(struct __sk_buff *skb, const struct pkt *p,
					 const struct snp_kconf *conf,
					 const struct snp_server *server,
					 const struct snp_questions *own)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *there;
	__u64 cgroup_id;

	if (server->flags & SNP_SERVER_LOOPBACK &&
	    (!own || own->netns_cookie != conf->netns_cookie))
		return DNS_E(UNTRUSTED_NETNS);
	if (!(server->flags & SNP_SERVER_PROXY) || !conf->proxy_cgroup_id)
		return 0;
	if (addr_is_v4(&p->src)) {
		t.ipv4.daddr = p->src.w[3];
		t.ipv4.dport = bpf_htons(p->sport);
		there = bpf_sk_lookup_udp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(t.ipv6.daddr, &p->src, sizeof(t.ipv6.daddr));
		t.ipv6.dport = bpf_htons(p->sport);
		there = bpf_sk_lookup_udp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	/* None here: the proxy is in another namespace (its address is not ours to squat), or it just died. */
	if (!there)
		return 0;
	cgroup_id = bpf_sk_ancestor_cgroup_id(there, conf->proxy_cgroup_level);
	bpf_sk_release(there);
	return cgroup_id == conf->proxy_cgroup_id ? 0 : DNS_E(PROXY_SQUATTED);
}

static __always_inline __u32 learn_answer(struct __sk_buff *skb, const struct pkt *p,
					  struct snp_kconf *conf, struct bpf_sock *sk)
{
	const struct snp_server *server;
	struct snp_scratch_slot *slot;
	struct snp_questions *own;
	__u32 e;

	if (p->refused)
		return p->refused + 1;
	server = server_find(conf, &p->src, p->sport);
	if (!server) {
		count_untrusted(&p->src);
		return 0;
	}
	if (skb->gso_segs > 1)
		return DNS_E(SEGMENTED);
	own = bpf_sk_storage_get(&snp_questions, sk, 0, 0);
	if (server->flags) {
		e = learn_trust(skb, p, conf, server, own);
		if (e)
			return e;
	}
	slot = snp_scratch_take();
	if (!slot)
		return 0; /* counted there */
	e = learn_message(skb, p, conf, sk, own, slot);
	snp_scratch_give(slot);
	return e;
}

/* A packet on its way to a socket. Counts and returns 0 or DNS_E(reason). */
static __always_inline __u32 learn_ingress(struct __sk_buff *skb)
{
	struct snp_kconf *conf = snp_conf_now();
	struct bpf_sock *sk;
	struct pkt p = {};
	__u32 e;

	if (!conf)
		return 0;
	switch (pkt_read(skb, &p)) {
	case PKT_REFUSED:
		snp_count(p.refused);
		return p.refused + 1;
	case PKT_UDP:
		break;
	default:
		return 0;
	}
	if (!port_observed(conf, p.sport))
		return 0;
	sk = skb->sk;
	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	e = learn_answer(skb, &p, conf, sk);
	if (e)
		snp_count(e - 1);
	return e;
}

#endif
