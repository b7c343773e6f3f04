/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_commit_tell.bpf.h - news to the daemon (snp_event.h), and when it is woken for them.
 *
 * Kernel side, for snp_commit.bpf.h. What does not fit the ring is counted, and stands in the maps.
 */
#ifndef SNP_COMMIT_TELL_BPF_H
#define SNP_COMMIT_TELL_BPF_H

#include "bpf/snp_commit_name.bpf.h"

/* Wake the reader when it has slept long, or much waits; in between it looks by a timer of its own. */
static __always_inline __u64 ring_wake(const struct commit *c)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&snp_wake, &zero);

	if (!last)
		return BPF_RB_FORCE_WAKEUP;
	if (c->slot->now_ns - *last < 50000000ull &&
	    bpf_ringbuf_query(&snp_ring, BPF_RB_AVAIL_DATA) < c->conf->ring_wake_bytes)
		return BPF_RB_NO_WAKEUP;
	*last = c->slot->now_ns;
	return BPF_RB_FORCE_WAKEUP;
}

/* Tell the facts in the slot's event; with unread, though there are none. */
static __attribute__((noinline)) int ring_tell(struct commit *c)
{
	struct snp_event *e = &c->slot->event;
	__u32 n = e->nfacts;

	if ((!n && !c->slot->unread) || n > SNP_EVENT_FACTS)
		return 0;
	e->ts_ns = c->slot->now_ns;
	e->name = c->slot->key.name;
	e->cgroup_id = c->slot->cgroup_id;
	e->version = SNP_EVENT_VERSION;
	e->flags = c->slot->partial ? SNP_EVENT_PARTIAL : 0;
	e->nfacts = n;
	if (bpf_ringbuf_output(&snp_ring, e, SNP_EVENT_BYTES(n), ring_wake(c)))
		snp_count(SNP_STAT_RING_LOST);
	else
		snp_count(SNP_STAT_RING_RECORDS);
	e->nfacts = 0;
	return 0;
}

#endif
