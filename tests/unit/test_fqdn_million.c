/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_fqdn_million.c - the cache with a million facts: what it takes, who gives way, and how much is done in one go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snooper/core/fqdn_cache.h"

#define FACTS	  1000000
#define LIMIT_MIB 300

/* A sanitizer's own memory is beside each of ours. */
#if defined(__SANITIZE_ADDRESS__)
#define MEASURED 0
#else
#define MEASURED 1
#endif

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	size_t all, in;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &all, &in), 2);
	fclose(f);
	return in * (size_t)sysconf(_SC_PAGESIZE);
}

static struct snp_name_key key_of(uint32_t name)
{
	return (struct snp_name_key){.id = (name + 1) * 0x9e3779b97f4a7c15ull};
}

/* Fact i, of a name of 24 bytes that has per_name of them. */
static int put(struct fqdn_cache *c, uint32_t i, uint32_t per_name, bool needed, uint64_t expiry_ns)
{
	struct snp_name_key key = key_of(i / per_name);
	struct fqdn_fact fact = {.expiry_ns = expiry_ns, .ttl_s = 300};
	uint8_t wire[24] = {22};
	int r;

	memcpy(wire + 1, &key.id, sizeof(key.id));
	memcpy(fact.addr.b + 8, &i, sizeof(i));
	r = fqdn_cache_name(c, &key, wire, sizeof(wire), needed, 0);
	return r ? r : fqdn_cache_put(c, &key, &fact);
}

static bool has(const struct fqdn_cache *c, uint32_t name)
{
	struct snp_name_key key = key_of(name);

	return fqdn_cache_find(c, &key, NULL);
}

static void
as_cached(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns, uint64_t *granted_ns)
{
	++*(size_t *)ctx;
}

static void fill_and_empty(uint32_t per_name)
{
	size_t before, asked = 0, most = 0;
	struct fqdn_cache *c;

	malloc_trim(0); /* what the test before this one left */
	before = resident();
	c = fqdn_cache_new(FACTS, FACTS);
	assert_non_null(c);
	for (uint32_t i = 0; i < FACTS; i++)
		assert_int_equal(put(c, i, per_name, i / per_name % 2, 1 + i % 1000), 1);
	assert_int_equal(fqdn_cache_facts(c), FACTS);
	assert_int_equal(fqdn_cache_names(c), FACTS / per_name);
	print_message("%u facts a name: %zu MiB\n", per_name, (resident() - before) >> 20);
	assert_true(!MEASURED || resident() - before <= (size_t)LIMIT_MIB << 20);
	/* All at once over: each call looks at no more than it may, and the last leaves nothing. */
	while (fqdn_cache_facts(c)) {
		size_t began = asked;

		fqdn_cache_expire(c, 2000, 1024, as_cached, &asked);
		if (asked - began > most)
			most = asked - began;
	}
	assert_int_equal(asked, FACTS);
	assert_in_range(most, 1, 1024 + per_name);
	assert_int_equal(fqdn_cache_names(c), 0);
	fqdn_cache_free(c);
}

static void test_2_1_million_facts_in_300_mib(void **state)
{
	fill_and_empty(1);
}

static void test_2_1_million_facts_of_fewer_names_in_300_mib(void **state)
{
	fill_and_empty(8);
}

/*
 * The stated order: for a name that policy needs, the one goes that it does not need and
 * that would end soonest. Nothing else ever gives way; each step is counted.
 */
static void test_2_1_order_in_which_a_full_cache_gives_way(void **state)
{
	enum { NAMES = 1000 };
	struct fqdn_cache *c = fqdn_cache_new(NAMES, NAMES);
	const struct fqdn_cache_counts *counts = fqdn_cache_counts(c);

	/* Every second one is needed; the later ends sooner. */
	for (uint32_t i = 0; i < NAMES; i++)
		assert_int_equal(put(c, i, 1, i % 2, 100000 - i), 1);
	assert_int_equal(put(c, NAMES, 1, false, 1), -ENOSPC);
	assert_int_equal(counts->refused_names, 1);
	for (uint32_t k = 0; k < NAMES / 2; k++) {
		uint32_t victim = NAMES - 2 - 2 * k;

		assert_true(has(c, victim));
		assert_int_equal(put(c, NAMES + 1 + k, 1, true, 1), 1);
		assert_false(has(c, victim));
		assert_int_equal(fqdn_cache_names(c), NAMES);
		assert_int_equal(counts->evicted_names, k + 1);
	}
	/* All that is left is needed: no more room, for whomever. */
	assert_int_equal(put(c, 3 * NAMES, 1, true, 1), -ENOSPC);
	assert_int_equal(counts->evicted_names, NAMES / 2);
	assert_int_equal(counts->refused_names, 2);
	/* A fact too many is refused, and takes nobody's place. */
	for (uint32_t i = 1; i < NAMES; i += 2)
		assert_true(has(c, i));
	fqdn_cache_free(c);
}

static void test_2_1_fact_too_many_is_refused_and_counted(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 3);

	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(put(c, i, 10, true, 100), 1);
	assert_int_equal(put(c, 3, 10, true, 100), -ENOSPC);
	assert_int_equal(put(c, 2, 10, true, 200), 1);
	assert_int_equal(fqdn_cache_counts(c)->refused_facts, 1);
	assert_int_equal(fqdn_cache_facts(c), 3);
	fqdn_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_2_1_million_facts_in_300_mib),
		cmocka_unit_test(test_2_1_million_facts_of_fewer_names_in_300_mib),
		cmocka_unit_test(test_2_1_order_in_which_a_full_cache_gives_way),
		cmocka_unit_test(test_2_1_fact_too_many_is_refused_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
