/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dns_load.bpf.h - the walker's primitives in the kernel.
 *
 * Include this instead of dns_wire.h. struct dns_walk is map memory; loads are
 * masked, not compared with data_end.
 */
#ifndef SNP_DNS_LOAD_BPF_H
#define SNP_DNS_LOAD_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define dns_touch(w, off, n) (void)0

/* BPF loads need no alignment where the kernel has efficient unaligned access (x86, arm64). */
static __always_inline __u64 dns_word(const __u8 *p)
{
	return *(const __u64 *)p;
}

static __always_inline void dns_put_word(__u8 *p, __u64 x)
{
	*(__u64 *)p = x;
}

static __always_inline __u16 dns_be16(const __u8 *p)
{
	return bpf_ntohs(*(const __u16 *)p);
}

static __always_inline __u32 dns_be32(const __u8 *p)
{
	return bpf_ntohl(*(const __u32 *)p);
}

struct dns_walk;
static __always_inline void dns_repeat(struct dns_walk *w, __u32 most);

#include "bpf/dns_wire.h"

struct dns_turn {
	struct dns_walk *walk;
};

/* A call and its return cost more than a step: several steps a turn. */
#define DNS_TURN 4

static long dns_turn(__u32 index, struct dns_turn *turn)
{
	__u32 i;

	for (i = 0; i < DNS_TURN; i++)
		if (dns_step(turn->walk))
			return 1;
	return 0;
}

static __always_inline void dns_repeat(struct dns_walk *w, __u32 most)
{
	struct dns_turn turn = {.walk = w};

	bpf_loop(most / DNS_TURN, dns_turn, &turn, 0);
}

#endif
