/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dns_message.h - a message being walked, and bounded reads of it. Included by dns_wire.h. */
#ifndef SNP_DNS_MESSAGE_H
#define SNP_DNS_MESSAGE_H

#include "bpf/snp_stat.h"

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

#endif
