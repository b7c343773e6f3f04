/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_endpoint.h - which cgroup belongs to which endpoint.
 *
 * Kernel and user space. An endpoint is an entry of `endpoints` in the
 * configuration; its number is given by the daemon, by its name, and kept in
 * snp_endpoints for the life of a pinned set. snp_members says whose a cgroup is:
 * every cgroup at or below one that an entry's glob matches. Rows are written by
 * the daemon (what is there at start, and after a reload) and by the kernel, before mkdir(2)
 * of a new cgroup returns; both write the same. Removed by the kernel when
 * the last socket of a removed cgroup is gone.
 */
#ifndef SNP_ENDPOINT_H
#define SNP_ENDPOINT_H

#include "bpf/snp_types.h"

#define SNP_ENDPOINTS_MAX   4096   /* numbers 1 to this less one */
#define SNP_MEMBERS_MAX	    65536  /* cgroups that belong to one */
#define SNP_ENDPOINT_NAME   64
#define SNP_GLOBS_MAX	    4096
#define SNP_GLOB_PATH_BYTES 512

/* Value of snp_members, by cgroup v2 id; value of snp_owner, a socket's storage. */
struct snp_member {
	__u32 endpoint; /* from 1; 0 in snp_owner: of no endpoint */
	__u32 scope;	/* under which what it asks is kept: facts' and verdict rows' */
};

/* Value of snp_endpoints, by number. */
struct snp_endpoint_row {
	char name[SNP_ENDPOINT_NAME]; /* "": free */
};

/* Value of snp_globs: a path of cgroup v2 as the tracepoint gives it, from the hierarchy's root. */
struct snp_glob {
	struct snp_member member;
	__u32 len; /* 0: free */
	__u32 reserved;
	char path[SNP_GLOB_PATH_BYTES];
};

#endif
