/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* match_sets.c - sets of numbers, each kept once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_priv.h"

#define FIRST_TABLE 1024

void *match_room(void *array, size_t size, size_t n, size_t *room)
{
	size_t more = *room ? *room : 64;
	void *moved;

	if (n <= *room)
		return array;
	while (more < n)
		more *= 2;
	moved = realloc(array, more * size);
	if (moved)
		*room = more;
	return moved;
}

int match_sets_init(struct match_sets *s)
{
	*s = (struct match_sets){.n = 1, .n_table = FIRST_TABLE};
	s->at = match_room(NULL, sizeof(*s->at), 2, &s->at_room);
	s->table = calloc(FIRST_TABLE, sizeof(*s->table));
	if (!s->at || !s->table) {
		match_sets_fini(s);
		return -ENOMEM;
	}
	s->at[0] = s->at[1] = 0;
	return 0;
}

void match_sets_fini(struct match_sets *s)
{
	free(s->members);
	free(s->at);
	free(s->table);
	*s = (struct match_sets){.n = 0};
}

static uint64_t hash(const uint32_t *list, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ list[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return h;
}

/* Where the set is in the table, or the free place for it. */
static size_t place(const struct match_sets *s, const uint32_t *list, size_t n)
{
	size_t i = hash(list, n) & (s->n_table - 1), had_n;

	for (; s->table[i]; i = (i + 1) & (s->n_table - 1)) {
		const uint32_t *had = match_sets_get(s, s->table[i], &had_n);

		if (had_n == n && !memcmp(had, list, n * sizeof(*list)))
			break;
	}
	return i;
}

static int widen(struct match_sets *s)
{
	uint32_t *table = calloc(s->n_table * 2, sizeof(*table));

	if (!table)
		return -ENOMEM;
	free(s->table);
	s->table = table;
	s->n_table *= 2;
	for (uint32_t i = 1; i < s->n; i++) {
		size_t n;
		const uint32_t *list = match_sets_get(s, i, &n);

		table[place(s, list, n)] = i;
	}
	return 0;
}

int64_t match_sets_put(struct match_sets *s, const uint32_t *list, size_t n, bool *is_new)
{
	size_t i, end = s->at[s->n];
	uint32_t *members, *at;

	*is_new = false;
	if (!n)
		return 0;
	i = place(s, list, n);
	if (s->table[i])
		return s->table[i];
	members = match_room(s->members, sizeof(*members), end + n, &s->members_room);
	if (!members)
		return -ENOMEM;
	s->members = members;
	at = match_room(s->at, sizeof(*at), s->n + 2, &s->at_room);
	if (!at)
		return -ENOMEM;
	s->at = at;
	memcpy(members + end, list, n * sizeof(*list));
	at[s->n + 1] = (uint32_t)(end + n);
	s->table[i] = (uint32_t)s->n++;
	*is_new = true;
	if (s->n > s->n_table / 2 && widen(s))
		return -ENOMEM;
	return (int64_t)s->n - 1;
}
