/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What tables and rows come to, held against the rules as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_compile.h"
#include "snooper/core/policy_compile.h"
#include "snooper/core/policy_rule.h"
#include "snooper/core/policy_why.h"
#include "tests/unit/policy_text.h"

#define ENDPOINT 3
#define SCOPE	 3
#define NOW_MS	 1000000u
#define GRACE_MS 5000u

static const char text[] = SPEC
	"  egress:\n"
	"  - toCIDR: [10.1.0.0/16, 'fd00:1::/64']\n"
	"  - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.2.0.0/16, 10.3.3.3/32]}]\n"
	"    toPorts: [{ports: [{port: '80', protocol: TCP}, {port: '1000', endPort: 2000}]}]\n"
	"  - toEntities: [host]\n"
	"    toPorts: [{ports: [{port: '22', protocol: TCP}]}]\n"
	"  - toFQDNs: [{matchName: a.test}]\n"
	"    toPorts: [{ports: [{port: '443', protocol: TCP}]}]\n"
	"  - toFQDNs: [{matchPattern: '*.test'}]\n"
	"    toPorts: [{ports: [{port: '53', protocol: UDP}]}]\n"
	"  egressDeny:\n"
	"  - toCIDR: [10.1.9.0/24]\n"
	"  - toCIDR: ['fd00:1::66/128', 10.1.8.0/24]\n"
	"    toPorts: [{ports: [{port: '1', endPort: 1023, protocol: TCP}]}]\n";

/* The policy, and what the kernel would have of it. */
static struct {
	struct policy *policy;
	struct policy_ids *ids;
	struct policy_names names;
	struct match_tables automata;
	struct snp_addr host;
	uint8_t *tables;
	uint32_t a, both; /* identities: {a.test}, {a.test, *.test} */
	/* rows: of one address, learned and given */
	struct snp_addr at;
	struct snp_row rows[2];
} w;

static struct snp_addr addr_of(const char *text_of_it)
{
	struct snp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (strchr(text_of_it, ':'))
		assert_int_equal(inet_pton(AF_INET6, text_of_it, a.b), 1);
	else
		assert_int_equal(inet_pton(AF_INET, text_of_it, a.b + 12), 1);
	return a;
}

static int setup(void **state)
{
	struct match_selector list[8];
	struct match_problems problems = {.n = 0};
	struct policy_endpoint endpoint = {.number = ENDPOINT};
	struct conf_diag diag = {.text = NULL};
	struct policy_input in = {.endpoints = &endpoint,
				  .n_endpoints = 1,
				  .host = &w.host,
				  .n_host = 1,
				  .names = &w.names,
				  .automata = &w.automata,
				  .generation = 9,
				  .mode = SNP_MODE_AUDIT,
				  .grace_ns = GRACE_MS * 1000000ull};
	const char *why = "";
	uint8_t *bytes;
	uint32_t both[2];
	size_t len;

	if (policy_read_text("p.yaml", text, strlen(text), &w.policy, &diag))
		fail_msg("%s", diag.text);
	conf_diag_fini(&diag);
	w.host = addr_of("10.4.0.1");
	w.ids = policy_ids_new();
	assert_int_equal(policy_names_add(&w.names, w.ids, w.policy, POLICY_NEXT), 0);
	assert_int_equal(w.names.n, 2);
	for (size_t i = 0; i < w.names.n; i++)
		list[i] = (struct match_selector){w.names.at[i].kind, w.names.at[i].text};
	assert_int_equal(match_compile(list, w.names.n, &w.automata, &problems), 0);
	match_problems_fini(&problems);
	both[0] = w.names.at[0].selector;
	both[1] = w.names.at[1].selector;
	w.a = policy_ids_identity(w.ids, both, 1);
	w.both = policy_ids_identity(w.ids, both, 2);
	in.policy = w.policy;
	assert_int_equal(policy_compile(&in, w.ids, &bytes, &len, &why), 0);
	w.tables = calloc(1, SNP_REGION_BYTES);
	memcpy(w.tables, bytes, len);
	free(bytes);
	return 0;
}

static int teardown(void **state)
{
	policy_free(w.policy);
	policy_names_fini(&w.names);
	match_tables_fini(&w.automata);
	policy_ids_free(w.ids);
	free(w.tables);
	return 0;
}

static int row_of(void *ctx, bool given, const struct snp_row_key *key, struct snp_row *row)
{
	if (key->chunk || key->scope != SCOPE || memcmp(&key->addr, &w.at, sizeof(w.at)) != 0)
		return -ENOENT;
	*row = w.rows[given];
	return 0;
}

static struct policy_answer ask(const struct snp_flow_to *to, bool any, uint32_t endpoint)
{
	static const uint16_t port = 5353;
	struct snp_addr resolver = addr_of("10.9.9.9");
	struct policy_question q = {.endpoint = endpoint,
				    .scope = SCOPE,
				    .to = *to,
				    .any = any,
				    .resolver_ports = &port,
				    .now_ns = NOW_MS * 1000000ull};
	struct policy_answer a;

	q.n_resolver_ports = !memcmp(&to->addr, &resolver, sizeof(resolver));
	assert_int_equal(policy_why(w.tables, &q, row_of, NULL, &a), 0);
	return a;
}

static struct snp_flow_to to_of(const char *address, uint8_t protocol, uint16_t port)
{
	return (struct snp_flow_to){.addr = addr_of(address),
				    .protocol = protocol,
				    .port = port,
				    .no_ports = protocol == IPPROTO_ICMP};
}

static void check(const char *address, uint8_t protocol, uint16_t port, enum snp_verdict v)
{
	struct snp_flow_to to = to_of(address, protocol, port);
	struct policy_answer a = ask(&to, false, ENDPOINT);

	if (a.verdict != v)
		fail_msg("%s %u/%u: %s", address, port, protocol, policy_verdict_name(a.verdict));
	assert_int_equal(a.generation, 9);
	assert_int_equal(a.mode, SNP_MODE_AUDIT);
}

static void addresses_are_judged_as_written(void **state)
{
	check("10.1.0.1", IPPROTO_TCP, 7, SNP_VERDICT_CIDR);
	check("10.1.0.1", IPPROTO_ICMP, 0, SNP_VERDICT_CIDR);
	check("10.1.9.1", IPPROTO_UDP, 1500, SNP_VERDICT_DENY_CIDR);
	check("10.1.8.1", IPPROTO_TCP, 80, SNP_VERDICT_DENY_CIDR);
	check("10.1.8.1", IPPROTO_TCP, 1024, SNP_VERDICT_CIDR);
	check("10.1.8.1", IPPROTO_UDP, 80, SNP_VERDICT_CIDR);
	check("10.2.0.1", IPPROTO_TCP, 80, SNP_VERDICT_DENY_NO_NAME);
	check("10.5.0.1", IPPROTO_TCP, 80, SNP_VERDICT_CIDR);
	check("10.5.0.1", IPPROTO_SCTP, 2000, SNP_VERDICT_CIDR);
	check("10.5.0.1", IPPROTO_SCTP, 2001, SNP_VERDICT_DENY_NO_NAME);
	check("10.5.0.1", IPPROTO_ICMP, 0, SNP_VERDICT_DENY_NO_NAME);
	check("10.4.0.1", IPPROTO_TCP, 22, SNP_VERDICT_CIDR);
	check("10.4.0.2", IPPROTO_TCP, 22, SNP_VERDICT_DENY_NO_NAME);
	check("fd00:1::1", IPPROTO_TCP, 1, SNP_VERDICT_CIDR);
	check("fd00:1::66", IPPROTO_TCP, 1, SNP_VERDICT_DENY_CIDR);
	check("127.0.0.1", IPPROTO_TCP, 1, SNP_VERDICT_LOOPBACK);
	check("10.9.9.9", IPPROTO_UDP, 5353, SNP_VERDICT_RESOLVER);
	check("10.9.9.9", IPPROTO_UDP, 53, SNP_VERDICT_DENY_NO_NAME);
}

static void who_no_policy_selects_is_not_judged(void **state)
{
	struct snp_flow_to to = to_of("10.2.0.1", IPPROTO_TCP, 80);
	struct policy_question q = {.endpoint = ENDPOINT, .to = to};
	struct policy_answer a;

	assert_int_equal(ask(&to, false, ENDPOINT + 1).verdict, SNP_VERDICT_NONE);
	assert_int_equal(ask(&to, true, 0).verdict, SNP_VERDICT_NONE);
	assert_int_equal(policy_why(NULL, &q, row_of, NULL, &a), 0);
	assert_int_equal(a.verdict, SNP_VERDICT_NONE);
	assert_int_equal(a.generation, 0);
}

static void names_count_until_grace_is_over(void **state)
{
	struct snp_flow_to to = to_of("203.0.113.1", IPPROTO_TCP, 443);
	struct policy_answer a;

	w.at = to.addr;
	memset(w.rows, 0, sizeof(w.rows));
	check("203.0.113.1", IPPROTO_TCP, 443, SNP_VERDICT_DENY_NO_NAME);
	w.rows[0].slot[2] = SNP_SLOT(w.a, NOW_MS + 7000);
	w.rows[1].slot[7] = SNP_SLOT(w.both, NOW_MS + 9000);
	a = ask(&to, false, ENDPOINT);
	assert_int_equal(a.verdict, SNP_VERDICT_NAME);
	assert_int_equal(a.n_identities, 2);
	assert_int_equal(a.end_ms, NOW_MS + 9000 + GRACE_MS);
	check("203.0.113.1", IPPROTO_UDP, 53, SNP_VERDICT_NAME);
	check("203.0.113.1", IPPROTO_UDP, 54, SNP_VERDICT_DENY_PORT);
	/* Only one of the two is for that port, and it alone says until when. */
	to = to_of("203.0.113.1", IPPROTO_UDP, 53);
	a = ask(&to, false, ENDPOINT);
	assert_int_equal(a.n_identities, 1);
	assert_int_equal(a.identities[0], w.both);

	w.rows[1].slot[7] = SNP_SLOT(w.both, NOW_MS - GRACE_MS + 1);
	check("203.0.113.1", IPPROTO_UDP, 53, SNP_VERDICT_NAME);
	w.rows[1].slot[7] = SNP_SLOT(w.both, NOW_MS - GRACE_MS);
	check("203.0.113.1", IPPROTO_UDP, 53, SNP_VERDICT_DENY_PORT);
	w.rows[0].slot[2] = 0;
	check("203.0.113.1", IPPROTO_UDP, 53, SNP_VERDICT_DENY_EXPIRED);
	a = ask(&to, false, ENDPOINT);
	assert_int_equal(a.identities[0], w.both);
	/* An identity that is of no selector of this policy opens nothing. */
	w.rows[0].slot[2] = SNP_SLOT(w.both + 50, NOW_MS + 7000);
	w.rows[1].slot[7] = 0;
	check("203.0.113.1", IPPROTO_UDP, 53, SNP_VERDICT_DENY_NO_NAME);
	memset(w.rows, 0, sizeof(w.rows));
}

static struct snp_addr some_addr(void)
{
	static const char *const near[] = {
		"10.0.0.0",	"10.1.0.0",    "10.1.8.0",    "10.1.9.0", "10.2.0.0",
		"10.3.3.0",	"10.4.0.0",    "11.0.0.0",    "fd00:1::", "fd00:1::66",
		"fd00:1:0:1::", "203.0.113.1", "10.255.255.0"};
	struct snp_addr a = addr_of(near[rand() % COUNT(near)]);

	a.b[15] = (uint8_t)(a.b[15] + rand() % 5);
	if (rand() % 3 == 0)
		a.b[14] = (uint8_t)(a.b[14] + rand() % 3 - 1);
	return a;
}

static struct snp_flow_to some_flow(void)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
					    IPPROTO_UDPLITE};
	static const uint16_t ports[] = {0,   22,   53,	  79,	80,   81,   443,
					 999, 1000, 1023, 1024, 2000, 2001, 65535};
	struct snp_flow_to to = {.addr = some_addr(),
				 .protocol = protocols[rand() % COUNT(protocols)],
				 .port = ports[rand() % COUNT(ports)]};

	if (to.protocol == IPPROTO_ICMP) {
		to.port = 0;
		to.no_ports = 1;
	}
	return to;
}

/* The tables against the model, which knows neither ranges nor sets. */
static void there_is_a_line_for_each_verdict_and_no_other(void **state)
{
	const struct policy_asker who = {.host = &w.host, .n_host = 1};
	unsigned int seen[SNP_VERDICT_MAX] = {0};

	srand(4);
	for (int i = 0; i < 20000; i++) {
		struct snp_flow_to to = some_flow();
		struct policy_answer a = ask(&to, false, ENDPOINT);
		const struct policy_place *denies =
			policy_rule_of_address(w.policy, &who, true, &to.addr, &to);
		const struct policy_place *allows =
			policy_rule_of_address(w.policy, &who, false, &to.addr, &to);

		assert_true((a.verdict == SNP_VERDICT_DENY_CIDR) == (denies != NULL));
		if (!denies)
			assert_true((a.verdict == SNP_VERDICT_CIDR) == (allows != NULL));
		if (!denies && !allows)
			assert_int_equal(a.verdict, SNP_VERDICT_DENY_NO_NAME);
		seen[a.verdict]++;
	}
	assert_true(seen[SNP_VERDICT_CIDR] > 1000 && seen[SNP_VERDICT_DENY_CIDR] > 1000 &&
		    seen[SNP_VERDICT_DENY_NO_NAME] > 1000);
	assert_int_equal(policy_rule_of_default(w.policy, &who)->line, 5);
}

static bool is_in_runs(const struct policy_answer *a, const struct snp_flow_to *to)
{
	uint8_t protocol = to->protocol == IPPROTO_UDPLITE ? IPPROTO_UDP : to->protocol;

	for (size_t i = 0; i < a->n_runs; i++)
		if (a->runs[i].protocol == protocol && a->runs[i].first <= to->port &&
		    to->port <= a->runs[i].last)
			return true;
	return !a->n_runs && !SNP_VERDICT_IS_DENY(a->verdict);
}

static void ports_that_are_named_are_those_that_are_allowed(void **state)
{
	unsigned int some = 0;

	srand(5);
	w.at = addr_of("10.3.3.3");
	w.rows[0].slot[0] = SNP_SLOT(w.both, NOW_MS + 7000);
	for (int i = 0; i < 20000; i++) {
		struct snp_flow_to to = some_flow();
		struct policy_answer one, any;

		if (i % 4 == 0)
			to.addr = w.at;
		one = ask(&to, false, ENDPOINT);
		any = ask(&to, true, ENDPOINT);
		assert_true(is_in_runs(&any, &to) == !SNP_VERDICT_IS_DENY(one.verdict));
		some += any.n_runs > 0;
	}
	assert_true(some > 1000);
	memset(w.rows, 0, sizeof(w.rows));
}

static void note_line(void *ctx, const struct policy_selector *s)
{
	struct text *t = ctx;

	put(t, " %s:%u", s->text, s->at.line);
}

static void selectors_are_visited_by_port(void **state)
{
	const struct policy_asker who = {.n_host = 0};
	struct snp_flow_to to = {.protocol = IPPROTO_UDP, .port = 53};
	struct text t = {.used = 0};

	policy_rule_of_names(w.policy, &who, NULL, note_line, &t);
	assert_string_equal(t.buf, " a.test:12 *.test:14");
	t.used = 0;
	policy_rule_of_names(w.policy, &who, &to, note_line, &t);
	assert_string_equal(t.buf, " *.test:14");
}

static void names_tell_in_which_policy_they_stand(void **state)
{
	assert_int_equal(w.names.of[POLICY_NEXT], 2);
	assert_int_equal(w.names.of[POLICY_BEFORE], 0);
	assert_true(w.names.at[0].in[POLICY_NEXT].fqdn && !w.names.at[0].in[POLICY_NEXT].dns);
	assert_int_equal(w.names.at[1].in[POLICY_NEXT].at.line, 14);
	assert_false(w.names.at[0].in[POLICY_BEFORE].fqdn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_judged_as_written),
		cmocka_unit_test(who_no_policy_selects_is_not_judged),
		cmocka_unit_test(names_count_until_grace_is_over),
		cmocka_unit_test(there_is_a_line_for_each_verdict_and_no_other),
		cmocka_unit_test(ports_that_are_named_are_those_that_are_allowed),
		cmocka_unit_test(selectors_are_visited_by_port),
		cmocka_unit_test(names_tell_in_which_policy_they_stand),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
