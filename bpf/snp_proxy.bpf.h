/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_proxy.bpf.h - is the proxy's socket there?
 *
 * In the proxy's own network namespace a socket look-up says so: exact, at
 * once, with snooperd dead. Elsewhere it would find nothing even for a healthy
 * proxy; there the sockets bound in proxy.cgroup are counted (bound.bpf.c).
 * Who cannot be judged is left alone, and counted.
 */
#ifndef SNP_PROXY_BPF_H
#define SNP_PROXY_BPF_H

#include "bpf/snp_pkt.bpf.h"

enum proxy_is { PROXY_THERE, PROXY_GONE, PROXY_UNKNOWN };

static __always_inline int addr_is_loopback(const struct snp_addr *a)
{
	if (addr_is_v4(a))
		return a->b[12] == 127;
	return !a->q[0] && !a->w[2] && a->w[3] == bpf_htonl(1);
}

/* Index in proxy.addresses, or -1. */
static __always_inline int proxy_find(const struct snp_kconf *conf, const struct snp_endpoint *at)
{
	__u32 i;

	for (i = 0; i < SNP_PROXIES_MAX && i < conf->n_proxies; i++)
		if (conf->proxies[i].port == at->port &&
		    addr_equal(&conf->proxies[i].addr, &at->addr))
			return i;
	return -1;
}

static __always_inline __u32 proxy_tuple(struct bpf_sock_tuple *t, const struct snp_endpoint *at)
{
	__builtin_memset(t, 0, sizeof(*t));
	if (addr_is_v4(&at->addr)) {
		t->ipv4.daddr = at->addr.w[3];
		t->ipv4.dport = bpf_htons(at->port);
		return sizeof(t->ipv4);
	}
	__builtin_memcpy(t->ipv6.daddr, &at->addr, sizeof(t->ipv6.daddr));
	t->ipv6.dport = bpf_htons(at->port);
	return sizeof(t->ipv6);
}

/* Two functions: a look-up of TCP and one of UDP in one make the verifier follow both. */
static __attribute__((noinline)) int
proxy_has_udp(struct bpf_sock_addr *ctx, const struct snp_endpoint *at)
{
	struct bpf_sock_tuple t;
	struct bpf_sock *sk;

	if (proxy_tuple(&t, at) == sizeof(t.ipv4))
		sk = bpf_sk_lookup_udp(ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

static __attribute__((noinline)) int
proxy_has_tcp(struct bpf_sock_addr *ctx, const struct snp_endpoint *at)
{
	struct bpf_sock_tuple t;
	struct bpf_sock *sk;
	int listens;

	if (proxy_tuple(&t, at) == sizeof(t.ipv4))
		sk = bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	listens = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return listens;
}

/* How many sockets of proxy.cgroup are bound there, and where; 0 when none was ever seen. */
static __always_inline __u64 proxy_counted(__u32 index, __u32 generation, __u32 proto, __s64 *n)
{
	struct snp_proxy_row *row = bpf_map_lookup_elem(&snp_proxy, &index);
	struct snp_proxy_seed *seed = bpf_map_lookup_elem(&snp_proxy_seed, &index);
	__u64 netns = 0;

	*n = 0;
	if (seed && seed->generation == generation) {
		*n += seed->sockets[proto & 1];
		netns = seed->netns_cookie;
	}
	if (row && row->generation == generation) {
		*n += row->sockets[proto & 1];
		if (row->netns_cookie)
			netns = row->netns_cookie;
	}
	return netns;
}

static __always_inline enum proxy_is proxy_look(struct bpf_sock_addr *ctx,
						const struct snp_kconf *conf, __u32 index,
						const struct snp_endpoint *at, __u32 proto)
{
	__u64 here = bpf_get_netns_cookie(ctx), there;
	__s64 counted;
	int found;

	there = proxy_counted(index, conf->proxy_generation, proto, &counted);
	if (here == (there ? there : conf->netns_cookie)) {
		found = proto == SNP_PROXY_TCP ? proxy_has_tcp(ctx, at) : proxy_has_udp(ctx, at);
		/* A socket bound to a device is not found without one; its bind was counted. */
		return found || counted > 0 ? PROXY_THERE : PROXY_GONE;
	}
	/* Somebody else's loopback: not the proxy. */
	if (addr_is_loopback(&at->addr))
		return PROXY_THERE;
	if (!there)
		return PROXY_UNKNOWN;
	return counted > 0 ? PROXY_THERE : PROXY_GONE;
}

/* The row of proxy.addresses[index], begun anew when the addresses have changed. */
static __always_inline struct snp_proxy_row *proxy_row(__u32 index, __u32 generation)
{
	struct snp_proxy_row *row = bpf_map_lookup_elem(&snp_proxy, &index);

	if (row && row->generation != generation) {
		row->since_ns = bpf_ktime_get_boot_ns();
		row->queries = 0;
		row->bypassed = 0;
		row->sockets[0] = 0;
		row->sockets[1] = 0;
		row->netns_cookie = 0;
		row->generation = generation;
	}
	return row;
}

static __always_inline void proxy_note(struct snp_proxy_row *row, __u32 proto, __u32 gone)
{
	__u32 was = row->bypassed, now = gone ? was | 1u << proto : was & ~(1u << proto);

	if (was == now)
		return;
	row->bypassed = now;
	if (!was != !now)
		row->since_ns = bpf_ktime_get_boot_ns();
}

#endif
