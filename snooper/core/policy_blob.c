/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void policy_blob_init(struct policy_blob *b, size_t n)
{
	*b = (struct policy_blob){.shared = intern_new(SNP_REGION_BYTES / SNP_TABLE_ALIGN)};
	if (!b->shared)
		b->error = -ENOMEM;
	policy_blob_add(b, n);
}

void policy_blob_fini(struct policy_blob *b)
{
	free(b->bytes);
	intern_free(b->shared);
}

uint32_t policy_blob_add(struct policy_blob *b, size_t n)
{
	size_t at = (b->len + SNP_TABLE_ALIGN - 1) & ~(size_t)(SNP_TABLE_ALIGN - 1), room = b->room;
	uint8_t *more;

	if (b->error)
		return 0;
	if (n > SNP_REGION_BYTES || at + n > SNP_REGION_BYTES) {
		b->error = -E2BIG;
		return 0;
	}
	while (room < at + n)
		room = room ? room * 2 : 65536;
	if (room != b->room) {
		more = realloc(b->bytes, room);
		if (!more) {
			b->error = -ENOMEM;
			return 0;
		}
		memset(more + b->room, 0, room - b->room);
		b->bytes = more;
		b->room = room;
	}
	b->len = at + n;
	return at;
}

uint32_t policy_blob_put(struct policy_blob *b, const void *from, size_t n)
{
	uint32_t at = policy_blob_add(b, n);

	if (!b->error && n)
		memcpy(b->bytes + at, from, n);
	return at;
}

uint32_t policy_blob_share(struct policy_blob *b, uint32_t at)
{
	size_t n = b->len - at;
	uint32_t same;
	int e;

	if (b->error || !n)
		return at;
	e = intern_put(b->shared, at / SNP_TABLE_ALIGN, b->bytes + at, n);
	if (e == -EEXIST) {
		same = intern_find(b->shared, b->bytes + at, n);
		memset(b->bytes + at, 0, n);
		b->len = at;
		return same * SNP_TABLE_ALIGN;
	}
	b->error = e;
	return at;
}
