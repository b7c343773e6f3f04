/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_endpoint.h - which cgroup belongs to which endpoint.
 *
 * Kernel and user space. An endpoint is an entry of `endpoints` in the
 * configuration; its number is given by the daemon, by its name, and kept in
 * snp_endpoints, until its place there is wanted by another. No number is given twice: whatever
 * still holds an old one (facts, rows, counts, a socket) speaks for nobody.
 *
 * snp_members says whose a cgroup is: every cgroup at or below one that an entry's glob matches.
 * Rows are written by the daemon (what is there at start, and after a reload) and by the kernel,
 * before mkdir(2) of a new cgroup returns; both write the same. Removed by the kernel when
 * the last socket of a removed cgroup is gone, and with it the last of what else holds it.
 * When it is full, cgroups that a glob matches have room in snp_spare, and those below
 * them are known by what they are below.
 */
#ifndef SNP_ENDPOINT_H
#define SNP_ENDPOINT_H

#include "bpf/snp_types.h"

#define SNP_ENDPOINTS_MAX   4096  /* places 1 to this less one */
#define SNP_MEMBERS_MAX	    65536 /* cgroups that belong to one */
#define SNP_SPARE_MAX	    4096  /* ... that a glob matches, above that number */
#define SNP_ENDPOINT_NAME   64
#define SNP_GLOBS_MAX	    4096 /* of a bank */
#define SNP_GLOB_PATH_BYTES 512

/* Steps that matching a new cgroup's path may take, over all globs: it runs with interrupts off. */
#define SNP_GLOB_STEPS (1u << 17)

/* A number says its place in snp_endpoints; above that, how many had the place before. */
#define SNP_ENDPOINT_PLACE(number) ((number) & (SNP_ENDPOINTS_MAX - 1))

/* With policy.scope: node, one for all endpoints. Otherwise a scope is the endpoint's number. */
#define SNP_SCOPE_NODE 0xffffffffu

/* Value of snp_members, by cgroup v2 id. */
struct snp_member {
	__u32 endpoint; /* its number */
	__u32 scope;	/* under which what it asks is kept: facts' and verdict rows' */
};
SNP_ASSERT(sizeof(struct snp_member) == 8, "snp_member is a map value");

/* Value of snp_endpoints, by place. Written by the daemon. */
struct snp_endpoint_row {
	char name[SNP_ENDPOINT_NAME]; /* "": never given */
	__u32 number;
	__u32 enforced; /* not 0: a policy that refuses, or would, has been in force for it */
	__u64 open;	/* connections of its own that were there when that began */
	__u64 left_ns;	/* when it went from the configuration, CLOCK_BOOTTIME; 0: it has not */
};
SNP_ASSERT(sizeof(struct snp_endpoint_row) == 88, "snp_endpoint_row is a map value");

/*
 * Value of snp_globs: a path of cgroup v2 as the tracepoint gives it, from the
 * hierarchy's root. Two banks of SNP_GLOBS_MAX, one in force; in the order of the
 * configuration, and the first that matches counts.
 */
struct snp_glob {
	struct snp_member member;
	__u32 len;
	__u32 level; /* of the cgroups it can match: components of the path */
	char path[SNP_GLOB_PATH_BYTES];
};
SNP_ASSERT(sizeof(struct snp_glob) == 528, "snp_glob is a map value");

/* The one row of snp_endctl, written by the daemon. */
struct snp_endctl {
	__u32 globs; /* which are in force, as one word: their number (0: there are no endpoints), and the bank */
#define SNP_GLOBS_BANK 0x80000000u
	__u32 incomplete; /* not 0: not every member is in snp_members, as of the last reading of the tree */
	__u64 missed_before; /* snp_missed when that reading began */
};
SNP_ASSERT(sizeof(struct snp_endctl) == 16, "snp_endctl is a map value");

/* What snp_opened writes: a connection of an endpoint that no policy has admitted. */
struct snp_open {
	__u64 cookie; /* of the socket: several processes may hold it */
	__u32 endpoint;
	__u32 reserved;
};
SNP_ASSERT(sizeof(struct snp_open) == 16, "snp_open is read from the kernel as it is");

/* What snp_sockets writes: a socket in the hands of an endpoint's process that is not that endpoint's. */
struct snp_stray {
	__u32 endpoint; /* the process's */
	__u32 owner;	/* the socket's, 0: none; 0 too for a family without a cgroup's hooks */
	__u32 pid, fd;
	__u16 family; /* AF_INET, AF_INET6, AF_PACKET, AF_XDP */
	__u16 type;   /* SOCK_STREAM and so on */
	__u32 reserved;
	char comm[16];
};
SNP_ASSERT(sizeof(struct snp_stray) == 40, "snp_stray is read from the kernel as it is");

#endif
