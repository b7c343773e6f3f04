/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_beside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/policy_blob.h"

/* What is made of them: the next one's banks come first, so that an index in them is the same on both sides. */
struct joining {
	const struct policy_made *next;
	const struct policy_earlier *was;
	struct snp_policy_head head;
	struct policy_blob blob;
	bool is_next[SNP_MATCH_BANKS]; /* the earlier bank is one of the next one's as well */
};

static size_t bank_bytes(const uint8_t *region)
{
	return ((const struct snp_match_head *)region)->bytes;
}

static bool gives_the_same(const struct joining *j, uint32_t earlier, uint32_t bank)
{
	const uint8_t *next = j->next->tables[POLICY_NEXT];
	size_t n = j->next->automata.banks[bank].n_sets;

	for (uint32_t i = 1; i < n; i++)
		if (snp_out_at(j->was->tables, earlier, i)->identity !=
		    snp_out_at(next, bank, i)->identity)
			return false;
	return true;
}

/* The earlier bank that is the next one's `bank`, byte by byte; n_banks: none is. */
static uint32_t same_bank(const struct joining *j, uint32_t bank)
{
	const struct match_bank *b = &j->next->automata.banks[bank];
	uint32_t n = snp_policy_head(j->was->tables)->n_banks;

	for (uint32_t i = 0; i < n; i++)
		if (!j->is_next[i] && bank_bytes(j->was->banks[i]) == b->bytes &&
		    !memcmp(j->was->banks[i], b->region, b->bytes) && gives_the_same(j, i, bank))
			return i;
	return n;
}

/* Identities alone: which questions are allowed is for the earlier ones to say. */
static uint32_t add_outs(struct joining *j, uint32_t bank)
{
	size_t n = j->next->automata.banks[bank].n_sets;
	uint32_t at = policy_blob_add(&j->blob, n * sizeof(struct snp_out));

	for (uint32_t i = 1; i < n && !j->blob.error; i++)
		policy_blob_at(&j->blob, struct snp_out, at)[i].identity =
			snp_out_at(j->next->tables[POLICY_NEXT], bank, i)->identity;
	return at;
}

static int join_banks(struct joining *j, uint8_t *others[static SNP_MATCH_BANKS], size_t *n_others)
{
	const struct snp_policy_head *was = snp_policy_head(j->was->tables);

	j->head.n_banks = (uint32_t)j->next->automata.n_banks;
	for (uint32_t i = 0; i < j->head.n_banks; i++) {
		uint32_t same = same_bank(j, i);

		if (same < was->n_banks)
			j->is_next[same] = true;
		j->head.outs_at[i] = same < was->n_banks ? was->outs_at[same] : add_outs(j, i);
	}
	for (uint32_t i = 0; i < was->n_banks; i++) {
		if (j->is_next[i])
			continue;
		if (j->head.n_banks == SNP_MATCH_BANKS)
			return -E2BIG;
		others[(*n_others)++] = j->was->banks[i];
		j->head.outs_at[j->head.n_banks++] = was->outs_at[i];
	}
	return j->blob.error;
}

/* A class of their own, behind the others: it denies by default, and nothing is allowed to it. */
static int shut_out_strangers(struct joining *j)
{
	const uint8_t *next = j->next->tables[POLICY_NEXT];
	uint32_t class_of[SNP_ENDPOINTS_MAX], end = 1;
	struct snp_class *classes;

	memcpy(class_of, j->blob.bytes + j->head.class_of_at, sizeof(class_of));
	for (size_t i = 0; i < SNP_ENDPOINTS_MAX; i++)
		if (class_of[i] >= end)
			end = class_of[i] + 1;
	j->head.classes_at = policy_blob_add(&j->blob, (end + 1) * sizeof(*classes));
	if (j->blob.error)
		return j->blob.error;
	classes = policy_blob_at(&j->blob, struct snp_class, j->head.classes_at);
	for (uint32_t i = 0; i < end; i++)
		classes[i] = *snp_class_at(j->was->tables, i);
	classes[end].flags = SNP_CLASS_DEFAULT_DENY | SNP_CLASS_DNS;
	for (size_t i = 0; i < j->was->n_strangers; i++)
		if (!next || snp_policy_class(next, j->was->strangers[i]))
			class_of[SNP_ENDPOINT_PLACE(j->was->strangers[i])] = end;
	memcpy(j->blob.bytes + j->head.class_of_at, class_of, sizeof(class_of));
	return 0;
}

/* A whole region, as its readers want it. */
static uint8_t *region_of(const struct joining *j)
{
	uint8_t *region = calloc(1, SNP_REGION_BYTES);

	if (!region)
		return NULL;
	memcpy(region, j->blob.bytes, j->blob.len);
	memcpy(region, &j->head, sizeof(j->head));
	return region;
}

static int
join(struct joining *j, uint32_t generation, struct match_tables *others, uint8_t **tables)
{
	uint8_t *banks[SNP_MATCH_BANKS];
	size_t n = 0;
	int e;

	policy_blob_init(&j->blob, j->head.bytes);
	if (!j->blob.error)
		memcpy(j->blob.bytes, j->was->tables, j->head.bytes);
	e = join_banks(j, banks, &n);
	if (!e && j->was->n_strangers)
		e = shut_out_strangers(j);
	j->head.generation = generation;
	j->head.bytes = (uint32_t)j->blob.len;
	if (!e) {
		*tables = region_of(j);
		e = *tables ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < n && !e; i++)
		others->banks[others->n_banks++] =
			(struct match_bank){.region = banks[i], .bytes = bank_bytes(banks[i])};
	return e;
}

int policy_beside(struct policy_made *m, struct policy_earlier *was, uint32_t generation)
{
	const struct snp_policy_head *head = snp_policy_head(was->tables);
	struct joining j = {.next = m, .was = was, .head = *head};
	int e;

	if (head->bytes < sizeof(*head) || head->bytes > SNP_REGION_BYTES ||
	    head->n_banks > SNP_MATCH_BANKS)
		return -E2BIG;
	e = join(&j, generation, &m->beside, &m->tables[POLICY_BEFORE]);
	policy_blob_fini(&j.blob);
	if (e)
		return e;
	m->n_tables[POLICY_BEFORE] = j.head.bytes;
	for (size_t i = 0; i < head->n_banks; i++)
		if (!j.is_next[i])
			was->banks[i] = NULL;
	return 0;
}

void policy_earlier_fini(struct policy_earlier *was)
{
	for (size_t i = 0; i < SNP_MATCH_BANKS; i++)
		free(was->banks[i]);
}
