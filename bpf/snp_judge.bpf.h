/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_judge.bpf.h - may an endpoint begin this flow, may a flow go on?
 *
 * Order: explicit deny; a flow that was admitted; names learned; addresses allowed
 * without a name; the class's default. Nothing here looks at a packet: police.bpf.h says
 * who, and where to.
 *
 * What is at hand lies in a slot of snp_judges, claimed like those of snp_scratch: in
 * map memory the verifier sees no history. A judgement is of one generation, whole:
 * snp_judge() reads which one is in force, and leaves it in the slot.
 */
#ifndef SNP_JUDGE_BPF_H
#define SNP_JUDGE_BPF_H

#include "bpf/snp_endpoint.bpf.h"
#include "bpf/snp_row.bpf.h"
#include "bpf/snp_verdict.h"

#define SNP_JUDGES_MAX 256 /* at once, on all CPUs */
#define JUDGE_TRIES    64  /* on a preemptible kernel some are held by who waits */
#define JUDGE_AGAIN    4   /* while policy is being replaced */

struct judge {
	__u64 busy;
	/* in: who, where to, and under which name the flow was admitted before, 0: under none */
	__u32 endpoint, scope;
	__u32 admitted;
	__u32 again; /* it was admitted before */
	struct snp_flow_to to;
	/* out */
	__u32 identity; /* the name that allows it, 0: none does */
	__u32 generation, mode;
	__u32 verdict;
	__u64 now_ns;
	/* judge_rows() */
	struct snp_row_key key;
	__u64 alive_ms; /* what ends later admits */
	__u32 class, flags;
	__u32 sets;	  /* of ports, at the address: denied below, allowed above bit 16 */
	__u32 stale;	  /* policy was replaced meanwhile */
	__u32 other_port; /* a name allows the address, on other ports */
	__u32 over;	  /* one allowed it that has ended */
	__u32 given;	  /* which map is looked at */
	__u32 reserved;
	struct snp_flow fresh; /* to be remembered */
};

struct snp_judges_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_JUDGES_MAX);
	__type(key, __u32);
	__type(value, struct judge);
};
SNP_MAP struct snp_judges_map snp_judges SEC(".maps");

/* Global functions (stages.bpf.c). */
int snp_judge_free(void);				  /* judge_free() */
int snp_judge(__u32 at);				  /* enum snp_verdict */
int snp_judged(__u32 at, __u64 cgroup_id, __u32 verdict); /* 1: let it go */

static __always_inline struct judge *judge_at(__u32 at)
{
	return bpf_map_lookup_elem(&snp_judges, &at);
}

/* The index of a free slot, or -1. Any CPU may have any: a task may be preempted in one. */
static __always_inline int judge_free(void)
{
	__u32 first = bpf_get_smp_processor_id() * JUDGE_TRIES, i;

	for (i = 0; i < JUDGE_TRIES; i++) {
		__u32 at = (first + i) & (SNP_JUDGES_MAX - 1);
		struct judge *j = judge_at(at);

		if (j && !__sync_val_compare_and_swap(&j->busy, 0, 1))
			return at;
	}
	snp_count(SNP_STAT_NO_JUDGE);
	return -1;
}

/* A free slot and its index, or NULL. */
static __always_inline struct judge *judge_claim(__u32 *index)
{
	*index = snp_judge_free();
	return judge_at(*index);
}

/* Another CPU may take it: an exchange, so that nothing of ours is written after that. */
static __always_inline void judge_give(struct judge *j)
{
	__sync_lock_test_and_set(&j->busy, 0);
}

/* --- the parts, each verified by itself (stages.bpf.c) --- */

int snp_judge_once(__u32 at);		     /* sets j->verdict; j->stale: once more */
int snp_judge_addr(__u32 at);		     /* sets j->sets */
int snp_judge_ports(__u32 at, __u32 number); /* does the port set hold what the flow goes to? */
int snp_judge_slot(__u32 at, __u32 slot);    /* does a slot of its rows allow it? JUDGE_* */

/* The tables that the judgement is by, or NULL: they were replaced, begin again. */
static __always_inline const __u8 *judge_tables(struct judge *j)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;

	if (tables && snp_policy_head(tables)->generation == j->generation)
		return tables;
	j->stale = 1;
	return NULL;
}

static __always_inline int judge_addr(struct judge *j)
{
	const __u8 *tables = judge_tables(j);

	j->sets = tables ? snp_class_sets(tables, snp_class_at(tables, j->class), &j->to.addr) : 0;
	return 0;
}

static __always_inline int judge_ports(struct judge *j, __u32 number)
{
	const __u8 *tables = judge_tables(j);

	return tables && snp_ports_hold(tables, number, &j->to);
}

/* Under an identity. 0: it allows the class nothing there. */
static __always_inline __u32 judge_identity(struct judge *j, __u32 identity)
{
	const __u8 *tables = judge_tables(j);

	return tables ? snp_allowed(tables, j->class, identity) : 0;
}

enum { JUDGE_NEXT, JUDGE_LAST, JUDGE_FOUND };

/* Slot i of the address's rows, learned or given. */
static __always_inline int judge_slot(struct judge *j, __u32 at, __u32 i)
{
	struct snp_row *row;
	__u32 ports;
	__u64 slot;

	j->key.chunk = i / SNP_SLOTS;
	row = j->given ? bpf_map_lookup_elem(&snp_rows_given, &j->key)
		       : bpf_map_lookup_elem(&snp_rows, &j->key);
	if (!row)
		return JUDGE_LAST;
	slot = *(volatile __u64 *)&row->slot[i & (SNP_SLOTS - 1)];
	ports = SNP_SLOT_IDENTITY(slot) ? judge_identity(j, SNP_SLOT_IDENTITY(slot)) : 0;
	if (!ports)
		return JUDGE_NEXT;
	if (SNP_SLOT_END_MS(slot) <= j->alive_ms) {
		j->over = 1;
		return JUDGE_NEXT;
	}
	if (!snp_judge_ports(at, ports)) {
		j->other_port = 1;
		return JUDGE_NEXT;
	}
	j->identity = SNP_SLOT_IDENTITY(slot);
	return JUDGE_FOUND;
}

/* Does a name allow the flow, by the rows learned, or given? */
static __always_inline int judge_rows(struct judge *j, __u32 at, __u32 given)
{
	int r = JUDGE_NEXT;
	__u32 i;

	j->key.addr = j->to.addr;
	j->key.scope = j->scope;
	j->given = given;
	for (i = 0; i < SNP_ROW_CHUNKS * SNP_SLOTS && r == JUDGE_NEXT; i++)
		r = snp_judge_slot(at, i);
	return r == JUDGE_FOUND;
}

/* --- the whole --- */

/* A flow that begins. */
static __always_inline enum snp_verdict judge_new(struct judge *j, __u32 at)
{
	if (judge_rows(j, at, 0) || judge_rows(j, at, 1))
		return SNP_VERDICT_NAME;
	if (snp_judge_ports(at, j->sets >> 16))
		return SNP_VERDICT_CIDR;
	if (!(j->flags & SNP_CLASS_DEFAULT_DENY))
		return SNP_VERDICT_UNSELECTED;
	if (j->other_port)
		return SNP_VERDICT_DENY_PORT;
	return j->over ? SNP_VERDICT_DENY_EXPIRED : SNP_VERDICT_DENY_NO_NAME;
}

/* By the generation in force now. SNP_VERDICT_NONE: no policy selects the endpoint. */
static __always_inline int judge_begin(struct judge *j)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;
	const struct snp_policy_head *head;

	if (!tables)
		return 0;
	head = snp_policy_head(tables);
	j->identity = 0;
	j->other_port = 0;
	j->over = 0;
	j->stale = 0;
	j->generation = head->generation;
	j->mode = head->mode;
	j->alive_ms = j->now_ns > head->grace_ns ? (j->now_ns - head->grace_ns) / NS_PER_MS : 0;
	j->class = snp_policy_class(tables, j->endpoint);
	j->flags = snp_class_at(tables, j->class)->flags;
	return j->class;
}

static __always_inline enum snp_verdict judge_once(struct judge *j, __u32 at)
{
	__u32 ports;

	if (!judge_begin(j))
		return SNP_VERDICT_NONE;
	snp_judge_addr(at);
	if (j->sets & 0xffff && snp_judge_ports(at, j->sets & 0xffff))
		return SNP_VERDICT_DENY_CIDR;
	/* Admitted before, under a name that this generation allows as well: whatever its row says. */
	if (j->again && j->admitted) {
		ports = judge_identity(j, j->admitted);
		if (ports && snp_judge_ports(at, ports)) {
			j->identity = j->admitted;
			return SNP_VERDICT_LIVE;
		}
	}
	return judge_new(j, at);
}

static __always_inline enum snp_verdict judge(struct judge *j, __u32 at)
{
	__u32 i;

	for (i = 0; i < JUDGE_AGAIN; i++) {
		snp_judge_once(at);
		if (!*(volatile __u32 *)&j->stale)
			break;
	}
	return *(volatile __u32 *)&j->verdict;
}

/* --- what is told of it --- */

static __always_inline void verdict_count(__u32 endpoint, __u32 verdict)
{
	struct snp_verdict_key key = {.endpoint = endpoint, .verdict = verdict};
	__u64 none = 0, *n = bpf_map_lookup_elem(&snp_verdicts, &key);

	if (!n) { /* made by whoever is first, then counted by all */
		bpf_map_update_elem(&snp_verdicts, &key, &none, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&snp_verdicts, &key);
	}
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		snp_count(SNP_STAT_VERDICTS_LOST);
}

static __always_inline void hit_count(__u32 identity)
{
	__u64 none = 0, *n = bpf_map_lookup_elem(&snp_hits, &identity);

	if (!n) {
		bpf_map_update_elem(&snp_hits, &identity, &none, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&snp_hits, &identity);
	}
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		snp_count(SNP_STAT_HITS_LOST);
}

/* A refusal, for people who watch: at most one a millisecond, the others are counted. */
static __always_inline void verdict_tell(const struct judge *j, __u64 cgroup_id, __u32 verdict)
{
	struct snp_event_verdict e = {
		.ts_ns = bpf_ktime_get_boot_ns(),
		.cgroup_id = cgroup_id,
		.addr = j->to.addr,
		.version = SNP_EVENT_VERDICT,
		.port = j->to.port,
		.protocol = j->to.protocol,
		.verdict = verdict,
		.mode = j->mode,
		.endpoint = j->endpoint,
		.generation = j->generation,
	};
	__u32 one = 1;
	__u64 *last = bpf_map_lookup_elem(&snp_wake, &one);

	if (!last || e.ts_ns - *last < NS_PER_MS) {
		snp_count(SNP_STAT_VERDICTS_LOST);
		return;
	}
	*last = e.ts_ns;
	if (bpf_ringbuf_output(&snp_ring, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		snp_count(SNP_STAT_VERDICTS_LOST);
}

/* Count, tell, and say what the hook returns: 1, let it go, or 0. */
static __always_inline int judge_told(const struct judge *j, __u64 cgroup_id, __u32 v)
{
	verdict_count(j->endpoint, v);
	if (!SNP_VERDICT_IS_DENY(v)) {
		if (v == SNP_VERDICT_NAME)
			hit_count(j->identity);
		return 1;
	}
	verdict_tell(j, cgroup_id, v);
	return j->mode != SNP_MODE_ENFORCE;
}

#endif
