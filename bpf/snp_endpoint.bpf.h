/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_endpoint.bpf.h - whose is this packet, and whose is this socket?
 *
 * Packets are judged by the cgroup of their socket, exactly (member_of_skb()).
 * connect and sendmsg know the caller's cgroup only: a socket's own endpoint is in
 * its storage (owner_of()), put there when it was made, or by snp_sockets for those
 * made before. NULL there: in flight while that ran; egress knows.
 */
#ifndef SNP_ENDPOINT_BPF_H
#define SNP_ENDPOINT_BPF_H

#include "bpf/snp_maps.bpf.h"

static __always_inline struct snp_endctl *endpoints_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&snp_endctl, &zero);
}

/* Has the configuration any endpoint? */
static __always_inline int endpoints_exist(void)
{
	struct snp_endctl *ctl = endpoints_now();

	return ctl && *(volatile __u32 *)&ctl->globs;
}

/* Is there a cgroup that belongs to an endpoint and is not in snp_members, for want of room or time? */
static __always_inline int endpoints_incomplete(void)
{
	struct snp_endctl *ctl = endpoints_now();
	__u32 zero = 0;
	__u64 *missed = bpf_map_lookup_elem(&snp_missed, &zero);

	return ctl && missed && (ctl->incomplete || *missed != ctl->missed_before);
}

/* The endpoint of a cgroup, NULL: none. */
static __always_inline struct snp_member *member_of_cgroup(__u64 id)
{
	return bpf_map_lookup_elem(&snp_members, &id);
}

/* Of a cgroup_skb hook's packet. */
static __always_inline struct snp_member *member_of_skb(struct __sk_buff *skb)
{
	return member_of_cgroup(bpf_skb_cgroup_id(skb));
}

/* Of a socket; ->endpoint 0: of none. NULL: not known. A macro: sk is a bpf_sock of its hook's own kind. */
#define owner_of(sk) ((struct snp_member *)bpf_sk_storage_get(&snp_owner, (sk), 0, 0))

#endif
