/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_selectors.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"

struct written {
	const struct policy_selector *s;
	size_t order;
	enum policy_use use;
	bool again;	 /* it was written before */
	uint32_t number; /* if it was not */
};

static int compare(const char *a, enum policy_selector_kind a_kind, const struct policy_selector *b)
{
	int diff = strcmp(a, b->text);

	return diff ? diff : (int)a_kind - (int)b->kind;
}

static int by_order(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static int by_spelling(const void *a, const void *b)
{
	const struct written *x = a, *y = b;
	int diff = compare(x->s->text, x->s->kind, y->s);

	return diff ? diff : by_order(a, b);
}

static size_t put(struct written *to, size_t n, const struct policy_selector *list, size_t n_list,
		  enum policy_use use)
{
	for (size_t i = 0; i < n_list; i++, n++)
		if (to)
			to[n] = (struct written){.s = &list[i], .order = n, .use = use};
	return n;
}

/* All of them into to, where that is not NULL. Returns how many. */
static size_t put_all(const struct policy *p, struct written *to)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_specs; i++)
		for (size_t k = 0; k < p->specs[i].n_rules; k++) {
			const struct policy_rule *r = &p->specs[i].rules[k];

			n = put(to, n, r->fqdns, r->n_fqdns, POLICY_USE_FQDN);
			n = put(to, n, r->dns, r->n_dns, POLICY_USE_DNS);
		}
	return n;
}

/* all is by spelling: of each, the uses go to the one written first. */
static void join(struct written *all, size_t n)
{
	struct written *first = all;

	for (size_t i = 1; i < n; i++) {
		all[i].again = !compare(first->s->text, first->s->kind, all[i].s);
		if (all[i].again)
			first->use |= all[i].use;
		else
			first = &all[i];
	}
}

/* all is by order. */
static void number(struct policy_selectors *s, struct written *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct policy_selector *it = all[i].s;

		if (all[i].again)
			continue;
		all[i].number = (uint32_t)s->n;
		s->list[s->n] = (struct match_selector){.kind = it->kind, .text = it->text};
		s->first[s->n] = it;
		s->uses[s->n++] = all[i].use;
	}
}

/* all is by spelling. */
static void sort_numbers(struct policy_selectors *s, const struct written *all, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!all[i].again)
			s->sorted[k++] = all[i].number;
	for (size_t i = 0, end; i < k; i = end) {
		const char *text = s->list[s->sorted[i]].text;
		uint32_t lowest = s->sorted[i];

		for (end = i; end < k && !strcmp(s->list[s->sorted[end]].text, text); end++)
			lowest = s->sorted[end] < lowest ? s->sorted[end] : lowest;
		for (size_t j = i; j < end; j++)
			s->spelling[s->sorted[j]] = lowest;
	}
}

int policy_selectors_collect(const struct policy *p, struct policy_selectors *out)
{
	SNP_CLEANUP(policy_selectors_fini)
	struct policy_selectors s = {.n = 0};
	size_t n = put_all(p, NULL);
	SNP_CLEANUP(snp_freep)
	struct written *all = calloc(n + 1, sizeof(*all));

	s.list = calloc(n + 1, sizeof(*s.list));
	s.first = calloc(n + 1, sizeof(*s.first));
	s.uses = calloc(n + 1, sizeof(*s.uses));
	s.spelling = calloc(n + 1, sizeof(*s.spelling));
	s.sorted = calloc(n + 1, sizeof(*s.sorted));
	if (!all || !s.list || !s.first || !s.uses || !s.spelling || !s.sorted)
		return -ENOMEM;
	put_all(p, all);
	qsort(all, n, sizeof(*all), by_spelling);
	join(all, n);
	qsort(all, n, sizeof(*all), by_order);
	number(&s, all, n);
	qsort(all, n, sizeof(*all), by_spelling);
	sort_numbers(&s, all, n);
	*out = s;
	s = (struct policy_selectors){.n = 0};
	return 0;
}

void policy_selectors_fini(struct policy_selectors *s)
{
	free(s->list);
	free(s->first);
	free(s->uses);
	free(s->spelling);
	free(s->sorted);
	*s = (struct policy_selectors){.n = 0};
}

uint32_t
policy_selectors_number(const struct policy_selectors *s, const struct policy_selector *selector)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct match_selector *it = &s->list[s->sorted[middle]];

		if (compare(it->text, it->kind, selector) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	assert(low < s->n);
	return s->sorted[low];
}
