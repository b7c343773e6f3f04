/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_detour.bpf.h - which datagrams from a fallback answer questions to the proxy.
 *
 * recvmsg knows a datagram by its sender only. As long as a client asked the
 * fallback through the proxy's address alone, all of them do. Once it asked the
 * fallback itself too, ingress notes the kind of each arrival, by the question
 * it answers, and recvmsg takes the kinds in that order.
 */
#ifndef SNP_DETOUR_BPF_H
#define SNP_DETOUR_BPF_H

#include "bpf/snp_maps.bpf.h"

/* At egress: is the question on its way a detour? */
static __always_inline int detour_sending(struct bpf_sock *sk)
{
	struct snp_detour *d = bpf_sk_storage_get(&snp_detour, sk, 0, 0);

	return d && (d->connected || d->sending);
}

/* At ingress: a datagram from a fallback came. */
static __always_inline void detour_arrived(struct bpf_sock *sk, __u32 is_detour)
{
	struct snp_detour *d = bpf_sk_storage_get(&snp_detour, sk, 0, 0);

	if (!d)
		return;
	d->tried = 0;
	if (!d->mixed)
		return;
	d->order = d->order << 1 | is_detour;
	if (d->arrived < 64)
		d->arrived++;
}

/* At recvmsg: is the datagram taken now one of them? */
static __always_inline int detour_taken(struct snp_detour *d)
{
	d->received++;
	if (d->connected || !d->mixed)
		return 1;
	if (d->arrived)
		d->arrived--;
	return d->order >> (d->arrived & 63) & 1;
}

/* At sendmsg: a question goes to the fallback. */
static __always_inline void detour_sent(struct snp_detour *d, __u32 is_detour)
{
	if (d->sent == d->received) { /* nothing is under way: forget the order */
		d->mixed = 0;
		d->arrived = 0;
	}
	d->sent++;
	d->sending = is_detour;
	if (!is_detour)
		d->mixed = 1;
}

#endif
