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
#define NS_PER_S  1000000000ull

enum row_put { ROW_PUT, ROW_FULL, ROW_REFUSED, ROW_AGAIN };

#define ROW_TRIES 4 /* of one chunk, while other CPUs write it */

/* What is to be written: in a slot of the scratch, in map memory. */
struct row_want {
	struct snp_row_key key;
	__u64 now_ms, end_ms;
	__u64 idle_ms; /* a slot that ended longer ago than this may be taken */
	__u32 identity;
	__u32 least_chunk, least_slot; /* row_evict() */
	__u32 reserved;
	__u64 least;
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

/* A row of one slot. ROW_AGAIN: another CPU made one meanwhile. */
static __always_inline enum row_put row_fresh(struct row_want *w)
{
	long r;

	__builtin_memset(&w->fresh, 0, sizeof(w->fresh));
	w->fresh.slot[0] = SNP_SLOT(w->identity, w->end_ms);
	r = bpf_map_update_elem(&snp_rows, &w->key, &w->fresh, BPF_NOEXIST);
	if (!r)
		return ROW_PUT;
	if (r == -17 /* EEXIST */)
		return ROW_AGAIN;
	snp_count(SNP_STAT_ROWS_FULL);
	return ROW_REFUSED;
}

static __always_inline int row_holds(const struct snp_row *row, __u64 slot)
{
	__u32 i, found = 0;

	for (i = 0; i < SNP_SLOTS; i++)
		found |= *(volatile __u64 *)&row->slot[i] == slot;
	return found;
}

/* What was written into a row that was long over: did the daemon collect it at that moment? */
static __always_inline enum row_put row_look(struct row_want *w)
{
	struct snp_row *row = bpf_map_lookup_elem(&snp_rows, &w->key);

	if (!row)
		return row_fresh(w);
	return row_holds(row, SNP_SLOT(w->identity, w->end_ms)) ? ROW_PUT : ROW_AGAIN;
}

/*
 * Into chunk w->key.chunk. In a row that is long over the daemon may be collecting (SNP_REVIVE_AFTER_NS),
 * and its memory be given to another address: there only slots that were used are taken, by a
 * compare-and-swap of what they held, which no new row holds.
 */
static __always_inline enum row_put row_put_chunk(struct row_want *w)
{
	struct snp_row *row = bpf_map_lookup_elem(&snp_rows, &w->key);
	__u64 seen, last_ms = 0;
	__u32 i, over, take = SNP_SLOTS;

	if (!row)
		return row_fresh(w);
	for (i = 0; i < SNP_SLOTS; i++) {
		seen = *(volatile __u64 *)&row->slot[i];
		if (SNP_SLOT_END_MS(seen) > last_ms)
			last_ms = SNP_SLOT_END_MS(seen);
		if (SNP_SLOT_IDENTITY(seen) == w->identity)
			take = i;
	}
	over = last_ms + SNP_REVIVE_AFTER_NS / NS_PER_MS + w->idle_ms < w->now_ms;
	if (take < SNP_SLOTS &&
	    slot_extend(&row->slot[take & (SNP_SLOTS - 1)], w->identity, w->end_ms))
		return over ? row_look(w) : ROW_PUT;
	for (i = 0; i < SNP_SLOTS; i++) {
		seen = *(volatile __u64 *)&row->slot[i];
		if (SNP_SLOT_END_MS(seen) + w->idle_ms < w->now_ms && (seen || !over) &&
		    __sync_val_compare_and_swap(&row->slot[i], seen,
						SNP_SLOT(w->identity, w->end_ms)) == seen)
			return over ? row_look(w) : ROW_PUT;
	}
	return over ? ROW_AGAIN : ROW_FULL;
}

int snp_row_chunk(__u32 at); /* row_put_chunk() on a slot's want (stages.bpf.c) */
int snp_row_least(__u32 at); /* row_least() */

/* Of chunk w->key.chunk the slot that ends soonest, to w->least if no chunk before had a sooner one. */
static __always_inline int row_least(struct row_want *w)
{
	struct snp_row *row = bpf_map_lookup_elem(&snp_rows, &w->key);
	__u32 i;

	for (i = 0; row && i < SNP_SLOTS; i++) {
		__u64 seen = *(volatile __u64 *)&row->slot[i];

		if (seen >= w->least)
			continue;
		w->least = seen;
		w->least_chunk = w->key.chunk;
		*(volatile __u32 *)&w->least_slot = i;
	}
	return 0;
}

/* Every chunk is full of what still holds: what ends soonest goes. Live flows do not need it. */
static __always_inline void row_evict(struct row_want *w, __u32 at)
{
	struct snp_row *row;
	__u64 *slot;
	__u32 i;

	w->least = ~0ull;
	for (i = 0; i < SNP_ROW_CHUNKS; i++) {
		w->key.chunk = i;
		snp_row_least(at);
	}
	w->key.chunk = w->least_chunk;
	row = bpf_map_lookup_elem(&snp_rows, &w->key);
	if (!row)
		return;
	slot = &row->slot[*(volatile __u32 *)&w->least_slot & (SNP_SLOTS - 1)];
	if (__sync_val_compare_and_swap(slot, w->least, SNP_SLOT(w->identity, w->end_ms)) ==
	    w->least)
		snp_count(SNP_STAT_SLOT_EVICTED);
	else
		snp_count(SNP_STAT_ROWS_FULL); /* another CPU was first */
}

/* The address in w->key, of the slot at `at`, is usable under w->identity until w->end_ms. */
static __always_inline int row_put(struct row_want *w, __u32 at)
{
	__u32 tries = 0;
	int r = ROW_FULL;

	w->key.chunk = 0;
	while (tries < SNP_ROW_CHUNKS + ROW_TRIES && w->key.chunk < SNP_ROW_CHUNKS) {
		r = snp_row_chunk(at);
		if (r == ROW_FULL)
			w->key.chunk++;
		else if (r != ROW_AGAIN)
			return r;
		tries++;
	}
	row_evict(w, at);
	return r;
}

#endif
