/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sockets.bpf.c - whose are the sockets that were made before we looked?
 *
 * Run by the daemon at start and after a reload, over every open file of every
 * process it can see: notes in each internet socket whose it is, by the
 * cgroup that it was made in, and tells which processes of endpoints hold
 * sockets that no hook sees as theirs.
 */
#include "bpf/snp_cgroup.bpf.h"

/* Address families, which are ABI: the headers do not compile for this target. */
#define AF_INET	  2
#define AF_INET6  10
#define AF_PACKET 17
#define AF_XDP	  44

/* Whose it is, now; also after the endpoints have changed. */
static __always_inline void note_owner(struct sock *sk, const struct snp_member *owner)
{
	struct snp_member *row;

	row = bpf_sk_storage_get(&snp_owner, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!row) {
		snp_count(SNP_STAT_OWNER_STORAGE);
		return;
	}
	/* As one word: a connect may be reading it. */
	*(volatile __u64 *)row = *(const __u64 *)owner;
}

SEC("iter/task_file") int snp_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct snp_member owner __attribute__((aligned(8))) = {0}, *m;
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
		note_owner(sk, &owner);
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
