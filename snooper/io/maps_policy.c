/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/maps_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/policy_ids.h"
#include "snooper/io/maps_priv.h"

#define KEPT_HEAD sizeof(uint32_t)
SNP_ASSERT(POLICY_IDS_BYTES == SNP_REGION_BYTES - KEPT_HEAD, "policy_ids.h says what fits");

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

int maps_policy_make(const struct maps_generation *g)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	SNP_CLEANUP(snp_closep)
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "snp_regions", sizeof(__u32), SNP_REGION_BYTES,
				SNP_POLICY_BANK + g->n_banks, &opts);
	int r = fd < 0 ? fd : fill(fd, g);

	if (!r) {
		r = fd;
		fd = -1;
	}
	return r;
}

static void forget_generation(struct maps *m)
{
	if (m->generation_fd > 0)
		close(m->generation_fd);
	m->generation_fd = 0;
}

int maps_policy_publish(struct maps *m, int fd)
{
	__u32 zero = 0;

	int own = fcntl(fd, F_DUPFD_CLOEXEC, 1);

	if (own < 0)
		return -errno;
	/* The kernel waits here until nobody looks at the one before. */
	if (bpf_map_update_elem(MAP_FD(m, snp_policy), &zero, &fd, BPF_ANY)) {
		fd = errno;
		close(own);
		return -fd;
	}
	forget_generation(m);
	m->generation_fd = own;
	return 0;
}

/* Flows remember by which they were admitted: one that comes later has another number. */
static int note_last(struct maps *m)
{
	int fd = MAP_FD(m, snp_meta);
	struct snp_meta meta;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &meta))
		return -errno;
	meta.generation = maps_policy_generation(m);
	return bpf_map_update_elem(fd, &zero, &meta, BPF_ANY) ? -errno : 0;
}

int maps_policy_withdraw(struct maps *m)
{
	__u32 zero = 0;
	int r = note_last(m);

	if (r)
		return r;
	if (bpf_map_delete_elem(MAP_FD(m, snp_policy), &zero) && errno != ENOENT)
		return -errno;
	forget_generation(m);
	return 0;
}

/* A region of the generation in force, in SNP_REGION_BYTES of room. */
static int region_in_force(struct maps *m, __u32 region, uint8_t *room)
{
	__u32 zero = 0, id;

	if (bpf_map_lookup_elem(MAP_FD(m, snp_policy), &zero, &id))
		return -errno;
	/* By its number with all rights only: at start. */
	if (!m->generation_fd)
		m->generation_fd = bpf_map_get_fd_by_id(id);
	if (m->generation_fd < 0) {
		m->generation_fd = 0;
		return -errno;
	}
	return bpf_map_lookup_elem(m->generation_fd, &region, room) ? -errno : 0;
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

int maps_policy_region(struct maps *m, uint32_t region, uint8_t **bytes)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *room = malloc(SNP_REGION_BYTES);
	int r = room ? region_in_force(m, region, room) : -ENOMEM;

	if (!r)
		*bytes = snp_take(&room);
	return r;
}

uint32_t maps_policy_generation(struct maps *m)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *room = malloc(SNP_REGION_BYTES);
	const struct snp_policy_head *head = (const struct snp_policy_head *)room;
	struct snp_meta meta;
	__u32 zero = 0;

	if (room && !region_in_force(m, SNP_POLICY_TABLES, room) && head->magic == SNP_POLICY_MAGIC)
		return head->generation;
	return bpf_map_lookup_elem(MAP_FD(m, snp_meta), &zero, &meta) ? 0 : meta.generation;
}
