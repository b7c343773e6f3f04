/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_settle.c - the members as the tree says, while the kernel goes on changing both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/cgroup_glob.h"
#include "snooper/io/cgroup_tree.h"
#include "snooper/io/endpoints_priv.h"

/* A change of ours may miss a child that was made meanwhile: read again until nothing changes. */
#define ROUNDS 5

#define OVERLAPS_TOLD 16

/* Ids, sorted once they are all there. */
struct ids {
	uint64_t *at;
	size_t n, room;
	bool lost; /* out of memory */
};

struct settling {
	const struct endpoints *e;
	struct maps *m;
	struct ids members; /* cgroups that are */
	unsigned int overlaps;
	bool tell_overlap; /* the configuration is new */
	bool changed, moved;
	int error;
};

static void ids_add(struct ids *ids, uint64_t id)
{
	if (ids->n == ids->room) {
		size_t room = ids->room ? 2 * ids->room : 256;
		uint64_t *more = reallocarray(ids->at, room, sizeof(*more));

		if (!more) {
			ids->lost = true;
			return;
		}
		ids->at = more;
		ids->room = room;
	}
	ids->at[ids->n++] = id;
}

static int by_id(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool ids_have(const struct ids *ids, uint64_t id)
{
	return ids->n && bsearch(&id, ids->at, ids->n, sizeof(id), by_id);
}

static void ids_sort(struct ids *ids)
{
	if (ids->n)
		qsort(ids->at, ids->n, sizeof(*ids->at), by_id);
}

static void ids_freep(struct ids *ids)
{
	free(ids->at);
}

static uint64_t as_word(const struct snp_member *m)
{
	return (uint64_t)m->scope << 32 | m->endpoint;
}

static void note(struct settling *s, int error)
{
	if (!s->error)
		s->error = error;
}

/* by_glob: what it is below does not say whose it is. */
static void put_member(struct settling *s, const struct cgroup_seen *c, const struct snp_member *of,
		       bool by_glob)
{
	const struct maps_member row = {.id = c->id, .of = *of};
	struct snp_member is;
	bool is_new = maps_member(s->m, c->id, &is) != 0;
	int r;

	if (!is_new && as_word(&is) == as_word(of))
		return;
	r = maps_member_put(s->m, &row, is_new);
	s->changed |= !r || r == -EEXIST;
	s->moved |= !r && !is_new && is.endpoint != of->endpoint;
	if (r == -ENOSPC && by_glob)
		maps_member_spare(s->m, &row);
	/* Released while we looked, or just written by the kernel: the next round sees. */
	if (r && r != -ENOENT && r != -EEXIST)
		note(s, r);
	/* Had it gone for good before, nobody else would take the row away. */
	if ((!r || r == -ENOSPC) && is_new && cgroup_is_gone(c))
		maps_member_drop(s->m, c->id);
}

static void
tell_overlap(struct settling *s, const struct cgroup_seen *c, uint32_t owner, size_t glob)
{
	if (s->overlaps++ >= OVERLAPS_TOLD)
		return;
	log_warn(
		"event=endpoint-overlap cgroup=\"%s\" endpoint=%s also=%s hint=\"it belongs to the "
		"first of them only\"",
		c->path, s->e->names[endpoints_find(s->e, owner)], s->e->names[glob]);
}

/* Whose a cgroup is, unless that is known. Is one of the globs about something below it? */
static bool match(struct settling *s, const struct cgroup_seen *c, struct snp_member *of)
{
	const struct cgroup_gist path = cgroup_path_gist(c->path);
	bool descend = false;

	for (size_t i = 0; i < s->e->n; i++) {
		const struct snp_glob *g = &s->e->globs[i];
		enum glob_found found;

		if (!cgroup_glob_may(g->path, &s->e->gist[i], c->path, &path))
			continue;
		found = cgroup_glob(g->path, c->path);
		descend |= found == GLOB_ABOVE;
		if (found != GLOB_MATCH)
			continue;
		if (!of->endpoint)
			*of = g->member;
		else if (of->endpoint != g->member.endpoint && s->tell_overlap)
			tell_overlap(s, c, of->endpoint, i);
	}
	return descend;
}

static bool settle_one(void *ctx, const struct cgroup_seen *c, uint64_t above, uint64_t *below)
{
	struct settling *s = ctx;
	struct snp_member of = {.endpoint = (uint32_t)above, .scope = (uint32_t)(above >> 32)};
	bool descend = false;

	if (!of.endpoint && strlen(c->path) >= SNP_GLOB_PATH_BYTES)
		note(s, -ENAMETOOLONG);
	/* All of what is below a member is its endpoint's. */
	if (!of.endpoint || s->tell_overlap)
		descend = match(s, c, &of);
	*below = as_word(&of);
	if (!of.endpoint)
		return descend;
	ids_add(&s->members, c->id);
	put_member(s, c, &of, !(uint32_t)above);
	return true;
}

static bool note_alive(void *ctx, const struct cgroup_seen *c, uint64_t above, uint64_t *below)
{
	ids_add(ctx, c->id);
	return true;
}

static void take_away(struct settling *s, uint64_t id)
{
	if (!maps_member_drop(s->m, id))
		s->changed = true;
}

/*
 * Rows that the tree does not confirm: of an endpoint that is no more, or of a cgroup
 * that is there and matches nothing. One that is removed but still has sockets stays.
 */
static void sweep(struct settling *s, const struct maps_member *rows, size_t n)
{
	SNP_CLEANUP(ids_freep)
	struct ids alive = {.n = 0};
	bool looked = false;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (ids_have(&s->members, rows[i].id))
			continue;
		if (endpoints_find(s->e, rows[i].of.endpoint) == SIZE_MAX) {
			take_away(s, rows[i].id);
			continue;
		}
		if (!looked) {
			r = cgroup_tree_walk(s->e->root, note_alive, &alive);
			if (r || alive.lost) {
				note(s, r ? r : -ENOMEM);
				return;
			}
			ids_sort(&alive);
			looked = true;
		}
		if (ids_have(&alive, rows[i].id))
			take_away(s, rows[i].id);
	}
}

static void settle_round(struct settling *s)
{
	SNP_CLEANUP(snp_freep)
	struct maps_member *rows = NULL;
	size_t n = 0;
	int r = maps_members(s->m, &rows, &n);

	s->changed = false;
	s->members.n = 0;
	/* After this, whatever has a row can be seen in the tree, unless it was removed. */
	if (!r && s->e->root)
		r = cgroup_tree_barrier(s->e->root);
	if (!r && s->e->root)
		r = cgroup_tree_walk(s->e->root, settle_one, s);
	if (!r && s->members.lost)
		r = -ENOMEM;
	if (r) {
		note(s, r); /* what we have not seen may be there all the same */
		return;
	}
	ids_sort(&s->members);
	sweep(s, rows, n);
	s->tell_overlap = false;
}

void endpoints_settle(const struct endpoints *e, struct maps *m, struct endpoints_seen *seen)
{
	struct settling s = {.e = e, .m = m, .tell_overlap = !seen->told_overlaps};
	uint64_t missed = 0;
	unsigned int round = 0;
	int was = seen->settle_error;

	maps_missed(m, &missed);
	do {
		s.error = 0;
		settle_round(&s);
	} while (s.changed && !s.error && ++round < ROUNDS);
	free(s.members.at);
	seen->settle_error = s.error;
	seen->told_overlaps = !s.tell_overlap;
	if (s.error && s.error != was)
		log_warn("event=endpoint-cgroups-incomplete reason=\"%s\" hint=\"cgroups of "
			 "endpoints are not known as theirs\"",
			 s.error == -ENOSPC ? "more cgroups than fit" : strerror(-s.error));
	if (s.overlaps > OVERLAPS_TOLD)
		log_warn("event=endpoint-overlaps untold=%u", s.overlaps - OVERLAPS_TOLD);
	seen->moved = s.moved;
	maps_set_incomplete(m, s.error != 0, missed);
}
