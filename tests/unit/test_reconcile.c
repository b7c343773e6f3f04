/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test_reconcile.c - outcomes, and when to ask. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snooper/core/reconcile.h"

#define S 1000000000ull

static struct snp_addr addr(const char *text)
{
	struct snp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, a.b + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static struct snp_conf conf_refusing(struct snp_cidr *ranges, size_t n)
{
	return (struct snp_conf){.observe = {
					 .never_learn = ranges,
					 .n_never_learn = n,
					 .learn_private = true,
				 }};
}

static void outcomes(void **state)
{
	struct snp_cidr loopback = {addr("127.0.0.0"), 104, false};
	struct snp_conf conf = conf_refusing(&loopback, 1);
	struct snp_addr one = addr("192.0.2.1"), two = addr("192.0.2.2"), lo = addr("127.0.0.1");
	struct snp_addr both[] = {one, lo};
	const struct {
		struct reconcile_found found;
		enum fqdn_reconcile outcome; /* of 192.0.2.1 */
	} rows[] = {
		{{RECONCILE_ADDRESSES, 60, &one, 1}, FQDN_CONFIRMED},
		{{RECONCILE_ADDRESSES, 60, both, 2}, FQDN_CONFIRMED},
		{{RECONCILE_ADDRESSES, 60, &two, 1}, FQDN_UNCONFIRMED},
		{{RECONCILE_ADDRESSES, 60, NULL, 0}, FQDN_UNCONFIRMED},
		{{RECONCILE_ADDRESSES, 60, &lo, 1}, FQDN_CONFLICT},
		{{RECONCILE_NO_NAME, 0, NULL, 0}, FQDN_CONFLICT},
		{{RECONCILE_NO_REPLY, 0, NULL, 0}, FQDN_UNREACHABLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(reconcile_judge(&conf, &rows[i].found, &one), rows[i].outcome);
}

static void refused_ranges(void **state)
{
	struct snp_cidr ranges[] = {
		{addr("169.254.0.0"), 112, false},
		{addr("10.1.2.128"), 121, false},
		{addr("fe80::"), 10, true},
		{addr("::"), 128, true},
	};
	struct snp_conf conf = conf_refusing(ranges, 4);
	const struct {
		const char *addr;
		bool refused, refused_if_private;
	} rows[] = {
		{"169.254.169.254", true, true}, {"169.255.0.1", false, false},
		{"10.1.2.128", true, true},	 {"10.1.2.127", false, true},
		{"fe80::1", true, true},	 {"febf::1", true, true},
		{"fec0::1", false, false},	 {"::", true, true},
		{"::2", false, false},		 {"172.31.0.1", false, true},
		{"172.32.0.1", false, false},	 {"fd00::1", false, true},
		{"192.168.1.1", false, true},	 {"2001:db8::1", false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snp_addr a = addr(rows[i].addr);

		conf.observe.learn_private = true;
		assert_int_equal(reconcile_refused(&conf, &a), rows[i].refused);
		conf.observe.learn_private = false;
		assert_int_equal(reconcile_refused(&conf, &a), rows[i].refused_if_private);
	}
}

static void types_are_those_of_its_facts(void **state)
{
	struct fqdn_fact facts[2] = {{.addr = addr("192.0.2.1")}, {.addr = addr("2001:db8::1")}};
	struct fqdn_name name = {.n_facts = 0, .facts = facts};
	bool v4, v6;

	reconcile_types(&name, &v4, &v6);
	assert_true(v4 && v6);
	name.n_facts = 1;
	reconcile_types(&name, &v4, &v6);
	assert_true(v4 && !v6);
	name.n_facts = 2;
	reconcile_types(&name, &v4, &v6);
	assert_true(v4 && v6);
}

static void news_is_asked_about_soon_and_not_too_often(void **state)
{
	struct fqdn_fact fact = {.addr = addr("192.0.2.1"), .reconcile = FQDN_PENDING};
	struct fqdn_name name = {.n_facts = 1, .facts = &fact};

	for (uint64_t random = 0; random <= UINT32_MAX; random += UINT32_MAX / 16)
		assert_in_range(reconcile_at_news(&name, 100 * S, (uint32_t)random), 100 * S,
				100 * S + RECONCILE_SOON_NS);
	/* Judged not long ago: its renewals wait. */
	name.asked_ns = 90 * S;
	fact.reconcile = FQDN_CONFIRMED;
	assert_in_range(reconcile_at_news(&name, 100 * S, 5), 90 * S + RECONCILE_FRESH_NS,
			90 * S + RECONCILE_FRESH_NS + RECONCILE_SOON_NS);
	/* ... but not a new address, and not for ever. */
	fact.reconcile = FQDN_PENDING;
	assert_in_range(reconcile_at_news(&name, 100 * S, 5), 100 * S, 100 * S + RECONCILE_SOON_NS);
	fact.reconcile = FQDN_CONFIRMED;
	assert_in_range(reconcile_at_news(&name, 1000 * S, 5), 1000 * S,
			1000 * S + RECONCILE_SOON_NS);
}

static void failures_wait_longer_each_time(void **state)
{
	uint64_t had = 0;

	for (unsigned int n = 0; n < 20; n++) {
		uint64_t least = reconcile_at_failure(n, 0, 0);
		uint64_t most = reconcile_at_failure(n, 0, UINT32_MAX);

		assert_true(least >= RECONCILE_RETRY_NS / 2 && least >= had);
		assert_true(most > least && most <= RECONCILE_RETRY_MAX_NS * 3 / 2);
		had = least;
	}
	assert_int_equal(had, RECONCILE_RETRY_MAX_NS / 2);
}

static void a_name_is_renewed_before_it_ends(void **state)
{
	struct fqdn_fact facts[2] = {
		{.expiry_ns = 200 * S, .last_seen_ns = 100 * S, .ttl_s = 100},
		{.granted_ns = 300 * S, .ttl_s = 100},
	};
	struct fqdn_name name = {.n_facts = 2, .facts = facts};

	assert_in_range(reconcile_at_refresh(&name, 100 * S, 0), 174 * S, 176 * S);
	assert_in_range(reconcile_at_refresh(&name, 100 * S, UINT32_MAX), 189 * S, 191 * S);
	/* Late, or with nothing left: soon, never at once. */
	assert_true(reconcile_at_refresh(&name, 500 * S, 0) >= 500 * S + S / 2);
	/* Nobody asked for ten lifetimes. */
	facts[0].granted_ns = facts[1].granted_ns = 1200 * S;
	assert_true(reconcile_at_refresh(&name, 1099 * S, 0) < UINT64_MAX);
	assert_int_equal(reconcile_at_refresh(&name, 1100 * S, 0), UINT64_MAX);
	/* No client ever did. */
	facts[0].expiry_ns = 0;
	assert_int_equal(reconcile_at_refresh(&name, 100 * S, 0), UINT64_MAX);
}

static void no_more_than_rate(void **state)
{
	static const uint32_t rates[] = {1, 7, 200, 1000000};

	for (size_t i = 0; i < 4; i++) {
		struct reconcile_bucket b = {0};
		uint64_t asked = 0, now_ns = 1000 * S, step_ns = S / rates[i] / 3 + 1;

		for (; now_ns < 1000 * S + 3 * S && asked < 5000; now_ns += step_ns)
			while (reconcile_may_ask(&b, rates[i], now_ns)) {
				reconcile_asked(&b, rates[i]);
				asked++;
			}
		assert_in_range(asked, (now_ns - 1000 * S) * rates[i] / S * 9 / 10,
				(now_ns - 1000 * S) * rates[i] / S + rates[i] / 10 + 1);
	}
}

/* A question asked for one name's two types may overdraw; the next waits for both. */
static void two_at_once_are_paid_for(void **state)
{
	struct reconcile_bucket b = {0};

	assert_true(reconcile_may_ask(&b, 1, 1000 * S));
	reconcile_asked(&b, 1);
	reconcile_asked(&b, 1);
	assert_false(reconcile_may_ask(&b, 1, 1001 * S));
	assert_true(reconcile_may_ask(&b, 1, 1002 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes),
		cmocka_unit_test(refused_ranges),
		cmocka_unit_test(types_are_those_of_its_facts),
		cmocka_unit_test(news_is_asked_about_soon_and_not_too_often),
		cmocka_unit_test(failures_wait_longer_each_time),
		cmocka_unit_test(a_name_is_renewed_before_it_ends),
		cmocka_unit_test(no_more_than_rate),
		cmocka_unit_test(two_at_once_are_paid_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
