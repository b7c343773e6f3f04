/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * police_tcp.bpf.h - questions over TCP (RFC 1035 4.2.2), of an endpoint with rules.dns.
 *
 * A segment leaves when every question that it completes may be asked. Where a message is cut
 * before its name, the part without the name goes and is remembered; a segment that
 * holds part of a name is held back (TCP sends it again, by then often with
 * more behind it): not a byte of a forbidden name leaves. Segments are taken in the order
 * of their sequence numbers: what is behind one that was held back waits too. What will never be a
 * question is refused like a forbidden one. Audit counts the same and lets it all go, so that a
 * connection stands in its stream where it must when enforce comes.
 */
#ifndef SNP_POLICE_TCP_BPF_H
#define SNP_POLICE_TCP_BPF_H

#include <linux/tcp.h>

#include "bpf/police.bpf.h"

#define STREAM_MESSAGES_MAX 4096 /* of one segment */

/* A segment: its payload is `len` bytes from `off`, and begins at seq. */
struct segment {
	__u32 off, len, seq;
	__u32 syn;
	__u32 urgent; /* a byte of it is not in the stream for its receiver (RFC 6093) */
};

/* 0, or -1: no TCP that can be read. Not inlined: for its stack. */
static __attribute__((noinline)) int segment_read(struct __sk_buff *skb, struct segment *s)
{
	struct tcphdr tcp;
	__u32 next = IPPROTO_TCP, off;
	__u8 first = 0;

	if (bpf_skb_load_bytes(skb, 0, &first, sizeof(first)))
		return -1;
	off = (first & 0xf) * 4;
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return -1;
		off = sizeof(ip);
		next = ip.nexthdr;
		if (next != IPPROTO_TCP && pkt_v6_skip(skb, &next, &off) != PKT_UDP)
			return -1;
	}
	if (next != IPPROTO_TCP || bpf_skb_load_bytes(skb, off, &tcp, sizeof(tcp)))
		return -1;
	off += tcp.doff * 4;
	if (off > skb->len)
		return -1;
	s->off = off;
	s->len = skb->len - off;
	s->syn = tcp.syn;
	s->urgent = tcp.urg && !tcp.rst;
	s->seq = bpf_ntohl(tcp.seq) + tcp.syn;
	return 0;
}

/* What is at hand of a segment, in the slot. */
static __always_inline __u32 stream_left(const struct stream *s)
{
	return s->end - s->pos;
}

/* Bounds that 6.1 sees: it draws nothing from n != 0. most: a mask, and n no more than that. */
#define stream_bytes(skb, from, to, n, most)                                                       \
	({                                                                                         \
		__u64 n_ = (n)-1;                                                                  \
		int r_ = 0;                                                                        \
                                                                                                   \
		if (n) {                                                                           \
			asm volatile("%0 &= %1" : "+r"(n_) : "i"(most));                           \
			r_ = bpf_skb_load_bytes(skb, from, to, n_ + 1);                            \
		}                                                                                  \
		r_;                                                                                \
	})

/*
 * The beginning of the message at s->pos to the walker: its length field, and so much of it that
 * a question fits. Returns how many bytes of it are there, length field included.
 */
static __always_inline __u32 stream_load(struct __sk_buff *skb, struct snp_scratch_slot *slot)
{
	struct stream *s = &slot->stream;
	struct dns_walk *w = &slot->walk;
	__u32 have = s->now.have & 0xf, left = stream_left(s), skip = 0;
	__u8 field[2] = {s->now.head[0], s->now.head[1]};
	__u64 held = have > 2 ? have - 2 : 0, n;

	dns_put_word(w->msg, dns_word(s->now.head + 2));
	dns_put_word(w->msg + 8, dns_word(s->now.head + 10));
	if (have < 2) {
		skip = 2 - have;
		if (left < skip)
			return have + left;
		if (bpf_skb_load_bytes(skb, s->pos + skip - 1, &field[1], 1) ||
		    (!have && bpf_skb_load_bytes(skb, s->pos, &field[0], 1)))
			return 0;
	}
	s->message = (__u32)field[0] << 8 | field[1];
	n = left - skip;
	if (n > STREAM_QUESTION_MAX)
		n = STREAM_QUESTION_MAX;
	if (n + held > s->message)
		n = s->message > held ? s->message - held : 0;
	w->len = held + n;
	asm volatile("%0 &= 0xf" : "+r"(held));
	if (stream_bytes(skb, s->pos + skip, w->msg + held, n, 0x1ff))
		return 0;
	return 2 + held + n;
}

/* What is there of a message is too short to judge: may it go, remembered? It holds no name. */
static __always_inline int stream_keep(struct __sk_buff *skb, struct stream *s)
{
	__u64 have = s->now.have & 0xf, left = stream_left(s);

	if (have + left > STREAM_HEAD)
		return -1;
	asm volatile("%0 &= 0xf" : "+r"(have));
	if (stream_bytes(skb, s->pos, s->now.head + have, left, 0xf))
		return -1;
	s->now.have = have + left;
	s->pos = s->end;
	return 0;
}

struct stream_turn {
	struct __sk_buff *skb;
	struct snp_scratch_slot *slot;
};

/* Of a message that gave the error there are so many bytes: will more of them make it a question? */
static __always_inline int
stream_may_grow(const struct snp_scratch_slot *slot, __u32 there, __u32 e)
{
	if (there < 2)
		return 1;
	return e == DNS_E(SHORT) && slot->walk.len < slot->stream.message &&
	       slot->walk.len < STREAM_QUESTION_MAX;
}

/* What is at hand of a message is no question. 1: it may go all the same; 0: s->stop says why not, if it has to wait. */
static __always_inline int
stream_no_question(struct __sk_buff *skb, struct snp_scratch_slot *slot, __u32 there, __u32 e)
{
	struct stream *s = &slot->stream;

	if (!stream_may_grow(slot, there, e)) {
		if (snp_dns_refused(skb))
			return 1;
		s->stop = STREAM_REFUSED;
		return 0;
	}
	/* Too short for its header, or cut before the name. */
	if (!stream_keep(skb, s))
		return 0;
	if (s->open) {
		snp_count(SNP_STAT_TCP_SHAPE);
		return 1;
	}
	s->stop = STREAM_SHAPE;
	return 0;
}

/* A message, or what is left of one. 1: the segment is read, or stopped. */
static __always_inline int stream_message(struct __sk_buff *skb, struct snp_scratch_slot *slot)
{
	struct stream *s = &slot->stream;
	__u32 left = stream_left(s), there, e;

	if (!left)
		return 1;
	if (s->now.left) { /* of a message that may be asked */
		if (left > s->now.left)
			left = s->now.left;
		s->now.left -= left;
		s->pos += left;
		return 0;
	}
	there = stream_load(skb, slot);
	e = there < 2 + DNS_HEADER_LEN ? DNS_E(SHORT) : (__u32)snp_read_question(slot->index, 0);
	if (e) {
		if (!stream_no_question(skb, slot, there, e))
			return 1;
	} else if (!snp_may_ask(skb, slot->index)) {
		s->stop = STREAM_REFUSED;
		return 1;
	}
	s->now.left = 2 + s->message - s->now.have;
	s->now.have = 0;
	return 0;
}

static long stream_next(__u32 i, struct stream_turn *t)
{
	return stream_message(t->skb, t->slot);
}

/* From where the segment brings something new. -1: it lies behind a gap. */
static __always_inline int stream_place(struct stream *s, const struct segment *seg)
{
	__u32 known = s->now.next - seg->seq; /* bytes that have left before */

	if (!s->now.known || seg->syn)
		known = 0;
	if ((__s32)known < 0)
		return -1;
	if (known > seg->len)
		known = seg->len;
	s->pos = seg->off + known;
	s->end = seg->off + seg->len;
	return 0;
}

static __always_inline int stream_judge(struct __sk_buff *skb, struct snp_scratch_slot *slot,
					const struct segment *seg, struct snp_stream *kept)
{
	struct stream *s = &slot->stream;
	struct stream_turn t = {.skb = skb, .slot = slot};

	s->now = *kept;
	s->stop = 0;
	if (seg->syn)
		__builtin_memset(&s->now, 0, sizeof(s->now));
	if (stream_place(s, seg))
		return STREAM_GAP;
	bpf_loop(STREAM_MESSAGES_MAX, stream_next, &t, 0);
	if (s->stop)
		return s->stop;
	if (s->pos != s->end)
		return STREAM_SHAPE;
	s->now.known = 1;
	if (seg->syn || !kept->known || (__s32)(seg->seq + seg->len - kept->next) > 0)
		s->now.next = seg->seq + seg->len;
	*kept = s->now;
	return 0;
}

/* A segment to a resolver, of an endpoint with rules.dns. 1: it may go. */
static __always_inline int police_tcp(struct __sk_buff *skb)
{
	struct snp_scratch_slot *slot;
	struct segment seg = {};
	const __u8 *tables = police_tables();
	struct bpf_sock *sk = skb->sk;
	struct snp_stream *kept;
	int at, stop, open;

	if (!tables)
		return 1;
	open = snp_policy_head(tables)->mode != SNP_MODE_ENFORCE;
	if (segment_read(skb, &seg)) {
		snp_count(SNP_STAT_TCP_SHAPE);
		return open;
	}
	if (seg.urgent)
		return police_no_question(skb, 1) == POLICE_GO;
	if (!seg.len && !seg.syn)
		return 1;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk)
		return open || !seg.len;
	kept = bpf_sk_storage_get(&snp_stream, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!kept) {
		snp_count(SNP_STAT_Q_STORAGE);
		return open;
	}
	at = snp_scratch_any();
	slot = at < 0 ? NULL : snp_scratch_at(at);
	if (!slot)
		return open;
	slot->index = at;
	slot->stream.open = open;
	stop = stream_judge(skb, slot, &seg, kept);
	if (stop == STREAM_SHAPE || stop == STREAM_GAP)
		snp_count(stop == STREAM_GAP ? SNP_STAT_TCP_WAITS : SNP_STAT_TCP_SHAPE);
	snp_scratch_give(slot);
	if (stop == STREAM_REFUSED && !kept->told) {
		kept->told = 1;
		snp_cut(skb);
	}
	return !stop || open;
}

#endif
