/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stages.bpf.c - the stages of a run that are verified by themselves (snp_scratch.bpf.h). */
#include "bpf/snp_commit.bpf.h"
#include "bpf/police_tcp.bpf.h"
#include "bpf/snp_bypass.bpf.h"

/* When the first slot of this CPU is busy. */
__attribute__((noinline)) int snp_scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS, i;

	for (i = 1; i < SNP_SCRATCH_SLOTS; i++) {
		snp_count(SNP_STAT_SLOT_BUSY);
		if (snp_scratch_take(first + i))
			return first + i;
	}
	snp_count(SNP_STAT_SLOT_BUSY);
	snp_count(SNP_STAT_NO_SCRATCH);
	return -1;
}

/* Read the question of the slot's message; expect_qr as in dns_walk_question(). 0, or DNS_E(reason). */
__attribute__((noinline)) int snp_read_question(__u32 at, __u32 expect_qr)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? dns_walk_question(&slot->walk, expect_qr) : DNS_E(NO_SCRATCH);
}

/* Then its records. 0, or DNS_E(reason). */
__attribute__((noinline)) int snp_read_records(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? dns_walk_records(&slot->walk) : DNS_E(NO_SCRATCH);
}

/* The configuration that the slot's run goes by. */
static __always_inline struct snp_kconf *stage_conf(const struct snp_scratch_slot *slot)
{
	__u32 which = slot->conf & 1;

	return bpf_map_lookup_elem(&snp_conf, &which);
}

/* Write what the slot's message says. How many addresses stand in the maps now. */
__attribute__((noinline)) int snp_commit(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	struct snp_kconf *conf = slot ? stage_conf(slot) : NULL;

	return slot && conf ? commit_message(slot, conf) : 0;
}

/* Note that the slot's message could not be read. */
__attribute__((noinline)) int snp_commit_unread(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	struct snp_kconf *conf = slot ? stage_conf(slot) : NULL;

	if (slot && conf)
		commit_unread(slot, conf);
	return 0;
}

/* Match the question's name under the policy in force. 1: there is one. */
__attribute__((noinline)) int snp_match(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);
	__u32 i;
	int r = 0;

	if (!slot)
		return 0;
	for (i = 0; i < NAME_TRIES; i++) {
		r = name_match(slot);
		if (!r || *(volatile __u32 *)&slot->generation)
			break;
	}
	return r;
}

/* By one automaton. 0; -1: the generation was replaced meanwhile. */
__attribute__((noinline)) int snp_match_bank(__u32 at, __u32 bank)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot && bank < SNP_MATCH_BANKS ? name_match_bank(slot, bank) : 0;
}

/* Make the address of the slot's want usable. enum row_put. */
__attribute__((noinline)) int snp_row_put(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? row_put(&slot->want, at) : ROW_REFUSED;
}

__attribute__((noinline)) int snp_row_chunk(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? row_put_chunk(&slot->want) : ROW_REFUSED;
}

__attribute__((noinline)) int snp_row_least(__u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? row_least(&slot->want) : 0;
}

/* The index of a slot of snp_judges, claimed; -1: none is free (counted). */
__attribute__((noinline)) int snp_judge_free(void)
{
	return judge_free();
}

/* Judge what is in a slot of snp_judges. enum snp_verdict. */
__attribute__((noinline)) int snp_judge(__u32 at)
{
	struct judge *j = judge_at(at);

	return j ? judge(j, at) : SNP_VERDICT_NONE;
}

/* Count and tell a verdict. 1: let it go; 0: refuse. */
__attribute__((noinline)) int snp_judged(__u32 at, __u64 cgroup_id, __u32 verdict)
{
	struct judge *j = judge_at(at);

	return j ? judge_told(j, cgroup_id, verdict) : 0;
}

__attribute__((noinline)) int snp_judge_once(__u32 at)
{
	struct judge *j = judge_at(at);

	if (j)
		j->verdict = judge_once(j, at);
	return 0;
}

__attribute__((noinline)) int snp_judge_addr(__u32 at)
{
	struct judge *j = judge_at(at);

	return j ? judge_addr(j) : 0;
}

__attribute__((noinline)) int snp_judge_ports(__u32 at, __u32 number)
{
	struct judge *j = judge_at(at);

	return j ? judge_ports(j, number) : 0;
}

__attribute__((noinline)) int snp_judge_slot(__u32 at, __u32 slot)
{
	struct judge *j = judge_at(at);

	return j ? judge_slot(j, at, slot) : JUDGE_LAST;
}

/* Is what the flow goes to a resolver that this host trusts? */
__attribute__((noinline)) int snp_is_resolver(const struct snp_flow_to *to)
{
	return to ? police_is_resolver(to) : 0;
}

/* May the packet go? enum police, of an endpoint's socket at egress. */
__attribute__((noinline)) int snp_police(struct __sk_buff *skb)
{
	return police_packet(skb);
}

/* May a connect, or a send with a destination, go on? 1, or 0: EPERM. */
__attribute__((noinline)) int
snp_police_call(struct bpf_sock_addr *ctx, const struct snp_endpoint *at)
{
	return at ? police_address(ctx, at) : 0;
}

/* 1: the proxy at *at is gone, and *at is a fallback now. */
__attribute__((noinline)) int
snp_detour_to(struct bpf_sock_addr *ctx, struct snp_endpoint *at, __u32 by_connect)
{
	const struct snp_endpoint *to = at ? bypass(ctx, at, by_connect) : NULL;

	if (!to)
		return 0;
	*at = *to;
	return 1;
}

/* May a TCP segment to a resolver go? 1, or 0: refused, and counted. */
__attribute__((noinline)) int snp_police_tcp(struct __sk_buff *skb)
{
	return police_tcp(skb);
}

/* Have the connection of the packet ended by the daemon. */
__attribute__((noinline)) int snp_cut(struct __sk_buff *skb)
{
	return police_cut(skb);
}

/* A slot's index, claimed; -1: none is free (counted). */
__attribute__((noinline)) int snp_scratch_any(void)
{
	int at = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS;

	return snp_scratch_take(at) ? at : snp_scratch_claim();
}

/* A packet came to an endpoint's socket. */
__attribute__((noinline)) int snp_heard_from(struct __sk_buff *skb)
{
	police_hears(skb);
	return 0;
}

/* May the slot's question be asked by its endpoint? 1, or 0: refused, and counted. */
__attribute__((noinline)) int snp_may_ask(struct __sk_buff *skb, __u32 at)
{
	struct snp_scratch_slot *slot = snp_scratch_at(at);

	return slot ? police_question(skb, slot) : 0;
}

/* A question is refused, and counted. 1: it goes all the same. */
__attribute__((noinline)) int snp_dns_refused(struct __sk_buff *skb)
{
	return police_dns_refused(skb);
}
