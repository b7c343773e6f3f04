/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy_names.c - every selector of one or two policies, once. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/policy_compile.h"

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
		.at = s->at,
	};
	names->by_selector[selector] = ++names->n;
	return &names->at[names->n - 1];
}

static int
add_rule(struct policy_names *names, struct policy_ids *ids, const struct policy_rule *rule)
{
	int e = 0;

	for (size_t i = 0; i < rule->n_fqdns; i++) {
		struct policy_name *n = name_of(names, ids, &rule->fqdns[i], &e);

		if (!n)
			return e;
		n->fqdn = true;
	}
	for (size_t i = 0; i < rule->n_dns; i++) {
		struct policy_name *n = name_of(names, ids, &rule->dns[i], &e);

		if (!n)
			return e;
		n->dns = true;
	}
	return 0;
}

int policy_names_add(struct policy_names *names, struct policy_ids *ids, const struct policy *p)
{
	int e;

	for (size_t i = 0; p && i < p->n_specs; i++)
		for (size_t j = 0; j < p->specs[i].n_rules; j++) {
			e = add_rule(names, ids, &p->specs[i].rules[j]);
			if (e)
				return e;
		}
	return 0;
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

static int mark(struct policy_names *names, const struct policy_ids *ids,
		const struct policy_selector *s, bool fqdn)
{
	struct policy_name *n;
	size_t at;
	int e = policy_names_find(names, ids, s, &at);

	if (e)
		return e;
	n = &names->at[at];
	e = !n->fqdn_now && !n->dns_now;
	if (e)
		n->at = s->at;
	n->fqdn_now |= fqdn;
	n->dns_now |= !fqdn;
	return e;
}

static int
mark_rule(struct policy_names *names, const struct policy_ids *ids, const struct policy_rule *rule)
{
	int e = 0, n = 0;

	for (size_t i = 0; i < rule->n_fqdns && e >= 0; i++, n += e > 0)
		e = mark(names, ids, &rule->fqdns[i], true);
	for (size_t i = 0; i < rule->n_dns && e >= 0; i++, n += e > 0)
		e = mark(names, ids, &rule->dns[i], false);
	return e < 0 ? e : n;
}

int policy_names_mark(struct policy_names *names, const struct policy_ids *ids,
		      const struct policy *p)
{
	int n = 0;

	for (size_t i = 0; i < names->n; i++)
		names->at[i].fqdn_now = names->at[i].dns_now = false;
	for (size_t i = 0; p && i < p->n_specs; i++)
		for (size_t j = 0; j < p->specs[i].n_rules; j++) {
			int e = mark_rule(names, ids, &p->specs[i].rules[j]);

			if (e < 0)
				return e;
			n += e;
		}
	return n;
}

void policy_names_fini(struct policy_names *names)
{
	free(names->at);
	free(names->by_selector);
	*names = (struct policy_names){0};
}
