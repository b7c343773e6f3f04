/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rig.h - the programs loaded for a test: configured, run on one packet, read back.
 *
 * For tests, the differential and the bench. Single-threaded; the caller stays
 * on one CPU (rig_open() pins it), so that the scratch slot it reads is the one
 * the programs used. Functions return 0 or -errno unless said otherwise.
 */
#ifndef SNP_TESTS_RIG_H
#define SNP_TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/dns_load.h"
#include "bpf/snp_fact.h"
#include "bpf/snp_kconf.h"
#include "bpf/snp_question.h"
#include "tests/bpf/plant.h"

#define RIG_SERVER4 "192.0.2.53"
#define RIG_SERVER6 "2001:db8::53"
#define RIG_CLIENT4 "192.0.2.1"
#define RIG_CLIENT6 "2001:db8::1"
#define RIG_PORT    40000 /* the client's */
#define RIG_FRAME   (65535 + 128)

struct test_bpf;

struct rig {
	struct test_bpf *skel;
	struct snp_kconf conf; /* change, then rig_configure() */
	struct snp_t_control control;
	struct dns_walk *walk; /* as rig_walk() found it */
	__u64 *percpu;
	__u8 *slot;
	size_t slot_size;
	int cpus, cpu;
	__u64 before[SNP_STAT_MAX];
};

/* Load with maps of the rows given and a configuration that trusts both servers. */
int rig_open(struct rig *r, __u32 rows);
void rig_close(struct rig *r);
int rig_configure(struct rig *r);
int rig_control(struct rig *r); /* make r->control what plant.bpf.c does */

/* A frame around an answer of RIG_SERVER to RIG_CLIENT, or around its query. Return the frame's size. */
size_t rig_answer4(__u8 *frame, const void *msg, size_t len);
size_t rig_answer6(__u8 *frame, const void *msg, size_t len);
size_t rig_query4(__u8 *frame, const void *msg, size_t len);

/* The longest frame that BPF_PROG_TEST_RUN takes here. */
size_t rig_frame_max(struct rig *r);

/* Run snp_t_ingress on a frame; *v is what it left. -EINVAL: longer than rig_frame_max(). */
int rig_run(struct rig *r, const void *frame, size_t len, struct snp_t_verdict *v);

/* Run any program on a frame; segments: gso_segs of the buffer. -EPROTO: it held the packet back. */
struct bpf_program;
int rig_run_program(const struct bpf_program *prog, const void *frame, size_t len, __u32 segments);

/* Fetch the walker's state after a run into r->walk. */
int rig_walk(struct rig *r);

/* Counters: all CPUs together, and what was added since rig_mark(). */
__u64 rig_stat(struct rig *r, __u32 stat);
void rig_mark(struct rig *r);
__u64 rig_added(struct rig *r, __u32 stat);

/*
 * Did the refusals of the given verdict move since rig_mark(), by one, and no
 * other before OFF_CHAIN? Returns 0, or -1 and a line in text.
 */
int rig_refused_only(struct rig *r, __u32 err, char text[static 256]);

/* How many rows a map has, of names and of facts; forgetting empties them and the tallies. */
size_t rig_names(struct rig *r);
size_t rig_facts(struct rig *r);
/* Is the address (presentation form) learned under the question last walked? */
bool rig_has_fact(struct rig *r, const char *address);
int rig_forget(struct rig *r);

/* 16 bytes of address from presentation form, IPv4 mapped. False: malformed. */
bool rig_addr(const char *text, struct snp_addr *a);

#endif
