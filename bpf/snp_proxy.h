/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_proxy.h - is the proxy there, and who was sent past it.
 *
 * Kernel and user space. One row per entry of proxy.addresses, in its order.
 */
#ifndef SNP_PROXY_H
#define SNP_PROXY_H

#include "bpf/snp_types.h"

/* Rows of snp_proxy, by index in proxy.addresses. Written by the kernel only. */
struct snp_proxy_row {
	__u64 since_ns; /* when `bypassed` last changed */
	__u64 queries;	/* sends and connects that went to a fallback */
	__u32 bypassed; /* 1: the last look found no socket there */
	__u32 reserved;
	__s64 sockets[2];   /* UDP, TCP: bound in proxy.cgroup less released */
	__u64 netns_cookie; /* of the last such socket, 0: none seen */
};

/* Rows of snp_proxy_seed, same index. Written by the daemon only, before it attaches. */
struct snp_proxy_seed {
	__s64 sockets[2];   /* bound before the programs were attached */
	__u64 netns_cookie; /* of those */
};

enum snp_proxy_proto { SNP_PROXY_UDP, SNP_PROXY_TCP };

/* Storage of a proxy's own socket: it was counted in snp_proxy. */
struct snp_proxy_mark {
	__u32 index; /* in proxy.addresses, SNP_PROXIES_MAX: every address of its family (wildcard) */
	__u32 proto;  /* enum snp_proxy_proto */
	__u32 seeded; /* 1: marked by the daemon: counted in snp_proxy_seed */
	__u32 reserved;
};

/*
 * Storage of a client's socket whose destination was rewritten. Fallback
 * answers are shown as the proxy's while such questions wait for theirs.
 */
struct snp_detour {
	struct snp_endpoint proxy;    /* as the client said it */
	struct snp_endpoint fallback; /* where it went */
	__u32 connected;	      /* 1: by connect: every datagram from there */
	__u32 next;		      /* fallback to try for the next question */
	__u32 open;		      /* questions sent to the fallback by detour, unanswered */
	__u32 direct;		      /* questions sent there by the client itself, unanswered */
	__u64 order;		      /* arrivals not yet received: 1 bits are detours */
	__u32 arrived;		      /* how many bits of order are in use */
	__u32 reserved;
};

/* snooperd's own looks at the proxy are told from clients' by this SO_MARK. */
#define SNP_PROBE_MARK 0x736e7001

#endif
