/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_plan.c - which selectors have to be kept apart, and how many fit beside each other.
 *
 * Two stars in a label, as in *mid*.example.com, mean that "mid" was seen has to be
 * remembered till the label begins. n of them under one suffix make 2 to the power of n
 * states of it, whatever else there is. They are a group, and so are regular expressions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "snooper/core/match_priv.h"

/* Right of the label nearest to the end that has two stars or more with something between; or NULL. */
static const char *suffix_of(const char *text)
{
	const char *found = NULL, *label = text;

	while (*label) {
		size_t len = strcspn(label, "."), runs = 0;

		for (size_t i = 0; i < len; i++)
			runs += label[i] == '*' && (!i || label[i - 1] != '*');
		label += len + (label[len] == '.');
		if (runs > 1)
			found = label;
	}
	return found;
}

struct member {
	const char *suffix; /* "/" of a regular expression */
	size_t len;
	uint32_t selector;
};

static int same_suffix(const struct member *x, const struct member *y)
{
	int diff = strncasecmp(x->suffix, y->suffix, x->len < y->len ? x->len : y->len);

	return diff ? diff : (x->len > y->len) - (x->len < y->len);
}

static int by_suffix(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int diff = same_suffix(x, y);

	return diff ? diff : (x->selector > y->selector) - (x->selector < y->selector);
}

static size_t find_members(const struct match_plan *p, struct member *members)
{
	size_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct match_selector *s = &p->selectors[i];
		bool regex = s->kind == POLICY_MATCH_REGEX;
		const char *suffix = regex ? "/" : suffix_of(s->text);
		size_t len;

		p->group[i] = MATCH_PLAIN;
		if (!suffix)
			continue;
		len = strlen(suffix);
		if (len && suffix[len - 1] == '.')
			len--;
		members[n++] = (struct member){.suffix = suffix, .len = len, .selector = i};
	}
	return n;
}

static void put_into_groups(struct match_plan *p, const struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &members[i];
		struct match_group *g;
		size_t len = m->len < sizeof(g->suffix) ? m->len : sizeof(g->suffix) - 1;

		if (!i || same_suffix(m - 1, m))
			p->n_groups++;
		g = &p->groups[p->n_groups - 1];
		g->regex = *m->suffix == '/';
		memcpy(g->suffix, m->suffix, g->regex ? 0 : len);
		p->group[m->selector] = (uint32_t)p->n_groups - 1;
		p->rank[m->selector] = (uint32_t)g->n++;
		g->fit = g->n;
	}
}

int match_plan_init(struct match_plan *p, const struct match_selector *s, size_t n)
{
	struct member *members = calloc(n + 1, sizeof(*members));
	size_t n_members;

	*p = (struct match_plan){.selectors = s, .n = n, .n_banks = 1};
	p->group = calloc(n + 1, sizeof(*p->group));
	p->rank = calloc(n + 1, sizeof(*p->rank));
	p->bank = calloc(n + 1, sizeof(*p->bank));
	if (members && p->group && p->rank && p->bank) {
		n_members = find_members(p, members);
		qsort(members, n_members, sizeof(*members), by_suffix);
		p->groups = calloc(n_members + 1, sizeof(*p->groups));
		if (p->groups)
			put_into_groups(p, members, n_members);
	}
	free(members);
	if (p->groups)
		return 0;
	match_plan_fini(p);
	return -ENOMEM;
}

void match_plan_fini(struct match_plan *p)
{
	free(p->group);
	free(p->rank);
	free(p->bank);
	free(p->groups);
	*p = (struct match_plan){.n = 0};
}

/*
 * Do the first n of the group fit beside each other in so many entries? Returns 0 and how many
 * they take, -E2BIG or -ENOMEM.
 */
static int
first_fit(const struct match_plan *p, uint32_t group, size_t n, size_t entries, size_t *taken)
{
	struct match_sets outs = {.n = 0};
	struct match_dfa d = {.start = 0};
	struct match_nfa a;
	int err = match_nfa_init(&a);

	for (uint32_t i = 0; i < p->n; i++)
		if (p->group[i] == group && p->rank[i] < n)
			match_nfa_add(&a, &p->selectors[i], i);
	if (!err)
		err = a.err;
	if (!err)
		err = match_sets_init(&outs);
	if (!err) {
		match_nfa_finish(&a);
		err = match_dfa_make(&d, &a, &outs, entries);
	}
	*taken = d.entries;
	match_dfa_fini(&d);
	match_sets_fini(&outs);
	match_nfa_fini(&a);
	return err;
}

/* *taken: what those that fit take. */
static int measure(struct match_plan *p, uint32_t group, size_t entries, size_t *taken)
{
	struct match_group *g = &p->groups[group];
	size_t low = 0, high = 1, now; /* low fit; high do not, or were not tried */
	int err = 0;

	*taken = 0;
	/* Small steps first: what does not fit costs most. */
	while (low < g->n) {
		err = first_fit(p, group, high, entries, &now);
		if (err)
			break;
		*taken = now;
		low = high;
		high = 2 * high < g->n ? 2 * high : g->n;
	}
	while (err != -ENOMEM && low < g->n && high - low > 1 + low / 8) {
		size_t middle = low + (high - low) / 2;

		err = first_fit(p, group, middle, entries, &now);
		if (err) {
			high = middle;
		} else {
			low = middle;
			*taken = now;
		}
	}
	g->fit = low;
	g->whole = low == g->n;
	return err == -ENOMEM ? err : 0;
}

/* Those that may have to be cut: the members of others have a bank each, if need be. */
static bool is_open(const struct match_group *g)
{
	return g->n > SNP_MATCH_BANKS && !g->whole;
}

int match_plan_measure(struct match_plan *p, size_t entries)
{
	size_t left = 3 * entries, n_open = 0, before, taken;
	int err = 0;

	for (size_t i = 0; i < p->n_groups; i++) {
		p->groups[i].whole = false;
		n_open += is_open(&p->groups[i]);
	}
	/* What small groups leave is shared among the others. */
	do {
		size_t share = left / (n_open + !n_open);

		before = n_open;
		share = share < entries ? share : entries;
		for (uint32_t i = 0; !err && i < p->n_groups; i++) {
			if (!is_open(&p->groups[i]))
				continue;
			err = measure(p, i, share, &taken);
			if (!p->groups[i].whole)
				continue;
			left -= taken < left ? taken : left;
			n_open--;
		}
		if (share == entries)
			break;
	} while (!err && n_open && n_open < before);
	return err;
}
