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
#include "bpf/police_live.bpf.h"
#include "bpf/snp_detour.bpf.h"
#include "bpf/snp_scratch.bpf.h"

enum ask { ASK_REFUSED, ASK_GO, ASK_ELSEWHERE };

/* ASK_ELSEWHERE: *at has become a fallback. */
static __always_inline enum ask
ask(struct bpf_sock_addr *ctx, struct snp_endpoint *at, int by_connect)
{
	void *generation = snp_policy_now();

	if (generation) {
		if (police_call_live(ctx, at, generation))
			return ASK_GO;
		if (!snp_police_call(ctx, at))
			return ASK_REFUSED;
	}
	return snp_detour_to(ctx, at, by_connect) ? ASK_ELSEWHERE : ASK_GO;
}

/* 1: let the call go on; 0: EPERM. */
static __always_inline int ask4(struct bpf_sock_addr *ctx, int by_connect)
{
	struct snp_endpoint at = {};

	addr_from_v4(&at.addr, ctx->user_ip4);
	at.port = bpf_ntohs(ctx->user_port);
	switch (ask(ctx, &at, by_connect)) {
	case ASK_REFUSED:
		return 0;
	case ASK_GO:
		break;
	case ASK_ELSEWHERE:
		ctx->user_ip4 = at.addr.w[3];
		ctx->user_port = bpf_htons(at.port);
	}
	return 1;
}

static __always_inline int ask6(struct bpf_sock_addr *ctx, int by_connect)
{
	struct snp_endpoint at = {};

	at.addr.w[0] = ctx->user_ip6[0];
	at.addr.w[1] = ctx->user_ip6[1];
	at.addr.w[2] = ctx->user_ip6[2];
	at.addr.w[3] = ctx->user_ip6[3];
	at.port = bpf_ntohs(ctx->user_port);
	switch (ask(ctx, &at, by_connect)) {
	case ASK_REFUSED:
		return 0;
	case ASK_GO:
		break;
	case ASK_ELSEWHERE:
		ctx->user_ip6[0] = at.addr.w[0];
		ctx->user_ip6[1] = at.addr.w[1];
		ctx->user_ip6[2] = at.addr.w[2];
		ctx->user_ip6[3] = at.addr.w[3];
		ctx->user_port = bpf_htons(at.port);
	}
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
