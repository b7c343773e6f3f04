/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_types.h - the words that both sides of the kernel boundary share.
 *
 * Kernel and user space. Includes <linux/types.h> only. Everything below is
 * fixed width; padding is written out as `reserved` and set to 0.
 * Times are CLOCK_BOOTTIME nanoseconds (`_ns`). Host byte order unless `_be`.
 */
#ifndef SNP_TYPES_H
#define SNP_TYPES_H

#include <linux/types.h>

#define SNP_ASSERT(cond, why) _Static_assert(cond, why)

/*
 * The layout of everything pinned under state.bpffs, as one number: a change
 * of any shared struct or map raises it.
 */
#define SNP_LAYOUT 9

/* An IPv6 address in network order, or an IPv4 one as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
struct snp_addr {
	union {
		__u8 b[16];
		__be32 w[4];
		__u64 q[2]; /* for comparing only */
	};
};
SNP_ASSERT(sizeof(struct snp_addr) == 16, "snp_addr is key material");

/* A transport address of the DNS: where a server listens. */
struct snp_endpoint {
	struct snp_addr addr;
	__u16 port; /* host order */
	__u16 reserved[3];
};
SNP_ASSERT(sizeof(struct snp_endpoint) == 24, "snp_endpoint is shared");

/* Wire form of a name (RFC 1035 3.1): at most 255 bytes with the root's zero, 127 labels. */
#define SNP_NAME_MAX 255
/* Room for a name read in eight-byte words, tail included. */
#define SNP_NAME_ROOM 320

#endif
