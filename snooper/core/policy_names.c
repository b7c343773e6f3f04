/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"

static int index_for(struct policy_names *names, uint32_t selector)
{
	size_t n = names->n_selectors ? names->n_selectors : 64;
	uint32_t *more;

	while (n <= selector)
		n *= 2;
	if (n == names->n_selectors)
		return 0;
	more = realloc(names->by_selector, n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + names->n_selectors, 0, (n - names->n_selectors) * sizeof(*more));
	names->by_selector = more;
	names->n_selectors = n;
	return 0;
}

static struct policy_name *name_of(struct policy_names *names, struct policy_ids *ids,
				   const struct policy_selector *s, int *error)
{
	uint32_t selector = policy_ids_selector(ids, s->kind, s->text);
	struct policy_name *more;

	*error = policy_ids_selectors_full(ids) ? -E2BIG : -ENOMEM;
	if (selector)
		*error = index_for(names, selector);
	if (*error)
		return NULL;
	if (names->by_selector[selector])
		return &names->at[names->by_selector[selector] - 1];
	if (names->n == names->room) {
		size_t room = names->room ? names->room * 2 : 64;

		more = realloc(names->at, room * sizeof(*more));
		*error = more ? 0 : -ENOMEM;
		if (!more)
			return NULL;
		names->at = more;
		names->room = room;
	}
	names->at[names->n] = (struct policy_name){
		.kind = s->kind,
		.text = policy_ids_text(ids, selector, NULL),
		.selector = selector,
	};
	names->by_selector[selector] = ++names->n;
	return &names->at[names->n - 1];
}

static int add(struct policy_names *names, struct policy_ids *ids, const struct policy_selector *s,
	       enum policy_side side, bool fqdn)
{
	int e;
	struct policy_name *n = name_of(names, ids, s, &e);
	struct policy_use *use;

	if (!n)
		return e;
	use = &n->in[side];
	if (!use->fqdn && !use->dns) {
		use->at = s->at;
		names->of[side]++;
	}
	use->fqdn |= fqdn;
	use->dns |= !fqdn;
	n->fqdn |= fqdn;
	n->dns |= !fqdn;
	return 0;
}

static int add_rule(struct policy_names *names, struct policy_ids *ids,
		    const struct policy_rule *rule, enum policy_side side)
{
	int e = 0;

	for (size_t i = 0; i < rule->n_fqdns && !e; i++)
		e = add(names, ids, &rule->fqdns[i], side, true);
	for (size_t i = 0; i < rule->n_dns && !e; i++)
		e = add(names, ids, &rule->dns[i], side, false);
	return e;
}

int policy_names_add(struct policy_names *names, struct policy_ids *ids, const struct policy *p,
		     enum policy_side side)
{
	int e = 0;

	for (size_t i = 0; p && i < p->n_specs && !e; i++)
		for (size_t j = 0; j < p->specs[i].n_rules && !e; j++)
			e = add_rule(names, ids, &p->specs[i].rules[j], side);
	return e;
}

int policy_names_find(const struct policy_names *names, const struct policy_ids *ids,
		      const struct policy_selector *s, size_t *at)
{
	uint32_t selector = 0;
	int e = policy_ids_find(ids, s->kind, s->text, &selector);

	if (e == -ENOMEM)
		return e;
	assert(!e && selector < names->n_selectors && names->by_selector[selector]);
	*at = names->by_selector[selector] - 1;
	return 0;
}

int policy_names_match(const struct policy_names *names, struct match_tables *automata,
		       struct match_problems *problems)
{
	SNP_CLEANUP(snp_freep)
	struct match_selector *list = calloc(names->n + 1, sizeof(*list));

	*problems = (struct match_problems){.n = 0};
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++)
		list[i] = (struct match_selector){names->at[i].kind, names->at[i].text};
	return match_compile(list, names->n, automata, problems);
}

void policy_names_fini(struct policy_names *names)
{
	free(names->at);
	free(names->by_selector);
	*names = (struct policy_names){0};
}
