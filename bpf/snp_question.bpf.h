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

static __always_inline __u32 question_clock_ms(void)
{
	return bpf_ktime_get_boot_ns() / 1000000;
}

/* How welcome is a way for a new question? Itself first, then free, answered, late ones, the oldest. */
static __always_inline __u32 question_cost(const struct snp_question *have,
					   const struct snp_question *want, __u32 timeout_ms)
{
	__u32 age = want->asked_ms - have->asked_ms;

	if (have->id == want->id && have->server == want->server && have->name == want->name &&
	    have->state != SNP_Q_FREE)
		return 0;
	if (have->state == SNP_Q_FREE)
		return 1;
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

/* Look for *want among the four ways of a set; *why tells how near the nearest came. */
static __always_inline struct snp_question *
question_find_in(struct snp_question *set, const struct snp_question *want, __u32 *why)
{
	struct snp_question *found = NULL;
	__u32 i;

#pragma unroll
	for (i = 0; i < SNP_Q_WAYS; i++) {
		struct snp_question *q = &set[i];

		if (q->state == SNP_Q_FREE || q->id != want->id)
			continue;
		if (q->server == want->server && q->name == want->name && q->qtype == want->qtype)
			found = q;
		else
			*why = SNP_STAT_MISDIRECTED;
	}
	return found;
}

/* The open question that *want answers, or NULL and *why. */
static __always_inline struct snp_question *
question_find(struct bpf_sock *sk, struct snp_questions *own, const struct snp_question *want,
	      __u32 timeout_ms, __u32 *why)
{
	struct snp_question *q;
	struct snp_backlog *backlog;

	*why = SNP_STAT_UNASKED;
	q = question_find_in(&own->q[(want->id & (SNP_Q_SETS - 1)) * SNP_Q_WAYS], want, why);
	if (!q && own->has_backlog) {
		backlog = bpf_sk_storage_get(&snp_backlog, sk, 0, 0);
		if (backlog)
			q = question_find_in(
				&backlog->q[(want->id / SNP_Q_SETS & (SNP_Q_BACKLOG_SETS - 1)) *
					    SNP_Q_WAYS],
				want, why);
	}
	if (!q)
		return NULL;
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
