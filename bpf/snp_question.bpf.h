/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_question.bpf.h - note a question at egress, find it again at ingress.
 */
#ifndef SNP_QUESTION_BPF_H
#define SNP_QUESTION_BPF_H

#include "bpf/snp_maps.bpf.h"

/* What of the transport a question and its answer must share. */
static __always_inline __u32 question_server(const struct snp_kconf *conf,
					     const struct snp_addr *server, __u16 server_port,
					     __u16 our_port)
{
	/* Multilinear hashing with secret keys: no sender can choose two that meet. */
	__u64 x = (server->w[0] + conf->key[0]) * ((__u64)server->w[1] + (conf->key[1] | 1));

	x += (server->w[2] + (conf->key[0] >> 32)) * ((__u64)server->w[3] + (conf->key[1] >> 29));
	x ^= conf->key[0];
	x += ((__u64)server_port << 16 | our_port) * (conf->key[1] | 1);
	return x >> 32;
}

/* How welcome is a way for a new question? Itself first, then free, answered, late ones, the oldest. */
static __always_inline __u32 question_cost(const struct snp_question *have,
					   const struct snp_question *want, __u32 timeout_ms)
{
	__u32 age;

	if (have->state == SNP_Q_FREE)
		return 1;
	if (have->id == want->id && have->server == want->server && have->name == want->name &&
	    have->qtype == want->qtype)
		return 0;
	age = want->asked_ms - have->asked_ms;
	if (age > timeout_ms)
		return 2;
	if (have->state == SNP_Q_ANSWERED)
		return 3;
	return 0x80000000u - (age & 0x7fffffff); /* an open one: never less than 4 */
}

/* The best of the four ways of a set. */
static __always_inline struct snp_question *question_way(struct snp_question *set,
							 const struct snp_question *want,
							 __u32 timeout_ms, __u32 *cost)
{
	__u32 best = 0, least = ~0u, c, i;

#pragma unroll
	for (i = 0; i < SNP_Q_WAYS; i++) {
		c = question_cost(&set[i], want, timeout_ms);
		if (c < least) {
			least = c;
			best = i;
		}
	}
	*cost = least;
	return &set[best & (SNP_Q_WAYS - 1)];
}

static __always_inline void question_note(struct bpf_sock *sk, struct snp_questions *own,
					  const struct snp_question *q, __u32 timeout_ms)
{
	struct snp_question *way;
	struct snp_backlog *backlog;
	__u32 cost;

	way = question_way(&own->q[(q->id & (SNP_Q_SETS - 1)) * SNP_Q_WAYS], q, timeout_ms, &cost);
	if (cost > 3) {
		backlog = bpf_sk_storage_get(&snp_backlog, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (backlog) {
			own->has_backlog = 1;
			way = question_way(
				&backlog->q[(q->id / SNP_Q_SETS & (SNP_Q_BACKLOG_SETS - 1)) *
					    SNP_Q_WAYS],
				q, timeout_ms, &cost);
		} else {
			snp_count(SNP_STAT_Q_STORAGE);
		}
		if (cost > 3)
			snp_count(SNP_STAT_Q_EVICTED);
	}
	*way = *q;
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
 * Look for *want among the four ways of a set: its index plus one, or 0. *near
 * becomes 1 when only the id was the same. Without a branch: of four ways with
 * five comparisons each the verifier would follow every outcome.
 */
static __always_inline __u32 question_find_in(const struct snp_question *set,
					      const struct snp_question *want, __u32 *near)
{
	__u32 found = 0, i;

#pragma unroll
	for (i = 0; i < SNP_Q_WAYS; i++) {
		const struct snp_question *q = &set[i];
		__u32 id = is_not(q->state) & ~is_not(q->id ^ want->id);
		__u32 other = is_not((q->server ^ want->server) | (q->name ^ want->name) |
				     (q->qtype ^ want->qtype));

		*near |= id & other;
		/* The first that matches: a race may have noted a question twice. */
		found |= -(id & ~other & ~is_not(found) & 1) & (i + 1);
	}
	return found;
}

/* The open question that *want answers, or NULL and *why. */
static __always_inline struct snp_question *
question_find(struct bpf_sock *sk, struct snp_questions *own, const struct snp_question *want,
	      __u32 timeout_ms, __u32 *why)
{
	struct snp_question *set = &own->q[(want->id & (SNP_Q_SETS - 1)) * SNP_Q_WAYS], *q;
	__u32 near = 0, found = question_find_in(set, want, &near);
	struct snp_backlog *backlog;

	if (!found && own->has_backlog) {
		backlog = bpf_sk_storage_get(&snp_backlog, sk, 0, 0);
		if (backlog) {
			set = &backlog->q[(want->id / SNP_Q_SETS & (SNP_Q_BACKLOG_SETS - 1)) *
					  SNP_Q_WAYS];
			found = question_find_in(set, want, &near);
		}
	}
	*why = near ? SNP_STAT_MISDIRECTED : SNP_STAT_UNASKED;
	if (!found)
		return NULL;
	found -= 1;
	asm volatile("%0 &= 3" : "+r"(found)); /* the bound, where the verifier looks */
	q = &set[found];
	if (q->state == SNP_Q_ANSWERED) {
		*why = SNP_STAT_DOUBLED;
		return NULL;
	}
	if (want->asked_ms - q->asked_ms > timeout_ms) {
		*why = SNP_STAT_LATE;
		return NULL;
	}
	return q;
}

/* Learned from once: of two answers at once on two CPUs, one wins. */
static __always_inline int question_close(struct snp_question *q, __u32 state)
{
	return __sync_val_compare_and_swap(&q->state, state, SNP_Q_ANSWERED) == state;
}

#endif
