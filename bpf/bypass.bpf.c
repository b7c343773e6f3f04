/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bypass.bpf.c - past a dead proxy, straight to the resolver.
 *
 * connect and sendmsg: when no socket is bound at the proxy's address any more,
 * the destination becomes a fallback of the same family. recvmsg and
 * getpeername: the client goes on seeing the proxy's address. The kernel does
 * this alone. A connect or sendmsg is refused by an endpoint's policy only, which
 * judges the destination that the application gave.
 */
#include "bpf/police.bpf.h"

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

/* 1: let the call go on; 0: EPERM. */
static __always_inline int ask4(struct bpf_sock_addr *ctx, int by_connect)
{
	const struct snp_endpoint *to;
	struct snp_endpoint at = {};

	addr_from_v4(&at.addr, ctx->user_ip4);
	at.port = bpf_ntohs(ctx->user_port);
	if (!police_address(ctx, &at))
		return 0;
	to = bypass(ctx, &at, by_connect);
	if (!to)
		return 1;
	ctx->user_ip4 = to->addr.w[3];
	ctx->user_port = bpf_htons(to->port);
	return 1;
}

static __always_inline int ask6(struct bpf_sock_addr *ctx, int by_connect)
{
	const struct snp_endpoint *to;
	struct snp_endpoint at = {};

	at.addr.w[0] = ctx->user_ip6[0];
	at.addr.w[1] = ctx->user_ip6[1];
	at.addr.w[2] = ctx->user_ip6[2];
	at.addr.w[3] = ctx->user_ip6[3];
	at.port = bpf_ntohs(ctx->user_port);
	if (!police_address(ctx, &at))
		return 0;
	to = bypass(ctx, &at, by_connect);
	if (!to)
		return 1;
	ctx->user_ip6[0] = to->addr.w[0];
	ctx->user_ip6[1] = to->addr.w[1];
	ctx->user_ip6[2] = to->addr.w[2];
	ctx->user_ip6[3] = to->addr.w[3];
	ctx->user_port = bpf_htons(to->port);
	return 1;
}

/* The proxy's address, if what comes from *from was asked of the proxy. */
static __always_inline const struct snp_endpoint *
reveal(struct bpf_sock_addr *ctx, const struct snp_endpoint *from, int by_datagram)
{
	struct snp_kconf *conf = snp_conf_now();
	struct bpf_sock *sk = ctx->sk;
	struct snp_detour *d;

	if (!conf || !sk || !port_observed(conf, from->port))
		return NULL;
	d = bpf_sk_storage_get(&snp_detour, sk, 0, 0);
	if (!d || d->fallback.port != from->port || !addr_equal(&d->fallback.addr, &from->addr))
		return NULL;
	if (by_datagram ? !detour_taken(d) : !d->connected)
		return NULL;
	snp_count(SNP_STAT_REVEALED);
	return &d->proxy;
}

static __always_inline void seen4(struct bpf_sock_addr *ctx, int by_datagram)
{
	const struct snp_endpoint *as;
	struct snp_endpoint from = {};

	addr_from_v4(&from.addr, ctx->user_ip4);
	from.port = bpf_ntohs(ctx->user_port);
	as = reveal(ctx, &from, by_datagram);
	if (!as)
		return;
	ctx->user_ip4 = as->addr.w[3];
	ctx->user_port = bpf_htons(as->port);
}

static __always_inline void seen6(struct bpf_sock_addr *ctx, int by_datagram)
{
	const struct snp_endpoint *as;
	struct snp_endpoint from = {};

	from.addr.w[0] = ctx->user_ip6[0];
	from.addr.w[1] = ctx->user_ip6[1];
	from.addr.w[2] = ctx->user_ip6[2];
	from.addr.w[3] = ctx->user_ip6[3];
	from.port = bpf_ntohs(ctx->user_port);
	as = reveal(ctx, &from, by_datagram);
	if (!as)
		return;
	ctx->user_ip6[0] = as->addr.w[0];
	ctx->user_ip6[1] = as->addr.w[1];
	ctx->user_ip6[2] = as->addr.w[2];
	ctx->user_ip6[3] = as->addr.w[3];
	ctx->user_port = bpf_htons(as->port);
}

SEC("cgroup/connect4") int snp_connect4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx, 1);
}

SEC("cgroup/connect6") int snp_connect6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx, 1);
}

SEC("cgroup/sendmsg4") int snp_sendmsg4(struct bpf_sock_addr *ctx)
{
	return ask4(ctx, 0);
}

SEC("cgroup/sendmsg6") int snp_sendmsg6(struct bpf_sock_addr *ctx)
{
	return ask6(ctx, 0);
}

SEC("cgroup/recvmsg4") int snp_recvmsg4(struct bpf_sock_addr *ctx)
{
	seen4(ctx, 1);
	return 1;
}

SEC("cgroup/recvmsg6") int snp_recvmsg6(struct bpf_sock_addr *ctx)
{
	seen6(ctx, 1);
	return 1;
}

SEC("cgroup/getpeername4") int snp_getpeer4(struct bpf_sock_addr *ctx)
{
	seen4(ctx, 0);
	return 1;
}

SEC("cgroup/getpeername6") int snp_getpeer6(struct bpf_sock_addr *ctx)
{
	seen6(ctx, 0);
	return 1;
}
