/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dns_wire.h - the one walker of DNS messages (RFC 1035 4.1), built three ways.
 *
 * Kernel, daemon and fuzzer compile this very file; bpf/dns_load.bpf.h and
 * bpf/dns_load.h supply what differs: unaligned loads, and dns_repeat() which
 * calls dns_step() until it returns 1.
 *
 * The walker is a flat machine: one step reads one label, one record or one
 * address hint. All its state is in struct dns_walk, which in the kernel is
 * map memory: the verifier then sees one short loop body and no history.
 *
 * Nothing of a message is acted on before its end was reached (parse, then
 * commit). Offsets are from the first byte of the message. Host byte order.
 *
 *   dns_walk_question()  header checks, then the question's name, type, class
 *   dns_walk_records()   every record of the three sections
 *
 * Both return 0 or DNS_E(reason), a refusal of snp_stat.h plus one.
 */
#ifndef SNP_DNS_WIRE_H
#define SNP_DNS_WIRE_H

#include "bpf/snp_stat.h"
#include "bpf/siphash.h"

#define DNS_E(reason) (SNP_STAT_##reason + 1)

#define DNS_HEADER_LEN	12
#define DNS_MESSAGE_MAX 65535
#define DNS_CHAIN_MAX	16   /* CNAME and DNAME steps from the question */
#define DNS_JUMPS_MAX	16   /* compression pointers in a name */
#define DNS_ADDRS_MAX	4096 /* addresses kept of one message */
#define DNS_STEPS_MAX	16384
#define DNS_NOWHERE	0xffff	   /* no pointer reaches there: it has 14 bits */
#define DNS_NO_PARAMS	0xffffffff /* above what follows the last key */

/* names[] holds the chain: 0 the question, then its CNAME targets; the last is an owner being read. */
#define DNS_NAME_OWNER (DNS_CHAIN_MAX + 1)
#define DNS_NAMES      32 /* a power of two: indexed by mask */

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_SVCB = 64,
	DNS_TYPE_HTTPS = 65,
};
#define DNS_CLASS_IN 1

#define DNS_FLAG_QR 0x8000
#define DNS_FLAG_TC 0x0200

enum dns_state {
	DNS_S_NAME,	   /* read one label of a name, then go to `then` */
	DNS_S_RR,	   /* at the first byte of a record, or at the end */
	DNS_S_OWNER,	   /* a record's owner was read */
	DNS_S_CNAME,	   /* a CNAME's target was read */
	DNS_S_DNAME_ALIGN, /* does a label of the chain's name start where the owner would? */
	DNS_S_DNAME,	   /* a DNAME's target was read behind the kept prefix */
	DNS_S_SVCB,	   /* a service binding's target was read */
	DNS_S_PARAM,	   /* at a service parameter, or at the end of the record */
	DNS_S_HINT,	   /* at an address hint */
	DNS_S_STOP,
};

struct dns_addr {
	__u16 off; /* of the 4 or 16 bytes in the message */
	__u16 len; /* 4 or 16 */
	__u32 ttl_s;
};

struct dns_walk {
	/* in */
	__u64 key[2]; /* of the names' hash */
	__u32 len;    /* bytes in msg */
	__u32 svcb_hints;
	/* out: the header and the question */
	__u16 id, flags;
	__u16 qtype, qclass;
	/* out: the chain: names[0..depth], their lengths and hashes */
	__u32 depth;
	__u32 n_addrs;
	__u32 off_chain, rr_class, too_many; /* records passed over */
	__u32 trailing;			     /* bytes after the last record */
	__u32 truncated;		     /* TC=1 */
	/* the machine */
	__u32 state, then, err;
	__u32 pos;		 /* next byte of the message */
	__u32 answers, others;	 /* records to come */
	__u32 np, n;		 /* name: next byte to read, bytes written */
	__u32 low;		 /* name: a pointer must point below */
	__u32 jumps, dst;	 /* name: pointers followed; index in names */
	__u32 head;		 /* name: where its first label stands, or DNS_NOWHERE */
	__u32 cur_off, cur_head; /* where the chain's last name was read; its first label */
	__u32 ttl_s;		 /* the least along the chain */
	__u32 longest_s;	 /* the longest TTL among the addresses */
	__u32 rr_ttl_s, rr_data, rr_end;
	__u32 align; /* DNAME: bytes of the kept prefix; walked so far */
	__u32 align_at;
	__u32 dname; /* names[depth + 1] holds what a DNAME made */
	__u32 param; /* SVCB: next acceptable key, or DNS_NO_PARAMS */
	__u32 hint, hint_end;
	__u64 hash[DNS_NAMES];
	__u32 name_len[DNS_NAMES];
	__u8 names[DNS_NAMES * SNP_NAME_ROOM];
	struct dns_addr addrs[DNS_ADDRS_MAX];
	__u8 msg[65536 + 64];
};

#define dns_inline static inline __attribute__((always_inline))

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

dns_inline __u8 dns_u8(struct dns_walk *w, __u32 off)
{
	dns_touch(w, off, 1);
	return w->msg[off & 0xffff];
}

dns_inline __u16 dns_u16(struct dns_walk *w, __u32 off)
{
	dns_touch(w, off, 2);
	return dns_be16(w->msg + (off & 0xffff));
}

dns_inline __u32 dns_u32(struct dns_walk *w, __u32 off)
{
	dns_touch(w, off, 4);
	return dns_be32(w->msg + (off & 0xffff));
}

/* Does [off, off + n) lie in the message? Never off + n: it may wrap. */
dns_inline int dns_has(const struct dns_walk *w, __u32 off, __u32 n)
{
	return off <= w->len && n <= w->len - off;
}

dns_inline int dns_fail(struct dns_walk *w, __u32 err)
{
	w->err = err;
	w->state = DNS_S_STOP;
	return 1;
}

/* The message ended too early. With TC=1 that ends what can be learned, and no more. */
dns_inline int dns_short(struct dns_walk *w)
{
	return dns_fail(w, w->truncated ? 0 : DNS_E(SHORT));
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
	w->hash[0] = siphash_name(dns_name(w, 0), len, w->key);
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
	w->qtype = dns_u16(w, end);
	w->qclass = dns_u16(w, end + 2);
	w->pos = end + 4;
	w->cur_off = DNS_HEADER_LEN;
	w->cur_head = DNS_HEADER_LEN;
	w->state = DNS_S_RR;
	return w->qclass == DNS_CLASS_IN ? 0 : DNS_E(QCLASS);
}

dns_inline int dns_add(struct dns_walk *w, __u32 off, __u32 len, __u32 ttl_s)
{
	struct dns_addr *a;

	if (w->n_addrs >= DNS_ADDRS_MAX) {
		w->too_many++;
		return 0;
	}
	a = &w->addrs[w->n_addrs & (DNS_ADDRS_MAX - 1)];
	a->off = off;
	a->len = len;
	a->ttl_s = ttl_s;
	if (ttl_s > w->longest_s)
		w->longest_s = ttl_s;
	w->n_addrs++;
	return 0;
}

/* Is the owner just read names[i], byte for byte? */
dns_inline int dns_owner_is(struct dns_walk *w, __u32 i)
{
	__u32 len = w->name_len[DNS_NAME_OWNER];

	return len == w->name_len[i & (DNS_NAMES - 1)] &&
	       dns_same_name(dns_name(w, DNS_NAME_OWNER), dns_name(w, i), len);
}

/* The chain goes on with names[depth + 1], read at off, its first label at head. */
dns_inline int dns_advance(struct dns_walk *w, __u32 off, __u32 head)
{
	__u64 hash = w->hash[(w->depth + 1) & (DNS_NAMES - 1)];
	__u32 i;

	for (i = 0; i <= DNS_CHAIN_MAX && i <= w->depth; i++)
		if (w->hash[i & (DNS_NAMES - 1)] == hash)
			return dns_fail(w, DNS_E(CHAIN_LOOP));
	w->depth++;
	w->cur_off = off;
	w->cur_head = head;
	w->dname = 0;
	return 0;
}

dns_inline int dns_skip_rr(struct dns_walk *w)
{
	w->pos = w->rr_end;
	w->state = DNS_S_RR;
	return 0;
}

/* A record that redirects: what it yields goes to names[depth + 1]. */
dns_inline int dns_redirect(struct dns_walk *w, __u32 n, __u32 then)
{
	if (w->depth >= DNS_CHAIN_MAX)
		return dns_fail(w, DNS_E(CHAIN_LONG));
	if (w->rr_ttl_s < w->ttl_s)
		w->ttl_s = w->rr_ttl_s;
	return dns_read_name(w, w->pos, w->depth + 1, n, then);
}

dns_inline int dns_address_rr(struct dns_walk *w, __u32 len)
{
	if (w->rr_end - w->pos != len)
		return dns_fail(w, DNS_E(RDLENGTH));
	dns_add(w, w->pos, len, w->rr_ttl_s < w->ttl_s ? w->rr_ttl_s : w->ttl_s);
	return dns_skip_rr(w);
}

/* RFC 6672: does the owner just read end the chain's name at a label? */
dns_inline int dns_dname_rr(struct dns_walk *w)
{
	__u32 owner = w->name_len[DNS_NAME_OWNER];
	__u32 name = w->name_len[w->depth & (DNS_NAMES - 1)];

	if (owner >= name) {
		w->off_chain++;
		return dns_skip_rr(w);
	}
	w->align = name - owner;
	w->align_at = 0;
	w->state = DNS_S_DNAME_ALIGN;
	return 0;
}

dns_inline int dns_step_align(struct dns_walk *w)
{
	const __u8 *name = dns_name(w, w->depth), *owner = dns_name(w, DNS_NAME_OWNER);
	__u32 at = w->align_at & 0xff, keep = w->align & 0xff;
	__u32 left = w->name_len[DNS_NAME_OWNER] & 0xff, j;
	__u8 *to = dns_name(w, w->depth + 1);

	if (at < keep) {
		w->align_at = at + 1 + name[at];
		return 0;
	}
	if (at != keep || !dns_same_name(name + keep, owner, left)) {
		w->off_chain++;
		return dns_skip_rr(w);
	}
	for (j = 0; j < 256 && j < keep; j += 8)
		dns_put_word(to + j, dns_word(name + j));
	return dns_redirect(w, keep, DNS_S_DNAME);
}

/* The fixed part of a record (RFC 1035 4.1.3), and what its type asks for. */
dns_inline int dns_record(struct dns_walk *w, __u32 owner_is_current)
{
	__u32 type, class, ttl_s, rdlength;

	if (!dns_has(w, w->pos, 10))
		return dns_short(w);
	type = dns_u16(w, w->pos);
	class = dns_u16(w, w->pos + 2);
	ttl_s = dns_u32(w, w->pos + 4);
	rdlength = dns_u16(w, w->pos + 8);
	w->pos += 10;
	if (!dns_has(w, w->pos, rdlength))
		return dns_short(w);
	w->rr_data = w->pos;
	w->rr_end = w->pos + rdlength;
	w->rr_ttl_s = ttl_s & 0x80000000 ? 0 : ttl_s; /* RFC 2181 8 */
	if (!w->answers) {
		w->others--;
		return dns_skip_rr(w);
	}
	w->answers--;
	if (type != DNS_TYPE_A && type != DNS_TYPE_AAAA && type != DNS_TYPE_CNAME &&
	    type != DNS_TYPE_DNAME && type != DNS_TYPE_SVCB && type != DNS_TYPE_HTTPS)
		return dns_skip_rr(w);
	if (class != DNS_CLASS_IN) {
		w->rr_class++;
		return dns_skip_rr(w);
	}
	if (type == DNS_TYPE_DNAME)
		return owner_is_current ? dns_skip_rr(w) : dns_dname_rr(w);
	if (!owner_is_current) {
		w->off_chain++;
		return dns_skip_rr(w);
	}
	if (type == DNS_TYPE_A)
		return dns_address_rr(w, 4);
	if (type == DNS_TYPE_AAAA)
		return dns_address_rr(w, 16);
	if (type == DNS_TYPE_CNAME)
		return dns_redirect(w, 0, DNS_S_CNAME);
	if (!w->svcb_hints)
		return dns_skip_rr(w);
	if (rdlength < 3)
		return dns_fail(w, DNS_E(SVCB));
	w->param = dns_u16(w, w->pos) ? 0 : DNS_NO_PARAMS; /* priority 0: an alias */
	return dns_read_name(w, w->pos + 2, DNS_NAME_OWNER, 0, DNS_S_SVCB);
}

dns_inline int dns_step_rr(struct dns_walk *w)
{
	__u32 first, to;

	if (!w->answers && !w->others) {
		w->trailing = w->len - w->pos;
		w->state = DNS_S_STOP;
		return 1;
	}
	if (!dns_has(w, w->pos, 1))
		return dns_short(w);
	/* Nearly every owner is one pointer to where the chain's name was read: no labels then. */
	if (dns_has(w, w->pos, 2)) {
		first = dns_u16(w, w->pos);
		to = first & 0x3fff;
		if (first >= 0xc000 && (to == w->cur_off || to == w->cur_head)) {
			w->pos += 2;
			return dns_record(w, 1);
		}
	}
	return dns_read_name(w, w->pos, DNS_NAME_OWNER, 0, DNS_S_OWNER);
}

dns_inline int dns_step_owner(struct dns_walk *w)
{
	__u32 is_current = 0;

	if (w->answers) {
		is_current = dns_owner_is(w, w->depth);
		if (!is_current && w->dname && dns_owner_is(w, w->depth + 1)) {
			if (dns_advance(w, DNS_NOWHERE, DNS_NOWHERE))
				return 1;
			is_current = 1;
		}
	}
	return dns_record(w, is_current);
}

dns_inline int dns_step_param(struct dns_walk *w)
{
	__u32 left = w->rr_end - w->pos, key, len;

	if (!left || w->param == DNS_NO_PARAMS)
		return dns_skip_rr(w);
	if (left < 4)
		return dns_fail(w, DNS_E(SVCB));
	key = dns_u16(w, w->pos);
	len = dns_u16(w, w->pos + 2);
	w->pos += 4;
	if (key < w->param || len > left - 4)
		return dns_fail(w, DNS_E(SVCB));
	w->param = key + 1;
	w->hint_end = w->pos + len;
	w->hint = key == 4 ? 4 : 16;
	if (key != 4 && key != 6) {
		w->pos += len;
		return 0;
	}
	if (!len || len & (w->hint - 1))
		return dns_fail(w, DNS_E(SVCB));
	w->state = DNS_S_HINT;
	return 0;
}

dns_inline int dns_step_hint(struct dns_walk *w)
{
	dns_add(w, w->pos, w->hint, w->rr_ttl_s < w->ttl_s ? w->rr_ttl_s : w->ttl_s);
	w->pos += w->hint;
	if (w->pos >= w->hint_end)
		w->state = DNS_S_PARAM;
	return 0;
}

/* One step. Returns 1 when there is no more to do. */
dns_inline int dns_step(struct dns_walk *w)
{
	switch (w->state) {
	case DNS_S_NAME:
		return dns_step_name(w);
	case DNS_S_RR:
		return dns_step_rr(w);
	case DNS_S_OWNER:
		return dns_step_owner(w);
	case DNS_S_CNAME:
		w->state = DNS_S_RR;
		if (w->pos != w->rr_end)
			return dns_fail(w, DNS_E(RDLENGTH));
		return dns_advance(w, w->rr_data, w->head);
	case DNS_S_DNAME_ALIGN:
		return dns_step_align(w);
	case DNS_S_DNAME:
		if (w->pos != w->rr_end)
			return dns_fail(w, DNS_E(RDLENGTH));
		w->dname = 1;
		return dns_skip_rr(w);
	case DNS_S_SVCB:
		if (w->jumps || w->pos > w->rr_end)
			return dns_fail(w, DNS_E(SVCB));
		w->state = DNS_S_PARAM;
		return 0;
	case DNS_S_PARAM:
		return dns_step_param(w);
	case DNS_S_HINT:
		return dns_step_hint(w);
	}
	return 1;
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

/* After dns_walk_question() gave 0. On 0 the chain, the addresses and the tallies are set. */
dns_inline __u32 dns_walk_records(struct dns_walk *w)
{
	w->truncated = !!(w->flags & DNS_FLAG_TC);
	dns_repeat(w, DNS_STEPS_MAX);
	if (w->state != DNS_S_STOP && !w->err)
		return DNS_E(STEPS);
	return w->err;
}

#endif
