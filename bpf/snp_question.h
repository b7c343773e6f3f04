/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_question.h - questions that wait for their answers.
 *
 * Kernel and user space (tests). A socket has four lines of four in a table of
 * all, chosen by its cookie and the transaction id, so that a new socket costs
 * nothing. Nobody's open question is ever taken from there: one that finds no
 * way goes to the backlog in the socket's own storage, made when first needed
 * (with less than 20 KB: Linux 6.1 has no more). A flood of questions therefore
 * evicts only those of the socket that makes it.
 */
#ifndef SNP_QUESTION_H
#define SNP_QUESTION_H

#include "bpf/snp_types.h"

#define SNP_Q_WAYS	    4
#define SNP_Q_SOCKET_LINES  4
#define SNP_Q_LINES	    4096
#define SNP_Q_BACKLOG_LINES 128

enum snp_q_state {
	SNP_Q_FREE,
	SNP_Q_ASKED,
	SNP_Q_DETOUR, /* asked of the proxy, sent to its fallback */
	SNP_Q_ANSWERED,
	SNP_Q_NOTING, /* being written by another CPU */
};

struct snp_question {
	__u64 what;	/* keyed hash: asker, server, both ports, name with its case folded, type */
	__u32 asked_ms; /* CLOCK_BOOTTIME, modulo 2^32 */
	__u32 head;	/* changed by compare-and-swap: */
};
#define SNP_Q_STATE    0x0007u /* enum snp_q_state */
#define SNP_Q_ASKER    0xfff8u /* of the keyed hash of the socket's cookie */
#define SNP_Q_ID_SHIFT 16      /* above: the transaction id */

struct snp_question_line {
	struct snp_question q[SNP_Q_WAYS];
};
/*
 * Which of a socket's lines, and which line of a backlog. The first by the golden
 * ratio: one who deals ids out to sockets in turn gives each every n-th of them.
 */
#define SNP_Q_LINE_OF(id)    (((__u32)(id)*0x9e37u & 0xffff) >> 14)
#define SNP_Q_BACKLOG_OF(id) ((__u32)(id) / SNP_Q_WAYS & (SNP_Q_BACKLOG_LINES - 1))

SNP_ASSERT(sizeof(struct snp_question_line) == 64, "a line of the processor's cache");

struct snp_backlog {
	struct snp_question_line lines[SNP_Q_BACKLOG_LINES];
};

/* Of a socket that asked a loopback resolver: written at connect and sendmsg. */
struct snp_asker {
	__u64 netns_cookie;
};

#endif
