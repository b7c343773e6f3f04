/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_fqdn_watch.c - readers of changes: in order, each name once, none slowed by another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snooper/core/fqdn_watch.h"

static struct fqdn_cache *cache;

static int fresh(void **state)
{
	cache = fqdn_cache_new(1u << 20, 1u << 20);
	return !cache;
}

static int done(void **state)
{
	fqdn_cache_free(cache);
	return 0;
}

static void learn_in(uint32_t scope, uint64_t id, uint8_t addr, uint64_t expiry_ns)
{
	struct snp_name_key key = {.id = id, .scope = scope};
	struct fqdn_fact fact = {.expiry_ns = expiry_ns};
	uint8_t wire[] = {8, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	memcpy(wire + 1, &id, sizeof(id));
	fact.addr.b[15] = addr;
	assert_int_equal(fqdn_cache_name(cache, &key, wire, sizeof(wire), false, 0), 0);
	assert_true(fqdn_cache_put(cache, &key, &fact) >= 0);
}

static void learn(uint64_t id, uint8_t addr, uint64_t expiry_ns)
{
	learn_in(0, id, addr, expiry_ns);
}

static void forget_in(uint32_t scope, uint64_t id, uint8_t addr)
{
	struct snp_fact_key key = {.name = {.id = id, .scope = scope}};

	key.addr.b[15] = addr;
	fqdn_cache_drop(cache, &key);
}

static void forget(uint64_t id, uint8_t addr)
{
	forget_in(0, id, addr);
}

static void expect(struct fqdn_watch *w, uint64_t id, uint32_t n_facts)
{
	struct fqdn_name n;

	assert_int_equal(fqdn_watch_next(w, &n), FQDN_WATCH_NAME);
	assert_int_equal(n.key.id, id);
	assert_int_equal(n.n_facts, n_facts);
	assert_memory_equal(n.wire + 1, &id, sizeof(id));
}

static void expect_only(struct fqdn_watch *w, enum fqdn_watched what)
{
	struct fqdn_name n;

	assert_int_equal(fqdn_watch_next(w, &n), what);
}

static void first_what_is_there_then_what_changes(void **state)
{
	struct fqdn_watch *w;

	learn(1, 1, 100);
	learn(2, 1, 100);
	w = fqdn_watch_new(cache);
	expect(w, 1, 1);
	expect(w, 2, 1);
	expect_only(w, FQDN_WATCH_SYNCED);
	expect_only(w, FQDN_WATCH_IDLE);
	learn(3, 1, 100);
	learn(1, 2, 100);
	expect(w, 3, 1);
	expect(w, 1, 2);
	expect_only(w, FQDN_WATCH_IDLE);
	fqdn_watch_free(w);
}

static void nothing_there_is_soon_read(void **state)
{
	struct fqdn_watch *w = fqdn_watch_new(cache);

	expect_only(w, FQDN_WATCH_SYNCED);
	expect_only(w, FQDN_WATCH_IDLE);
	fqdn_watch_free(w);
}

/* What changes while the first state is read is part of it, in its new state. */
static void a_change_during_the_first_state(void **state)
{
	struct fqdn_watch *w;

	learn(1, 1, 100);
	learn(2, 1, 100);
	learn(3, 1, 100);
	w = fqdn_watch_new(cache);
	expect(w, 1, 1);
	learn(2, 2, 100);
	learn(1, 2, 100);
	expect(w, 3, 1);
	expect(w, 2, 2);
	expect(w, 1, 2);
	expect_only(w, FQDN_WATCH_SYNCED);
	expect_only(w, FQDN_WATCH_IDLE);
	fqdn_watch_free(w);
}

static void many_changes_are_read_as_one(void **state)
{
	struct fqdn_watch *w = fqdn_watch_new(cache);

	expect_only(w, FQDN_WATCH_SYNCED);
	for (uint8_t i = 1; i <= 10; i++)
		learn(1, i, 100);
	expect(w, 1, 10);
	expect_only(w, FQDN_WATCH_IDLE);
	learn(1, 3, 100); /* nothing new */
	expect_only(w, FQDN_WATCH_IDLE);
	fqdn_watch_free(w);
}

static void what_is_gone_is_told_to_all(void **state)
{
	struct fqdn_watch *fast, *slow, *late;

	learn(1, 1, 100);
	fast = fqdn_watch_new(cache);
	slow = fqdn_watch_new(cache);
	expect(fast, 1, 1);
	expect_only(fast, FQDN_WATCH_SYNCED);
	forget(1, 1);
	assert_false(fqdn_cache_find(cache, &(struct snp_name_key){.id = 1}, NULL));
	late = fqdn_watch_new(cache);
	expect(fast, 1, 0);
	expect_only(fast, FQDN_WATCH_IDLE);
	expect(slow, 1, 0);
	expect_only(slow, FQDN_WATCH_SYNCED);
	expect_only(slow, FQDN_WATCH_IDLE);
	/* It began when the name was gone. */
	expect_only(late, FQDN_WATCH_SYNCED);
	expect_only(late, FQDN_WATCH_IDLE);
	fqdn_watch_free(fast);
	fqdn_watch_free(slow);
	fqdn_watch_free(late);
}

static void gone_and_back_is_there(void **state)
{
	struct fqdn_watch *w = fqdn_watch_new(cache);

	expect_only(w, FQDN_WATCH_SYNCED);
	learn(1, 1, 100);
	expect(w, 1, 1);
	forget(1, 1);
	learn(1, 2, 200);
	expect(w, 1, 1);
	expect_only(w, FQDN_WATCH_IDLE);
	assert_int_equal(fqdn_cache_names(cache), 1);
	fqdn_watch_free(w);
}

static void a_reader_that_leaves_keeps_nothing(void **state)
{
	struct fqdn_watch *a = fqdn_watch_new(cache), *b = fqdn_watch_new(cache);

	for (uint64_t id = 1; id <= 100; id++) {
		learn(id, 1, 100);
		forget(id, 1);
	}
	fqdn_watch_free(a);
	for (uint64_t id = 1; id <= 100; id++)
		expect(b, id, 0);
	expect_only(b, FQDN_WATCH_SYNCED);
	expect_only(b, FQDN_WATCH_IDLE);
	fqdn_watch_free(b);
}

static void the_slowest_loses_its_place_and_no_other(void **state)
{
	struct fqdn_watch *slow = fqdn_watch_new(cache), *fast = fqdn_watch_new(cache);
	struct fqdn_name n;
	size_t told = 0;

	expect_only(slow, FQDN_WATCH_SYNCED);
	expect_only(fast, FQDN_WATCH_SYNCED);
	for (uint64_t id = 1; id <= FQDN_GONE_MAX + 10; id++) {
		learn(id, 1, 100);
		forget(id, 1);
		if (id % 1000 == 0)
			while (fqdn_watch_next(fast, &n) == FQDN_WATCH_NAME)
				told++;
	}
	while (fqdn_watch_next(fast, &n) == FQDN_WATCH_NAME)
		told++;
	assert_int_equal(told, FQDN_GONE_MAX + 10);
	expect_only(slow, FQDN_WATCH_LOST);
	expect_only(slow, FQDN_WATCH_LOST);
	fqdn_watch_free(slow);
	fqdn_watch_free(fast);
}

/* Room is made for it by what makes the slow reader lose its place, and so lets go of it. */
static void a_gone_name_comes_back_when_nobody_has_to_be_told(void **state)
{
	struct snp_name_key first = {.id = 1};
	uint8_t wire[] = {8, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	struct fqdn_watch *slow;

	fqdn_cache_free(cache);
	cache = fqdn_cache_new(1, 1u << 20);
	slow = fqdn_watch_new(cache);
	for (uint64_t id = 1; id <= FQDN_GONE_MAX; id++) {
		learn(id, 1, 100);
		forget(id, 1);
	}
	learn(FQDN_GONE_MAX + 1, 1, 100);
	assert_int_equal(fqdn_cache_name(cache, &first, wire, sizeof(wire), true, 0), 0);
	assert_true(fqdn_cache_find(cache, &first, NULL));
	assert_int_equal(fqdn_cache_names(cache), 1);
	expect_only(slow, FQDN_WATCH_LOST);
	fqdn_watch_free(slow);
}

/* Against a plain picture of what is there: whatever happens, a reader ends up with it. */
static void a_reader_ends_up_with_the_truth(void **state)
{
	static uint32_t truth[64], view[64];
	struct fqdn_watch *w = fqdn_watch_new(cache);
	struct fqdn_name n;
	enum fqdn_watched what;

	srand(7);
	memset(truth, 0, sizeof(truth));
	memset(view, 0, sizeof(view));
	for (int i = 0; i < 20000; i++) {
		int id = rand() % 64, addr = rand() % 3;

		if (rand() % 2) {
			learn((uint64_t)id + 1, (uint8_t)addr, 100);
			truth[id] |= 1u << addr;
		} else {
			forget((uint64_t)id + 1, (uint8_t)addr);
			truth[id] &= ~(1u << addr);
		}
		if (rand() % 5 == 0 && fqdn_watch_next(w, &n) == FQDN_WATCH_NAME)
			view[n.key.id - 1] = n.n_facts;
	}
	while ((what = fqdn_watch_next(w, &n)) != FQDN_WATCH_IDLE)
		if (what == FQDN_WATCH_NAME)
			view[n.key.id - 1] = n.n_facts;
	for (int id = 0; id < 64; id++)
		assert_int_equal(view[id], __builtin_popcount(truth[id]));
	fqdn_watch_free(w);
}

/* Three scopes know name 1: it is told once, in the scope where it changed last. */
static void name_of_several_scopes_is_one(void **state)
{
	struct fqdn_watch *w, *late;

	learn_in(1, 1, 1, 100);
	learn_in(2, 1, 1, 100);
	learn_in(3, 1, 1, 100);
	learn_in(2, 2, 1, 100);
	w = fqdn_watch_new(cache);
	expect(w, 1, 1);
	expect(w, 2, 1);
	expect_only(w, FQDN_WATCH_SYNCED);
	learn_in(1, 1, 2, 100);
	learn_in(3, 1, 2, 100);
	expect(w, 1, 2);
	expect_only(w, FQDN_WATCH_IDLE);
	/* It goes in one: it has changed. It goes in the others as well: it is gone, once. */
	forget_in(2, 1, 1);
	expect(w, 1, 2);
	forget_in(1, 1, 1);
	forget_in(1, 1, 2);
	forget_in(3, 1, 1);
	late = fqdn_watch_new(cache);
	forget_in(3, 1, 2);
	expect(w, 1, 0);
	expect_only(w, FQDN_WATCH_IDLE);
	expect(late, 2, 1);
	expect(late, 1, 0);
	expect_only(late, FQDN_WATCH_SYNCED);
	/* It comes back in one while nobody has to be told of another. */
	learn_in(2, 1, 7, 100);
	expect(w, 1, 1);
	expect(late, 1, 1);
	fqdn_watch_free(late);
	fqdn_watch_free(w);
}

/* What a reader that began later will not be told of is no reason not to tell. */
static void scope_that_is_gone_before_a_reader_began_hides_nothing(void **state)
{
	struct fqdn_watch *first, *late;

	learn_in(1, 1, 1, 100);
	learn_in(2, 1, 1, 100);
	first = fqdn_watch_new(cache);
	forget_in(2, 1, 1); /* kept: the first reader has to be told */
	late = fqdn_watch_new(cache);
	expect(late, 1, 1);
	expect_only(late, FQDN_WATCH_SYNCED);
	expect(first, 1, 1);
	expect_only(first, FQDN_WATCH_SYNCED);
	fqdn_watch_free(late);
	fqdn_watch_free(first);
}

/* Whatever comes and goes where: in the end a reader's picture is the cache's. */
static void picture_of_names_in_scopes_is_right_in_the_end(void **state)
{
	enum { IDS = 40, SCOPES = 4 };
	bool held[SCOPES][IDS] = {{false}}, seen[IDS] = {false};
	struct fqdn_watch *w = fqdn_watch_new(cache);
	struct fqdn_name n;

	srand(7);
	for (int i = 0; i < 20000; i++) {
		uint32_t scope = (uint32_t)(rand() % SCOPES);
		uint64_t id = 1 + (uint64_t)(rand() % (IDS - 1));

		if (held[scope][id])
			forget_in(scope, id, 1);
		else
			learn_in(scope, id, 1, 100);
		held[scope][id] = !held[scope][id];
		if (rand() % 3 == 0 && fqdn_watch_next(w, &n) == FQDN_WATCH_NAME)
			seen[n.key.id] = n.n_facts;
	}
	for (enum fqdn_watched what; (what = fqdn_watch_next(w, &n)) != FQDN_WATCH_IDLE;)
		if (what == FQDN_WATCH_NAME)
			seen[n.key.id] = n.n_facts;
	for (uint64_t id = 1; id < IDS; id++)
		assert_int_equal(seen[id],
				 held[0][id] || held[1][id] || held[2][id] || held[3][id]);
	fqdn_watch_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_what_is_there_then_what_changes, fresh, done),
		cmocka_unit_test_setup_teardown(nothing_there_is_soon_read, fresh, done),
		cmocka_unit_test_setup_teardown(a_change_during_the_first_state, fresh, done),
		cmocka_unit_test_setup_teardown(many_changes_are_read_as_one, fresh, done),
		cmocka_unit_test_setup_teardown(what_is_gone_is_told_to_all, fresh, done),
		cmocka_unit_test_setup_teardown(gone_and_back_is_there, fresh, done),
		cmocka_unit_test_setup_teardown(a_reader_that_leaves_keeps_nothing, fresh, done),
		cmocka_unit_test_setup_teardown(the_slowest_loses_its_place_and_no_other, fresh,
						done),
		cmocka_unit_test_setup_teardown(a_gone_name_comes_back_when_nobody_has_to_be_told,
						fresh, done),
		cmocka_unit_test_setup_teardown(a_reader_ends_up_with_the_truth, fresh, done),
		cmocka_unit_test_setup_teardown(name_of_several_scopes_is_one, fresh, done),
		cmocka_unit_test_setup_teardown(
			scope_that_is_gone_before_a_reader_began_hides_nothing, fresh, done),
		cmocka_unit_test_setup_teardown(picture_of_names_in_scopes_is_right_in_the_end,
						fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
