/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/maps_endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/maps_priv.h"

bool maps_can_follow_cgroups(const struct maps *m)
{
	return bpf_program__fd(m->skel->progs.snp_cg_made) >= 0;
}

static int read_ctl(struct maps *m, struct snp_endctl *ctl)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(MAP_FD(m, snp_endctl), &zero, ctl) ? -errno : 0;
}

static int write_ctl(struct maps *m, const struct snp_endctl *ctl)
{
	__u32 zero = 0;

	return bpf_map_update_elem(MAP_FD(m, snp_endctl), &zero, ctl, BPF_ANY) ? -errno : 0;
}

static int write_globs(struct maps *m, __u32 from, const struct snp_glob *globs, __u32 n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	SNP_CLEANUP(snp_freep)
	__u32 *at = calloc(n + 1, sizeof(*at));

	if (!at)
		return -ENOMEM;
	for (__u32 i = 0; i < n; i++)
		at[i] = from + i;
	if (n && bpf_map_update_batch(MAP_FD(m, snp_globs), at, globs, &n, &opts))
		return -errno;
	return 0;
}

int maps_set_globs(struct maps *m, const struct snp_glob *globs, size_t n)
{
	struct snp_endctl ctl;
	uint32_t bank;
	int r = read_ctl(m, &ctl);

	if (r)
		return r;
	bank = ~ctl.globs & SNP_GLOBS_BANK;
	r = write_globs(m, bank ? SNP_GLOBS_MAX : 0, globs, (__u32)n);
	if (r)
		return r;
	ctl.globs = bank | (uint32_t)n;
	return write_ctl(m, &ctl);
}

int maps_globs_in_force(struct maps *m, bool *places)
{
	struct snp_endctl ctl;
	struct snp_glob glob;
	int r = read_ctl(m, &ctl);

	for (uint32_t i = 0; !r && i < (ctl.globs & ~SNP_GLOBS_BANK); i++) {
		uint32_t at = (ctl.globs & SNP_GLOBS_BANK ? SNP_GLOBS_MAX : 0) + i;

		if (bpf_map_lookup_elem(MAP_FD(m, snp_globs), &at, &glob))
			return -errno;
		places[SNP_ENDPOINT_PLACE(glob.member.endpoint)] = true;
	}
	return r;
}

int maps_member(struct maps *m, uint64_t id, struct snp_member *of)
{
	return bpf_map_lookup_elem(MAP_FD(m, snp_members), &id, of) ? -errno : 0;
}

int maps_member_put(struct maps *m, const struct maps_member *row, bool is_new)
{
	if (!bpf_map_update_elem(MAP_FD(m, snp_members), &row->id, &row->of,
				 is_new ? BPF_NOEXIST : BPF_EXIST)) {
		if (is_new)
			bpf_map_delete_elem(MAP_FD(m, snp_spare), &row->id);
		return 0;
	}
	return errno == E2BIG ? -ENOSPC : -errno;
}

int maps_member_spare(struct maps *m, const struct maps_member *row)
{
	return bpf_map_update_elem(MAP_FD(m, snp_spare), &row->id, &row->of, BPF_ANY) ? -errno : 0;
}

int maps_member_drop(struct maps *m, uint64_t id)
{
	int spare = bpf_map_delete_elem(MAP_FD(m, snp_spare), &id);

	return bpf_map_delete_elem(MAP_FD(m, snp_members), &id) && spare ? -errno : 0;
}

int maps_members_next(struct maps *m, struct maps_members_pos *at, struct maps_member *rows,
		      size_t *n)
{
	int fd = at->spare ? MAP_FD(m, snp_spare) : MAP_FD(m, snp_members), r;
	struct snp_member of[MAPS_MEMBERS];
	uint64_t ids[MAPS_MEMBERS];
	__u32 got = MAPS_MEMBERS;

	r = maps_batch(fd, &at->pos, ids, of, &got);
	*n = r < 0 ? 0 : got;
	for (size_t i = 0; i < *n; i++)
		rows[i] = (struct maps_member){ids[i], of[i]};
	if (r || at->spare)
		return r;
	*at = (struct maps_members_pos){.spare = true};
	return 1;
}

int maps_members(struct maps *m, struct maps_member **out, size_t *n)
{
	const size_t room = SNP_MEMBERS_MAX + SNP_SPARE_MAX;
	SNP_CLEANUP(snp_freep)
	struct maps_member *rows = calloc(room + MAPS_MEMBERS, sizeof(*rows));
	struct maps_members_pos at = {.spare = false};
	size_t got;
	int r = rows ? 1 : -ENOMEM;

	/* A row may be read twice while others come and go. */
	for (*n = 0; r > 0 && *n < room; *n += got)
		r = maps_members_next(m, &at, rows + *n, &got);
	if (r < 0)
		return r;
	*out = snp_take(&rows);
	return 0;
}

int maps_missed(struct maps *m, uint64_t *missed)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(MAP_FD(m, snp_missed), &zero, missed) ? -errno : 0;
}

int maps_set_incomplete(struct maps *m, bool incomplete, uint64_t missed_before)
{
	struct snp_endctl ctl;
	int r = read_ctl(m, &ctl);

	if (r)
		return r;
	ctl.incomplete = incomplete;
	ctl.missed_before = missed_before;
	return write_ctl(m, &ctl);
}

bool maps_has_missed(struct maps *m)
{
	struct snp_endctl ctl;
	uint64_t missed;

	return !read_ctl(m, &ctl) && !maps_missed(m, &missed) && missed != ctl.missed_before;
}
