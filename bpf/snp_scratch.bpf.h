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

#define SNP_SCRATCH_SLOTS 4

struct snp_scratch_slot {
	__u64 busy;
	/* snp_commit.bpf.h: what is being written */
	__u64 now_ns;
	__u64 cgroup_id;
	struct snp_fact_key key;
	__u32 kept; /* addresses of this message that stand in the maps now */
	__u32 reserved;
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

static __always_inline struct snp_scratch_slot *snp_scratch_take(void)
{
	__u32 first = bpf_get_smp_processor_id() * SNP_SCRATCH_SLOTS, i;

	for (i = 0; i < SNP_SCRATCH_SLOTS; i++) {
		__u32 at = first + i;
		struct snp_scratch_slot *s = bpf_map_lookup_elem(&snp_scratch, &at);

		if (!s)
			break;
		if (!__sync_val_compare_and_swap(&s->busy, 0, 1))
			return s;
		snp_count(SNP_STAT_SLOT_BUSY);
	}
	snp_count(SNP_STAT_NO_SCRATCH);
	return NULL;
}

static __always_inline void snp_scratch_give(struct snp_scratch_slot *s)
{
	*(volatile __u64 *)&s->busy = 0;
}

#endif
