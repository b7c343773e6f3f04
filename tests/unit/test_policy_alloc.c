/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory that ends at every single allocation in turn, and memory that fails just once: -ENOMEM,
 * nothing lost, or the same tables as ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__

/* ASan brings an allocator of its own, and its own look at leaks. */
int main(void)
{
	puts("left to the builds without AddressSanitizer");
	return 0;
}

#else

#include "snooper/core/match_compile.h"
#include "tests/policy_model.h"
#include "tests/unit/short_memory.h"

/* A policy to be compiled, and the automata of its names. */
static struct policy *policy;
static struct model_world world;
static struct match_tables automata;

static void make_policy(uint64_t seed)
{
	static const struct model_size size = {.specs = 5, .rules = 5, .selectors = 4};
	struct rng r = {seed};
	struct policy_ids *ids = policy_ids_new();
	struct policy_names names = {.n = 0};
	struct match_selector s[256];
	struct match_problems problems;

	policy = model_policy(&r, &size);
	model_world(&r, &world);
	assert_int_equal(policy_names_add(&names, ids, policy, POLICY_NEXT), 0);
	assert_true(names.n < 256);
	for (size_t i = 0; i < names.n; i++)
		s[i] = (struct match_selector){names.at[i].kind, names.at[i].text};
	assert_int_equal(match_compile(s, names.n, &automata, &problems), 0);
	match_problems_fini(&problems);
	policy_names_fini(&names);
	policy_ids_free(ids);
}

struct made {
	uint8_t *tables, *kept;
	size_t n_tables, n_kept;
};

/* Names gathered, tables made, numbers saved and read again. */
static int make(struct policy_ids *ids, struct policy_names *names, struct made *m)
{
	struct policy_input in = {
		.policy = policy,
		.endpoints = world.endpoints,
		.n_endpoints = MODEL_ENDPOINTS,
		.host = world.hosts,
		.n_host = world.n_hosts,
		.names = names,
		.automata = &automata,
	};
	struct policy_ids *again;
	const char *why = NULL;
	int e = policy_names_add(names, ids, policy, POLICY_NEXT);

	if (!e)
		e = policy_compile(&in, ids, &m->tables, &m->n_tables, &why);
	if (!e)
		e = policy_ids_save(ids, &m->kept, &m->n_kept);
	if (e)
		return e;
	again = policy_ids_new();
	e = again ? policy_ids_load(again, m->kept, m->n_kept) : -ENOMEM;
	policy_ids_free(again);
	return e;
}

/* Memory ends after n allocations; with once, it is back after the one that failed. */
static int make_with(long n, bool once, struct made *m)
{
	struct policy_names names = {.n = 0};
	struct policy_ids *ids;
	int e = -ENOMEM;

	*m = (struct made){.tables = NULL};
	held = 0;
	left = n;
	fails_once = once;
	counting = true;
	ids = policy_ids_new();
	if (ids)
		e = make(ids, &names, m);
	policy_names_fini(&names);
	policy_ids_free(ids);
	counting = false;
	return e;
}

static void made_fini(struct made *m)
{
	counting = true;
	free(m->tables);
	free(m->kept);
	counting = false;
	assert_int_equal(held, 0);
}

static void sweep(const struct made *all, bool once)
{
	long n = 0;

	for (;; n++) {
		struct made m;
		int e = make_with(n, once, &m);

		if (e) {
			assert_int_equal(e, -ENOMEM);
		} else { /* there was enough, or it could do without */
			assert_int_equal(m.n_tables, all->n_tables);
			assert_memory_equal(m.tables, all->tables, m.n_tables);
			assert_int_equal(m.n_kept, all->n_kept);
			assert_memory_equal(m.kept, all->kept, m.n_kept);
		}
		made_fini(&m);
		if (!e && left > 0)
			break;
	}
	print_message("%ld allocations\n", n);
	assert_true(n > 50);
}

static void test_3_3_tables_are_made_whole_or_not_at_all(void **state)
{
	for (uint64_t seed = 1; seed < 8; seed++) {
		struct made all;

		make_policy(seed * 0x9e3779b97f4a7c15u);
		assert_int_equal(make_with(-1, false, &all), 0);
		sweep(&all, false);
		sweep(&all, true);
		free(all.tables);
		free(all.kept);
		policy_free(policy);
		match_tables_fini(&automata);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_3_tables_are_made_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
