/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void match_tables_fini(struct match_tables *t)
{
	for (size_t i = 0; i < t->n_banks; i++) {
		free(t->banks[i].region);
		free(t->banks[i].sets);
		free(t->banks[i].set_at);
	}
	*t = (struct match_tables){.n_banks = 0};
}

static uint32_t
walk(const uint8_t *region, const struct snp_match_marks *marks, const uint8_t *wire, uint32_t len)
{
	struct snp_match_at at;

	snp_match_begin(region, marks, len, &at);
	while (!snp_match_stride(region, marks, wire, &at))
		;
	return snp_match_end(region, &at);
}

int match_name(const struct match_tables *t, const uint8_t *wire, size_t len,
	       uint32_t index[static SNP_MATCH_BANKS])
{
	struct snp_match_marks marks;

	memset(index, 0, SNP_MATCH_BANKS * sizeof(*index));
	if (!len || len > SNP_NAME_MAX || snp_match_mark(&marks, wire, (__u32)len))
		return -EINVAL;
	for (size_t i = 0; i < t->n_banks; i++)
		index[i] = walk(t->banks[i].region, &marks, wire, (uint32_t)len);
	return 0;
}
