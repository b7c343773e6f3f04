/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_proxy.h - is the proxy there, and who was sent past it.
 *
 * Kernel and user space. One row per entry of proxy.addresses, in its order.
 */
#ifndef SNP_PROXY_H
#define SNP_PROXY_H

#include "bpf/snp_types.h"

enum snp_proxy_proto { SNP_PROXY_UDP, SNP_PROXY_TCP };

/*
 * Rows of snp_proxy, by index in proxy.addresses. Written by the kernel only. A
 * row whose generation is not that of the configuration speaks of other addresses.
 */
struct snp_proxy_row {
	__u64 since_ns; /* when `bypassed` last went to or from 0 */
	__u64 queries;	/* sends and connects that went to a fallback */
	__u32 bypassed; /* bit per protocol: the last look found no socket there */
	__u32 generation;
	__s64 sockets[2];   /* by protocol: bound in proxy.cgroup less released */
	__u64 netns_cookie; /* of the last such socket, 0: none seen */
};

/* Rows of snp_proxy_seed, same index. Written by the daemon only. */
struct snp_proxy_seed {
	__s64 sockets[2];   /* bound before the programs were attached */
	__u64 netns_cookie; /* of those */
	__u32 generation;
	__u32 reserved;
};

/* Storage of a proxy's own socket: where it was counted. */
struct snp_proxy_mark {
	__u32 mask;  /* bit per index in proxy.addresses */
	__u32 proto; /* enum snp_proxy_proto */
	__u32 generation;
	__u32 reserved;
};

/*
 * Storage of a client's socket whose destination was rewritten: the fallback's
 * answers are shown as the proxy's. A client may ask the fallback itself on the
 * same socket; from then on (mixed) each arrival's kind is kept in order.
 */
struct snp_detour {
	struct snp_endpoint proxy;    /* as the client said it */
	struct snp_endpoint fallback; /* where it went */
	__u32 connected;	      /* 1: by connect: everything from there */
	__u32 tried;		      /* fallbacks tried for questions without an answer */
	__u32 sending;		      /* 1: the question on its way out is a detour */
	__u32 mixed;		      /* 1: the client asked the fallback itself as well */
	__u32 sent, received;	      /* questions to the fallback, datagrams taken from it */
	__u32 arrived;		      /* bits of order in use */
	__u32 reserved;
	__u64 order; /* the latest arrival in bit 0; 1: answers a detour */
};

/* snooperd's own looks at the proxy are told from clients' by this SO_MARK. */
#define SNP_PROBE_MARK 0x736e7001

#endif
