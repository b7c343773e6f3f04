/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dns_load.h - the walker's primitives in user space (daemon, tests, fuzzer).
 *
 * Include this instead of dns_wire.h. With SNP_DNS_CHECKED every read is
 * checked against the message's end, so that a fuzzer sees what a mask hides.
 */
#ifndef SNP_DNS_LOAD_H
#define SNP_DNS_LOAD_H

#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#ifdef SNP_DNS_CHECKED
#define dns_touch(w, off, n)                                                                       \
	do {                                                                                       \
		if ((off) > (w)->len || (n) > (w)->len - (off))                                    \
			abort();                                                                   \
	} while (0)
#else
#define dns_touch(w, off, n) (void)0
#endif

static inline __u64 dns_word(const __u8 *p)
{
	__u64 x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline void dns_put_word(__u8 *p, __u64 x)
{
	memcpy(p, &x, sizeof(x));
}

static inline __u16 dns_be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

static inline __u32 dns_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

#define dns_repeat(w, most)                                                                        \
	do {                                                                                       \
		for (__u32 turn_ = 0; turn_ < (most) && !dns_step(w); turn_++)                     \
			;                                                                          \
	} while (0)

#include "bpf/dns_wire.h"

#endif
