/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/match_compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"
#include "snooper/core/match_priv.h"

/* Of a region, what a tree of plain selectors may take: rows leave gaps. */
#define NODES_MAX (MATCH_SLOTS / 8 * 7)
/* A regular expression must get along with so many entries when it is alone. */
#define ALONE_MAX   (MATCH_SLOTS / 16)
#define MEASURE_MIN (MATCH_SLOTS / 128)

void match_problems_fini(struct match_problems *p)
{
	free(p->list);
	*p = (struct match_problems){.n = 0};
}

static int add_problem(struct match_problems *p, const struct match_problem *problem)
{
	struct match_problem *list = realloc(p->list, (p->n + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	p->list = list;
	list[p->n++] = *problem;
	return 0;
}

static int check_text(const struct match_selector *s, struct match_problem *problem)
{
	bool star = strchr(s->text, '*') != NULL;

	if (match_pattern_valid(s->text) && !(star && s->kind == POLICY_MATCH_NAME))
		return 0;
	problem->position = 0;
	snprintf(problem->text, sizeof(problem->text), "not %s, at most 255 characters",
		 s->kind == POLICY_MATCH_NAME ? "labels of [-a-zA-Z0-9_] with dots between"
					      : "labels of [-a-zA-Z0-9_*] with dots between");
	return -EINVAL;
}

int match_check(const struct match_selector *s, struct match_problem *problem)
{
	*problem = (struct match_problem){.selector = 0};
	if (s->kind == POLICY_MATCH_REGEX)
		return match_regex_add(NULL, s->text, 0, problem);
	return check_text(s, problem);
}

/* All the malformed ones. */
static int check_all(const struct match_selector *s, size_t n, struct match_problems *problems)
{
	struct match_problem problem;

	for (uint32_t i = 0; i < n; i++) {
		int err = match_check(&s[i], &problem);

		problem.selector = i;
		if (err == -EINVAL)
			err = add_problem(problems, &problem);
		if (err)
			return err;
	}
	return problems->n ? -EINVAL : 0;
}

void match_nfa_add(struct match_nfa *a, const struct match_selector *s, uint32_t number)
{
	struct match_problem unused;
	int err;

	if (s->kind == POLICY_MATCH_REGEX) {
		err = match_regex_add(a, s->text, number, &unused);
		a->err = a->err ? a->err : err;
	} else {
		match_nfa_add_pattern(a, s->text, number);
	}
}

/* A bank of what a says. Returns 0, -E2BIG or -ENOMEM. */
static int make_bank(struct match_nfa *a, size_t max_entries, struct match_bank *bank)
{
	struct match_sets outs;
	struct match_dfa d;
	int err = match_sets_init(&outs);

	if (err)
		return err;
	match_nfa_finish(a);
	err = match_dfa_make(&d, a, &outs, max_entries);
	if (!err) {
		err = match_pack(&d, bank);
		match_dfa_fini(&d);
	}
	if (!err) {
		bank->sets = outs.members;
		bank->set_at = outs.at;
		bank->n_sets = outs.n;
		outs.members = outs.at = NULL;
	}
	match_sets_fini(&outs);
	return err;
}

/* Regular expressions that are too large even when alone. */
static int check_regexes(const struct match_selector *s, size_t n, struct match_problems *problems)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++) {
		struct match_problem problem = {.selector = i};
		struct match_tables alone = {.n_banks = 1};
		struct match_nfa a;

		if (s[i].kind != POLICY_MATCH_REGEX)
			continue;
		err = match_nfa_init(&a);
		match_nfa_add(&a, &s[i], 0);
		err = err ? err : a.err ? a.err : make_bank(&a, ALONE_MAX, &alone.banks[0]);
		if (err == -E2BIG) {
			snprintf(problem.text, sizeof(problem.text),
				 "does not fit: alone it takes more than %u entries of a table",
				 ALONE_MAX);
			err = add_problem(problems, &problem);
		}
		match_nfa_fini(&a);
		match_tables_fini(&alone);
	}
	return err ? err : problems->n ? -E2BIG : 0;
}

/* Those of groups go in turns into the banks, as many as fit; plain ones fill one bank after the other. */
static void assign(struct match_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t fit;

		p->bank[i] = 0;
		if (p->group[i] == MATCH_PLAIN)
			continue;
		fit = p->groups[p->group[i]].fit * p->n_banks;
		p->bank[i] = p->rank[i] < fit ? p->rank[i] % p->n_banks : MATCH_REFUSED;
	}
}

/* The bank's own, then plain ones as long as there is room: the others go into the next bank. */
static int fill_bank(struct match_plan *p, uint32_t b, struct match_nfa *a)
{
	for (uint32_t i = 0; i < p->n && !a->err; i++)
		if (p->group[i] != MATCH_PLAIN && p->bank[i] == b)
			match_nfa_add(a, &p->selectors[i], i);
	for (uint32_t i = 0; i < p->n && !a->err; i++) {
		if (p->group[i] != MATCH_PLAIN || p->bank[i] != b)
			continue;
		if (a->n_nodes > p->nodes_max)
			p->bank[i] = b + 1 < p->n_banks ? b + 1 : MATCH_REFUSED;
		else
			match_nfa_add(a, &p->selectors[i], i);
	}
	return a->err;
}

static size_t n_refused(const struct match_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->bank[i] == MATCH_REFUSED;
	return n;
}

/*
 * Compile into n banks. Returns 0; -E2BIG when a bank is too small for what it was to hold,
 * or when there could be more banks for what was refused; or -ENOMEM.
 */
static int compile_plan(struct match_plan *p, size_t n, struct match_tables *out)
{
	int err = 0;

	p->n_banks = n;
	*out = (struct match_tables){.n_banks = n};
	assign(p);
	for (uint32_t b = 0; !err && b < p->n_banks; b++) {
		struct match_nfa a;

		err = match_nfa_init(&a);
		if (!err)
			err = fill_bank(p, b, &a);
		if (!err && b + 1 == p->n_banks && p->n_banks < SNP_MATCH_BANKS && n_refused(p))
			err = -E2BIG; /* there are more banks */
		if (!err)
			err = make_bank(&a, MATCH_SLOTS, &out->banks[b]);
		match_nfa_fini(&a);
	}
	if (err)
		match_tables_fini(out);
	return err;
}

/* Every one that does not fit, with what does. */
static int name_refused(const struct match_plan *p, struct match_problems *problems)
{
	size_t plain = 0;
	int err = 0;

	for (size_t i = 0; i < p->n; i++)
		plain += p->group[i] == MATCH_PLAIN && p->bank[i] != MATCH_REFUSED;
	for (uint32_t i = 0; !err && i < p->n; i++) {
		struct match_problem problem = {.selector = i};
		const struct match_group *g;

		if (p->bank[i] != MATCH_REFUSED)
			continue;
		if (p->group[i] == MATCH_PLAIN)
			snprintf(problem.text, sizeof(problem.text),
				 "does not fit: %zu selectors like it do", plain);
		g = p->group[i] == MATCH_PLAIN ? NULL : &p->groups[p->group[i]];
		if (g)
			snprintf(problem.text, sizeof(problem.text),
				 "does not fit: of %zu %s%s the first %zu do", g->n,
				 g->regex     ? "regular expressions"
				 : *g->suffix ? "with two stars in the label before ."
					      : "with two stars in their last label",
				 g->suffix, g->fit * p->n_banks);
		err = add_problem(problems, &problem);
	}
	return err ? err : -E2BIG;
}

/* As many banks as the largest group asks for. */
static size_t banks_wanted(const struct match_plan *p)
{
	size_t most = 1;

	for (size_t i = 0; i < p->n_groups; i++)
		while (most < SNP_MATCH_BANKS && p->groups[i].n > p->groups[i].fit * most)
			most++;
	return most;
}

/* Is a group cut to what fits? */
static bool is_cut(const struct match_plan *p)
{
	for (size_t i = 0; i < p->n_groups; i++)
		if (p->groups[i].fit < p->groups[i].n)
			return true;
	return false;
}

/* In as many banks as it takes; while that does not fit, with less and less in each. */
static int
search_plan(struct match_plan *p, struct match_tables *out, struct match_problems *problems)
{
	size_t room = MATCH_SLOTS / 4;
	int err;

	p->nodes_max = NODES_MAX;
	do {
		err = match_plan_measure(p, room);
		if (!err)
			err = compile_plan(p, banks_wanted(p), out);
		while (err == -E2BIG && p->n_banks < SNP_MATCH_BANKS)
			err = compile_plan(p, p->n_banks < 2 ? 2 : SNP_MATCH_BANKS, out);
		if (room < MEASURE_MIN || !is_cut(p))
			p->nodes_max /= 2;
		room /= 4;
	} while (err == -E2BIG && p->nodes_max);
	if (!err && n_refused(p)) {
		match_tables_fini(out);
		err = name_refused(p, problems);
	}
	return err;
}

int match_compile(const struct match_selector *s, size_t n, struct match_tables *out,
		  struct match_problems *problems)
{
	struct match_tables tables;
	struct match_plan plan;
	int err;

	*problems = (struct match_problems){.n = 0};
	err = check_all(s, n, problems);
	if (!err)
		err = check_regexes(s, n, problems);
	if (!err)
		err = match_plan_init(&plan, s, n);
	if (err)
		return err;
	err = search_plan(&plan, &tables, problems);
	match_plan_fini(&plan);
	if (!err)
		*out = tables;
	return err;
}
