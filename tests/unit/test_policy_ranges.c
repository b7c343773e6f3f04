/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/policy_ranges.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LAST	 (~(policy_address)0)

/* "10.0.0.0/8", "2001:db8::/32", or an address. */
static struct snp_cidr cidr(const char *text)
{
	struct snp_cidr c = {.ipv6 = strchr(text, ':')};
	const char *slash = strchr(text, '/');
	char addr[64];

	strcpy(addr, text);
	addr[strcspn(addr, "/")] = '\0';
	if (c.ipv6) {
		assert_int_equal(inet_pton(AF_INET6, addr, c.addr.b), 1);
	} else {
		c.addr.b[10] = c.addr.b[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, addr, c.addr.b + 12), 1);
	}
	c.prefix = slash ? atoi(slash + 1) + (c.ipv6 ? 0 : 96) : 128;
	return c;
}

static policy_address address(const char *text)
{
	struct snp_cidr c = cidr(text);

	return policy_address_of(&c.addr);
}

/* What is written: "+ CIDR except,except" is allowed, "- CIDR" denied, each on a port of its own, from 1. */
struct written {
	bool deny;
	struct policy_cidr c;
	struct snp_cidr except[8];
	uint32_t ports;
};

struct world {
	struct written w[16];
	size_t n;
	struct policy_ports *ports;
	struct policy_ranges *ranges;
};

static void write_one(struct world *all, const char *text)
{
	struct written *w = &all->w[all->n++];
	struct policy_port port = {0, all->n, all->n};
	char copy[512], *save, *word;

	strcpy(copy, text + 2);
	w->deny = text[0] == '-';
	word = strtok_r(copy, " ", &save);
	w->c.in = cidr(word);
	w->c.except = w->except;
	while ((word = strtok_r(NULL, " ", &save)))
		w->except[w->c.n_except++] = cidr(word);
	assert_int_equal(policy_ports_of(all->ports, &port, 1, &w->ports), 0);
	assert_int_equal(policy_ranges_cidr(all->ranges, &w->c, w->ports, w->deny), 0);
}

static bool is_in(const struct snp_cidr *c, const struct snp_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (c->ipv6 == !memcmp(a->b, mapped, 12))
		return false;
	for (unsigned int i = 0; i < c->prefix; i++)
		if ((c->addr.b[i / 8] ^ a->b[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static bool applies(const struct written *w, const struct snp_addr *a)
{
	for (size_t i = 0; i < w->c.n_except; i++)
		if (is_in(&w->c.except[i], a))
			return false;
	return is_in(&w->c.in, a);
}

static struct snp_addr addr_of(policy_address x)
{
	struct snp_addr a;

	for (int i = 15; i >= 0; i--, x >>= 8)
		a.b[i] = (uint8_t)x;
	return a;
}

/* Does the port set hold the port that the i-th was written with? */
static bool has_port(const struct policy_ports *p, uint32_t number, uint32_t port)
{
	size_t n, below = 0;
	const uint32_t *limits = policy_ports_limits(p, number, SNP_PORTS_TCP, &n);

	for (size_t i = 0; i < n; i++)
		below += limits[i] <= port;
	return below & 1;
}

static void check_place(const struct world *all, const struct policy_range *at, policy_address x)
{
	struct snp_addr a = addr_of(x);

	for (size_t i = 0; i < all->n; i++) {
		const struct written *w = &all->w[i];
		uint32_t set = w->deny ? at->deny : at->allow;
		uint32_t other = w->deny ? at->allow : at->deny;

		assert_int_equal(has_port(all->ports, set, i + 1), applies(w, &a));
		assert_false(has_port(all->ports, other, i + 1));
	}
}

/* Ranges begin at first, go up, differ from the one before, and are right at both ends. */
static void check_between(const struct world *all, policy_address first, policy_address last)
{
	struct policy_range *r = NULL;
	size_t n = 0;

	assert_int_equal(policy_ranges_take(all->ranges, all->ports, first, last, &r, &n), 0);
	assert_true(n > 0 && r[0].from == first && r[n - 1].from <= last);
	for (size_t i = 0; i < n; i++) {
		policy_address end = i + 1 < n ? r[i + 1].from - 1 : last;

		assert_true(!i || r[i].from > r[i - 1].from);
		assert_true(!i || r[i].allow != r[i - 1].allow || r[i].deny != r[i - 1].deny);
		check_place(all, &r[i], r[i].from);
		check_place(all, &r[i], end);
		check_place(all, &r[i], r[i].from + (end - r[i].from) / 2);
	}
	free(r);
}

static void check_all(const char *const *text, size_t n)
{
	struct world all = {.ports = policy_ports_new(), .ranges = policy_ranges_new()};

	for (size_t i = 0; i < n; i++)
		write_one(&all, text[i]);
	check_between(&all, POLICY_V4_FIRST, POLICY_V4_LAST);
	check_between(&all, 0, POLICY_V4_FIRST - 1);
	check_between(&all, POLICY_V4_LAST + 1, LAST);
	check_between(&all, 0, LAST);
	policy_ranges_free(all.ranges);
	policy_ports_free(all.ports);
}

static void test_3_1_cidrs_and_their_exceptions(void **state)
{
	static const char *const nothing[] = {"+ 255.255.255.255"};
	static const char *const one[] = {"+ 10.0.0.0/8"};
	static const char *const nested[] = {
		"+ 10.0.0.0/8 10.1.0.0/16 10.1.2.0/24 10.1.2.3/32 10.0.0.0/32 10.255.255.255/32"};
	static const char *const touching[] = {
		"+ 10.0.0.0/8 10.0.0.0/9 10.128.0.0/9",
		"+ 192.0.2.0/24 192.0.2.0/25 192.0.2.0/25 192.0.2.128/26",
		"+ 198.51.100.0/24 198.51.100.0/24",
	};
	static const char *const overlapping[] = {
		"+ 10.0.0.0/8 10.1.0.0/16",  "+ 10.1.0.0/16", "- 10.1.2.0/24", "+ 10.1.2.3/32",
		"- 10.1.0.0/16 10.1.2.0/25", "+ 10.0.0.0/8",
	};

	check_all(NULL, 0);
	check_all(nothing, COUNT(nothing));
	check_all(one, COUNT(one));
	check_all(nested, COUNT(nested));
	check_all(touching, COUNT(touching));
	check_all(overlapping, COUNT(overlapping));
}

static void test_3_1_all_of_a_family_is_nothing_of_the_other(void **state)
{
	static const char *const v4[] = {"+ 0.0.0.0/0"};
	static const char *const v6[] = {"+ ::/0"};
	static const char *const denied[] = {"- ::/0", "+ 0.0.0.0/0"};
	static const char *const around[] = {"+ ::/64", "- ::/8 ::/95", "+ ::fffe:0:0/96",
					     "+ ::1:0:0:0/96", "+ ::/80 ::/128"};
	static const char *const both[] = {
		"+ 0.0.0.0/0 0.0.0.0/32 255.255.255.255/32",
		"+ ::/0 ::/128 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 2001:db8::/32"};

	check_all(v4, COUNT(v4));
	check_all(v6, COUNT(v6));
	check_all(denied, COUNT(denied));
	check_all(around, COUNT(around));
	check_all(both, COUNT(both));
}

static void test_3_1_the_first_and_the_last_address(void **state)
{
	static const char *const ends[] = {
		"+ 0.0.0.0/32", "+ 255.255.255.255/32",
		"+ ::/128",	"- ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		"- 0.0.0.0/1",	"+ 128.0.0.0/1",
		"+ 8000::/1",	"+ ::/1"};
	struct world all = {.ports = policy_ports_new(), .ranges = policy_ranges_new()};
	struct policy_range *r;
	size_t n;

	check_all(ends, COUNT(ends));
	write_one(&all, "+ 255.255.255.255/32");
	assert_int_equal(
		policy_ranges_take(all.ranges, all.ports, POLICY_V4_FIRST, POLICY_V4_LAST, &r, &n),
		0);
	assert_int_equal(n, 2);
	assert_true(r[1].from == POLICY_V4_LAST && r[1].allow && !r[0].allow);
	free(r);
	policy_ranges_free(all.ranges);
	policy_ranges_free(NULL);
	policy_ports_free(all.ports);
}

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

/* Few places, so that they meet: below 10.0.0.0/8, and on both sides of the v4-mapped ones. */
static void random_cidr(char *text, bool v6, unsigned int len)
{
	uint32_t bits = any(3) ? any(16) << 20 : any(1u << 24);
	struct in_addr a = {
		htonl((10u << 24 | bits) & (uint32_t) ~(~0ull >> 32 >> (v6 ? 0 : len)))};

	if (!v6)
		sprintf(text, "%s/%u", inet_ntoa(a), len);
	else if (len < 96)
		sprintf(text, "::/%u", len);
	else if (any(2))
		sprintf(text, "2001:db8:%x:%x::/64", any(2), any(2));
	else
		strcpy(text, any(2) ? "::fffe:0:0/96" : "::1:0:0:0/96");
}

static void random_rule(char *text)
{
	bool v6 = !any(4);
	unsigned int len = v6 ? any(110) : any(33);

	*text++ = any(2) ? '+' : '-';
	*text++ = ' ';
	random_cidr(text, v6, len);
	for (unsigned int i = any(5); i > 0; i--) {
		text += strlen(text);
		*text++ = ' ';
		random_cidr(text, v6, v6 ? any(110) : len + any(33 - len));
	}
}

static void test_3_1_random_cidrs(void **state)
{
	char text[15][512];
	const char *list[15];

	for (seed = 1; seed < 3000; seed++) {
		uint64_t was = seed;
		size_t n = 1 + any(15);

		for (size_t i = 0; i < n; i++) {
			random_rule(text[i]);
			list[i] = text[i];
		}
		check_all(list, n);
		seed = was;
	}
}

/* Thousands of one port set come to as many ranges as there are gaps, however they lie. */
static void test_3_1_thousands_of_cidrs(void **state)
{
	enum { MANY = 20000 };
	struct policy_ports *ports = policy_ports_new();
	struct policy_ranges *ranges = policy_ranges_new();
	struct policy_range *r;
	uint32_t web;
	size_t n;

	assert_int_equal(policy_ports_of(ports, &(struct policy_port){6, 80, 80}, 1, &web), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct policy_cidr c = {.in = cidr("10.0.0.0/32")};
		uint32_t at = i * 7919 % MANY * 2; /* every other address, in no order */

		c.in.addr.b[13] = at >> 16;
		c.in.addr.b[14] = at >> 8;
		c.in.addr.b[15] = at;
		assert_int_equal(policy_ranges_cidr(ranges, &c, web, false), 0);
		c.in.prefix = 120 + i % 8; /* the same as denied, overlapping */
		assert_int_equal(policy_ranges_cidr(ranges, &c, web, true), 0);
	}
	assert_int_equal(policy_ranges_take(ranges, ports, POLICY_V4_FIRST, POLICY_V4_LAST, &r, &n),
			 0);
	assert_int_equal(n, 2 + 2 * MANY);
	for (size_t i = 1; i + 1 < n; i++) {
		assert_true(r[i].from == address("10.0.0.0") + i - 1);
		assert_int_equal(r[i].allow, i % 2 ? web : 0);
		assert_int_equal(r[i].deny, web);
	}
	assert_true(r[0].from == POLICY_V4_FIRST && !r[0].allow && !r[0].deny);
	assert_true(!r[n - 1].allow && !r[n - 1].deny);
	free(r);
	assert_int_equal(policy_ports_end(ports), 2); /* and they make no new sets of ports */
	policy_ranges_free(ranges);
	policy_ports_free(ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_cidrs_and_their_exceptions),
		cmocka_unit_test(test_3_1_all_of_a_family_is_nothing_of_the_other),
		cmocka_unit_test(test_3_1_the_first_and_the_last_address),
		cmocka_unit_test(test_3_1_random_cidrs),
		cmocka_unit_test(test_3_1_thousands_of_cidrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
