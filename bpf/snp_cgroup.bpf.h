/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_cgroup.bpf.h - whose is a cgroup, given the kernel's own struct of it?
 *
 * Kernel side: tracepoints and iterators, which may read the kernel's memory.
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

#endif
