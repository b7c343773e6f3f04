/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dns_name.h - names of the chain, one label a step (RFC 1035 4.1.4). Included by dns_wire.h. */
#ifndef SNP_DNS_NAME_H
#define SNP_DNS_NAME_H

#include "bpf/dns_message.h"
#include "bpf/siphash.h"

/*
 * A name in names[] is followed by this many zero bytes: compared and hashed in
 * words, without a mask at its end.
 */
#define DNS_NAME_PAD 32

/* Are the len bytes at a and b, both so padded, the same? */
dns_inline int dns_same_name(const __u8 *a, const __u8 *b, __u32 len)
{
	__u64 diff;
	__u32 j;

	for (j = 0; j < 256 && j < len; j += DNS_NAME_PAD) {
		diff = dns_word(a + j) ^ dns_word(b + j);
		diff |= dns_word(a + j + 8) ^ dns_word(b + j + 8);
		diff |= dns_word(a + j + 16) ^ dns_word(b + j + 16);
		diff |= dns_word(a + j + 24) ^ dns_word(b + j + 24);
		if (diff)
			return 0;
	}
	return 1;
}

dns_inline __u8 *dns_name(struct dns_walk *w, __u32 i)
{
	return w->names + (i & (DNS_NAMES - 1)) * SNP_NAME_ROOM;
}

/* ASCII letters of eight bytes to lower case (RFC 4343); other bytes stay. */
dns_inline __u64 dns_lower(__u64 x)
{
	__u64 seven = x & 0x7f7f7f7f7f7f7f7full;
	__u64 above_z = seven + 0x2525252525252525ull; /* bit 7: > 'Z' */
	__u64 from_a = seven + 0x3f3f3f3f3f3f3f3full;  /* bit 7: >= 'A' */

	return x | ((~x & (from_a ^ above_z) & 0x8080808080808080ull) >> 2);
}

/* Read a name at off into names[dst], behind n bytes that are there; then go to `then`. */
dns_inline int dns_read_name(struct dns_walk *w, __u32 off, __u32 dst, __u32 n, __u32 then)
{
	w->np = off;
	w->low = off;
	w->head = n ? DNS_NOWHERE : off;
	w->n = n;
	w->jumps = 0;
	w->dst = dst;
	w->then = then;
	w->state = DNS_S_NAME;
	return 0;
}

dns_inline int dns_jump(struct dns_walk *w, __u32 p)
{
	__u32 to;

	if (!dns_has(w, p, 2))
		return dns_short(w);
	to = dns_u16(w, p) & 0x3fff;
	if (!w->jumps)
		w->pos = p + 2;
	if (to >= w->low || to < DNS_HEADER_LEN)
		return dns_fail(w, DNS_E(POINTER));
	if (++w->jumps > DNS_JUMPS_MAX)
		return dns_fail(w, DNS_E(JUMPS));
	if (w->head == p)
		w->head = to;
	w->low = to;
	w->np = to;
	return 0;
}

dns_inline int dns_step_name(struct dns_walk *w)
{
	__u32 p = w->np, n = w->n & 0xff, l, i;
	__u8 *to = dns_name(w, w->dst) + n;
	const __u8 *from;

	if (!dns_has(w, p, 1))
		return dns_short(w);
	l = dns_u8(w, p);
	if (l >= 0xc0)
		return dns_jump(w, p);
	if (l >= 0x40)
		return dns_fail(w, DNS_E(LABEL_TYPE));
	to[0] = l;
	if (!l) {
		if (!w->jumps)
			w->pos = p + 1;
		for (i = 0; i < DNS_NAME_PAD; i += 8)
			dns_put_word(to + 1 + i, 0);
		w->name_len[w->dst & (DNS_NAMES - 1)] = n + 1;
		if (w->dst != DNS_NAME_OWNER)
			w->hash[w->dst & (DNS_NAMES - 1)] =
				siphash_name(dns_name(w, w->dst), n + 1, w->key);
		w->state = w->then;
		return 0;
	}
	if (!dns_has(w, p, 1 + l))
		return dns_short(w);
	if (n + 1 + l + 1 > SNP_NAME_MAX)
		return dns_fail(w, DNS_E(NAME_LONG));
	dns_touch(w, p + 1, l);
	from = w->msg + ((p + 1) & 0xffff);
	/* In words, past the label's end: the next label overwrites that. */
	for (i = 0; i < 64 && i < l; i += 8)
		dns_put_word(to + 1 + i, dns_lower(dns_word(from + i)));
	w->np = p + 1 + l;
	w->n = n + 1 + l;
	return 0;
}

#endif
