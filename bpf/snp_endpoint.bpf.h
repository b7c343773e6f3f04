/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_endpoint.bpf.h - whose is this packet, and whose is this socket?
 *
 * A socket is of the cgroup of the process that made it, for good. Packets are judged by that
 * (member_of_skb()). connect and sendmsg know the caller's only, and read the socket's out of
 * the kernel's struct (member_of_sock(), snp_cgroup.bpf.h).
 *
 * While a cgroup is missing in snp_members, one without a row there may be below one that has
 * a row. All that is below one is its endpoint's, so the search goes from the top: it ends
 * at the first, and however deep a process makes its cgroups, that is found.
 */
#ifndef SNP_ENDPOINT_BPF_H
#define SNP_ENDPOINT_BPF_H

#include "bpf/snp_maps.bpf.h"

#define ENDPOINT_LEVELS 32 /* cgroups that a glob matches lie no deeper, where room is short */

#define snp_apart __attribute__((noinline, unused))

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

/* The row of a cgroup, wherever there was room for it. NULL: none. */
static __always_inline struct snp_member *member_row(__u64 id)
{
	struct snp_member *m = bpf_map_lookup_elem(&snp_members, &id);

	return m ? m : bpf_map_lookup_elem(&snp_spare, &id);
}

/* By what a packet's cgroup is below. Not inlined: few packets come here, and its stack is its own. */
static snp_apart struct snp_member *member_above_skb(struct __sk_buff *skb)
{
	struct snp_member *m = NULL;
	__u64 id;
	int i;

	if (!endpoints_incomplete())
		return NULL;
	for (i = 1; i <= ENDPOINT_LEVELS && !m; i++) {
		id = bpf_skb_ancestor_cgroup_id(skb, i);
		if (!id)
			break;
		m = member_row(id);
	}
	return m;
}

/* By what the running process's cgroup is below. */
static snp_apart struct snp_member *member_above_current(void)
{
	struct snp_member *m = NULL;
	__u64 id;
	int i;

	if (!endpoints_incomplete())
		return NULL;
	for (i = 1; i <= ENDPOINT_LEVELS && !m; i++) {
		id = bpf_get_current_ancestor_cgroup_id(i);
		if (!id)
			break;
		m = member_row(id);
	}
	return m;
}

/* Whose a packet is, at a cgroup_skb hook. NULL: no endpoint's. */
static __always_inline struct snp_member *member_of_skb(struct __sk_buff *skb)
{
	__u64 id = bpf_skb_cgroup_id(skb);
	struct snp_member *m = bpf_map_lookup_elem(&snp_members, &id);

	return m ? m : member_above_skb(skb);
}

/* Whose the running process is. */
static __always_inline struct snp_member *member_of_current(void)
{
	__u64 id = bpf_get_current_cgroup_id();
	struct snp_member *m = bpf_map_lookup_elem(&snp_members, &id);

	return m ? m : member_above_current();
}

#endif
