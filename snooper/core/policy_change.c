/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"

SNP_ASSERT(POLICY_IDS_BYTES == 4194300, "as the message and the manual say");

static int refuse(struct policy_refusal *why, int e, const char *text)
{
	snprintf(why->text, sizeof(why->text), "%s", text);
	return e;
}

/* The selectors of both policies, and one automaton of them all. */
static int gather(struct policy_made *m, const struct policy *before, const struct policy *next)
{
	SNP_CLEANUP(match_problems_fini)
	struct match_problems problems = {.n = 0};
	int e = policy_names_add(&m->names, m->ids, before, POLICY_BEFORE);

	if (!e)
		e = policy_names_add(&m->names, m->ids, next, POLICY_NEXT);
	return e ? e : policy_names_match(&m->names, &m->automata, &problems);
}

int policy_change_tables(struct policy_made *m, const struct policy_input *in, uint8_t **tables,
			 size_t *n, struct policy_refusal *why)
{
	SNP_CLEANUP(snp_freep)
	uint8_t *some = NULL;
	struct policy_input of = *in;
	const char *reason = "out of memory";
	uint8_t *whole;
	size_t len;
	int e;

	of.names = &m->names;
	of.automata = &m->automata;
	e = policy_compile(&of, m->ids, &some, &len, &reason);
	if (e)
		return refuse(why, e, reason);
	whole = calloc(1, SNP_REGION_BYTES); /* what is not written costs nothing */
	if (!whole)
		return refuse(why, -ENOMEM, "out of memory");
	memcpy(whole, some, len);
	*tables = whole;
	*n = len;
	return 0;
}

static bool is_in_names(void *ctx, uint32_t selector)
{
	const struct policy_names *names = ctx;

	return selector < names->n_selectors && names->by_selector[selector];
}

/* What is kept has to fit: withdrawn selectors go, if they must, and their numbers with them. */
static int fit_kept(struct policy_made *m, struct policy_refusal *why)
{
	struct policy_ids_size size = policy_ids_size(m->ids);

	if (size.bytes > POLICY_IDS_BYTES) {
		policy_ids_trim(m->ids, is_in_names, &m->names);
		size = policy_ids_size(m->ids);
	}
	if (size.bytes <= POLICY_IDS_BYTES)
		return 0;
	snprintf(why->text, sizeof(why->text),
		 "more selectors than can be kept over a restart: %zu, and the %zu sets of them "
		 "that "
		 "names match, take %zu bytes of 4194300",
		 size.selectors, size.identities, size.bytes);
	return -E2BIG;
}

static int make_both(struct policy_made *m, const struct policy_input *before,
		     const struct policy_input *next, struct policy_refusal *why)
{
	int e = gather(m, before ? before->policy : NULL, next->policy);

	if (e)
		return refuse(why, e, e == -E2BIG ? "selectors do not fit" : "out of memory");
	if (before)
		e = policy_change_tables(m, before, &m->tables[POLICY_BEFORE],
					 &m->n_tables[POLICY_BEFORE], why);
	if (!e)
		e = policy_change_tables(m, next, &m->tables[POLICY_NEXT],
					 &m->n_tables[POLICY_NEXT], why);
	return e ? e : fit_kept(m, why);
}

static int make(const struct policy_ids *ids, const struct policy_input *before,
		const struct policy_input *next, struct policy_made *m, struct policy_refusal *why)
{
	int e;

	*m = (struct policy_made){.ids = policy_ids_copy(ids)};
	e = m->ids ? make_both(m, before, next, why) : refuse(why, -ENOMEM, "out of memory");
	if (e)
		policy_made_fini(m);
	return e;
}

int policy_change_make(const struct policy_ids *ids, const struct policy_input *before,
		       const struct policy_input *next, struct policy_made *out,
		       struct policy_refusal *why)
{
	struct policy_made m;
	int e = make(ids, before, next, &m, why);

	/* Without the step between, what was learned may have to wait for a moment. */
	if (e == -E2BIG && before)
		e = make(ids, NULL, next, &m, why);
	if (!e)
		*out = m;
	return e;
}

void policy_made_fini(struct policy_made *m)
{
	policy_names_fini(&m->names);
	match_tables_fini(&m->automata);
	match_tables_fini(&m->beside);
	policy_ids_free(m->ids);
	for (size_t i = 0; i < POLICY_SIDES; i++)
		free(m->tables[i]);
	*m = (struct policy_made){.ids = NULL};
}
