/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dns_question.h - the header and the question, in one go. Included by dns_wire.h. */
#ifndef SNP_DNS_QUESTION_H
#define SNP_DNS_QUESTION_H

#include "bpf/dns_name.h"

/* The first byte behind the question's name, to w->pos. No pointer can be right there: none points lower. */
dns_inline __u32 dns_question_end(struct dns_walk *w)
{
	__u32 p = DNS_HEADER_LEN, l, i;

	for (i = 0; i < SNP_NAME_MAX / 2 + 1; i++) {
		if (!dns_has(w, p, 1))
			return DNS_E(SHORT);
		l = dns_u8(w, p);
		if (!l)
			break;
		if (l >= 0xc0)
			return dns_has(w, p, 2) ? DNS_E(POINTER) : DNS_E(SHORT);
		if (l >= 0x40)
			return DNS_E(LABEL_TYPE);
		if (!dns_has(w, p, 1 + l))
			return DNS_E(SHORT);
		p += 1 + l;
		if (p - DNS_HEADER_LEN >= SNP_NAME_MAX)
			return DNS_E(NAME_LONG);
	}
	w->pos = p + 1;
	return 0;
}

/* The question's name to names[0]. Lengths are below 'A': whole words can be lowered. */
dns_inline void dns_question_name(struct dns_walk *w, __u32 len)
{
	const __u8 *from = w->msg + DNS_HEADER_LEN;
	__u8 *to = dns_name(w, 0);
	__u32 i;

	for (i = 0; i < 256 && i < len; i += 8)
		dns_put_word(to + i, dns_lower(dns_word(from + i)));
	to += len & 0xff;
	for (i = 0; i < DNS_NAME_PAD; i += 8)
		dns_put_word(to + i, 0);
	w->name_len[0] = len;
	/* From memory, here too: each way out of the first loop knows another length. */
	w->hash[0] = siphash_name(dns_name(w, 0), *(volatile __u32 *)&w->name_len[0], w->key);
}

dns_inline __u32 dns_question(struct dns_walk *w)
{
	__u32 e = dns_question_end(w), end;

	if (e)
		return e;
	/* From memory: in a register the verifier would follow each of the lengths it may have. */
	end = *(volatile __u32 *)&w->pos;
	if (!dns_has(w, end, 4))
		return DNS_E(SHORT);
	dns_question_name(w, end - DNS_HEADER_LEN);
	end = *(volatile __u32 *)&w->pos;
	w->qtype = dns_u16(w, end);
	w->qclass = dns_u16(w, end + 2);
	w->pos = end + 4;
	w->cur_off = DNS_HEADER_LEN;
	w->cur_head = DNS_HEADER_LEN;
	w->state = DNS_S_RR;
	return w->qclass == DNS_CLASS_IN ? 0 : DNS_E(QCLASS);
}

/*
 * The header and the question of the w->len bytes in w->msg; expect_qr is
 * DNS_FLAG_QR for an answer, 0 for a query. On 0: id, flags, qtype, hash[0],
 * names[0] and name_len[0] are set.
 */
dns_inline __u32 dns_walk_question(struct dns_walk *w, __u32 expect_qr)
{
	w->n_addrs = 0;
	w->depth = 0;
	w->off_chain = 0;
	w->rr_class = 0;
	w->too_many = 0;
	w->trailing = 0;
	w->truncated = 0;
	w->dname = 0;
	w->err = 0;
	w->ttl_s = 0x7fffffff;
	w->longest_s = 0;
	if (w->len < DNS_HEADER_LEN || w->len > DNS_MESSAGE_MAX)
		return DNS_E(SHORT);
	w->id = dns_u16(w, 0);
	w->flags = dns_u16(w, 2);
	if ((w->flags & DNS_FLAG_QR) != expect_qr)
		return DNS_E(NOT_ANSWER);
	if (w->flags & 0x7800)
		return DNS_E(OPCODE);
	if (dns_u16(w, 4) != 1)
		return DNS_E(QDCOUNT);
	w->answers = dns_u16(w, 6);
	w->others = dns_u16(w, 8) + dns_u16(w, 10);
	return dns_question(w);
}

#endif
