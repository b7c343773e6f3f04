/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_question.bpf.h - note a question at egress, find it again at ingress.
 */
#ifndef SNP_QUESTION_BPF_H
#define SNP_QUESTION_BPF_H

#include "bpf/snp_maps.bpf.h"

/* A question that is looked for, or to be noted. */
struct question {
	struct snp_question q;
	__u32 line; /* in snp_questions */
};

/* Of one exchange: the question's name hash and type, and between whom. */
struct question_of {
	__u64 name;
	__u64 cookie; /* the asking socket's */
	const struct snp_addr *server;
	__u16 server_port, our_port;
	__u16 id, qtype;
	__u32 loops; /* by the loopback device: an answer comes back the way of its question */
};

static __always_inline __u32 question_head(__u32 head, __u32 state)
{
	return (head & ~SNP_Q_STATE) | state;
}

static __always_inline void question_make(struct question *out, const struct snp_kconf *conf,
					  const struct question_of *of, __u64 now_ns)
{
	const struct snp_addr *s = of->server;
	__u64 asker = (of->cookie + conf->key[1]) * (conf->key[0] | 1);
	/* Multilinear hashing with secret keys: no sender can choose two that meet. */
	__u64 x = (s->w[0] + conf->key[0]) * ((__u64)s->w[1] + (conf->key[1] | 1));

	x += (s->w[2] + (conf->key[0] >> 32)) * ((__u64)s->w[3] + (conf->key[1] >> 29));
	x += ((__u64)of->loops << 48 | (__u64)of->qtype << 32 | (__u32)of->server_port << 16 |
	      of->our_port) *
	     (conf->key[1] | 1);
	out->q.what = (x ^ of->name) + asker;
	out->q.asked_ms = now_ns / 1000000;
	out->q.head = (__u32)of->id << SNP_Q_ID_SHIFT | (asker >> 48 & SNP_Q_ASKER);
	/* Cookies are given out in turn: sockets made one after the other stand side by side. */
	out->line = (of->cookie * SNP_Q_SOCKET_LINES + SNP_Q_LINE_OF(of->id)) & (SNP_Q_LINES - 1);
}

/* How welcome is a way for a new question? Itself first, then free, late, answered ones. */
enum { WAY_ITSELF, WAY_FREE, WAY_LATE, WAY_ANSWERED, WAY_OPEN };
#define WAY_NEVER ~0u

/* By so much another CPU may have read the clock after us, and yet have noted its question before. */
#define ASKED_AHEAD_MS 1000u

static __always_inline __u32 way_cost(const struct snp_question *have, __u32 head,
				      const struct snp_question *want, __u32 timeout_ms, int evict)
{
	__u32 age;

	if (head == SNP_Q_FREE)
		return WAY_FREE;
	if ((head & SNP_Q_STATE) == SNP_Q_NOTING)
		return WAY_NEVER;
	if (have->what == want->what && question_head(head, 0) == question_head(want->head, 0))
		return WAY_ITSELF;
	age = want->asked_ms + ASKED_AHEAD_MS - have->asked_ms;
	if (age > timeout_ms + ASKED_AHEAD_MS)
		return WAY_LATE;
	if ((head & SNP_Q_STATE) == SNP_Q_ANSWERED)
		return WAY_ANSWERED;
	/* Of open ones the oldest: never less than WAY_OPEN. */
	return evict ? 0x80000000u - (age & 0x7fffffff) : WAY_NEVER;
}

/*
 * Write *want to the best of the four ways of a line; one that holds an open
 * question only with evict. The cost of that way, or WAY_NEVER: not written.
 */
static __always_inline __u32 question_put(struct snp_question_line *line,
					  const struct snp_question *want, __u32 timeout_ms,
					  int evict)
{
	__u32 best = 0, had = 0, least = WAY_NEVER, i;
	struct snp_question *q;

#pragma unroll
	for (i = 0; i < SNP_Q_WAYS; i++) {
		__u32 head = line->q[i].head;
		__u32 cost = way_cost(&line->q[i], head, want, timeout_ms, evict);

		if (cost < least) {
			least = cost;
			best = i;
			had = head;
		}
	}
	if (least == WAY_NEVER)
		return WAY_NEVER;
	q = &line->q[best & (SNP_Q_WAYS - 1)];
	if (__sync_val_compare_and_swap(&q->head, had, question_head(want->head, SNP_Q_NOTING)) !=
	    had)
		return WAY_NEVER; /* another CPU took it */
	q->what = want->what;
	q->asked_ms = want->asked_ms;
	/* The answer cannot come before the packet leaves, and that is after this. */
	*(volatile __u32 *)&q->head = want->head;
	return least;
}

static __always_inline struct snp_question_line *
backlog_line(struct snp_backlog *b, const struct question *want)
{
	return &b->lines[SNP_Q_BACKLOG_OF(want->q.head >> SNP_Q_ID_SHIFT)];
}

static __always_inline void
question_note(struct __sk_buff *skb, const struct question *want, __u32 timeout_ms)
{
	__u32 at = want->line, cost = WAY_NEVER;
	struct snp_question_line *line = bpf_map_lookup_elem(&snp_questions, &at);
	struct snp_backlog *backlog = NULL;
	struct bpf_sock *sk = skb->sk;

	if (line && question_put(line, &want->q, timeout_ms, 0) != WAY_NEVER) {
		snp_count(SNP_STAT_QUERIES);
		return;
	}
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk)
		backlog = bpf_sk_storage_get(&snp_backlog, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!backlog) {
		snp_count(SNP_STAT_Q_STORAGE);
		return;
	}
	cost = question_put(backlog_line(backlog, want), &want->q, timeout_ms, 1);
	if (cost >= WAY_OPEN)
		snp_count(SNP_STAT_Q_EVICTED);
	snp_count(SNP_STAT_QUERIES);
}

/* 1 unless x is 0, without a branch: the empty asm keeps clang from seeing x != 0 in it. */
static __always_inline __u32 is_not(__u64 x)
{
	__u64 minus = -x;

	asm volatile("" : "+r"(minus));
	return (x | minus) >> 63;
}

/*
 * Look for *want among the four ways of a line: its index plus one, or 0. *near
 * becomes 1 when the asker and the id were the same. Without a branch: of four
 * ways with two comparisons each the verifier would follow every outcome.
 */
static __always_inline __u32 question_find_in(const struct snp_question_line *line,
					      const struct snp_question *want, __u32 *near)
{
	__u32 found = 0, i;

#pragma unroll
	for (i = 0; i < SNP_Q_WAYS; i++) {
		__u32 head = line->q[i].head;
		__u32 id = is_not(head & SNP_Q_STATE) & ~is_not((head ^ want->head) & ~SNP_Q_STATE);
		__u32 other = is_not(line->q[i].what ^ want->what);

		*near |= id & other;
		/* The first that matches: a race may have noted a question twice. */
		found |= -(id & ~other & ~is_not(found) & 1) & (i + 1);
	}
	return found;
}

/* Way `found` less one of a line. */
static __always_inline struct snp_question *question_at(struct snp_question_line *line, __u32 found)
{
	found -= 1;
	asm volatile("%0 &= 3" : "+r"(found)); /* the bound, where the verifier looks */
	return &line->q[found];
}

/* The question that *want repeats, or NULL and *near: its asker and id are there. */
static __always_inline struct snp_question *
question_search(struct __sk_buff *skb, const struct question *want, __u32 *near)
{
	__u32 at = want->line, found;
	struct snp_question_line *line = bpf_map_lookup_elem(&snp_questions, &at);
	struct snp_backlog *backlog;
	struct bpf_sock *sk;

	found = line ? question_find_in(line, &want->q, near) : 0;
	if (line && found)
		return question_at(line, found);
	sk = skb->sk;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (!sk)
		return NULL;
	backlog = bpf_sk_storage_get(&snp_backlog, sk, 0, 0);
	if (!backlog)
		return NULL;
	line = backlog_line(backlog, want);
	found = question_find_in(line, &want->q, near);
	return found ? question_at(line, found) : NULL;
}

/* The open question that *want answers, and its head; or NULL, and *why. */
static __always_inline struct snp_question *question_find(struct __sk_buff *skb,
							  const struct question *want,
							  __u32 timeout_ms, __u32 *head, __u32 *why)
{
	__u32 near = 0;
	struct snp_question *q = question_search(skb, want, &near);

	if (!q) {
		*why = near ? SNP_STAT_MISDIRECTED : SNP_STAT_UNASKED;
		return NULL;
	}
	*head = q->head;
	if ((*head & SNP_Q_STATE) > SNP_Q_DETOUR) { /* answered, or just being asked again */
		*why = SNP_STAT_DOUBLED;
		return NULL;
	}
	if (want->q.asked_ms - q->asked_ms > timeout_ms) {
		*why = SNP_STAT_LATE;
		return NULL;
	}
	return q;
}

/* Learned from once: of two answers at once on two CPUs, one wins. */
static __always_inline int question_close(struct snp_question *q, __u32 head)
{
	return __sync_val_compare_and_swap(&q->head, head, question_head(head, SNP_Q_ANSWERED)) ==
	       head;
}

#endif
