/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A group is known by the step that made it: from another group, by a class and what that allows.
 * As classes come in one order, things with the same steps are allowed the same, and no others are.
 */
#include "snooper/core/policy_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/intern.h"

struct member {
	uint32_t name, thing;
};

struct step {
	uint32_t before, class, ports;
};

/* What a class allows a thing, while its grants are gone through. */
struct thing {
	uint32_t group, ports;
};

struct policy_groups {
	struct policy_ports *ports;
	struct member *members;
	size_t n, room;
	bool sorted;
	size_t *first; /* by name: where its members begin */
	size_t names;
	struct thing *things;
	uint32_t *allowed; /* the things with ports */
	size_t n_things, n_allowed;
	struct intern *steps;
};

struct policy_groups *policy_groups_new(struct policy_ports *ports, size_t names, size_t things)
{
	struct policy_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->ports = ports;
	g->names = names;
	g->n_things = things;
	g->first = calloc(names + 1, sizeof(*g->first));
	g->things = calloc(things + 1, sizeof(*g->things));
	g->allowed = calloc(things + 1, sizeof(*g->allowed));
	g->steps = intern_new(UINT32_MAX / 4);
	if (g->first && g->things && g->allowed && g->steps)
		return g;
	policy_groups_free(g);
	return NULL;
}

void policy_groups_free(struct policy_groups *g)
{
	if (!g)
		return;
	free(g->members);
	free(g->first);
	free(g->things);
	free(g->allowed);
	intern_free(g->steps);
	free(g);
}

int policy_groups_member(struct policy_groups *g, uint32_t name, uint32_t thing)
{
	if (g->n == g->room) {
		size_t room = g->room ? g->room * 2 : 256;
		struct member *more = realloc(g->members, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->members = more;
		g->room = room;
	}
	g->members[g->n++] = (struct member){name, thing};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->name < y->name ? -1 : x->name > y->name;
}

/* first[name] to first[name + 1] are a name's members. */
static void sort_members(struct policy_groups *g)
{
	if (g->sorted)
		return;
	g->sorted = true;
	if (g->n)
		qsort(g->members, g->n, sizeof(*g->members), by_name);
	for (size_t i = 0; i < g->n; i++)
		g->first[g->members[i].name + 1]++;
	for (size_t i = 0; i < g->names; i++)
		g->first[i + 1] += g->first[i];
}

static int allow_name(struct policy_groups *g, const struct policy_grant *grant)
{
	int e = 0;

	for (size_t i = g->first[grant->name]; i < g->first[grant->name + 1] && !e; i++) {
		struct thing *t = &g->things[g->members[i].thing];

		if (!t->ports)
			g->allowed[g->n_allowed++] = g->members[i].thing;
		e = policy_ports_union(g->ports, t->ports, grant->ports, &t->ports);
	}
	return e;
}

int policy_groups_class(struct policy_groups *g, uint32_t class, const struct policy_grant *grants,
			size_t n)
{
	struct step last = {0, 0, 0};
	uint32_t number = 0;
	int e = 0;

	sort_members(g);
	g->n_allowed = 0;
	for (size_t i = 0; i < n && !e; i++)
		e = allow_name(g, &grants[i]);
	for (size_t i = 0; i < g->n_allowed && !e; i++) {
		struct thing *t = &g->things[g->allowed[i]];
		struct step s = {t->group, class, t->ports};

		if (!number || memcmp(&s, &last, sizeof(s))) /* mostly they are the same */
			number = intern_add(g->steps, &s, sizeof(s));
		last = s;
		t->group = number;
		t->ports = 0;
		e = number ? 0 : -ENOMEM;
	}
	return e;
}

uint32_t policy_groups_of(const struct policy_groups *g, uint32_t thing)
{
	return g->things[thing].group;
}

uint32_t policy_groups_end(const struct policy_groups *g)
{
	return intern_end(g->steps);
}

bool policy_groups_next(const struct policy_groups *g, uint32_t *step, uint32_t *class,
			uint32_t *ports)
{
	const struct step *s = intern_bytes(g->steps, *step, NULL);

	if (!s)
		return false;
	*step = s->before;
	*class = s->class;
	*ports = s->ports;
	return true;
}
