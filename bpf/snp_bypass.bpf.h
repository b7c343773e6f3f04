/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_bypass.bpf.h - where connect and sendmsg go when no socket is bound at the proxy's address any more.
 */
#ifndef SNP_BYPASS_BPF_H
#define SNP_BYPASS_BPF_H

#include "bpf/snp_detour.bpf.h"
#include "bpf/snp_proxy.bpf.h"

/* Remember the asker's network namespace where the answer's rules need it (rule 1). */
static __always_inline void note_netns(struct bpf_sock_addr *ctx, struct bpf_sock *sk)
{
	struct snp_asker *own;

	if (!sk)
		return;
	own = bpf_sk_storage_get(&snp_asker, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (own)
		own->netns_cookie = bpf_get_netns_cookie(ctx);
}

static __always_inline const struct snp_endpoint *
fallback_of(const struct snp_kconf *conf, const struct snp_addr *family, __u32 tried)
{
	__u32 n = addr_is_v4(family) ? conf->n_fallback4 : conf->n_fallback6;

	if (!n || n > SNP_FALLBACKS_MAX)
		return NULL;
	tried %= n;
	/* clang knows this is no news and would leave it out; the verifier does not. */
	asm volatile("%0 &= 7" : "+r"(tried));
	return addr_is_v4(family) ? &conf->fallback4[tried] : &conf->fallback6[tried];
}

/* The client asks an observed server as it is: is that a fallback it was sent to before? */
static __always_inline void
asked_directly(struct bpf_sock *sk, const struct snp_endpoint *at, int by_connect)
{
	struct snp_detour *d;

	if (!sk)
		return;
	d = bpf_sk_storage_get(&snp_detour, sk, 0, 0);
	if (!d)
		return;
	if (by_connect)
		bpf_sk_storage_delete(&snp_detour, sk);
	else if (d->fallback.port == at->port && addr_equal(&d->fallback.addr, &at->addr))
		detour_sent(d, 0);
	else
		d->sending = 0;
}

/* Where to send instead, or NULL: the proxy is gone, and this socket may be rerouted. */
static __always_inline const struct snp_endpoint *
detour(struct bpf_sock *sk, const struct snp_kconf *conf, const struct snp_endpoint *at,
       struct snp_proxy_row *row, int by_connect)
{
	const struct snp_endpoint *to;
	struct snp_detour *d;

	if (!sk)
		return NULL;
	/* A socket with a peer takes datagrams from that peer only: leave it to notice. */
	if (!by_connect && sk->dst_port) {
		snp_count(SNP_STAT_BYPASS_PEER);
		return NULL;
	}
	d = bpf_sk_storage_get(&snp_detour, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	to = d ? fallback_of(conf, &at->addr, d->tried) : NULL;
	if (!to) {
		snp_count(SNP_STAT_BYPASS_NONE);
		return NULL;
	}
	if (!by_connect)
		detour_sent(d, 1);
	d->proxy = *at;
	d->fallback = *to;
	d->connected = by_connect;
	d->tried++; /* an answer sets it back: the next try without one goes to the next fallback */
	__sync_fetch_and_add(&row->queries, 1);
	snp_count(SNP_STAT_BYPASSED);
	return to;
}

static __always_inline const struct snp_endpoint *
bypass(struct bpf_sock_addr *ctx, const struct snp_endpoint *at, int by_connect)
{
	/* Read once: clang would keep the address of ctx->sk, which is no ctx to the verifier. */
	struct bpf_sock *sk = ctx->sk;
	struct snp_kconf *conf = snp_conf_now();
	struct snp_proxy_row *row;
	enum proxy_is is;
	__u32 proto, probe; /* snooperd only looks */
	int index;

	if (!conf || !port_observed(conf, at->port))
		return NULL;
	index = proxy_find(conf, at);
	if (addr_is_loopback(&at->addr))
		note_netns(ctx, sk);
	if (index < 0) {
		asked_directly(sk, at, by_connect);
		return NULL;
	}
	probe = sk && sk->mark == SNP_PROBE_MARK;
	proto = ctx->type == SOCK_STREAM ? SNP_PROXY_TCP : SNP_PROXY_UDP;
	is = proxy_look(ctx, conf, index, at, proto);
	if (is == PROXY_UNKNOWN && !probe)
		snp_count(SNP_STAT_BYPASS_UNKNOWN);
	row = proxy_row(index, conf->proxy_generation);
	if (row && is != PROXY_UNKNOWN)
		proxy_note(row, proto, is == PROXY_GONE);
	if (!row || is != PROXY_GONE) {
		asked_directly(sk, at, by_connect);
		return NULL;
	}
	if (probe)
		return NULL;
	return detour(sk, conf, at, row, by_connect);
}

#endif
