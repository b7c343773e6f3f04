/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_cgroup.bpf.h - whose is a cgroup, or a socket, given the kernel's own struct of it?
 *
 * Kernel side, for programs that may read the kernel's memory.
 */
#ifndef SNP_CGROUP_BPF_H
#define SNP_CGROUP_BPF_H

#include "bpf/snp_endpoint.bpf.h"
#include "bpf/snp_kernel.bpf.h"

#define CGROUP_UPWARDS 64 /* what lies deeper below a member, where room is short, egress knows */

/* Its row, or while some are missing that of what it is below. NULL: no endpoint's. */
static __always_inline struct snp_member *member_of_cgroup(const struct cgroup *cg)
{
	struct snp_member *m;
	__u64 id = BPF_CORE_READ(cg, kn, id);
	int i;

	m = bpf_map_lookup_elem(&snp_members, &id);
	if (m || !endpoints_incomplete())
		return m;
	for (i = 0; i < CGROUP_UPWARDS && cg; i++) {
		id = BPF_CORE_READ(cg, kn, id);
		m = member_row(id);
		if (m)
			return m;
		cg = BPF_CORE_READ(cg, self.parent, cgroup);
	}
	return NULL;
}

/* A pointer that lies in memory is a number when it is read from there: the struct sock of a bpf_sock. */
static __always_inline const struct sock *sock_behind(struct bpf_sock *sk)
{
	struct bpf_sock *held = sk;
	const struct sock *behind = NULL;

	bpf_probe_read_kernel(&behind, sizeof(behind), &held);
	return behind;
}

/* By a socket's cgroup; *cgroup_id is that. Not inlined: for its stack. */
static snp_apart struct snp_member *member_of_socks(const struct cgroup *cg, __u64 *cgroup_id)
{
	*cgroup_id = BPF_CORE_READ(cg, kn, id);
	return member_of_cgroup(cg);
}

/*
 * Whose a socket is that connects, or sends somewhere. NULL: no endpoint's; or it is in the hands of
 * a process of none, and no TCP: what that sends is refused at egress, which says so at once.
 */
static __always_inline struct snp_member *member_of_sock(struct bpf_sock *sk, __u64 *cgroup_id)
{
	struct tcp_sock *tcp;

	if (!snp_reads_kernel)
		return NULL;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		return member_of_socks(((struct sock *)tcp)->sk_cgrp_data.cgroup, cgroup_id);
	if (!member_of_current())
		return NULL;
	return member_of_socks(BPF_CORE_READ(sock_behind(sk), sk_cgrp_data.cgroup), cgroup_id);
}

/* Has the kernel made the socket for itself? */
static __always_inline int is_kernels(struct bpf_sock *sk)
{
	return snp_reads_kernel && BPF_CORE_READ_BITFIELD_PROBED(sock_behind(sk), sk_kern_sock);
}

#endif
