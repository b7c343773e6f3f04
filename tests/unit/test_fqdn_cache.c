/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_fqdn_cache.c - names and facts: filled, listed, over in time, bounded. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "snooper/core/fqdn_cache.h"

static struct snp_addr addr_of(uint8_t last)
{
	struct snp_addr a = {0};

	a.b[10] = a.b[11] = 0xff;
	a.b[12] = 192;
	a.b[15] = last;
	return a;
}

static int put(struct fqdn_cache *c, uint64_t id, uint8_t addr, uint64_t expiry_ns)
{
	struct snp_name_key key = {.id = id};
	struct fqdn_fact fact = {.addr = addr_of(addr), .expiry_ns = expiry_ns};

	return fqdn_cache_put(c, &key, &fact);
}

static int name(struct fqdn_cache *c, uint64_t id, bool needed)
{
	struct snp_name_key key = {.id = id};
	uint8_t wire[] = {1, 'a', 0};

	return fqdn_cache_name(c, &key, wire, sizeof(wire), needed, 0);
}

static bool has(const struct fqdn_cache *c, uint64_t id)
{
	return fqdn_cache_find(c, &(struct snp_name_key){.id = id}, NULL);
}

static struct fqdn_name found(const struct fqdn_cache *c, uint64_t id)
{
	struct fqdn_name n = {0};

	assert_true(fqdn_cache_find(c, &(struct snp_name_key){.id = id}, &n));
	return n;
}

static void
as_cached(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns, uint64_t *granted_ns)
{
}

static void
renewed(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns, uint64_t *granted_ns)
{
	*expiry_ns = *(uint64_t *)ctx;
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
	assert_int_equal(name(c, 1, false), 0);
	assert_int_equal(put(c, 1, 1, 100), 1);
	assert_int_equal(fqdn_cache_facts(c), 1);
	fqdn_cache_free(c);
}

static void a_deadline_never_moves_earlier(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);

	name(c, 1, false);
	assert_int_equal(put(c, 1, 1, 200), 1);
	assert_int_equal(put(c, 1, 1, 100), 0);
	assert_int_equal(found(c, 1).n_facts, 1);
	assert_int_equal(found(c, 1).facts[0].expiry_ns, 200);
	fqdn_cache_free(c);
}

static void what_the_kernel_learned_is_of_the_kernel(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_name_key key = {.id = 1};
	struct fqdn_fact fact = {
		.addr = addr_of(1), .granted_ns = 500, .origin = SNP_ORIGIN_RESOLVER};

	name(c, 1, false);
	assert_int_equal(fqdn_cache_put(c, &key, &fact), 1);
	assert_int_equal(found(c, 1).facts[0].origin, SNP_ORIGIN_RESOLVER);
	put(c, 1, 1, 100);
	assert_int_equal(found(c, 1).facts[0].origin, SNP_ORIGIN_KERNEL);
	assert_int_equal(found(c, 1).facts[0].granted_ns, 500);
	assert_int_equal(fqdn_cache_put(c, &key, &fact), 0);
	assert_int_equal(found(c, 1).facts[0].origin, SNP_ORIGIN_KERNEL);
	/* It is kept as long as either says. */
	assert_int_equal(fqdn_cache_expire(c, 200, 100, as_cached, NULL), 500);
	assert_true(has(c, 1));
	assert_int_equal(fqdn_cache_expire(c, 501, 100, as_cached, NULL), UINT64_MAX);
	assert_false(has(c, 1));
	fqdn_cache_free(c);
}

static void an_outcome_is_kept_with_its_address(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_name_key key = {.id = 1};
	struct snp_addr other = addr_of(9), one = addr_of(1);
	uint64_t before;

	name(c, 1, false);
	put(c, 1, 1, 100);
	before = found(c, 1).changed;
	fqdn_cache_judge(c, &key, &other, FQDN_CONFLICT);
	assert_int_equal(found(c, 1).changed, before);
	fqdn_cache_judge(c, &key, &one, FQDN_CONFIRMED);
	assert_true(found(c, 1).changed > before);
	assert_string_equal(fqdn_reconcile_text(found(c, 1).facts[0].reconcile), "confirmed");
	put(c, 1, 1, 300);
	assert_int_equal(found(c, 1).facts[0].reconcile, FQDN_CONFIRMED);
	fqdn_cache_free(c);
}

static void a_full_cache_refuses_the_new_and_keeps_the_old(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(2, 2);

	assert_int_equal(name(c, 1, false), 0);
	assert_int_equal(name(c, 2, false), 0);
	assert_int_equal(put(c, 1, 1, 100), 1);
	assert_int_equal(put(c, 2, 2, 100), 1);
	assert_int_equal(name(c, 3, false), -ENOSPC);
	assert_int_equal(name(c, 2, false), 0);
	assert_int_equal(put(c, 2, 3, 100), -ENOSPC);
	assert_int_equal(put(c, 1, 1, 300), 1);
	assert_int_equal(count(c), 2);
	assert_int_equal(fqdn_cache_counts(c)->refused_names, 1);
	assert_int_equal(fqdn_cache_counts(c)->refused_facts, 1);
	fqdn_cache_free(c);
}

/* What policy needs takes the place of what it does not, soonest over first; never the other way. */
static void what_policy_needs_comes_first(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(3, 10);

	name(c, 1, false);
	put(c, 1, 1, 300);
	name(c, 2, false);
	put(c, 2, 1, 200);
	name(c, 3, true);
	put(c, 3, 1, 100);
	assert_int_equal(name(c, 4, true), 0);
	put(c, 4, 1, 100);
	assert_false(has(c, 2));
	assert_int_equal(name(c, 5, true), 0);
	put(c, 5, 1, 100);
	assert_false(has(c, 1));
	assert_int_equal(name(c, 6, true), -ENOSPC);
	assert_int_equal(name(c, 6, false), -ENOSPC);
	assert_true(has(c, 3) && has(c, 4) && has(c, 5));
	assert_int_equal(fqdn_cache_counts(c)->evicted_names, 2);
	assert_int_equal(fqdn_cache_facts(c), 3);
	fqdn_cache_free(c);
}

/* Another policy, and what the last one needed is as good as any. */
static void what_policy_needs_no_more_gives_way(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(2, 10);

	assert_int_equal(name(c, 1, true), 0);
	assert_int_equal(name(c, 2, true), 0);
	assert_int_equal(name(c, 3, true), -ENOSPC);
	assert_int_equal(name(c, 1, false), 0);
	assert_false(found(c, 1).needed);
	assert_int_equal(name(c, 3, true), 0);
	assert_false(has(c, 1));
	assert_true(has(c, 2));
	fqdn_cache_free(c);
}

/* A name that comes to be needed is no longer given away. */
static void need_is_noted_late(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(1, 10);

	name(c, 1, false);
	put(c, 1, 1, 100);
	assert_int_equal(name(c, 1, true), 0);
	assert_int_equal(name(c, 2, true), -ENOSPC);
	fqdn_cache_expire(c, 101, 10, as_cached, NULL);
	assert_int_equal(name(c, 2, true), 0);
	fqdn_cache_free(c);
}

static void what_is_over_goes_and_nothing_else(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);

	name(c, 1, false);
	name(c, 2, false);
	put(c, 1, 1, 100);
	put(c, 2, 1, 100);
	put(c, 2, 2, 900);
	assert_int_equal(fqdn_cache_expire(c, 500, 100, as_cached, NULL), 900);
	assert_int_equal(fqdn_cache_names(c), 1);
	assert_int_equal(fqdn_cache_facts(c), 1);
	assert_false(has(c, 1));
	assert_true(has(c, 2));
	fqdn_cache_free(c);
}

static void a_renewal_not_yet_told_is_asked_for(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	uint64_t now = 800;

	name(c, 1, false);
	put(c, 1, 1, 100);
	assert_int_equal(fqdn_cache_expire(c, 500, 100, renewed, &now), 800);
	assert_int_equal(found(c, 1).facts[0].expiry_ns, 800);
	assert_int_equal(fqdn_cache_expire(c, 801, 100, renewed, &now), UINT64_MAX);
	assert_int_equal(fqdn_cache_names(c), 0);
	fqdn_cache_free(c);
}

static void expiry_stops_at_its_budget_and_goes_on(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(1000, 1000);
	int calls = 0;

	for (uint64_t id = 1; id <= 100; id++) {
		name(c, id, id % 2);
		put(c, id, 1, id);
	}
	while (fqdn_cache_expire(c, 1000, 20, as_cached, NULL) != UINT64_MAX)
		calls++;
	assert_in_range(calls, 9, 12);
	assert_int_equal(fqdn_cache_names(c), 0);
	fqdn_cache_free(c);
}

/* Soonest first, whatever the order they came in. */
static void the_soonest_goes_first(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(5000, 5000);

	srand(1);
	for (uint64_t id = 1; id <= 3000; id++) {
		name(c, id, false);
		put(c, id, 1, (uint64_t)(rand() % 10000 + 1));
	}
	for (uint64_t at = 0; at < 10000; at += 100) {
		struct fqdn_name n;
		uint64_t cursor = 0, next = fqdn_cache_expire(c, at, 5000, as_cached, NULL);

		while (fqdn_cache_next(c, &cursor, &n)) {
			assert_true(n.facts[0].expiry_ns >= at);
			assert_true(n.facts[0].expiry_ns >= next);
		}
	}
	fqdn_cache_free(c);
}

static void a_listing_goes_on_while_names_come_and_go(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(1000, 1000);
	struct fqdn_name n;
	uint64_t cursor = 0;
	size_t seen = 0;

	for (uint64_t id = 1; id <= 500; id++) {
		name(c, id, false);
		put(c, id, 1, id <= 100 ? 10 : 1000);
	}
	while (fqdn_cache_next(c, &cursor, &n))
		if (++seen == 250)
			fqdn_cache_expire(c, 500, 1000, as_cached, NULL);
	assert_int_equal(seen, 500);
	assert_int_equal(count(c), 400);
	fqdn_cache_free(c);
}

struct visited {
	uint32_t scopes; /* a bit each */
	size_t n;
};

static void visit(void *ctx, const struct fqdn_name *name)
{
	struct visited *v = ctx;

	v->scopes |= 1u << name->key.scope;
	v->n++;
}

static void put_in(struct fqdn_cache *c, uint32_t scope, uint64_t id)
{
	struct snp_name_key key = {.id = id, .scope = scope};
	struct fqdn_fact fact = {.addr = addr_of(1), .expiry_ns = 100};
	uint8_t wire[] = {1, (uint8_t)('a' + id % 26), 1, (uint8_t)('a' + id / 26 % 26), 0};

	assert_int_equal(fqdn_cache_name(c, &key, wire, sizeof(wire), false, 0), 0);
	assert_int_equal(fqdn_cache_put(c, &key, &fact), 1);
}

static void drop_in(struct fqdn_cache *c, uint32_t scope, uint64_t id)
{
	struct snp_fact_key key = {.name = {.id = id, .scope = scope}, .addr = addr_of(1)};

	fqdn_cache_drop(c, &key);
}

/* Each name comes once, and none is missed for what comes and goes in one of its scopes meanwhile. */
static void a_listing_has_a_name_of_several_scopes_once(void **state)
{
	enum { IDS = 300, SCOPES = 5 };
	struct fqdn_cache *c = fqdn_cache_new(10000, 10000);
	bool held[SCOPES][IDS] = {{false}};
	unsigned int seen[IDS] = {0};
	struct visited v = {0};
	struct fqdn_name n;
	uint64_t cursor = 0;

	srand(3);
	for (uint64_t id = 0; id < IDS; id++) {
		put_in(c, 0, id); /* stays */
		held[0][id] = true;
	}
	for (int i = 0; i < 3000 || cursor == 0; i++) {
		uint32_t scope = 1 + (uint32_t)(rand() % (SCOPES - 1));
		uint64_t id = (uint64_t)(rand() % IDS);

		if (held[scope][id])
			drop_in(c, scope, id);
		else
			put_in(c, scope, id);
		held[scope][id] = !held[scope][id];
		if (i % 10 == 0 && fqdn_cache_next(c, &cursor, &n))
			seen[n.key.id]++;
	}
	while (fqdn_cache_next(c, &cursor, &n))
		seen[n.key.id]++;
	for (uint64_t id = 0; id < IDS; id++) {
		assert_int_equal(seen[id], 1);
		v = (struct visited){0};
		fqdn_cache_scopes(c, &(struct snp_name_key){.id = id}, visit, &v);
		assert_int_equal(v.scopes, held[0][id] | held[1][id] << 1 | held[2][id] << 2 |
						   held[3][id] << 3 | held[4][id] << 4);
		assert_int_equal(v.n, __builtin_popcount(v.scopes));
	}
	/* The one that held the name's place goes: another has it. */
	for (uint64_t id = 0; id < IDS; id++)
		drop_in(c, 0, id);
	cursor = 0;
	memset(seen, 0, sizeof(seen));
	while (fqdn_cache_next(c, &cursor, &n))
		seen[n.key.id]++;
	for (uint64_t id = 0; id < IDS; id++)
		assert_int_equal(seen[id],
				 held[1][id] || held[2][id] || held[3][id] || held[4][id]);
	v = (struct visited){0};
	fqdn_cache_scopes(c, &(struct snp_name_key){.id = IDS + 1}, visit, &v);
	assert_int_equal(v.n, 0);
	fqdn_cache_free(c);
}

static void dropping_the_last_fact_drops_the_name(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_fact_key key = {.name.id = 1, .addr = addr_of(1)};

	name(c, 1, false);
	put(c, 1, 1, 100);
	put(c, 1, 2, 100);
	fqdn_cache_drop(c, &key);
	assert_true(has(c, 1));
	fqdn_cache_drop(c, &key);
	key.addr = addr_of(2);
	fqdn_cache_drop(c, &key);
	assert_false(has(c, 1));
	assert_int_equal(fqdn_cache_facts(c), 0);
	fqdn_cache_free(c);
}

static struct fqdn_fact numbered(uint32_t i)
{
	struct fqdn_fact fact = {.addr = addr_of(0), .expiry_ns = 1000};

	fact.addr.w[3] = i;
	return fact;
}

/* Many addresses of one name come and go in any order; the name has those that it should have. */
static void thousands_of_addresses_come_and_go(void **state)
{
	enum { N = 3000 };
	static bool held[N];
	struct fqdn_cache *c = fqdn_cache_new(10, N);
	struct snp_fact_key key = {.name.id = 1};
	size_t n = 0;

	srand(1);
	name(c, 1, false);
	name(c, 2, false);
	put(c, 2, 1, 1000);
	for (int round = 0; round < 50 * N; round++) {
		/* More and more at first, then fewer. */
		uint32_t i = (uint32_t)rand() % N,
			 up = (uint32_t)(rand() % (50 * N)) > (uint32_t)round;
		struct fqdn_fact fact = numbered(i);

		if (up && n < N - 1) {
			assert_int_equal(fqdn_cache_put(c, &key.name, &fact), !held[i]);
			n += !held[i];
			held[i] = true;
		} else if (!up && (n > 1 || !held[i])) {
			key.addr = fact.addr;
			fqdn_cache_drop(c, &key);
			n -= held[i];
			held[i] = false;
		}
		assert_int_equal(found(c, 1).n_facts, n);
		if (round % N)
			continue;
		for (i = 0; i < N; i++) {
			fact = numbered(i);
			assert_int_equal(fqdn_cache_has(c, &key.name, &fact.addr), held[i]);
		}
	}
	assert_int_equal(fqdn_cache_facts(c), n + 1);
	fqdn_cache_free(c);
}

/* Whoever has a name with thousands of addresses once does not hold the memory for as long as one lives. */
static void what_thousands_of_addresses_took_is_given_back(void **state)
{
	enum { N = 4096 };
	struct fqdn_cache *c = fqdn_cache_new(10, N);
	struct snp_name_key key = {.id = 1};
	struct fqdn_name n;

	name(c, 1, false);
	for (uint32_t i = 0; i < N; i++) {
		struct fqdn_fact fact = numbered(i);

		fact.expiry_ns = i % 1000 ? 1000 : 5000;
		assert_int_equal(fqdn_cache_put(c, &key, &fact), 1);
	}
	while (fqdn_cache_expire(c, 2000, 100, as_cached, NULL) < 2000)
		;
	n = found(c, 1);
	assert_int_equal(n.n_facts, 5);
	assert_true(malloc_usable_size((void *)n.facts) < 100 * sizeof(*n.facts));
	for (uint32_t i = 0; i < N; i++) {
		struct fqdn_fact fact = numbered(i);

		assert_int_equal(fqdn_cache_has(c, &key, &fact.addr), i % 1000 == 0);
	}
	fqdn_cache_free(c);
}

/* As many as limits.addresses_per_name may be. The alarm only says when to give up: each is done at once. */
static void the_last_of_many_costs_what_the_first_does(void **state)
{
	enum { N = 65535 };
	struct fqdn_cache *c = fqdn_cache_new(10, N);
	struct snp_name_key key = {.id = 1};

	name(c, 1, false);
	alarm(10);
	for (uint64_t expiry_ns = 1000; expiry_ns < 1010; expiry_ns++)
		for (uint32_t i = 0; i < N; i++) {
			struct fqdn_fact fact = numbered(i);

			fact.expiry_ns = expiry_ns;
			assert_int_equal(fqdn_cache_put(c, &key, &fact), 1);
			fqdn_cache_judge(c, &key, &fact.addr, FQDN_CONFIRMED);
		}
	alarm(0);
	assert_int_equal(found(c, 1).n_facts, N);
	assert_int_equal(found(c, 1).n_pending, 0);
	/* All were renewed: none goes when the first would have been over. */
	assert_int_equal(fqdn_cache_expire(c, 1005, 2 * N, as_cached, NULL), 1009);
	assert_int_equal(fqdn_cache_facts(c), N);
	assert_int_equal(fqdn_cache_expire(c, 1010, 2 * N, as_cached, NULL), UINT64_MAX);
	assert_int_equal(fqdn_cache_facts(c), 0);
	fqdn_cache_free(c);
}

/* How many wait for an outcome, however they came and went. */
static void pending_ones_are_counted(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct fqdn_fact fact = {.addr = addr_of(1), .expiry_ns = 100, .reconcile = FQDN_PENDING};
	struct snp_fact_key key = {.name.id = 1, .addr = addr_of(2)};

	name(c, 1, false);
	fqdn_cache_put(c, &key.name, &fact);
	put(c, 1, 2, 100);
	put(c, 1, 3, 100);
	assert_int_equal(found(c, 1).n_pending, 3);
	fqdn_cache_judge(c, &key.name, &fact.addr, FQDN_UNREACHABLE);
	assert_int_equal(found(c, 1).n_pending, 2);
	fqdn_cache_drop(c, &key);
	assert_int_equal(found(c, 1).n_pending, 1);
	fact.addr = addr_of(3);
	fact.reconcile = FQDN_OFF;
	fqdn_cache_put(c, &key.name, &fact);
	assert_int_equal(found(c, 1).n_pending, 0);
	fact.reconcile = FQDN_PENDING;
	fqdn_cache_put(c, &key.name, &fact);
	assert_int_equal(found(c, 1).n_pending, 1);
	fqdn_cache_free(c);
}

static void a_name_is_asked_for_in_its_turn(void **state)
{
	struct fqdn_cache *c = fqdn_cache_new(10, 10);
	struct snp_name_key one = {.id = 1}, two = {.id = 2};
	struct fqdn_name n;

	name(c, 1, false);
	name(c, 2, false);
	fqdn_cache_ask(c, &one, 300);
	fqdn_cache_ask(c, &two, 200);
	fqdn_cache_ask(c, &one, 100);
	assert_int_equal(fqdn_cache_ask_due(c), 100);
	assert_false(fqdn_cache_next_ask(c, 99, &n));
	assert_true(fqdn_cache_next_ask(c, 100, &n));
	assert_int_equal(n.key.id, 1);
	assert_true(found(c, 1).asking && !found(c, 2).asking);
	assert_int_equal(found(c, 1).ask_ns, UINT64_MAX);
	fqdn_cache_asked(c, &one, 150, true, 60);
	n = found(c, 1);
	assert_true(!n.asking && n.asked_ns == 150 && n.failures == 1 && n.lifetime_s == 60);
	fqdn_cache_asked(c, &one, 0, true, 60);
	n = found(c, 1);
	assert_true(n.asked_ns == 150 && n.failures == 2);
	fqdn_cache_asked(c, &one, 180, false, 60);
	assert_int_equal(found(c, 1).failures, 0);
	fqdn_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fact_needs_its_name),
		cmocka_unit_test(a_deadline_never_moves_earlier),
		cmocka_unit_test(what_the_kernel_learned_is_of_the_kernel),
		cmocka_unit_test(an_outcome_is_kept_with_its_address),
		cmocka_unit_test(a_full_cache_refuses_the_new_and_keeps_the_old),
		cmocka_unit_test(what_policy_needs_comes_first),
		cmocka_unit_test(what_policy_needs_no_more_gives_way),
		cmocka_unit_test(need_is_noted_late),
		cmocka_unit_test(what_is_over_goes_and_nothing_else),
		cmocka_unit_test(a_renewal_not_yet_told_is_asked_for),
		cmocka_unit_test(expiry_stops_at_its_budget_and_goes_on),
		cmocka_unit_test(the_soonest_goes_first),
		cmocka_unit_test(a_listing_goes_on_while_names_come_and_go),
		cmocka_unit_test(a_listing_has_a_name_of_several_scopes_once),
		cmocka_unit_test(dropping_the_last_fact_drops_the_name),
		cmocka_unit_test(thousands_of_addresses_come_and_go),
		cmocka_unit_test(what_thousands_of_addresses_took_is_given_back),
		cmocka_unit_test(the_last_of_many_costs_what_the_first_does),
		cmocka_unit_test(pending_ones_are_counted),
		cmocka_unit_test(a_name_is_asked_for_in_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
