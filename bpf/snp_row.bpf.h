/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_row.bpf.h - verdict rows (snp_policy.h): make an address usable, look whether it is.
 *
 * An address has rows in chunks: a chunk is added when those before it are full,
 * and collected by the daemon from the last one down. A slot changes as one word.
 */
#ifndef SNP_ROW_BPF_H
#define SNP_ROW_BPF_H

#include "bpf/snp_maps.bpf.h"
#include "bpf/snp_policy_look.h"

#define NS_PER_MS 1000000ull

enum row_put { ROW_PUT, ROW_FULL, ROW_REFUSED };

/* What is to be written: in a slot of the scratch, in map memory. */
struct row_want {
	struct snp_row_key key;
	__u64 now_ms, end_ms;
	__u64 idle_ms; /* a slot that ended longer ago than this may be taken */
	__u32 identity;
	__u32 reserved;
	struct snp_row fresh;
};

/* The slot's end moves forward, unless another CPU moved it further. 1: it holds the identity to the end. */
static __always_inline int slot_extend(__u64 *slot, __u32 identity, __u64 end_ms)
{
	__u64 want = SNP_SLOT(identity, end_ms), seen = *slot, had;
	__u32 i;

	for (i = 0; i < 3; i++) {
		if (SNP_SLOT_IDENTITY(seen) != identity)
			return 0;
		if (seen >= want) /* the end is the upper part */
			return 1;
		had = __sync_val_compare_and_swap(slot, seen, want);
		if (had == seen)
			return 1;
		seen = had;
	}
	return 0;
}

/* A row of one slot, made or put in place of one that ended long ago. */
static __always_inline enum row_put row_fresh(struct row_want *w, __u64 flags)
{
	__builtin_memset(&w->fresh, 0, sizeof(w->fresh));
	w->fresh.slot[0] = SNP_SLOT(w->identity, w->end_ms);
	if (!bpf_map_update_elem(&snp_rows, &w->key, &w->fresh, flags))
		return ROW_PUT;
	snp_count(SNP_STAT_ROWS_FULL);
	return ROW_REFUSED;
}

/* Into chunk w->key.chunk. */
static __always_inline enum row_put row_put_chunk(struct row_want *w)
{
	struct snp_row *row = bpf_map_lookup_elem(&snp_rows, &w->key);
	__u64 seen, last_ms = 0;
	__u32 i, take = SNP_SLOTS;

	if (!row)
		return row_fresh(w, BPF_NOEXIST);
	for (i = 0; i < SNP_SLOTS; i++) {
		seen = *(volatile __u64 *)&row->slot[i];
		if (SNP_SLOT_END_MS(seen) > last_ms)
			last_ms = SNP_SLOT_END_MS(seen);
		if (SNP_SLOT_IDENTITY(seen) == w->identity)
			take = i;
	}
	/* Long over: the daemon may be collecting it at this moment (SNP_REVIVE_AFTER_NS). */
	if (last_ms + SNP_REVIVE_AFTER_NS / NS_PER_MS < w->now_ms)
		return row_fresh(w, BPF_ANY);
	if (take < SNP_SLOTS &&
	    slot_extend(&row->slot[take & (SNP_SLOTS - 1)], w->identity, w->end_ms))
		return ROW_PUT;
	for (i = 0; i < SNP_SLOTS; i++) {
		seen = *(volatile __u64 *)&row->slot[i];
		if (SNP_SLOT_END_MS(seen) + w->idle_ms < w->now_ms &&
		    __sync_val_compare_and_swap(&row->slot[i], seen,
						SNP_SLOT(w->identity, w->end_ms)) == seen)
			return ROW_PUT;
	}
	return ROW_FULL;
}

int snp_row_chunk(__u32 at); /* row_put_chunk() on a slot's want (stages.bpf.c) */

/* Every chunk is full of what still holds: the slot of the first that ends soonest goes. */
static __always_inline void row_evict(struct row_want *w)
{
	struct snp_row *row;
	__u32 i, at = 0;

	w->key.chunk = 0;
	row = bpf_map_lookup_elem(&snp_rows, &w->key);
	if (!row)
		return;
	for (i = 1; i < SNP_SLOTS; i++)
		if (row->slot[i] < row->slot[at & (SNP_SLOTS - 1)])
			at = i;
	row->slot[at & (SNP_SLOTS - 1)] = SNP_SLOT(w->identity, w->end_ms);
	snp_count(SNP_STAT_SLOT_EVICTED);
}

/* The address in w->key, of the slot at `at`, is usable under w->identity until w->end_ms. */
static __always_inline int row_put(struct row_want *w, __u32 at)
{
	__u32 i;
	int r = ROW_FULL;

	for (i = 0; i < SNP_ROW_CHUNKS && r == ROW_FULL; i++) {
		w->key.chunk = i;
		r = snp_row_chunk(at);
	}
	if (r == ROW_FULL)
		row_evict(w);
	return r;
}

#endif
