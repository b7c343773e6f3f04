/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * police_flow.bpf.h - a flow of an endpoint's socket: known, judged, remembered, refused.
 *
 * police.bpf.h says who sends, and where to: struct police_case. A socket's first flows
 * are in its storage, others in snp_flows.
 */
#ifndef SNP_POLICE_FLOW_BPF_H
#define SNP_POLICE_FLOW_BPF_H

#include "bpf/snp_judge.bpf.h"
#include "bpf/snp_pkt.bpf.h"

/* Who sends, and where to. */
struct police_case {
	const struct snp_policy_head *head;
	struct snp_member who;
	struct snp_flow_key key;    /* where to, and whose flow */
	struct snp_flow_ways *ways; /* of its socket, or NULL */
	__u64 cgroup_id;
	__u64 netns_cookie; /* of its socket */
	__u32 by_call;	    /* by connect or sendmsg: no packet yet */
	__u32 type;	    /* of its socket: SOCK_*, 0: not known, or by_call */
	__u32 cut;	    /* out: it was admitted before, and has just been refused */
};

/*
 * Whose ear: the endpoint's, in one network namespace. In one that it made itself it can have anybody's
 * address, and speak to itself from there.
 */
static __always_inline __u64 heard_by(__u32 endpoint, __u64 netns_cookie)
{
	return netns_cookie << 32 | endpoint;
}

/* In snp_heard: we began, under audit. What comes from there then is an answer, not a question. */
#define HEARD_BEGUN (1ull << 63)

/*
 * Has this peer sent a datagram to the endpoint of late? To the endpoint, not the socket: servers
 * answer by another one, connected back.
 */
static __always_inline int police_was_heard(const struct police_case *c, __u64 now_ns)
{
	struct snp_flow_key key = {.to = c->key.to,
				   .cookie = heard_by(c->who.endpoint, c->netns_cookie)};
	__u64 *heard_ns;

	if (key.to.protocol != IPPROTO_UDP)
		return 0;
	heard_ns = bpf_map_lookup_elem(&snp_heard, &key);
	return heard_ns && !(*heard_ns & HEARD_BEGUN) &&
	       (__s64)(now_ns - *heard_ns) < (__s64)c->head->idle_ns;
}

/* A datagram that enforce would refuse goes: its answers make no server of us. */
static __always_inline void police_begun(const struct police_case *c, __u64 now_ns)
{
	struct snp_flow_key key = {.to = c->key.to,
				   .cookie = heard_by(c->who.endpoint, c->netns_cookie)};
	__u64 begun_ns = now_ns | HEARD_BEGUN;

	if (key.to.protocol == IPPROTO_UDP)
		bpf_map_update_elem(&snp_heard, &key, &begun_ns, BPF_ANY);
}

/* What came from key's address is a question to us. */
static __always_inline void
police_note_heard(const struct snp_policy_head *head, const struct snp_flow_key *key)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	__u64 *heard_ns = bpf_map_lookup_elem(&snp_heard, key), seen_ns;

	if (!heard_ns) {
		bpf_map_update_elem(&snp_heard, key, &now_ns, BPF_ANY);
		return;
	}
	seen_ns = *heard_ns;
	if (seen_ns & HEARD_BEGUN && now_ns - (seen_ns & ~HEARD_BEGUN) < head->idle_ns)
		return;
	if (seen_ns & HEARD_BEGUN || now_ns - seen_ns > NS_PER_S)
		*heard_ns = now_ns;
}

/* --- flows --- */

static __always_inline int flow_is(const struct snp_flow *f, const struct snp_flow_to *to)
{
	return f->verdict && f->port == to->port && f->protocol == to->protocol &&
	       addr_equal(&f->addr, &to->addr);
}

static __always_inline struct snp_flow *
flow_of(struct snp_flow_ways *ways, const struct snp_flow_to *to)
{
	__u32 i;

	for (i = 0; i < SNP_FLOW_WAYS; i++)
		if (flow_is(&ways->way[i], to))
			return &ways->way[i];
	return NULL;
}

/* It has not idled out. */
static __always_inline int
flow_was_used(const struct snp_flow *f, const struct snp_policy_head *head, __u64 now_ns)
{
	__u32 now_s = now_ns / NS_PER_S;

	/* Another CPU's clock may have been a second further. */
	return (__s64)(__s32)(now_s - f->used_s) <= (__s64)(head->idle_ns / NS_PER_S);
}

/* It was admitted, by whichever generation, and has not idled out. */
static __always_inline int
flow_is_live(const struct snp_flow *f, const struct snp_policy_head *head, __u64 now_ns)
{
	return !SNP_VERDICT_IS_DENY(f->verdict) && flow_was_used(f, head, now_ns);
}

/* It is live under this very generation: note that it is used. */
static __always_inline int
flow_goes_on(struct snp_flow *f, const struct snp_policy_head *head, __u64 now_ns)
{
	__u32 now_s = now_ns / NS_PER_S;

	if (f->generation != head->generation || !flow_is_live(f, head, now_ns))
		return 0;
	if (f->used_s != now_s)
		f->used_s = now_s;
	return 1;
}

static __always_inline void flow_write(struct snp_flow *f, const struct judge *j, __u32 v)
{
	f->verdict = SNP_VERDICT_NONE;
	f->addr = j->to.addr;
	f->port = j->to.port;
	f->protocol = j->to.protocol;
	f->generation = j->generation;
	f->identity = j->identity;
	f->used_s = j->now_ns / NS_PER_S;
	*(volatile __u8 *)&f->verdict = v;
}

/* The same flow, judged again: it is never without a verdict meanwhile. */
static __always_inline void flow_renew(struct snp_flow *f, const struct judge *j, __u32 v)
{
	f->identity = j->identity;
	f->used_s = j->now_ns / NS_PER_S;
	*(volatile __u8 *)&f->verdict = v;
	*(volatile __u32 *)&f->generation = j->generation;
}

/* A way that is free, for one of those who want it: flows of two threads must not mix in it. */
static __always_inline int flow_claim(struct snp_flow *f, const struct judge *j)
{
	__u32 now_s = j->now_ns / NS_PER_S;

	return !f->used_s && !__sync_val_compare_and_swap(&f->used_s, 0, now_s);
}

/* To the table of all, while its endpoint has room there. 0, or -1. */
static __always_inline int flow_add(const struct snp_flow_key *key, const struct snp_flow *f)
{
	__u32 place = SNP_FLOW_PLACE(key->cookie);
	__u64 *made = bpf_map_lookup_elem(&snp_flows_made, &place);
	__u64 *gone = bpf_map_lookup_elem(&snp_flows_gone, &place);
	long r;

	if (!made || !gone || (__s64)(*made - *gone) >= SNP_FLOWS_SHARE)
		return -1;
	r = bpf_map_update_elem(&snp_flows, key, f, BPF_NOEXIST);
	if (r == -17 /* EEXIST: another CPU was first, with the same flow */)
		return 0;
	if (r)
		return -1;
	__sync_fetch_and_add(made, 1);
	return 0;
}

/*
 * Remember an admitted flow where there is room: a way of its socket, or the table of all. A TCP socket
 * has one at a time, and the kernel holds it locked; a raw one that writes TCP is neither.
 */
static __always_inline void flow_keep(const struct police_case *c, struct judge *j, __u32 v)
{
	struct snp_flow_ways *ways = c->ways;
	struct snp_flow *f = ways ? flow_of(ways, &j->to) : NULL;
	__u32 i;

	if (f) {
		flow_renew(f, j, v);
		return;
	}
	for (i = 0; ways && i < SNP_FLOW_WAYS; i++)
		if ((j->to.protocol == IPPROTO_TCP && c->type != SOCK_RAW) ||
		    flow_claim(&ways->way[i], j)) {
			flow_write(&ways->way[i], j, v);
			return;
		}
	flow_write(&j->fresh, j, v);
	if (bpf_map_update_elem(&snp_flows, &c->key, &j->fresh, BPF_EXIST) &&
	    flow_add(&c->key, &j->fresh))
		snp_count(SNP_STAT_FLOWS_FULL);
}

/* Where a connect or a sendmsg goes. */
static __always_inline void
police_call(struct bpf_sock_addr *ctx, const struct snp_endpoint *at, struct snp_flow_to *to)
{
	to->addr = at->addr;
	to->protocol = ctx->protocol;
	switch (ctx->protocol) {
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		to->port = at->port;
		return;
	}
	if (ctx->type == SOCK_STREAM) {
		to->protocol = IPPROTO_TCP; /* MPTCP's number is its own */
		to->port = at->port;
		return;
	}
	to->no_ports = 1;
}

/* --- who sends what, and what comes of it --- */

/* The policy in force that is more than watched, or NULL. */
static __always_inline const __u8 *police_tables(void)
{
	void *generation = snp_policy_now();
	const __u8 *tables = generation ? snp_policy_region(generation, SNP_POLICY_TABLES) : NULL;

	return tables && snp_policy_head(tables)->mode != SNP_MODE_OBSERVE ? tables : NULL;
}

/* What is not worth a count each time: answers, and what is judged elsewhere. */
static __always_inline int police_counts(__u32 v)
{
	return v != SNP_VERDICT_LIVE && v != SNP_VERDICT_REPLY && v != SNP_VERDICT_NONE;
}

/*
 * Was this counted before: by the call whose packet it is (it went on, in audit), or by an earlier
 * segment of a connection that TCP tries again? What is refused is counted once in either mode.
 */
static __always_inline int police_told(const struct police_case *c, const struct judge *j)
{
	const struct snp_flow *told = &c->ways->told;

	return !c->by_call && told->generation == j->generation && flow_is(told, &j->to) &&
	       (j->mode != SNP_MODE_ENFORCE || j->to.protocol == IPPROTO_TCP);
}

/* 1: it may go all the same. again: it was admitted before. */
static __always_inline int
police_refuse(struct police_case *c, struct judge *j, __u32 index, __u32 v, __u32 again)
{
	if (c->ways) {
		if (police_told(c, j))
			return j->mode != SNP_MODE_ENFORCE;
		if (c->by_call || j->to.protocol == IPPROTO_TCP)
			flow_write(&c->ways->told, j, v);
	}
	if (!snp_judged(index, c->cgroup_id, again ? SNP_VERDICT_DENY_WITHDRAWN : v)) {
		c->cut = again || !c->by_call;
		return 0;
	}
	police_begun(c, j->now_ns);
	return 1;
}

/* f is the flow, known from before, or NULL. 1: it may go. */
static __always_inline int
police_judge(struct police_case *c, struct snp_flow *f, __u64 now_ns, __u32 again)
{
	__u32 index, v;
	struct judge *j = judge_claim(&index);
	int may = 1;

	if (!j)
		return c->head->mode != SNP_MODE_ENFORCE;
	j->endpoint = c->who.endpoint;
	j->scope = c->who.scope;
	j->to = c->key.to;
	j->now_ns = now_ns;
	j->again = again;
	j->admitted = f ? f->identity : 0;
	v = snp_judge(index);
	if (!SNP_VERDICT_IS_DENY(v)) {
		if (v != SNP_VERDICT_NONE)
			flow_keep(c, j, v == SNP_VERDICT_LIVE ? SNP_VERDICT_NAME : v);
		if (police_counts(v))
			snp_judged(index, c->cgroup_id, v);
	} else if (!police_was_heard(c, now_ns)) {
		/* Known as refused from now on: the rest of its connection is no answer to anybody. */
		if (f)
			f->verdict = SNP_VERDICT_DENY_WITHDRAWN;
		may = police_refuse(c, j, index, v, again);
	}
	judge_give(j);
	return may;
}

/* The flow of c's socket, in one of its ways or in the table of all; NULL: none is known. */
static __always_inline struct snp_flow *police_known(const struct police_case *c)
{
	struct snp_flow *f = c->ways ? flow_of(c->ways, &c->key.to) : NULL;

	/* The table has what the ways had no room for. */
	if (f || (c->ways && !c->ways->way[SNP_FLOW_WAYS - 1].used_s))
		return f;
	f = bpf_map_lookup_elem(&snp_flows, &c->key);
	/* One that is taken away at this moment may hold another already. */
	return f && flow_is(f, &c->key.to) ? f : NULL;
}

/* 1: what c's socket sends may go. */
static __always_inline int police_flow(struct police_case *c)
{
	struct snp_flow *f = police_known(c);
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (f && flow_goes_on(f, c->head, now_ns))
		return 1;
	return police_judge(c, f, now_ns, f && flow_is_live(f, c->head, now_ns));
}

#endif
