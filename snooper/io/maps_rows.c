/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps_rows.c - verdict rows and flows: given, collected, counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/maps_policy.h"
#include "snooper/io/maps_priv.h"

#define NS_PER_MS  1000000u
#define MAPS_BATCH 512u
#define REVIVE_MS  (SNP_REVIVE_AFTER_NS / NS_PER_MS)
#define COLLECT_MS (SNP_COLLECT_AFTER_NS / NS_PER_MS)

static int rows_fd(struct maps *m, enum maps_table table)
{
	return table == MAPS_LEARNED ? MAP_FD(m, snp_rows) : MAP_FD(m, snp_rows_given);
}

int maps_row(struct maps *m, enum maps_table table, const struct snp_row_key *key,
	     struct snp_row *row)
{
	return bpf_map_lookup_elem(rows_fd(m, table), key, row) ? -errno : 0;
}

/* Does the kernel's own row say so, for as long? */
static bool is_learned(struct maps *m, const struct maps_grant_row *g)
{
	struct snp_row_key key = {.addr = g->addr, .scope = g->scope};
	struct snp_row row;

	for (; key.chunk < SNP_ROW_CHUNKS; key.chunk++) {
		if (maps_row(m, MAPS_LEARNED, &key, &row))
			return false;
		for (unsigned int i = 0; i < SNP_SLOTS; i++)
			if (SNP_SLOT_IDENTITY(row.slot[i]) == g->identity)
				return SNP_SLOT_END_MS(row.slot[i]) >= g->end_ms;
	}
	return false;
}

/* The slot for it in a row: its own, else a free one, or the one that is over for longest. SNP_SLOTS: none. */
static unsigned int slot_for(const struct snp_row *row, const struct maps_grant_row *g)
{
	unsigned int at = SNP_SLOTS;

	for (unsigned int i = 0; i < SNP_SLOTS; i++) {
		if (SNP_SLOT_IDENTITY(row->slot[i]) == g->identity)
			return i;
		if (SNP_SLOT_END_MS(row->slot[i]) + COLLECT_MS < g->now_ms &&
		    (at == SNP_SLOTS || row->slot[i] < row->slot[at]))
			at = i;
	}
	return at;
}

int maps_row_give(struct maps *m, const struct maps_grant_row *g)
{
	struct snp_row_key key = {.addr = g->addr, .scope = g->scope};
	int fd = rows_fd(m, MAPS_GRANTED);
	struct snp_row row;
	unsigned int at;

	if (is_learned(m, g))
		return 0;
	for (; key.chunk < SNP_ROW_CHUNKS; key.chunk++) {
		if (bpf_map_lookup_elem(fd, &key, &row))
			memset(&row, 0, sizeof(row));
		at = slot_for(&row, g);
		if (at == SNP_SLOTS)
			continue;
		if (row.slot[at] >= SNP_SLOT(g->identity, g->end_ms) &&
		    SNP_SLOT_IDENTITY(row.slot[at]) == g->identity)
			return 0;
		row.slot[at] = SNP_SLOT(g->identity, g->end_ms);
		if (!bpf_map_update_elem(fd, &key, &row, BPF_ANY))
			return 1;
		return errno == E2BIG || errno == ENOMEM ? -ENOSPC : -errno;
	}
	return -ENOSPC;
}

static uint64_t last_end_ms(const struct snp_row *row)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < SNP_SLOTS; i++)
		if (SNP_SLOT_END_MS(row->slot[i]) > last)
			last = SNP_SLOT_END_MS(row->slot[i]);
	return last;
}

/*
 * The last chunk of an address goes first, so that no chunk is hidden behind a gap. Whoever was
 * renewed while it was taken away is put back, unless the kernel made a new one.
 */
static void collect_row(int fd, const struct snp_row_key *key, uint64_t now_ms)
{
	struct snp_row_key next = *key;
	struct snp_row row;

	next.chunk++;
	if (!bpf_map_lookup_elem(fd, &next, &row) || bpf_map_lookup_and_delete_elem(fd, key, &row))
		return;
	if (last_end_ms(&row) + REVIVE_MS >= now_ms)
		bpf_map_update_elem(fd, key, &row, BPF_NOEXIST);
}

static void count_rows(struct maps_rows *count, bool begins, const struct snp_row *rows, __u32 n)
{
	if (begins)
		count->now = (struct maps_rows_held){0};
	count->now.rows += n;
	for (__u32 i = 0; i < n; i++)
		for (unsigned int k = 0; k < SNP_SLOTS; k++)
			count->now.slots += rows[i].slot[k] != 0;
}

void maps_rows_held(const struct maps *m, uint64_t *rows, uint64_t *slots)
{
	*rows = m->rows[0].last.rows + m->rows[1].last.rows;
	*slots = m->rows[0].last.slots + m->rows[1].last.slots;
}

int maps_collect_rows(struct maps *m, enum maps_table table, struct maps_pos *pos, uint32_t budget,
		      uint64_t now_ns)
{
	static struct snp_row_key keys[MAPS_BATCH];
	static struct snp_row rows[MAPS_BATCH];
	__u32 n = budget < MAPS_BATCH ? budget : MAPS_BATCH;
	struct maps_rows *count = &m->rows[table == MAPS_GRANTED];
	bool begins = !pos->started;
	int fd = rows_fd(m, table), r = maps_batch(fd, pos, keys, rows, &n);

	if (r >= 0)
		count_rows(count, begins, rows, n);
	if (!r)
		count->last = count->now;
	for (__u32 i = 0; r >= 0 && i < n; i++)
		if (last_end_ms(&rows[i]) + COLLECT_MS < now_ns / NS_PER_MS)
			collect_row(fd, &keys[i], now_ns / NS_PER_MS);
	return r;
}

/* A row of the endpoint at this place is gone: we alone write that. */
static void flow_gone(struct maps *m, __u32 place)
{
	int fd = MAP_FD(m, snp_flows_gone);
	__u64 n;

	if (bpf_map_lookup_elem(fd, &place, &n))
		return;
	n++;
	bpf_map_update_elem(fd, &place, &n, BPF_ANY);
}

int maps_collect_flows(struct maps *m, struct maps_pos *pos, uint32_t budget, uint64_t now_ns,
		       uint64_t idle_ns)
{
	static struct snp_flow_key keys[MAPS_BATCH];
	static struct snp_flow flows[MAPS_BATCH];
	__u32 n = budget < MAPS_BATCH ? budget : MAPS_BATCH;
	int fd = MAP_FD(m, snp_flows), r = maps_batch(fd, pos, keys, flows, &n);

	for (__u32 i = 0; r >= 0 && i < n; i++)
		if (flows[i].used_s + idle_ns / 1000000000 + 1 < now_ns / 1000000000 &&
		    !bpf_map_delete_elem(fd, &keys[i]))
			flow_gone(m, SNP_FLOW_PLACE(keys[i].cookie));
	return r;
}

/* --- counts, by CPU --- */

static uint64_t sum(const struct maps *m, const uint64_t *by_cpu)
{
	uint64_t all = 0;

	for (int i = 0; i < m->cpus; i++)
		all += by_cpu[i];
	return all;
}

/* Batches of a table: MAPS_BATCH keys, and a value of each by CPU. */
static int read_counts(struct maps *m, int fd, void *keys,
		       void (*visit)(void *ctx, const void *keys, __u32 i, uint64_t n), void *ctx)
{
	SNP_CLEANUP(snp_freep)
	uint64_t *values = calloc((size_t)m->cpus * MAPS_BATCH, sizeof(*values));
	struct maps_pos pos = {.started = false};
	int r = 1;

	if (!values)
		return -ENOMEM;
	while (r > 0) {
		__u32 n = MAPS_BATCH;

		r = maps_batch(fd, &pos, keys, values, &n);
		for (__u32 i = 0; r >= 0 && i < n; i++)
			visit(ctx, keys, i, sum(m, values + (size_t)i * m->cpus));
	}
	return r;
}

struct told {
	maps_verdict_fn verdict;
	maps_hit_fn hit;
	void *ctx;
};

static void tell_verdict(void *ctx, const void *keys, __u32 i, uint64_t n)
{
	const struct told *t = ctx;

	t->verdict(t->ctx, (const struct snp_verdict_key *)keys + i, n);
}

static void tell_hit(void *ctx, const void *keys, __u32 i, uint64_t n)
{
	const struct told *t = ctx;

	t->hit(t->ctx, ((const __u32 *)keys)[i], n);
}

int maps_verdicts(struct maps *m, maps_verdict_fn visit, void *ctx)
{
	struct snp_verdict_key keys[MAPS_BATCH];
	struct told t = {.verdict = visit, .ctx = ctx};

	return read_counts(m, MAP_FD(m, snp_verdicts), keys, tell_verdict, &t);
}

int maps_hits(struct maps *m, maps_hit_fn visit, void *ctx)
{
	__u32 keys[MAPS_BATCH];
	struct told t = {.hit = visit, .ctx = ctx};

	return read_counts(m, MAP_FD(m, snp_hits), keys, tell_hit, &t);
}
