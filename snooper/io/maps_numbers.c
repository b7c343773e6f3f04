/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps_numbers.c - the numbers of endpoints, by name.
 *
 * A name keeps its number when it goes from the configuration: what it has learned is there
 * when it comes back. When no place was left unused, the one whose name has been gone for
 * longest is given to another, with a number that nobody had before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/io/maps_endpoints.h"
#include "snooper/io/maps_policy.h"
#include "snooper/io/maps_priv.h"

/* The last number of a place; one more would be SNP_SCOPE_NODE in the last of them. */
#define IS_LAST(number) ((number) / SNP_ENDPOINTS_MAX == SNP_SCOPE_NODE / SNP_ENDPOINTS_MAX - 1)

struct places {
	struct maps *m;
	const uint8_t *tables; /* in force; NULL: none, or an earlier snooperd's */
	uint64_t now_ns;
	struct snp_endpoint_row *rows; /* SNP_ENDPOINTS_MAX of them, as of the next three */
	const struct snp_endpoint_row **by_name;
	bool *wanted;	  /* by the configuration to come */
	bool *changed;	  /* to be written */
	bool *taken;	  /* in force still; NULL: not looked at yet */
	uint32_t *before; /* a number that is over, 0: none is */
	uint32_t unused;  /* below this, each place was given to somebody */
};

static void places_freep(struct places *p)
{
	free(p->rows);
	free(p->by_name);
	free(p->wanted);
	free(p->changed);
	free(p->taken);
	free(p->before);
}

static int by_name(const void *a, const void *b)
{
	const struct snp_endpoint_row *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int places_read(struct places *p)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	SNP_CLEANUP(snp_freep)
	__u32 *keys = calloc(SNP_ENDPOINTS_MAX, sizeof(*keys));
	__u32 next, n = SNP_ENDPOINTS_MAX;

	p->rows = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->rows));
	p->by_name = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->by_name));
	p->wanted = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->wanted));
	p->changed = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->changed));
	p->before = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->before));
	p->unused = 1;
	if (!keys || !p->rows || !p->by_name || !p->wanted || !p->changed || !p->before)
		return -ENOMEM;
	if (bpf_map_lookup_batch(MAP_FD(p->m, snp_endpoints), NULL, &next, keys, p->rows, &n,
				 &opts) &&
	    errno != ENOENT)
		return -errno;
	for (uint32_t i = 0; i < SNP_ENDPOINTS_MAX; i++)
		p->by_name[i] = &p->rows[i];
	qsort(p->by_name, SNP_ENDPOINTS_MAX, sizeof(*p->by_name), by_name);
	return 0;
}

/* The place of a name, 0: it has none. */
static uint32_t place_of(const struct places *p, const char *name)
{
	struct snp_endpoint_row key = {.number = 0};
	const struct snp_endpoint_row *at = &key, **found;

	strncpy(key.name, name, sizeof(key.name) - 1);
	found = bsearch(&at, p->by_name, SNP_ENDPOINTS_MAX, sizeof(*p->by_name), by_name);
	return found ? (uint32_t)(*found - p->rows) : 0;
}

/* What the kernel goes by at this moment must not change its meaning: globs, members, policy. */
static int look_what_is_taken(struct places *p)
{
	SNP_CLEANUP(snp_freep)
	struct maps_member *members = NULL;
	SNP_CLEANUP(snp_freep)
	uint8_t *earlier = NULL;
	const uint8_t *tables = p->tables;
	size_t n = 0;
	int r;

	p->taken = calloc(SNP_ENDPOINTS_MAX, sizeof(*p->taken));
	if (!p->taken)
		return -ENOMEM;
	r = maps_globs_in_force(p->m, p->taken);
	if (!r)
		r = maps_members(p->m, &members, &n);
	for (size_t i = 0; i < n && !r; i++)
		p->taken[SNP_ENDPOINT_PLACE(members[i].of.endpoint)] = true;
	if (!r && !tables) {
		r = maps_policy_region(p->m, SNP_POLICY_TABLES, &earlier);
		tables = earlier;
	}
	for (uint32_t i = 0; i < SNP_ENDPOINTS_MAX && !r; i++)
		p->taken[i] |= snp_policy_class(tables, i) != 0;
	return r == -ENOENT ? 0 : r;
}

/* One that nobody ever had, else of those out of use the one that was left first. *place 0: none. */
static int place_take(struct places *p, uint32_t *place)
{
	int r = 0;

	*place = 0;
	while (p->unused < SNP_ENDPOINTS_MAX && p->rows[p->unused].name[0])
		p->unused++;
	if (p->unused < SNP_ENDPOINTS_MAX) {
		*place = p->unused;
		return 0;
	}
	if (!p->taken)
		r = look_what_is_taken(p);
	for (uint32_t i = 1; i < SNP_ENDPOINTS_MAX && !r; i++)
		if (!p->wanted[i] && !p->taken[i] && !IS_LAST(p->rows[i].number) &&
		    (!*place || p->rows[i].left_ns < p->rows[*place].left_ns))
			*place = i;
	return r;
}

static int place_give(struct places *p, const char *name, uint32_t *number)
{
	struct snp_endpoint_row *row;
	uint32_t place;
	int r = place_take(p, &place);

	if (r)
		return r;
	if (!place)
		return -ENOSPC;
	row = &p->rows[place];
	if (row->name[0])
		log_debug("event=endpoint-place-given-again from=%s to=%s", row->name, name);
	p->before[place] = row->number;
	*number = row->number ? row->number + SNP_ENDPOINTS_MAX : place;
	*row = (struct snp_endpoint_row){.number = *number};
	strncpy(row->name, name, sizeof(row->name) - 1);
	p->wanted[place] = p->changed[place] = true;
	return 0;
}

/* Counts of a number that is over: nobody will ask for them, and they take room. */
static void forget_verdicts(struct maps *m, uint32_t number)
{
	struct snp_verdict_key key = {.endpoint = number};

	for (; number && key.verdict < SNP_VERDICT_MAX; key.verdict++)
		bpf_map_delete_elem(MAP_FD(m, snp_verdicts), &key);
}

static int places_write(struct places *p)
{
	for (uint32_t i = 1; i < SNP_ENDPOINTS_MAX; i++) {
		struct snp_endpoint_row *row = &p->rows[i];

		if (!row->name[0])
			continue;
		if (p->wanted[i] ? row->left_ns : !row->left_ns) {
			row->left_ns = p->wanted[i] ? 0 : p->now_ns;
			p->changed[i] = true;
		}
		if (!p->changed[i])
			continue;
		if (bpf_map_update_elem(MAP_FD(p->m, snp_endpoints), &i, row, BPF_ANY))
			return -errno;
		forget_verdicts(p->m, p->before[i]);
	}
	return 0;
}

int maps_endpoint_numbers(struct maps *m, const uint8_t *tables, const char *const *names, size_t n,
			  uint32_t *numbers)
{
	SNP_CLEANUP(places_freep)
	struct places p = {.m = m, .tables = tables, .now_ns = clock_boot_ns()};
	int r = places_read(&p);

	for (size_t i = 0; i < n && !r; i++) {
		uint32_t place = place_of(&p, names[i]);

		numbers[i] = p.rows[place].number;
		p.wanted[place] = true;
	}
	for (size_t i = 0; i < n && !r; i++)
		if (!numbers[i])
			r = place_give(&p, names[i], &numbers[i]);
	return r ? r : places_write(&p);
}

int maps_endpoint(struct maps *m, uint32_t number, struct snp_endpoint_row *row)
{
	uint32_t place = SNP_ENDPOINT_PLACE(number);

	return bpf_map_lookup_elem(MAP_FD(m, snp_endpoints), &place, row) ? -errno : 0;
}

int maps_endpoint_enforced(struct maps *m, uint32_t number, uint64_t open)
{
	uint32_t place = SNP_ENDPOINT_PLACE(number);
	struct snp_endpoint_row row;

	if (bpf_map_lookup_elem(MAP_FD(m, snp_endpoints), &place, &row))
		return -errno;
	row.enforced = 1;
	row.open = open;
	return bpf_map_update_elem(MAP_FD(m, snp_endpoints), &place, &row, BPF_ANY) ? -errno : 0;
}
