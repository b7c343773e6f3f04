/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * walk_rows.h - answers and what must be made of them, one table for three builds.
 *
 * tests/unit/test_dns_wire.c walks the rows on the host, tests/bpf/test_walk.c
 * gives them to the kernel by BPF_PROG_TEST_RUN and as packets: the same
 * verdict, chain, addresses and tallies each time.
 *
 * Single-threaded. Names are in presentation form, words apart by spaces.
 */
#ifndef SNP_TESTS_WALK_ROWS_H
#define SNP_TESTS_WALK_ROWS_H

#include <stddef.h>

#include "bpf/dns_load.h"

/* A message over UDP and IPv4 ends here. */
#define WALK_MESSAGE_MAX 65507

struct walk_row {
	const char *why;
	const char *wire; /* the message, or NULL: made by make() */
	size_t len;
	size_t (*make)(__u8 *out); /* writes at most WALK_MESSAGE_MAX bytes */
	__u32 err;		   /* 0 or DNS_E(reason); what follows is for 0 */
	const char *addrs;	   /* all of them, in order; NULL: only counted */
	__u32 n_addrs;		   /* counted from addrs where that is given */
	const char *blocked;	   /* those of addrs that never_learn refuses */
	const char *chain;	   /* the names behind the question's; NULL: none */
	__u32 depth;		   /* counted from chain where that is given */
	__u32 ttl_s;		   /* of the first address; 0 is not looked at unless zero_ttl */
	__u32 zero_ttl;
	__u32 off_chain, rr_class, too_many, trailing, truncated;
};

extern const struct walk_row walk_rows[];
extern const size_t n_walk_rows;

/* The row's message in buf (WALK_MESSAGE_MAX bytes). Returns its length. */
size_t walk_row_message(const struct walk_row *row, __u8 *buf);

/* How many words text has; 0 for NULL. */
__u32 walk_words(const char *text);

/* Read the message on the host as learn_message() does. 0 or DNS_E(reason). */
__u32 walk_answer(struct dns_walk *w, const __u8 *msg, size_t len);

/*
 * Are err and, when it is 0, the walk what the row says? Returns 0, or -1 and
 * one line in text.
 */
int walk_row_check(const struct walk_row *row, __u32 err, struct dns_walk *w,
		   char text[static 256]);

/* Name of a verdict as in status: "ok" for 0. */
const char *walk_verdict(__u32 err);

/* Messages too long or too regular to write down (walk_make.c). */
size_t make_name_255(__u8 *out);
size_t make_name_256(__u8 *out);
size_t make_labels_127(__u8 *out);
size_t make_labels_128(__u8 *out);
size_t make_label_63(__u8 *out);
size_t make_jumps_16(__u8 *out);
size_t make_jumps_17(__u8 *out);
size_t make_chain_16(__u8 *out);
size_t make_chain_17(__u8 *out);
size_t make_dname_255(__u8 *out);
size_t make_dname_256(__u8 *out);
size_t make_a_100(__u8 *out);
size_t make_a_1000(__u8 *out);
size_t make_a_4090(__u8 *out);
size_t make_hints_many(__u8 *out);
size_t make_steps_most(__u8 *out);
size_t make_steps_over(__u8 *out);

#endif
