/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/core/policy_ports.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PORTS	 65536

/* A set, port by port. */
struct plain {
	bool has[SNP_PORTS_PROTOCOLS][PORTS];
};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

static void add_plain(struct plain *p, const struct policy_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < SNP_PORTS_PROTOCOLS; k++)
			for (uint32_t x = ports[i].first; x <= ports[i].last; x++)
				p->has[k][x] |=
					!ports[i].protocol || ports[i].protocol == protocols[k];
}

/* Region SNP_POLICY_TABLES with one set, number 1, as the kernel reads it. */
static uint8_t *tables_of(const struct policy_ports *p, uint32_t number)
{
	uint8_t *tables = calloc(1, SNP_REGION_BYTES);
	struct snp_policy_head *head = (struct snp_policy_head *)tables;
	struct snp_ports *row;
	uint32_t at = 4096;
	size_t n;

	assert_non_null(tables);
	head->ports_at = 1024;
	row = (struct snp_ports *)(tables + head->ports_at) + 1;
	row->all = policy_ports_all(p, number);
	for (unsigned int k = 0; k < SNP_PORTS_PROTOCOLS; k++) {
		const uint32_t *limits = policy_ports_limits(p, number, k, &n);

		row->n[k] = n;
		row->at[k] = at;
		memcpy(tables + at, limits, n * sizeof(*limits));
		at += n * sizeof(*limits);
		/* Whatever stands behind is not looked at. */
		memset(tables + at, 0x01, 256);
		at += 256;
	}
	return tables;
}

static void check_holds(const struct policy_ports *p, uint32_t number, const struct plain *want)
{
	uint8_t *tables = tables_of(p, number);

	for (size_t k = 0; k < SNP_PORTS_PROTOCOLS; k++)
		for (uint32_t x = 0; x < PORTS; x++) {
			struct snp_flow_to to = {.port = x, .protocol = protocols[k]};

			if (!!snp_ports_hold(tables, 1, &to) != want->has[k][x])
				fail_msg("protocol %u port %u", protocols[k], x);
		}
	free(tables);
}

static uint32_t number_of(struct policy_ports *p, const struct policy_port *ports, size_t n)
{
	uint32_t number = 0;

	assert_int_equal(policy_ports_of(p, ports, n, &number), 0);
	return number;
}

static void check_limits(const struct policy_ports *p, uint32_t number, unsigned int protocol,
			 const uint32_t *want, size_t n_want)
{
	size_t n;
	const uint32_t *limits = policy_ports_limits(p, number, protocol, &n);

	assert_int_equal(n, n_want);
	assert_memory_equal(limits, want, n * sizeof(*want));
}

#define LIMITS(p, number, protocol, ...)                                                           \
	check_limits(p, number, SNP_PORTS_##protocol, (const uint32_t[]){__VA_ARGS__},             \
		     COUNT(((const uint32_t[]){__VA_ARGS__})))

static void test_3_1_runs_that_touch_are_one(void **state)
{
	static const struct policy_port ports[] = {
		{IPPROTO_TCP, 443, 443}, {IPPROTO_TCP, 80, 80},	  {IPPROTO_TCP, 81, 90},
		{IPPROTO_TCP, 85, 86},	 {IPPROTO_TCP, 92, 92},	  {IPPROTO_UDP, 91, 91},
		{IPPROTO_TCP, 80, 80},	 {IPPROTO_TCP, 440, 445},
	};
	static const struct policy_port same[] = {
		{IPPROTO_UDP, 91, 91}, {IPPROTO_TCP, 440, 445}, {IPPROTO_TCP, 92, 92},
		{IPPROTO_TCP, 80, 88}, {IPPROTO_TCP, 86, 90},
	};
	struct policy_ports *p = policy_ports_new();
	uint32_t number = number_of(p, ports, COUNT(ports));

	LIMITS(p, number, TCP, 80, 91, 92, 93, 440, 446);
	LIMITS(p, number, UDP, 91, 92);
	check_limits(p, number, SNP_PORTS_SCTP, NULL, 0);
	assert_int_equal(number_of(p, same, COUNT(same)), number);
	assert_false(policy_ports_all(p, number));
	policy_ports_free(p);
	policy_ports_free(NULL);
}

static void test_3_1_any_is_three_protocols_and_no_more(void **state)
{
	static const struct policy_port any = {0, 53, 53}, every = {0, 0, 65535};
	struct policy_ports *p = policy_ports_new();
	uint32_t a = number_of(p, &any, 1), e = number_of(p, &every, 1),
		 all = number_of(p, NULL, 0);
	struct snp_flow_to icmp = {.protocol = IPPROTO_ICMP, .no_ports = 1},
			   lite = {.protocol = 136, .port = 53}, gre = {.protocol = 47},
			   fragment = {.protocol = IPPROTO_UDP, .no_ports = 1};
	uint8_t *tables;

	LIMITS(p, a, TCP, 53, 54);
	LIMITS(p, a, UDP, 53, 54);
	LIMITS(p, a, SCTP, 53, 54);
	LIMITS(p, e, SCTP, 0, 65536);
	assert_int_not_equal(e, all);
	assert_false(policy_ports_all(p, e));
	assert_true(policy_ports_all(p, all));
	tables = tables_of(p, e);
	assert_false(snp_ports_hold(tables, 1, &icmp));
	assert_true(snp_ports_hold(tables, 1, &lite));
	assert_false(snp_ports_hold(tables, 1, &gre));
	assert_false(snp_ports_hold(tables, 1, &fragment));
	free(tables);
	tables = tables_of(p, all);
	assert_true(snp_ports_hold(tables, 1, &icmp));
	assert_true(snp_ports_hold(tables, 1, &gre));
	assert_true(snp_ports_hold(tables, 1, &fragment));
	assert_false(snp_ports_hold(tables, 0, &icmp));
	free(tables);
	policy_ports_free(p);
}

static void test_3_1_the_first_and_the_last_port(void **state)
{
	static const struct policy_port ports[] = {{IPPROTO_TCP, 0, 0},
						   {IPPROTO_TCP, 65535, 65535},
						   {IPPROTO_UDP, 1, 65535},
						   {IPPROTO_SCTP, 0, 65534}};
	struct policy_ports *p = policy_ports_new();
	static struct plain want;
	uint32_t number = number_of(p, ports, COUNT(ports));

	LIMITS(p, number, TCP, 0, 1, 65535, 65536);
	LIMITS(p, number, UDP, 1, 65536);
	LIMITS(p, number, SCTP, 0, 65535);
	add_plain(&want, ports, COUNT(ports));
	check_holds(p, number, &want);
	policy_ports_free(p);
}

static void test_3_1_unions(void **state)
{
	static const struct policy_port web = {IPPROTO_TCP, 80, 80}, tls = {IPPROTO_TCP, 443, 443},
					both[] = {{IPPROTO_TCP, 443, 443}, {IPPROTO_TCP, 80, 80}};
	struct policy_ports *p = policy_ports_new();
	uint32_t a = number_of(p, &web, 1), b = number_of(p, &tls, 1), all = number_of(p, NULL, 0),
		 ab = number_of(p, both, 2), got, end = policy_ports_end(p);

	assert_int_equal(policy_ports_union(p, a, b, &got), 0);
	assert_int_equal(got, ab);
	assert_int_equal(policy_ports_union(p, b, a, &got), 0);
	assert_int_equal(got, ab);
	assert_int_equal(policy_ports_union(p, ab, a, &got), 0);
	assert_int_equal(got, ab);
	assert_int_equal(policy_ports_union(p, a, a, &got), 0);
	assert_int_equal(got, a);
	assert_int_equal(policy_ports_union(p, 0, a, &got), 0);
	assert_int_equal(got, a);
	assert_int_equal(policy_ports_union(p, 0, 0, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(policy_ports_union(p, a, all, &got), 0);
	assert_int_equal(got, all);
	assert_int_equal(policy_ports_union(p, all, ab, &got), 0);
	assert_int_equal(got, all);
	assert_int_equal(policy_ports_end(p), end);
	policy_ports_free(p);
}

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

static size_t random_ports(struct policy_port *ports)
{
	static const uint8_t kinds[] = {0, 0, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	size_t n = 1 + any(40);

	for (size_t i = 0; i < n; i++) {
		uint32_t first = any(4) ? any(64) : any(4) ? any(PORTS) : PORTS - 1 - any(4);
		uint32_t last = first + (any(3) ? any(5) : any(PORTS / 4) * any(2));

		ports[i] = (struct policy_port){kinds[any(COUNT(kinds))], first,
						last < PORTS ? last : PORTS - 1};
	}
	return n;
}

/* The same set has the same number, whatever it was made from, and holds what it should. */
static void test_3_1_random_sets_and_their_unions(void **state)
{
	static struct plain want;
	struct policy_port a[80], b[40];
	struct policy_ports *p = policy_ports_new();

	for (seed = 1; seed < 60; seed++) {
		uint64_t was = seed;
		size_t n_a = random_ports(a), n_b = random_ports(b);
		uint32_t x = number_of(p, a, n_a), y = number_of(p, b, n_b), got, once;

		memset(&want, 0, sizeof(want));
		add_plain(&want, a, n_a);
		check_holds(p, x, &want);
		add_plain(&want, b, n_b);
		assert_int_equal(policy_ports_union(p, x, y, &got), 0);
		check_holds(p, got, &want);
		assert_int_equal(policy_ports_union(p, y, x, &once), 0);
		assert_int_equal(got, once);
		memcpy(a + n_a, b, n_b * sizeof(*b));
		assert_int_equal(number_of(p, a, n_a + n_b), got);
		seed = was;
	}
	policy_ports_free(p);
}

/* Every other port from `first` on: as many runs. */
static void combs(struct policy_port *ports, size_t n, uint32_t first)
{
	for (size_t i = 0; i < n; i++)
		ports[i] = (struct policy_port){0, first + 2 * i, first + 2 * i};
}

static void test_3_1_a_set_has_so_many_runs_and_no_more(void **state)
{
	static struct policy_port a[POLICY_PORT_RUNS_MAX + 1], b[POLICY_PORT_RUNS_MAX];
	static struct plain want;
	struct policy_ports *p = policy_ports_new();
	uint32_t x, y, one, got = 77;

	combs(a, POLICY_PORT_RUNS_MAX + 1, 1);
	combs(b, POLICY_PORT_RUNS_MAX, 2);
	x = number_of(p, a, POLICY_PORT_RUNS_MAX);
	add_plain(&want, a, POLICY_PORT_RUNS_MAX);
	check_holds(p, x, &want);
	assert_int_equal(policy_ports_of(p, a, POLICY_PORT_RUNS_MAX + 1, &got), -EOVERFLOW);
	/* Two sets with the most of them can be one run, */
	y = number_of(p, b, POLICY_PORT_RUNS_MAX);
	assert_int_equal(policy_ports_union(p, x, y, &got), 0);
	LIMITS(p, got, TCP, 1, 1 + 2 * POLICY_PORT_RUNS_MAX);
	/* ... or too many. */
	one = number_of(p, &(struct policy_port){0, 9999, 9999}, 1);
	got = 77;
	assert_int_equal(policy_ports_union(p, x, one, &got), -EOVERFLOW);
	assert_int_equal(got, 77);
	policy_ports_free(p);
}

static void test_3_1_sets_of_ports_run_out(void **state)
{
	struct policy_ports *p = policy_ports_new();
	uint32_t got = 0;

	for (uint32_t i = 0; i < POLICY_PORT_SETS_MAX; i++)
		assert_int_equal(number_of(p, &(struct policy_port){IPPROTO_TCP, i, i}, 1), i + 1);
	assert_int_equal(policy_ports_end(p), POLICY_PORT_SETS_MAX + 1);
	assert_int_equal(policy_ports_of(p, NULL, 0, &got), -E2BIG);
	assert_int_equal(policy_ports_union(p, 1, 2, &got), -E2BIG);
	assert_int_equal(got, 0);
	assert_int_equal(number_of(p, &(struct policy_port){IPPROTO_TCP, 7, 7}, 1), 8);
	policy_ports_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_runs_that_touch_are_one),
		cmocka_unit_test(test_3_1_any_is_three_protocols_and_no_more),
		cmocka_unit_test(test_3_1_the_first_and_the_last_port),
		cmocka_unit_test(test_3_1_unions),
		cmocka_unit_test(test_3_1_random_sets_and_their_unions),
		cmocka_unit_test(test_3_1_a_set_has_so_many_runs_and_no_more),
		cmocka_unit_test(test_3_1_sets_of_ports_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
