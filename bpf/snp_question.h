/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_question.h - questions that wait for their answers, in the asking socket.
 *
 * Kernel and user space (tests). A socket's storage remembers its own
 * questions, so a flood of questions hurts only the socket that makes it.
 * The first few live in 400 bytes; a forwarder's hundreds in a backlog that is
 * made when it first needs one (with less than 20 KB: Linux 6.1 has no more).
 *
 * Both are sets of four ways, chosen by the transaction id.
 */
#ifndef SNP_QUESTION_H
#define SNP_QUESTION_H

#include "bpf/snp_types.h"

#define SNP_Q_WAYS	   4
#define SNP_Q_SETS	   4
#define SNP_Q_BACKLOG_SETS 128

enum snp_q_state { SNP_Q_FREE, SNP_Q_ASKED, SNP_Q_DETOUR, SNP_Q_ANSWERED };
/* SNP_Q_DETOUR: asked of the proxy, sent to its fallback. */

struct snp_question {
	__u64 name;	/* keyed hash of the question's name, case folded */
	__u32 server;	/* keyed mix of server address, its port and ours */
	__u32 asked_ms; /* CLOCK_BOOTTIME, modulo 2^32 */
	__u16 id;	/* transaction id */
	__u16 qtype;
	__u32 state; /* enum snp_q_state */
};
SNP_ASSERT(sizeof(struct snp_question) == 24, "small enough for every socket");

struct snp_questions {
	__u64 netns_cookie; /* of the asker, 0: not known */
	__u32 has_backlog;
	__u32 reserved;
	struct snp_question q[SNP_Q_SETS * SNP_Q_WAYS];
};
SNP_ASSERT(sizeof(struct snp_questions) <= 512, "more costs every lookup");

struct snp_backlog {
	struct snp_question q[SNP_Q_BACKLOG_SETS * SNP_Q_WAYS];
};

#endif
