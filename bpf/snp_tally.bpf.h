/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_tally.bpf.h - how many facts and names stand under a key, against its cap.
 *
 * The kernel adds in snp_tally; the daemon counts in snp_collected what it took
 * away, and removes both rows when none is left.
 */
#ifndef SNP_TALLY_BPF_H
#define SNP_TALLY_BPF_H

#include "bpf/snp_maps.bpf.h"

/* How many *key holds, given how many were ever written under it. */
static __always_inline __u64 tally_held(const struct snp_tally_key *key, __u64 added, __u32 cap)
{
	__u64 *collected;

	if (added < cap) /* nearly always: no second look-up */
		return added;
	collected = bpf_map_lookup_elem(&snp_collected, key);
	if (!collected)
		return added;
	return added > *collected ? added - *collected : 0;
}

/*
 * The row of *key, to *row; NULL: nothing stands under it yet. Is there room for
 * one more? 0, or -1: refused, and counted.
 * Nothing is written: only what stands is counted, by tally_add(), or a flood
 * of refused ones would fill snp_tally with rows that nobody ever collects.
 */
static __always_inline int
tally_room(const struct snp_tally_key *key, __u32 cap, __u32 why, __u64 **row)
{
	*row = bpf_map_lookup_elem(&snp_tally, key);
	if (!*row || tally_held(key, **row, cap) < cap)
		return 0;
	snp_count(why);
	return -1;
}

/* One more stands under *key, whose row tally_room() gave. 0, or -1: there is no row for it. */
static __always_inline int tally_add(const struct snp_tally_key *key, __u64 *row)
{
	__u64 one = 1;

	if (!row && !bpf_map_update_elem(&snp_tally, key, &one, BPF_NOEXIST))
		return 0;
	if (!row) /* another CPU was first, or it is full */
		row = bpf_map_lookup_elem(&snp_tally, key);
	if (!row)
		return -1;
	__sync_fetch_and_add(row, 1);
	return 0;
}

static __always_inline void tally_take_back(const struct snp_tally_key *key)
{
	__u64 *row = bpf_map_lookup_elem(&snp_tally, key);

	if (row)
		__sync_fetch_and_add(row, -1);
}

#endif
