/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_regex.c - a regular expression into nodes that read it from its end.
 *
 * match_regex_parse.c makes a tree of it. Concatenations are laid out last part
 * first; the rest is as Thompson has it. Repetition by number is copied out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "snooper/core/match_regex.h"

struct laying {
	struct match_nfa *a;
	const struct regex *r;
	size_t first; /* of its nodes */
	bool too_large;
};

static uint32_t new_node(struct laying *l)
{
	if (l->a->n_nodes - l->first >= MATCH_REGEX_NODES) {
		l->too_large = true;
		return 0;
	}
	return match_nfa_node(l->a, NFA_REGEX);
}

static bool gives_up(const struct laying *l)
{
	return l->too_large || l->a->err;
}

static uint32_t lay(struct laying *l, uint32_t part, uint32_t from);

static uint32_t lay_either(struct laying *l, const struct regex_part *p, uint32_t from)
{
	uint32_t one = lay(l, p->a, from), other = lay(l, p->b, from), to = new_node(l);

	if (gives_up(l))
		return 0;
	match_nfa_edge(l->a, one, 0, to);
	match_nfa_edge(l->a, other, 0, to);
	return to;
}

static uint32_t lay_repeat(struct laying *l, const struct regex_part *p, uint32_t from)
{
	uint32_t to;

	for (unsigned int i = 0; i < p->min && !gives_up(l); i++)
		from = lay(l, p->a, from);
	to = new_node(l);
	if (gives_up(l))
		return 0;
	match_nfa_edge(l->a, from, 0, to);
	if (p->max == REGEX_ENDLESS) {
		from = lay(l, p->a, to);
		if (!gives_up(l))
			match_nfa_edge(l->a, from, 0, to);
		return to;
	}
	for (unsigned int i = p->min; i < p->max && !gives_up(l); i++) {
		from = lay(l, p->a, from);
		if (!gives_up(l))
			match_nfa_edge(l->a, from, 0, to);
	}
	return to;
}

/* Returns the node after the part. */
static uint32_t lay(struct laying *l, uint32_t part, uint32_t from)
{
	const struct regex_part *p = &l->r->parts[part];
	uint32_t to;

	if (gives_up(l))
		return 0;
	switch (p->op) {
	case REGEX_SYMBOL:
		to = new_node(l);
		if (!gives_up(l))
			match_nfa_edge(l->a, from, p->on, to);
		return to;
	case REGEX_THEN:
		return lay(l, p->a, lay(l, p->b, from));
	case REGEX_EITHER:
		return lay_either(l, p, from);
	case REGEX_REPEAT:
		return lay_repeat(l, p, from);
	default:
		return from;
	}
}

/* Does it match the empty text, as which the root is seen? */
static bool takes_nothing(const struct regex *r, uint32_t part)
{
	const struct regex_part *p = &r->parts[part];

	switch (p->op) {
	case REGEX_SYMBOL:
		return false;
	case REGEX_THEN:
		return takes_nothing(r, p->a) && takes_nothing(r, p->b);
	case REGEX_EITHER:
		return takes_nothing(r, p->a) || takes_nothing(r, p->b);
	case REGEX_REPEAT:
		return !p->min || takes_nothing(r, p->a);
	default:
		return true;
	}
}

static int lay_all(struct match_nfa *a, const struct regex *r, uint32_t selector)
{
	struct laying l = {.a = a, .r = r, .first = a->n_nodes};
	uint32_t start = new_node(&l), end = lay(&l, r->whole, start), out = new_node(&l);

	if (takes_nothing(r, r->whole)) {
		/* Nothing leads back to a node of its own: it is left by the first symbol. */
		uint32_t root = new_node(&l);

		match_nfa_out(a, root, selector);
		match_nfa_edge(a, 0, 0, root);
	}
	if (a->err)
		return a->err;
	if (l.too_large)
		return -E2BIG;
	match_nfa_edge(a, 0, 0, start);
	match_nfa_edge(a, end, MATCH_ON(MATCH_DOT), out);
	match_nfa_out(a, out, selector);
	return a->err;
}

int match_regex_add(struct match_nfa *a, const char *text, uint32_t selector,
		    struct match_problem *problem)
{
	struct match_nfa own = {.n_nodes = 0};
	struct regex r;
	int err;

	err = regex_parse(text, &r, problem);
	if (err)
		return err;
	if (!a)
		err = match_nfa_init(&own);
	if (!err)
		err = lay_all(a ? a : &own, &r, selector);
	if (err == -E2BIG) {
		problem->position = 0;
		snprintf(problem->text, sizeof(problem->text),
			 "too large: repeated out, it has more than %d parts", MATCH_REGEX_NODES);
		err = -EINVAL;
	}
	match_nfa_fini(&own);
	regex_fini(&r);
	return err;
}
