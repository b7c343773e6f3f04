/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bound.bpf.c - the proxy's sockets, counted as they are bound and released.
 *
 * Attached to proxy.cgroup. What was bound before is counted by the daemon
 * (io/proxy_seed.c), by the same mark in the socket's storage: none twice.
 */
#include "bpf/snp_proxy.bpf.h"

/* Does a socket bound to *at serve this proxy address? A wildcard serves all of its port. */
static __always_inline int
bound_serves(const struct snp_endpoint *p, const struct snp_addr *at, __u16 port)
{
	__u32 only_v4 = at->w[2] == bpf_htonl(0xffff);

	if (p->port != port)
		return 0;
	if (addr_equal(&p->addr, at))
		return 1;
	if (at->q[0] || at->w[3] || (at->w[2] && !only_v4))
		return 0;
	return !only_v4 || addr_is_v4(&p->addr);
}

static __always_inline int bound(struct bpf_sock *ctx, const struct snp_addr *at)
{
	struct snp_kconf *conf = snp_conf_now();
	struct snp_proxy_mark *mark = NULL;
	struct snp_proxy_row *row;
	__u32 proto, i;

	if (!conf || (ctx->type != SOCK_DGRAM && ctx->type != SOCK_STREAM))
		return 1;
	if (!port_observed(conf, ctx->src_port))
		return 1;
	mark = bpf_sk_storage_get(&snp_proxy_mark, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!mark || mark->mask)
		return 1;
	proto = ctx->type == SOCK_STREAM ? SNP_PROXY_TCP : SNP_PROXY_UDP;
	mark->proto = proto;
	mark->generation = conf->proxy_generation;
	/* The mask grows in map memory: in a register the verifier would follow its 256 values. */
	for (i = 0; i < SNP_PROXIES_MAX && i < conf->n_proxies; i++) {
		if (!bound_serves(&conf->proxies[i], at, ctx->src_port))
			continue;
		row = proxy_row(i, conf->proxy_generation);
		if (!row)
			continue;
		mark->mask |= 1u << i;
		__sync_fetch_and_add(&row->sockets[proto & 1], 1);
		row->netns_cookie = bpf_get_netns_cookie(ctx);
	}
	return 1;
}

SEC("cgroup/post_bind4") int snp_bound4(struct bpf_sock *ctx)
{
	struct snp_addr at;

	addr_from_v4(&at, ctx->src_ip4);
	return bound(ctx, &at);
}

SEC("cgroup/post_bind6") int snp_bound6(struct bpf_sock *ctx)
{
	struct snp_addr at;

	at.w[0] = ctx->src_ip6[0];
	at.w[1] = ctx->src_ip6[1];
	at.w[2] = ctx->src_ip6[2];
	at.w[3] = ctx->src_ip6[3];
	return bound(ctx, &at);
}

SEC("cgroup/sock_release") int snp_released(struct bpf_sock *ctx)
{
	struct snp_kconf *conf = snp_conf_now();
	struct snp_proxy_mark *mark;
	struct snp_proxy_row *row;
	__u32 i;

	if (!conf)
		return 1;
	mark = bpf_sk_storage_get(&snp_proxy_mark, ctx, 0, 0);
	if (!mark || mark->generation != conf->proxy_generation)
		return 1;
	for (i = 0; i < SNP_PROXIES_MAX; i++) {
		if (!(mark->mask >> i & 1))
			continue;
		row = proxy_row(i, conf->proxy_generation);
		if (row)
			__sync_fetch_and_add(&row->sockets[mark->proto & 1], -1);
	}
	mark->mask = 0;
	return 1;
}
