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
	struct snp_addr both[] = {lo, one};
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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum fqdn_reconcile absent = reconcile_absent(&conf, &rows[i].found);

		assert_int_equal(reconcile_judge(&rows[i].found, absent, &one), rows[i].outcome);
	}
}

/* Each of thousands of addresses is found, and none between them. */
static void one_address_of_thousands(void **state)
{
	enum { N = 4000 };
	static struct snp_addr addrs[N];
	struct reconcile_found found = {RECONCILE_ADDRESSES, 60, addrs, N};

	for (unsigned int i = 0; i < N; i++) {
		addrs[i] = addr("2001:db8::");
		addrs[i].b[14] = (2 * i) >> 8;
		addrs[i].b[15] = (2 * i) & 0xff;
	}
	for (unsigned int i = 0; i < N; i++) {
		struct snp_addr other = addrs[i];

		other.b[15]++;
		assert_int_equal(reconcile_judge(&found, FQDN_UNCONFIRMED, &addrs[i]),
				 FQDN_CONFIRMED);
		assert_int_equal(reconcile_judge(&found, FQDN_UNCONFIRMED, &other),
				 FQDN_UNCONFIRMED);
	}
}

/* What collection put back as granted stays what the kernel learned. */
static void a_granted_row_keeps_its_origin(void **state)
{
	const struct snp_fact had = {.expiry_ns = 150 * S,
				     .first_seen_ns = 10 * S,
				     .last_seen_ns = 20 * S,
				     .cgroup_id = 77,
				     .ttl_s = 5,
				     .origin = SNP_ORIGIN_KERNEL,
				     .chain = 3};
	struct snp_fact row = reconcile_grant(&had, 160 * S, 60, 100 * S);

	assert_int_equal(row.origin, SNP_ORIGIN_KERNEL);
	assert_int_equal(row.first_seen_ns, 10 * S);
	assert_int_equal(row.cgroup_id, 77);
	assert_int_equal(row.expiry_ns, 160 * S);
	assert_int_equal(row.last_seen_ns, 100 * S);
	assert_int_equal(row.ttl_s, 60);
	/* A deadline never moves earlier. */
	row = reconcile_grant(&had, 140 * S, 60, 100 * S);
	assert_int_equal(row.expiry_ns, 150 * S);
	row = reconcile_grant(NULL, 160 * S, 60, 100 * S);
	assert_int_equal(row.origin, SNP_ORIGIN_RESOLVER);
	assert_int_equal(row.first_seen_ns, 100 * S);
	assert_int_equal(row.expiry_ns, 160 * S);
	assert_int_equal(row.cgroup_id, 0);
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
	struct fqdn_fact fact = {.addr = addr("192.0.2.1")};
	struct fqdn_name name = {.n_facts = 1, .facts = &fact, .n_pending = 1};

	for (uint64_t random = 0; random <= UINT32_MAX; random += UINT32_MAX / 16)
		assert_in_range(reconcile_at_news(&name, 100 * S, (uint32_t)random), 100 * S,
				100 * S + RECONCILE_SOON_NS);
	/* Judged not long ago: its renewals wait. */
	name.asked_ns = 90 * S;
	name.n_pending = 0;
	assert_in_range(reconcile_at_news(&name, 100 * S, 5), 90 * S + RECONCILE_FRESH_NS,
			90 * S + RECONCILE_FRESH_NS + RECONCILE_SOON_NS);
	/* ... but not a new address, and not for ever. */
	name.n_pending = 1;
	assert_in_range(reconcile_at_news(&name, 100 * S, 5), 100 * S, 100 * S + RECONCILE_SOON_NS);
	name.n_pending = 0;
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
	assert_in_range(reconcile_at_refresh(100, 100 * S, 0), 174 * S, 176 * S);
	assert_in_range(reconcile_at_refresh(100, 100 * S, UINT32_MAX), 189 * S, 191 * S);
	assert_in_range(reconcile_at_refresh(1, 100 * S, 0), 100 * S + S / 2, 101 * S);
	/* 100 days */
	assert_in_range(reconcile_at_refresh(8640000, 100 * S, UINT32_MAX), 7775000 * S,
			7776100 * S);
}

/* A client is back: its name is asked for soon, but not with each of its questions. */
static void a_name_that_comes_back_is_asked_for(void **state)
{
	struct fqdn_name name = {.asked_ns = 10 * S};

	assert_in_range(reconcile_at_return(&name, 100 * S, 0), 100 * S,
			100 * S + RECONCILE_SOON_NS);
	name.asked_ns = 99 * S;
	assert_in_range(reconcile_at_return(&name, 100 * S, UINT32_MAX),
			99 * S + RECONCILE_AGAIN_NS,
			99 * S + RECONCILE_AGAIN_NS + RECONCILE_SOON_NS);
}

/* Ten lifetimes after a client's question, whatever facts are left of what it was answered. */
static void renewal_ends_after_ten_lifetimes(void **state)
{
	struct fqdn_fact fact = {.granted_ns = 900 * S, .ttl_s = 30, .origin = SNP_ORIGIN_RESOLVER};
	struct fqdn_name name = {
		.asked_ns = 200 * S, .lifetime_s = 100, .n_facts = 1, .facts = &fact};
	struct snp_name_row row = {.last_seen_ns = 100 * S, .expiry_ns = 130 * S};

	assert_true(reconcile_is_wanted(&name, &row, 1100 * S - 1));
	assert_false(reconcile_is_wanted(&name, &row, 1100 * S));
	row.last_seen_ns = 101 * S;
	assert_true(reconcile_is_wanted(&name, &row, 1100 * S));
	/* While look-ups have given nothing, it goes by its facts. */
	name.lifetime_s = 0;
	assert_true(reconcile_is_wanted(&name, &row, 401 * S - 1));
	assert_false(reconcile_is_wanted(&name, &row, 401 * S));
	/* A lifetime is a second at least. */
	name.n_facts = 0;
	assert_true(reconcile_is_wanted(&name, &row, 111 * S - 1));
	assert_false(reconcile_is_wanted(&name, &row, 111 * S));
}

/* The kernel tells of a name that it cannot read once, and of it anew only long after its row is over. */
static void the_unread_are_wanted_until_they_are_told_again(void **state)
{
	struct fqdn_name name = {.asked_ns = 200 * S, .lifetime_s = 1, .partial = true};
	struct snp_name_row row = {.last_seen_ns = 100 * S, .expiry_ns = 160 * S};

	assert_true(reconcile_is_wanted(&name, &row, row.expiry_ns + SNP_REVIVE_AFTER_NS - 1));
	assert_false(reconcile_is_wanted(&name, &row, row.expiry_ns + SNP_REVIVE_AFTER_NS));
	/* Clients ask: */
	row.last_seen_ns += 50 * S;
	row.expiry_ns += 50 * S;
	assert_true(reconcile_is_wanted(&name, &row, 160 * S + SNP_REVIVE_AFTER_NS));
	name.lifetime_s = 60;
	assert_true(reconcile_is_wanted(&name, &row, 750 * S - 1));
	name.partial = false;
	assert_true(reconcile_is_wanted(&name, &row, 750 * S - 1));
}

/* A server gives what is left of its cache's TTL; the longest since a client asked is the name's. */
static void the_lifetime_is_the_longest_of_ttls(void **state)
{
	struct fqdn_fact facts[] = {{.expiry_ns = S, .ttl_s = 900, .origin = SNP_ORIGIN_KERNEL},
				    {.granted_ns = S, .ttl_s = 300, .origin = SNP_ORIGIN_RESOLVER}};
	struct fqdn_name name = {
		.asked_ns = 200 * S, .lifetime_s = 300, .n_facts = 2, .facts = facts};

	assert_int_equal(reconcile_lifetime(&name, 20, 100 * S), 300);
	assert_int_equal(reconcile_lifetime(&name, 400, 100 * S), 400);
	/* It asked again: what counted before does not. */
	assert_int_equal(reconcile_lifetime(&name, 20, 201 * S), 20);
	/* The first look-up of a daemon: what another one knew is in the facts it granted. */
	name.asked_ns = name.lifetime_s = 0;
	assert_int_equal(reconcile_lifetime(&name, 20, 100 * S), 300);
	name.n_facts = 1;
	assert_int_equal(reconcile_lifetime(&name, 20, 100 * S), 20);
}

static void what_only_a_look_up_tells(void **state)
{
	const struct fqdn_name judged = {.asked_ns = 100 * S};
	struct fqdn_name name = judged;

	assert_false(reconcile_is_open(&name, 101 * S));
	assert_true(reconcile_is_open(&name, 100 * S + RECONCILE_FRESH_NS));
	name.n_pending = 1;
	assert_true(reconcile_is_open(&name, 101 * S));
	name = judged;
	name.failures = 1;
	assert_true(reconcile_is_open(&name, 101 * S));
	name = judged;
	name.asked_ns = 0;
	assert_true(reconcile_is_open(&name, 101 * S));
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
		cmocka_unit_test(one_address_of_thousands),
		cmocka_unit_test(a_granted_row_keeps_its_origin),
		cmocka_unit_test(a_name_is_renewed_before_it_ends),
		cmocka_unit_test(a_name_that_comes_back_is_asked_for),
		cmocka_unit_test(renewal_ends_after_ten_lifetimes),
		cmocka_unit_test(the_unread_are_wanted_until_they_are_told_again),
		cmocka_unit_test(the_lifetime_is_the_longest_of_ttls),
		cmocka_unit_test(what_only_a_look_up_tells),
		cmocka_unit_test(no_more_than_rate),
		cmocka_unit_test(two_at_once_are_paid_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
