/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_dfa.c - subset construction: a state is the set of nodes that a name can be at.
 *
 * Nearly all nodes lead on by one symbol or by every character of a label. The
 * latter are taken together, once a state, so that a state costs little more than
 * the symbols in which it differs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_priv.h"

/*
 * Nodes looked at for each entry that there may be: it is 4 for what people write. Beyond,
 * patience and memory end before the region is full.
 */
#define WORK_AN_ENTRY 12

struct list {
	uint32_t *at;
	size_t n, room;
};

struct making {
	struct match_dfa *d;
	const struct match_nfa *a;
	struct match_sets *outs;
	struct list to[MATCH_SYMS]; /* by symbol; by 0: what every character leads to */
	struct list set;	    /* the one being made */
	uint32_t *seen;		    /* by node: the number of the set it was last put into */
	uint32_t stamp;
	size_t max_entries, work;
};

static int push(struct list *l, uint32_t value)
{
	uint32_t *at = match_room(l->at, sizeof(*at), l->n + 1, &l->room);

	if (!at)
		return -ENOMEM;
	l->at = at;
	at[l->n++] = value;
	return 0;
}

/* Shell's: lists are short, and nearly in order. */
static void sort(uint32_t *list, size_t n)
{
	static const size_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};

	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
		for (size_t i = gaps[g]; i < n; i++) {
			uint32_t x = list[i];
			size_t j = i;

			for (; j >= gaps[g] && list[j - gaps[g]] > x; j -= gaps[g])
				list[j] = list[j - gaps[g]];
			list[j] = x;
		}
}

/* The nodes of more, and where they lead without reading, into the set. */
static int gather(struct making *m, const struct list *more)
{
	size_t done = m->set.n;

	for (size_t i = 0; i < more->n; i++)
		if (m->seen[more->at[i]] != m->stamp) {
			m->seen[more->at[i]] = m->stamp;
			if (push(&m->set, more->at[i]))
				return -ENOMEM;
		}
	for (; done < m->set.n; done++) {
		uint32_t e = m->a->nodes[m->set.at[done]].edges;

		for (; e; e = m->a->edges[e].next) {
			const struct nfa_edge *edge = &m->a->edges[e];

			if (edge->on || m->seen[edge->to] == m->stamp)
				continue;
			m->seen[edge->to] = m->stamp;
			if (push(&m->set, edge->to))
				return -ENOMEM;
		}
	}
	return 0;
}

/* Is there a later star of the same label in the set, which is all that this node leads to? */
static bool is_overtaken(const struct making *m, uint32_t node)
{
	for (uint32_t s = m->a->nodes[node].next_star; s; s = m->a->nodes[s].next_star)
		if (m->seen[s] == m->stamp)
			return true;
	return false;
}

static int new_state(struct making *m, uint32_t number)
{
	struct match_dfa *d = m->d;
	struct dfa_state *states =
		match_room(d->states, sizeof(*states), number + 1, &d->states_room);

	if (!states)
		return -ENOMEM;
	d->states = states;
	states[number] = (struct dfa_state){.ends = false};
	return 0;
}

/* The state that is these nodes and those. Negative: -ENOMEM, or -E2BIG. */
static int64_t state_of(struct making *m, const struct list *some, const struct list *others)
{
	size_t kept = 0;
	bool is_new;
	int64_t i;
	int err;

	m->stamp++;
	m->set.n = 0;
	if (gather(m, some) || (others && gather(m, others)))
		return -ENOMEM;
	for (size_t k = 0; k < m->set.n; k++)
		if (!m->a->nodes[m->set.at[k]].idle && !is_overtaken(m, m->set.at[k]))
			m->set.at[kept++] = m->set.at[k];
	m->work += m->set.n;
	if (m->work > m->max_entries * WORK_AN_ENTRY)
		return -E2BIG;
	sort(m->set.at, kept);
	i = match_sets_put(&m->d->sets, m->set.at, kept, &is_new);
	err = i >= 0 && is_new ? new_state(m, (uint32_t)i) : 0;
	return err ? err : i;
}

/* What a name that ends in the state matches. */
static int put_out(struct making *m, struct dfa_state *state, const uint32_t *nodes, size_t n)
{
	size_t kept = 0;
	bool is_new;
	int64_t set;

	m->set.n = 0;
	for (size_t i = 0; i < n; i++)
		for (uint32_t o = m->a->nodes[nodes[i]].outs; o; o = m->a->outs[o].next)
			if (push(&m->set, m->a->outs[o].selector))
				return -ENOMEM;
	if (!m->set.n)
		return 0;
	sort(m->set.at, m->set.n);
	for (size_t i = 0; i < m->set.n; i++) /* a regular expression may end in several nodes */
		if (!kept || m->set.at[kept - 1] != m->set.at[i])
			m->set.at[kept++] = m->set.at[i];
	set = match_sets_put(m->outs, m->set.at, kept, &is_new);
	if (set < 0)
		return -ENOMEM;
	state->out = (uint32_t)set;
	m->d->entries++;
	return 0;
}

/* Sort the edges of the state's nodes by symbol. Returns the symbols that are not as all others. */
static int64_t spread(struct making *m, const uint32_t *nodes, size_t n)
{
	uint64_t differ = 0;

	for (size_t s = 0; s < MATCH_SYMS; s++)
		m->to[s].n = 0;
	for (size_t i = 0; i < n; i++)
		for (uint32_t e = m->a->nodes[nodes[i]].edges; e; e = m->a->edges[e].next) {
			uint64_t on = m->a->edges[e].on;

			if ((on & MATCH_CHARS) == MATCH_CHARS) {
				if (push(&m->to[0], m->a->edges[e].to))
					return -ENOMEM;
				on &= MATCH_ON(MATCH_DOT);
			}
			differ |= on;
			for (; on; on &= on - 1)
				if (push(&m->to[__builtin_ctzll(on)], m->a->edges[e].to))
					return -ENOMEM;
		}
	return (int64_t)differ;
}

/* The state that most characters lead to; `all`: where those that do not differ lead. */
static uint32_t most_frequent(const uint32_t to[MATCH_SYMS], uint64_t differ, uint32_t all)
{
	size_t best = 0;
	uint32_t which = all;

	if (2 * __builtin_popcountll(differ & MATCH_CHARS) <= MATCH_SYMS - MATCH_DOT - 1)
		return all;
	for (size_t i = MATCH_DOT + 1; i < MATCH_SYMS; i++) {
		size_t n = 0;

		for (size_t k = i; k < MATCH_SYMS; k++)
			n += to[k] == to[i];
		if (n > best) {
			best = n;
			which = to[i];
		}
	}
	return which;
}

static int put_row(struct making *m, uint32_t i, const uint32_t to[MATCH_SYMS], uint32_t fallback)
{
	struct match_dfa *d = m->d;
	uint32_t *rows = match_room(d->rows, sizeof(*rows), d->n_rows + MATCH_SYMS, &d->rows_room);

	if (!rows)
		return -ENOMEM;
	d->rows = rows;
	d->states[i].fallback = fallback;
	d->states[i].dot = to[MATCH_DOT];
	d->states[i].row = (uint32_t)d->n_rows;
	for (uint32_t s = MATCH_DOT + 1; s < MATCH_SYMS; s++)
		if (to[s] != fallback)
			rows[d->n_rows++] = s << 24 | to[s];
	d->states[i].n_row = (uint32_t)d->n_rows - d->states[i].row;
	/* A row takes a place even when it is empty. */
	m->d->entries += d->states[i].n_row ? d->states[i].n_row : 1;
	return 0;
}

static void mark_reached(struct match_dfa *d, const uint32_t to[MATCH_SYMS])
{
	d->states[to[MATCH_DOT]].ends = true;
	for (size_t s = MATCH_DOT + 1; s < MATCH_SYMS; s++)
		d->states[to[s]].inside = true;
}

static int expand(struct making *m, uint32_t i)
{
	uint32_t to[MATCH_SYMS];
	const uint32_t *nodes;
	size_t n;
	int64_t differ, all, one;
	int err;

	nodes = match_sets_get(&m->d->sets, i, &n);
	err = put_out(m, &m->d->states[i], nodes, n);
	if (err)
		return err;
	differ = spread(m, nodes, n);
	if (differ < 0)
		return (int)differ;
	all = state_of(m, &m->to[0], NULL);
	if (all < 0)
		return (int)all;
	for (size_t s = MATCH_DOT; s < MATCH_SYMS; s++) {
		to[s] = s == MATCH_DOT ? 0 : (uint32_t)all;
		if (!((uint64_t)differ & MATCH_ON(s)))
			continue;
		one = state_of(m, &m->to[s], s == MATCH_DOT ? NULL : &m->to[0]);
		if (one < 0)
			return (int)one;
		to[s] = (uint32_t)one;
	}
	mark_reached(m->d, to);
	return put_row(m, i, to, most_frequent(to, (uint64_t)differ, (uint32_t)all));
}

static int make(struct making *m)
{
	uint32_t start = 0;
	struct list from = {.at = &start, .n = 1};
	int64_t first;
	int err = new_state(m, 0);

	if (err)
		return err;
	first = state_of(m, &from, NULL);
	if (first < 0)
		return (int)first;
	m->d->start = (uint32_t)first;
	m->d->states[first].ends = true;
	for (uint32_t i = 1; i < m->d->sets.n; i++) {
		err = expand(m, i);
		if (err)
			return err;
		if (m->d->entries > m->max_entries || m->d->sets.n > MATCH_ROW_STATE)
			return -E2BIG;
	}
	return 0;
}

int match_dfa_make(struct match_dfa *d, const struct match_nfa *a, struct match_sets *outs,
		   size_t max_entries)
{
	struct making m = {.d = d, .a = a, .outs = outs, .max_entries = max_entries};
	int err;

	*d = (struct match_dfa){.start = 0};
	err = match_sets_init(&d->sets);
	m.seen = calloc(a->n_nodes, sizeof(*m.seen));
	if (!err)
		err = m.seen ? make(&m) : -ENOMEM;
	for (size_t s = 0; s < MATCH_SYMS; s++)
		free(m.to[s].at);
	free(m.set.at);
	free(m.seen);
	if (err)
		match_dfa_fini(d);
	return err;
}

void match_dfa_fini(struct match_dfa *d)
{
	match_sets_fini(&d->sets);
	free(d->states);
	free(d->rows);
	*d = (struct match_dfa){.start = 0};
}
