/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/intern.h"

#define SELECTOR_MAX (1u << 22)
#define KEPT_MAGIC   0x6b657074u

/* A selector's bytes: its kind, then its text with the zero. An identity's: its selectors' numbers. */
struct policy_ids {
	struct intern *selectors, *identities;
};

struct policy_ids *policy_ids_new(void)
{
	struct policy_ids *ids = calloc(1, sizeof(*ids));

	if (!ids)
		return NULL;
	ids->selectors = intern_new(SELECTOR_MAX);
	ids->identities = intern_new(SNP_IDENTITY_MAX);
	if (ids->selectors && ids->identities)
		return ids;
	policy_ids_free(ids);
	return NULL;
}

void policy_ids_free(struct policy_ids *ids)
{
	if (!ids)
		return;
	intern_free(ids->selectors);
	intern_free(ids->identities);
	free(ids);
}

struct policy_ids *policy_ids_copy(const struct policy_ids *ids)
{
	struct policy_ids *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->selectors = intern_copy(ids->selectors);
	copy->identities = intern_copy(ids->identities);
	if (copy->selectors && copy->identities)
		return copy;
	policy_ids_free(copy);
	return NULL;
}

/* A selector as interned, *len bytes, or NULL. */
static uint8_t *selector_bytes(enum policy_selector_kind kind, const char *text, size_t *len)
{
	size_t n = strlen(text) + 2;
	uint8_t *bytes = malloc(n);

	if (!bytes)
		return NULL;
	bytes[0] = kind;
	memcpy(bytes + 1, text, n - 1);
	*len = n;
	return bytes;
}

uint32_t
policy_ids_selector(struct policy_ids *ids, enum policy_selector_kind kind, const char *text)
{
	size_t len;
	SNP_CLEANUP(snp_freep)
	uint8_t *bytes = selector_bytes(kind, text, &len);

	return bytes ? intern_add(ids->selectors, bytes, len) : 0;
}

int policy_ids_find(const struct policy_ids *ids, enum policy_selector_kind kind, const char *text,
		    uint32_t *number)
{
	size_t len;
	SNP_CLEANUP(snp_freep)
	uint8_t *bytes = selector_bytes(kind, text, &len);
	uint32_t found;

	if (!bytes)
		return -ENOMEM;
	found = intern_find(ids->selectors, bytes, len);
	if (!found)
		return -ENOENT;
	*number = found;
	return 0;
}

const char *
policy_ids_text(const struct policy_ids *ids, uint32_t selector, enum policy_selector_kind *kind)
{
	const uint8_t *bytes = intern_bytes(ids->selectors, selector, NULL);

	if (!bytes)
		return NULL;
	if (kind)
		*kind = bytes[0];
	return (const char *)bytes + 1;
}

uint32_t policy_ids_identity(struct policy_ids *ids, const uint32_t *selectors, size_t n)
{
	return intern_add(ids->identities, selectors, n * sizeof(*selectors));
}

const uint32_t *policy_ids_set(const struct policy_ids *ids, uint32_t identity, size_t *n)
{
	size_t len = 0;
	const void *bytes = intern_bytes(ids->identities, identity, &len);

	*n = len / sizeof(uint32_t);
	return bytes;
}

bool policy_ids_selectors_full(const struct policy_ids *ids)
{
	return intern_full(ids->selectors);
}

bool policy_ids_identities_full(const struct policy_ids *ids)
{
	return intern_full(ids->identities);
}

uint32_t policy_ids_end(const struct policy_ids *ids)
{
	return intern_end(ids->identities);
}

void policy_ids_trim(struct policy_ids *ids, bool (*keep)(void *ctx, uint32_t selector), void *ctx)
{
	for (uint32_t i = 1; i < intern_end(ids->identities); i++) {
		size_t n, kept = 0;
		const uint32_t *set = policy_ids_set(ids, i, &n);

		for (size_t j = 0; set && j < n && !kept; j++)
			kept = keep(ctx, set[j]);
		if (set && !kept)
			intern_drop(ids->identities, i);
	}
	for (uint32_t i = 1; i < intern_end(ids->selectors); i++)
		if (intern_bytes(ids->selectors, i, NULL) && !keep(ctx, i))
			intern_drop(ids->selectors, i);
}

/* --- as bytes: magic, then per table: the end of its numbers, how many, {number, length, bytes} --- */

static size_t table_bytes(const struct intern *t)
{
	size_t all = 8, len;

	for (uint32_t i = 1; i < intern_end(t); i++)
		if (intern_bytes(t, i, &len))
			all += 8 + len;
	return all;
}

static uint8_t *put_u32(uint8_t *to, uint32_t x)
{
	memcpy(to, &x, 4);
	return to + 4;
}

static uint8_t *put_table(uint8_t *to, const struct intern *t)
{
	size_t len;

	to = put_u32(to, intern_end(t));
	to = put_u32(to, intern_count(t));
	for (uint32_t i = 1; i < intern_end(t); i++) {
		const void *bytes = intern_bytes(t, i, &len);

		if (!bytes)
			continue;
		to = put_u32(to, i);
		to = put_u32(to, len);
		memcpy(to, bytes, len);
		to += len;
	}
	return to;
}

struct policy_ids_size policy_ids_size(const struct policy_ids *ids)
{
	return (struct policy_ids_size){
		.selectors = intern_count(ids->selectors),
		.identities = intern_count(ids->identities),
		.bytes = 4 + table_bytes(ids->selectors) + table_bytes(ids->identities),
	};
}

int policy_ids_save(const struct policy_ids *ids, uint8_t **out, size_t *len)
{
	size_t n = policy_ids_size(ids).bytes;
	uint8_t *bytes = malloc(n), *to;

	if (!bytes)
		return -ENOMEM;
	to = put_u32(bytes, KEPT_MAGIC);
	to = put_table(to, ids->selectors);
	put_table(to, ids->identities);
	*out = bytes;
	*len = n;
	return 0;
}

struct reader {
	const uint8_t *at, *end;
};

static bool get_u32(struct reader *r, uint32_t *x)
{
	if (r->end - r->at < 4)
		return false;
	memcpy(x, r->at, 4);
	r->at += 4;
	return true;
}

/* sound(): may these bytes stand there? selectors: the numbers of those that are known. */
typedef bool (*sound_fn)(const uint8_t *bytes, size_t len, uint32_t selectors);

static int
get_table(struct reader *r, struct intern *t, uint32_t last, sound_fn sound, uint32_t selectors)
{
	uint32_t end, n, number, len;

	if (!get_u32(r, &end) || !get_u32(r, &n) || end > last + 1)
		return -EPROTO;
	while (n--) {
		int e;

		if (!get_u32(r, &number) || !get_u32(r, &len) || (size_t)(r->end - r->at) < len ||
		    number >= end || !sound(r->at, len, selectors))
			return -EPROTO;
		e = intern_put(t, number, r->at, len);
		if (e)
			return e == -ENOMEM ? e : -EPROTO;
		r->at += len;
	}
	intern_begin_at(t, end);
	return 0;
}

static bool sound_selector(const uint8_t *bytes, size_t len, uint32_t selectors)
{
	return len > 2 && bytes[0] <= POLICY_MATCH_REGEX && !bytes[len - 1] &&
	       strlen((const char *)bytes + 1) == len - 2;
}

/* Sorted, and of numbers that were given. */
static bool sound_identity(const uint8_t *bytes, size_t len, uint32_t selectors)
{
	uint32_t before = 0, it;

	for (size_t i = 0; i + 4 <= len; i += 4) {
		memcpy(&it, bytes + i, 4);
		if (it <= before || it >= selectors)
			return false;
		before = it;
	}
	return len && len % 4 == 0;
}

static int read_into(struct policy_ids *ids, struct reader *r)
{
	uint32_t magic;
	int e;

	if (!get_u32(r, &magic) || magic != KEPT_MAGIC)
		return -EPROTO;
	e = get_table(r, ids->selectors, SELECTOR_MAX, sound_selector, 0);
	if (!e)
		e = get_table(r, ids->identities, SNP_IDENTITY_MAX, sound_identity,
			      intern_end(ids->selectors));
	return e;
}

int policy_ids_load(struct policy_ids *ids, const uint8_t *bytes, size_t len)
{
	struct reader r = {bytes, bytes + len};
	struct policy_ids *read = policy_ids_new(), empty = *ids;
	int e = read ? read_into(read, &r) : -ENOMEM;

	if (!e) {
		*ids = *read;
		*read = empty;
	}
	policy_ids_free(read);
	return e;
}
