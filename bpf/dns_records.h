/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dns_records.h - the records of a message, one a step. Included by dns_wire.h. */
#ifndef SNP_DNS_RECORDS_H
#define SNP_DNS_RECORDS_H

#include "bpf/dns_name.h"

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

#endif
