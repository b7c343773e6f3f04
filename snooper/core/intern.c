/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row {
	struct row *next; /* in its bucket */
	uint32_t number;
	size_t len;
	uint8_t bytes[];
};

struct intern {
	struct row **rows; /* by number */
	uint32_t end, room, last;
	struct row **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
};

/* FNV-1a: what is interned is the administrator's, nobody is to be kept from colliding. */
static uint64_t hash(const uint8_t *b, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (len--)
		h = (h ^ *b++) * 0x100000001b3u;
	return h ^ h >> 32;
}

struct intern *intern_new(uint32_t last)
{
	struct intern *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->n_buckets = 64;
	t->end = 1;
	t->last = last;
	t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
	if (!t->buckets) {
		free(t);
		return NULL;
	}
	return t;
}

void intern_free(struct intern *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->room; i++)
		free(t->rows[i]);
	free(t->rows);
	free(t->buckets);
	free(t);
}

static struct row **bucket(const struct intern *t, const void *bytes, size_t len)
{
	return &t->buckets[hash(bytes, len) & (t->n_buckets - 1)];
}

uint32_t intern_find(const struct intern *t, const void *bytes, size_t len)
{
	for (const struct row *r = *bucket(t, bytes, len); r; r = r->next)
		if (r->len == len && !memcmp(r->bytes, bytes, len))
			return r->number;
	return 0;
}

static void grow_buckets(struct intern *t)
{
	size_t n = t->n_buckets * 2;
	struct row **more = calloc(n, sizeof(*more)), **to;

	if (!more)
		return; /* slower, no worse */
	free(t->buckets);
	t->buckets = more;
	t->n_buckets = n;
	for (uint32_t i = 0; i < t->room; i++)
		if (t->rows[i]) {
			to = bucket(t, t->rows[i]->bytes, t->rows[i]->len);
			t->rows[i]->next = *to;
			*to = t->rows[i];
		}
}

static int grow_rows(struct intern *t, uint32_t number)
{
	uint32_t room = t->room ? t->room : 64;
	struct row **rows;

	while (room <= number)
		room *= 2;
	if (room == t->room)
		return 0;
	rows = realloc(t->rows, room * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	memset(rows + t->room, 0, (room - t->room) * sizeof(*rows));
	t->rows = rows;
	t->room = room;
	return 0;
}

int intern_put(struct intern *t, uint32_t number, const void *bytes, size_t len)
{
	struct row *r, **to;

	if (!number || number > t->last)
		return -EINVAL;
	if (grow_rows(t, number))
		return -ENOMEM;
	if (t->rows[number] || intern_find(t, bytes, len))
		return -EEXIST;
	r = malloc(sizeof(*r) + len);
	if (!r)
		return -ENOMEM;
	if (t->n >= t->n_buckets)
		grow_buckets(t);
	to = bucket(t, bytes, len);
	r->number = number;
	r->len = len;
	memcpy(r->bytes, bytes, len);
	r->next = *to;
	*to = r;
	t->rows[number] = r;
	t->n++;
	if (number >= t->end)
		t->end = number + 1;
	return 0;
}

struct intern *intern_copy(const struct intern *t)
{
	struct intern *copy = intern_new(t->last);
	size_t len;

	if (!copy)
		return NULL;
	for (uint32_t i = 1; i < t->end; i++) {
		const void *bytes = intern_bytes(t, i, &len);

		if (bytes && intern_put(copy, i, bytes, len)) {
			intern_free(copy);
			return NULL;
		}
	}
	copy->end = t->end;
	return copy;
}

uint32_t intern_add(struct intern *t, const void *bytes, size_t len)
{
	uint32_t number = intern_find(t, bytes, len);

	if (number)
		return number;
	number = t->end;
	return intern_put(t, number, bytes, len) ? 0 : number;
}

const void *intern_bytes(const struct intern *t, uint32_t number, size_t *len)
{
	const struct row *r = number < t->room ? t->rows[number] : NULL;

	if (r && len)
		*len = r->len;
	return r ? r->bytes : NULL;
}

void intern_drop(struct intern *t, uint32_t number)
{
	struct row *r = number < t->room ? t->rows[number] : NULL, **at;

	if (!r)
		return;
	for (at = bucket(t, r->bytes, r->len); *at != r; at = &(*at)->next)
		;
	*at = r->next;
	t->rows[number] = NULL;
	t->n--;
	free(r);
}

uint32_t intern_end(const struct intern *t)
{
	return t->end;
}

size_t intern_count(const struct intern *t)
{
	return t->n;
}

bool intern_full(const struct intern *t)
{
	return t->end > t->last;
}

void intern_begin_at(struct intern *t, uint32_t end)
{
	if (t->end < end)
		t->end = end;
}
