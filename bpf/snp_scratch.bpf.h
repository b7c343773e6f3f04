/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_scratch.bpf.h - where a message is parsed: four slots a CPU, each claimed.
 *
 * Runs nest: softirq ingress over process-context egress, and on preemptible
 * kernels egress over egress, not last-in-first-out. A nesting counter would
 * hand one slot to two runs; a compare-and-swap on the slot's own word cannot.
 * No slot free: the packet passes unparsed, and is counted.
 *
 * The map is an array by CPU and slot: a value of a per-CPU map ends at 32 KiB.
 * It holds nothing between runs, so it is not pinned.
 */
#ifndef SNP_SCRATCH_BPF_H
#define SNP_SCRATCH_BPF_H

#include "bpf/dns_load.bpf.h"
#include "bpf/snp_maps.bpf.h"
#include "bpf/snp_question.bpf.h"
#include "bpf/snp_row.bpf.h"

#define SNP_SCRATCH_SLOTS 4

enum { STREAM_GOES, STREAM_REFUSED, STREAM_SHAPE, STREAM_GAP };

struct snp_scratch_slot {
	__u64 busy;
	/* snp_commit.bpf.h: what is being written */
	__u64 now_ns;
	__u64 cgroup_id;
	__u32 endpoint, scope; /* the asker's; 0: of none */
	struct snp_fact_key key;
	struct snp_fact fact;
	struct snp_tally_key by_name, by_addr, by_cgroup, names_of;
	__u32 kept;    /* addresses of this message that stand in the maps now */
	__u32 chain;   /* as in struct snp_fact */
	__u32 partial; /* the answer could not be read whole */
	__u32 unread;  /* ... and nothing of it */
	/* learn.bpf.h: what became of the message */
	__u32 why;	       /* 0, or DNS_E(reason) */
	struct question asked; /* what the message asks, or answers */
	__u32 detour;	       /* 1: it answers a question that was sent past the proxy */
	__u32 conf;	       /* which of snp_conf this run goes by */
	/* snp_name.bpf.h: what policy says of the question's name */
	__u32 index; /* of this slot */
	__u32 class, generation;
	__u32 at_all;	    /* names are to be matched */
	__u32 matched_only; /* observe.names: matched */
	__u32 grants;	    /* the asker's addresses are to be written in verdict rows */
	__u32 identity[SNP_MATCH_BANKS], dns[SNP_MATCH_BANKS];
	__u64 inherited[SNP_INHERITED]; /* slots of the name's row that hold */
	__u32 sole;			/* as in struct snp_fact */
	struct snp_match_marks marks;
	struct snp_match_at walked;
	struct row_want want;
	/* police_tcp.bpf.h: a segment being read */
	struct stream {
		struct snp_stream now;
		__u32 pos, end; /* in the packet */
		__u32 message;	/* length of the one being read */
		__u32 stop;	/* STREAM_*: why it may not go */
		__u32 open;	/* whatever it holds, it goes: audit */
	} stream;
	struct snp_name_row name;
	struct snp_event event;
	struct dns_walk walk;
};

struct snp_scratch_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_SCRATCH_SLOTS); /* times the number of CPUs, set at load */
	__type(key, __u32);
	__type(value, struct snp_scratch_slot);
};
SNP_MAP struct snp_scratch_map snp_scratch SEC(".maps");

static __always_inline struct snp_scratch_slot *snp_scratch_at(__u32 at)
{
	return bpf_map_lookup_elem(&snp_scratch, &at);
}

static __always_inline struct snp_scratch_slot *snp_scratch_take(__u32 at)
{
	struct snp_scratch_slot *s = snp_scratch_at(at);

	return s && !__sync_val_compare_and_swap(&s->busy, 0, 1) ? s : NULL;
}

static __always_inline void snp_scratch_give(struct snp_scratch_slot *s)
{
	*(volatile __u64 *)&s->busy = 0;
}

/*
 * Global functions (stages.bpf.c): verified once each, for any caller, where a
 * static one is verified again for every state it is called in. They take a
 * slot's index: a pointer argument would be memory of unknown origin, which
 * Linux 6.1 refuses as a map's key or value.
 */
int snp_scratch_claim(void); /* a slot's index, or -1: none free (counted) */
int snp_read_question(__u32 at, __u32 expect_qr);
int snp_read_records(__u32 at);
int snp_commit(__u32 at);
int snp_commit_unread(__u32 at);
int snp_match(__u32 at); /* the question's name, under the policy in force; 1: there is one */
int snp_match_bank(__u32 at, __u32 bank);
int snp_row_put(__u32 at); /* slot->want */

/* What an endpoint's socket sends may: */
enum police {
	POLICE_GO,
	POLICE_STOP,
	POLICE_ASK,	/* go if it is a question that rules.dns allow */
	POLICE_ASK_TCP, /* go if it holds such questions only */
};
int snp_police(struct __sk_buff *skb);
int snp_may_ask(struct __sk_buff *skb, __u32 at);
int snp_heard_from(struct __sk_buff *skb);
int snp_dns_refused(struct __sk_buff *skb); /* counts; 1: it goes all the same */
int snp_is_resolver(const struct snp_flow_to *to);
int snp_police_tcp(struct __sk_buff *skb); /* 1: a segment to a resolver may go */
struct snp_endpoint;
int snp_police_call(struct bpf_sock_addr *ctx, const struct snp_endpoint *at); /* 1: may go on */
int snp_detour_to(struct bpf_sock_addr *ctx, struct snp_endpoint *at, __u32 by_connect);
int snp_cut(struct __sk_buff *skb); /* have the packet's connection ended */
int snp_scratch_any(void);	    /* a slot's index, claimed, or -1 */

#endif
