/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_kconf.h - the part of the configuration that the kernel side reads.
 *
 * Kernel and user space. Written by the daemon only: two copies in snp_conf,
 * the one in force named by snp_ctl, so that a packet sees one whole
 * configuration. The daemon writes the other copy, then flips the word.
 */
#ifndef SNP_KCONF_H
#define SNP_KCONF_H

#include "bpf/snp_types.h"

#define SNP_SERVERS_MAX	  64
#define SNP_NEVER_MAX	  48 /* per family */
#define SNP_PROXIES_MAX	  8
#define SNP_FALLBACKS_MAX 8 /* per family */

/* Flags of a trusted server. */
#define SNP_SERVER_LOOPBACK 1 /* counts in snooperd's network namespace only */
#define SNP_SERVER_PROXY    2 /* counts while the socket there is of proxy.cgroup */
#define SNP_SERVER_FALLBACK 4 /* questions to the proxy may have been sent here */

struct snp_server {
	struct snp_endpoint at;
	__u32 flags;
	__u32 reserved;
};

/*
 * Addresses a with (a & mask) == addr are never learned. IPv4: the last four
 * bytes alone. An unused entry has mask 0 and addr not 0: it holds nothing.
 */
struct snp_never4 {
	__be32 addr, mask;
};
struct snp_never6 {
	__u64 addr[2], mask[2];
};

struct snp_kconf {
	__u64 key[2];	       /* of the names' hash; fixed for the life of a pinned set */
	__u64 netns_cookie;    /* of snooperd's network namespace */
	__u64 proxy_cgroup_id; /* cgroup v2 id of proxy.cgroup, 0: not set */
	__u32 proxy_cgroup_level;
	__u32 proxy_generation; /* changes with proxy.addresses */
	__u32 query_timeout_ms;
	__u32 min_ttl_s, max_ttl_s;
	__u32 addresses_per_name, names_per_address, per_endpoint;
	__u32 ring_wake_bytes; /* wake the reader at once above this */
	__u32 svcb_hints;
	__u32 reserved;
	__u32 n_servers, n_proxies, n_fallback4, n_fallback6;
	/* By the first byte of an address: could an entry of never4, of never6, match? */
	__u64 first4[4], first6[4];
	struct snp_never4 never4[SNP_NEVER_MAX];
	struct snp_never6 never6[SNP_NEVER_MAX];
	struct snp_server servers[SNP_SERVERS_MAX];
	struct snp_endpoint proxies[SNP_PROXIES_MAX];
	struct snp_endpoint fallback4[SNP_FALLBACKS_MAX];
	struct snp_endpoint fallback6[SNP_FALLBACKS_MAX];
	__u64 ports[1024]; /* one bit per port that a server listens on */
};
SNP_ASSERT(sizeof(struct snp_kconf) % 8 == 0, "snp_kconf is copied by words");

struct snp_ctl {
	__u32 active;	/* which of snp_conf is in force, 0 or 1 */
	__u32 attached; /* 0 until the first daemon has written a configuration */
};

/* The one row of snp_meta, written by whoever made the pinned set. */
#define SNP_MAGIC 0x736e6f6f70657231ull /* "snooper1" */
struct snp_meta {
	__u64 magic;
	__u32 layout;	  /* SNP_LAYOUT */
	__u32 generation; /* of policy: the last there was, noted when it was withdrawn */
	__u64 key[2];
};

#endif
