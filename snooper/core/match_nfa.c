/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* match_nfa.c - patterns as one tree over reversed names, with a node that goes round for each star. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_priv.h"

unsigned int match_symbol(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (c == '-')
		return MATCH_DOT + 1;
	if (c == '_')
		return MATCH_DOT + 2;
	if (c >= '0' && c <= '9')
		return MATCH_DOT + 3 + (c - '0');
	if (c >= 'a' && c <= 'z')
		return MATCH_DOT + 13 + (c - 'a');
	return 0;
}

uint32_t match_nfa_node(struct match_nfa *a, enum nfa_kind kind)
{
	struct nfa_node *nodes =
		match_room(a->nodes, sizeof(*nodes), a->n_nodes + 1, &a->nodes_room);

	if (!nodes) {
		a->err = -ENOMEM;
		return 0;
	}
	a->nodes = nodes;
	nodes[a->n_nodes] = (struct nfa_node){.kind = kind};
	return (uint32_t)a->n_nodes++;
}

void match_nfa_edge(struct match_nfa *a, uint32_t from, uint64_t on, uint32_t to)
{
	struct nfa_edge *edges =
		match_room(a->edges, sizeof(*edges), a->n_edges + 1, &a->edges_room);

	if (!edges || a->err) {
		a->err = -ENOMEM;
		return;
	}
	a->edges = edges;
	edges[a->n_edges] = (struct nfa_edge){.on = on, .to = to, .next = a->nodes[from].edges};
	a->nodes[from].edges = (uint32_t)a->n_edges++;
}

void match_nfa_out(struct match_nfa *a, uint32_t node, uint32_t selector)
{
	struct nfa_out *outs = match_room(a->outs, sizeof(*outs), a->n_outs + 1, &a->outs_room);

	if (!outs || a->err) {
		a->err = -ENOMEM;
		return;
	}
	a->outs = outs;
	outs[a->n_outs] = (struct nfa_out){.selector = selector, .next = a->nodes[node].outs};
	a->nodes[node].outs = (uint32_t)a->n_outs++;
}

int match_nfa_init(struct match_nfa *a)
{
	/* Number 0 of the others is none. */
	*a = (struct match_nfa){.n_edges = 1, .n_outs = 1};
	match_nfa_node(a, NFA_PLAIN);
	return a->err;
}

void match_nfa_fini(struct match_nfa *a)
{
	free(a->nodes);
	free(a->edges);
	free(a->outs);
	*a = (struct match_nfa){.n_nodes = 0};
}

/* The node of that kind that `from` leads to on just these symbols; made where there is none yet. */
static uint32_t follow(struct match_nfa *a, uint32_t from, uint64_t on, enum nfa_kind kind)
{
	uint32_t to;

	for (uint32_t e = a->nodes[from].edges; e; e = a->edges[e].next)
		if (a->edges[e].on == on && a->edges[e].to != from &&
		    a->nodes[a->edges[e].to].kind == kind)
			return a->edges[e].to;
	to = match_nfa_node(a, kind);
	if (kind == NFA_STAR)
		match_nfa_edge(a, to, MATCH_CHARS, to);
	if (kind == NFA_ALL)
		match_nfa_edge(a, to, MATCH_ANY, to);
	match_nfa_edge(a, from, on, to);
	return to;
}

/* n characters of a pattern, from the last to the first; and the dot before them. */
static uint32_t follow_text(struct match_nfa *a, const char *text, size_t n)
{
	uint32_t at = 0;

	while (n--) {
		if (text[n] == '.')
			at = follow(a, at, MATCH_ON(MATCH_DOT), NFA_PLAIN);
		else if (text[n] != '*')
			at = follow(a, at, MATCH_ON(match_symbol((uint8_t)text[n])), NFA_PLAIN);
		else if (text[n + 1] != '*') /* the last one of a run */
			at = follow(a, at, 0, NFA_STAR);
	}
	return follow(a, at, MATCH_ON(MATCH_DOT), NFA_PLAIN);
}

void match_nfa_add_pattern(struct match_nfa *a, const char *text, uint32_t selector)
{
	size_t n = strlen(text), stars = strspn(text, "*");
	uint32_t at;

	if (text[n - 1] == '.')
		n--;
	if (!n) /* the root */
		at = 0;
	else if (stars == n)
		at = follow(a, 0, 0, NFA_ALL);
	else if (stars >= 2 && text[stars] == '.')
		at = follow(a, follow_text(a, text + stars + 1, n - stars - 1), MATCH_CHARS,
			    NFA_ALL);
	else
		at = follow_text(a, text, n);
	match_nfa_out(a, at, selector);
}

/*
 * The star that all ways from a pattern's node lead to before its label begins. Whoever
 * is at that star already needs nothing of what this node waits for.
 */
static uint32_t next_star(const struct match_nfa *a, uint32_t i)
{
	const struct nfa_node *node = &a->nodes[i];
	const struct nfa_edge *way = NULL;

	if (node->kind == NFA_REGEX || node->kind == NFA_ALL || node->outs)
		return 0;
	for (uint32_t e = node->edges; e; e = a->edges[e].next) {
		if (a->edges[e].to == i)
			continue;
		if (way)
			return 0;
		way = &a->edges[e];
	}
	if (!way || way->on & MATCH_ON(MATCH_DOT))
		return 0;
	return a->nodes[way->to].kind == NFA_STAR ? way->to : a->nodes[way->to].next_star;
}

void match_nfa_finish(struct match_nfa *a)
{
	/* Ways of patterns lead to nodes made later. */
	for (uint32_t i = (uint32_t)a->n_nodes; i-- > 0;) {
		struct nfa_node *node = &a->nodes[i];

		node->next_star = next_star(a, i);
		node->idle = !node->outs;
		for (uint32_t e = node->edges; e; e = a->edges[e].next)
			node->idle = node->idle && !a->edges[e].on;
	}
}
