/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_fqdn_cache.c - the index of names: filled, listed, swept, bounded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "snooper/core/fqdn_cache.h"

static struct snp_fact_key key_of(uint64_t name, uint8_t addr)
{
	struct snp_fact_key key = {.name = {.id = name}};

	key.addr.b[10] = key.addr.b[11] = 0xff;
	key.addr.b[12] = 192;
	key.addr.b[15] = addr;
	return key;
}

static int put(struct fqdn_cache *c, uint64_t name, uint8_t addr, uint64_t expiry_ns)
{
	struct snp_fact_key key = key_of(name, addr);
	struct snp_fact fact = {.expiry_ns = expiry_ns};

	return fqdn_cache_put(c, &key, &fact);
}

static int name(struct fqdn_cache *c, uint64_t id)
{
	struct snp_name_key key = {.id = id};
	uint8_t wire[] = {1, 'a', 0};

	return fqdn_cache_name(c, &key, wire, sizeof(wire));
}

static uint64_t as_cached(void *ctx, const struct snp_fact_key *key)
{
	return 0;
}

static uint64_t renewed(void *ctx, const struct snp_fact_key *key)
{
	return *(uint64_t *)ctx;
}

static size_t count(const struct fqdn_cache *c)
{
	struct fqdn_name n;
	uint64_t cursor = 0;
	size_t seen = 0;

	while (fqdn_cache_next(c, &cursor, &n))
		seen++;
	return seen;
}

static void a_fact_needs_its_name(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);

	assert_int_equal(put(c, 1, 1, 100), -ENOENT);
	assert_int_equal(name(c, 1), 0);
	assert_int_equal(put(c, 1, 1, 100), 0);
	assert_int_equal(fqdn_cache_facts(c), 1);
	fqdn_cache_free(c);
}

static void a_deadline_never_moves_earlier(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct fqdn_name n;
	uint64_t cursor = 0;

	name(c, 1);
	put(c, 1, 1, 200);
	put(c, 1, 1, 100);
	assert_true(fqdn_cache_next(c, &cursor, &n));
	assert_int_equal(n.n_facts, 1);
	assert_int_equal(n.facts[0].fact.expiry_ns, 200);
	fqdn_cache_free(c);
}

static void a_full_cache_refuses_the_new_and_keeps_the_old(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(2, 2);

	assert_int_equal(name(c, 1), 0);
	assert_int_equal(name(c, 2), 0);
	assert_int_equal(name(c, 3), -ENOSPC);
	assert_int_equal(name(c, 2), 0);
	assert_int_equal(put(c, 1, 1, 100), 0);
	assert_int_equal(put(c, 1, 2, 100), 0);
	assert_int_equal(put(c, 2, 3, 100), -ENOSPC);
	assert_int_equal(put(c, 1, 2, 300), 0);
	assert_int_equal(count(c), 2);
	fqdn_cache_free(c);
}

static void sweeping_forgets_what_is_over_and_nothing_else(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);

	name(c, 1);
	name(c, 2);
	put(c, 1, 1, 100);
	put(c, 2, 1, 100);
	put(c, 2, 2, 900);
	fqdn_cache_sweep(c, 500, 100, as_cached, NULL);
	assert_int_equal(fqdn_cache_names(c), 1);
	assert_int_equal(fqdn_cache_facts(c), 1);
	assert_false(fqdn_cache_has(c, &(struct snp_name_key){.id = 1}));
	assert_true(fqdn_cache_has(c, &(struct snp_name_key){.id = 2}));
	fqdn_cache_free(c);
}

static void a_renewal_not_yet_told_is_asked_for(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	uint64_t in_maps = 900;

	name(c, 1);
	put(c, 1, 1, 100);
	fqdn_cache_sweep(c, 500, 100, renewed, &in_maps);
	assert_int_equal(fqdn_cache_facts(c), 1);
	fqdn_cache_sweep(c, 1000, 100, renewed, &in_maps);
	assert_int_equal(fqdn_cache_facts(c), 0);
	fqdn_cache_free(c);
}

static void scopes_do_not_share_a_name(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_name_key other = {.id = 1, .scope = 7};

	name(c, 1);
	assert_false(fqdn_cache_has(c, &other));
	fqdn_cache_free(c);
}

/* 100,000 names through growth, holes and a second filling; each is found and listed once. */
static void many_names_come_and_go(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(100000, 200000);

	for (uint64_t round = 1; round <= 2; round++) {
		for (uint64_t i = 1; i <= 100000; i++) {
			uint64_t id = i * 0x9e3779b97f4a7c15ull;

			assert_int_equal(name(c, id), 0);
			assert_int_equal(put(c, id, 1, i % 2 ? 100 : 900), 0);
		}
		assert_int_equal(count(c), 100000);
		fqdn_cache_sweep(c, 500, 100000, as_cached, NULL);
		assert_int_equal(fqdn_cache_names(c), 50000);
		assert_int_equal(count(c), 50000);
	}
	fqdn_cache_sweep(c, 1000, 100000, as_cached, NULL);
	assert_int_equal(count(c), 0);
	assert_int_equal(fqdn_cache_facts(c), 0);
	fqdn_cache_free(c);
}

static void a_dropped_fact_leaves_its_neighbours(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_fact_key gone = key_of(1, 2);
	struct fqdn_name n;
	uint64_t cursor = 0;

	name(c, 1);
	for (uint8_t a = 1; a <= 3; a++)
		put(c, 1, a, 100);
	fqdn_cache_drop(c, &gone);
	fqdn_cache_drop(c, &gone);
	assert_true(fqdn_cache_next(c, &cursor, &n));
	assert_int_equal(n.n_facts, 2);
	for (uint32_t i = 0; i < n.n_facts; i++)
		assert_int_not_equal(n.facts[i].addr.b[15], 2);
	fqdn_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fact_needs_its_name),
		cmocka_unit_test(a_deadline_never_moves_earlier),
		cmocka_unit_test(a_full_cache_refuses_the_new_and_keeps_the_old),
		cmocka_unit_test(sweeping_forgets_what_is_over_and_nothing_else),
		cmocka_unit_test(a_renewal_not_yet_told_is_asked_for),
		cmocka_unit_test(scopes_do_not_share_a_name),
		cmocka_unit_test(many_names_come_and_go),
		cmocka_unit_test(a_dropped_fact_leaves_its_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
