/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/maps_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/maps_priv.h"

#define NS_PER_MS  1000000u
#define MAPS_BATCH 512u
#define KEPT_HEAD  sizeof(uint32_t)
#define REVIVE_MS  (SNP_REVIVE_AFTER_NS / NS_PER_MS)
#define COLLECT_MS (SNP_COLLECT_AFTER_NS / NS_PER_MS)

/* --- generations --- */

static int put_region(uint8_t *regions, size_t region, const struct maps_bytes *from, size_t head)
{
	uint8_t *to = regions + region * SNP_REGION_BYTES;
	uint32_t len = (uint32_t)from->len;

	if (from->len + head > SNP_REGION_BYTES)
		return -E2BIG;
	memcpy(to, &len, head);
	if (from->len)
		memcpy(to + head, from->bytes, from->len);
	return 0;
}

/* Mapped: a generation is written to where it is used, and most of it is never touched. */
static int fill(int fd, const struct maps_generation *g)
{
	size_t bytes = (SNP_POLICY_BANK + g->n_banks) * (size_t)SNP_REGION_BYTES;
	uint8_t *regions = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int r;

	if (regions == MAP_FAILED)
		return -errno;
	r = put_region(regions, SNP_POLICY_TABLES, &g->tables, 0);
	if (!r)
		r = put_region(regions, SNP_POLICY_KEPT, &g->kept, KEPT_HEAD);
	for (size_t i = 0; i < g->n_banks && !r; i++)
		r = put_region(regions, SNP_POLICY_BANK + i, &g->banks[i], 0);
	munmap(regions, bytes);
	return r;
}

int maps_policy_publish(struct maps *m, const struct maps_generation *g)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	SNP_CLEANUP(snp_closep)
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "snp_regions", sizeof(__u32), SNP_REGION_BYTES,
				SNP_POLICY_BANK + g->n_banks, &opts);
	__u32 zero = 0;
	int r;

	if (fd < 0)
		return fd;
	r = fill(fd, g);
	if (r)
		return r;
	/* The kernel waits here until nobody looks at the one before. */
	return bpf_map_update_elem(MAP_FD(m, snp_policy), &zero, &fd, BPF_ANY) ? -errno : 0;
}

int maps_policy_withdraw(struct maps *m)
{
	__u32 zero = 0;

	if (!bpf_map_delete_elem(MAP_FD(m, snp_policy), &zero) || errno == ENOENT)
		return 0;
	return -errno;
}

/* A region of the generation in force, in SNP_REGION_BYTES of room. */
static int region_in_force(struct maps *m, __u32 region, uint8_t *room)
{
	__u32 zero = 0, id;
	SNP_CLEANUP(snp_closep)
	int fd = -1;

	if (bpf_map_lookup_elem(MAP_FD(m, snp_policy), &zero, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	return bpf_map_lookup_elem(fd, &region, room) ? -errno : 0;
}

int maps_policy_kept(struct maps *m, uint8_t **bytes, size_t *len)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *room = malloc(SNP_REGION_BYTES);
	uint32_t n;
	int r = room ? region_in_force(m, SNP_POLICY_KEPT, room) : -ENOMEM;

	if (r)
		return r;
	memcpy(&n, room, KEPT_HEAD);
	if (n > SNP_REGION_BYTES - KEPT_HEAD)
		return -EPROTO;
	memmove(room, room + KEPT_HEAD, n);
	*bytes = room;
	*len = n;
	room = NULL;
	return 0;
}

int maps_policy_tables(struct maps *m, uint8_t **bytes)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *room = malloc(SNP_REGION_BYTES);
	int r = room ? region_in_force(m, SNP_POLICY_TABLES, room) : -ENOMEM;

	if (!r)
		*bytes = snp_take(&room);
	return r;
}

uint32_t maps_policy_generation(struct maps *m)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *room = malloc(SNP_REGION_BYTES);
	const struct snp_policy_head *head = (const struct snp_policy_head *)room;

	if (!room || region_in_force(m, SNP_POLICY_TABLES, room) || head->magic != SNP_POLICY_MAGIC)
		return 0;
	return head->generation;
}

/* --- verdict rows --- */

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

/* The slot for it in a row: its own, else a free one or one that is over. SNP_SLOTS: none. */
static unsigned int slot_for(const struct snp_row *row, const struct maps_grant_row *g)
{
	unsigned int at = SNP_SLOTS;

	for (unsigned int i = 0; i < SNP_SLOTS; i++) {
		if (SNP_SLOT_IDENTITY(row->slot[i]) == g->identity)
			return i;
		if (SNP_SLOT_END_MS(row->slot[i]) + COLLECT_MS < g->now_ms)
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

static int batch(int fd, struct maps_pos *pos, void *keys, void *values, __u32 *n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t next[8] = {0};
	int r = bpf_map_lookup_batch(fd, pos->started ? pos->token : NULL, next, keys, values, n,
				     &opts);

	if (r && errno != ENOENT)
		return -errno;
	pos->started = !r;
	memcpy(pos->token, next, sizeof(next));
	return r ? 0 : 1;
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
	int fd = rows_fd(m, table), r = batch(fd, pos, keys, rows, &n);

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
	int fd = MAP_FD(m, snp_flows), r = batch(fd, pos, keys, flows, &n);

	for (__u32 i = 0; r >= 0 && i < n; i++)
		if (flows[i].used_s + idle_ns / 1000000000 + 1 < now_ns / 1000000000 &&
		    !bpf_map_delete_elem(fd, &keys[i]))
			flow_gone(m, SNP_FLOW_PLACE(keys[i].cookie));
	return r;
}

/* --- counts --- */

static uint64_t sum(const struct maps *m, const uint64_t *by_cpu)
{
	uint64_t all = 0;

	for (int i = 0; i < m->cpus; i++)
		all += by_cpu[i];
	return all;
}

int maps_verdicts(struct maps *m, maps_verdict_fn visit, void *ctx)
{
	SNP_CLEANUP(snp_freep)
	uint64_t *by_cpu = calloc(m->cpus, sizeof(*by_cpu));
	struct snp_verdict_key key, *before = NULL;
	int fd = MAP_FD(m, snp_verdicts);

	if (!by_cpu)
		return -ENOMEM;
	for (; !bpf_map_get_next_key(fd, before, &key); before = &key)
		if (!bpf_map_lookup_elem(fd, &key, by_cpu))
			visit(ctx, &key, sum(m, by_cpu));
	return 0;
}

int maps_hits(struct maps *m, maps_hit_fn visit, void *ctx)
{
	SNP_CLEANUP(snp_freep)
	uint64_t *by_cpu = calloc(m->cpus, sizeof(*by_cpu));
	int fd = MAP_FD(m, snp_hits);
	__u32 key, *before = NULL;

	if (!by_cpu)
		return -ENOMEM;
	for (; !bpf_map_get_next_key(fd, before, &key); before = &key)
		if (!bpf_map_lookup_elem(fd, &key, by_cpu))
			visit(ctx, key, sum(m, by_cpu));
	return 0;
}
