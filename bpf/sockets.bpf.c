/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sockets.bpf.c - whose are the sockets that processes hold?
 *
 * Run by the daemon over every open file of every process it can see. snp_sockets, at start and
 * after a reload, tells which processes of endpoints hold sockets that no hook sees
 * as theirs. snp_opened, when policy is first enforced for an endpoint, tells
 * the connections that it has begun before.
 */
#include <bpf/bpf_endian.h>

#include "bpf/snp_cgroup.bpf.h"

/* Address families, which are ABI: the headers do not compile for this target. */
#define AF_INET	  2
#define AF_INET6  10
#define AF_PACKET 17
#define AF_XDP	  44

#define SOCK_STREAM	1
#define IPPROTO_TCP	6
#define IPPROTO_MPTCP	262
#define TCP_ESTABLISHED 1
#define TCP_CLOSE_WAIT	8

SEC("iter/task_file") int snp_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct snp_member owner = {0}, *m;
	struct snp_stray s = {0};
	struct socket *sock;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	sk = sock ? sock->sk : NULL;
	if (!sk)
		return 0;
	s.family = sk->__sk_common.skc_family;
	if (s.family == AF_INET || s.family == AF_INET6) {
		m = member_of_cgroup(sk->sk_cgrp_data.cgroup);
		if (m)
			owner = *m;
	} else if (s.family != AF_PACKET && s.family != AF_XDP) {
		return 0;
	}
	m = member_of_cgroup(task->cgroups->dfl_cgrp);
	if (!m || m->endpoint == owner.endpoint)
		return 0;
	s.endpoint = m->endpoint;
	s.owner = owner.endpoint;
	s.pid = task->tgid;
	s.fd = ctx->fd;
	s.type = sk->sk_type;
	bpf_probe_read_kernel_str(s.comm, sizeof(s.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &s, sizeof(s));
	return 0;
}

/* Policy does not judge these. */
static __always_inline int goes_to_loopback(struct sock *sk)
{
	__be32 v4 = sk->__sk_common.skc_daddr;
	__be32 *a;

	if (sk->__sk_common.skc_family == AF_INET6) {
		if (!bpf_core_field_exists(sk->__sk_common.skc_v6_daddr))
			return 0;
		a = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;
		if (!a[0] && !a[1] && !a[2])
			return a[3] == bpf_htonl(1);
		if (a[0] || a[1] || a[2] != bpf_htonl(0xffff))
			return 0;
		v4 = a[3];
	}
	return (bpf_ntohl(v4) >> 24) == 127;
}

/* Of the socket that listened, if there was one: an accepted socket is a copy of it. */
static __always_inline __u32 backlog_of(struct sock *sk)
{
	struct sock *first = NULL;

	if (sk->sk_protocol == IPPROTO_MPTCP && bpf_core_type_exists(struct mptcp_sock))
		first = BPF_CORE_READ((struct mptcp_sock *)sk, first);
	return first ? BPF_CORE_READ(first, sk_max_ack_backlog) : sk->sk_max_ack_backlog;
}

/* A connection that its own side began, and can write to. */
static __always_inline int is_begun(struct sock *sk)
{
	__u16 protocol = sk->sk_protocol, family = sk->__sk_common.skc_family;
	__u8 state = sk->__sk_common.skc_state;

	return (family == AF_INET || family == AF_INET6) && sk->sk_type == SOCK_STREAM &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) &&
	       (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && !backlog_of(sk) &&
	       !goes_to_loopback(sk);
}

SEC("iter/task_file") int snp_opened(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct snp_open o = {0};
	struct snp_flow_ways *ways;
	struct snp_member *m;
	struct socket *sock;
	struct sock *sk;

	if (!file)
		return 0;
	sock = bpf_sock_from_file(file);
	sk = sock ? sock->sk : NULL;
	if (!sk || !is_begun(sk))
		return 0;
	m = member_of_cgroup(sk->sk_cgrp_data.cgroup);
	if (!m)
		return 0;
	/* Judged by policy already: it began a moment ago. */
	ways = bpf_sk_storage_get(&snp_flow, sk, 0, 0);
	if (ways && (ways->way[0].verdict || ways->told.verdict))
		return 0;
	o.cookie = bpf_get_socket_cookie(sk);
	o.endpoint = m->endpoint;
	bpf_seq_write(ctx->meta->seq, &o, sizeof(o));
	return 0;
}
