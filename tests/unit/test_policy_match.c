/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "snooper/core/name.h"
#include "snooper/io/policy_match.h"
#include "snooper/io/policy_yaml.h"

#define HEAD                                                                                       \
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n"               \
	"spec:\n  endpointSelector: {}\n  egress:\n"

static struct policy *read_policy(const char *text)
{
	struct conf_diag diag = {.text = NULL};
	struct policy *p = NULL;

	if (policy_read_text("p.yaml", text, strlen(text), &p, &diag))
		fail_msg("%s", diag.text);
	conf_diag_fini(&diag);
	return p;
}

static const char two_uses[] =
	HEAD "  - toFQDNs: [{matchPattern: 'b.c'}, {matchName: 'b.c'}, {matchName: a.c}, "
	     "{matchName: b.c}]\n"
	     "  - toEndpoints: [{}]\n"
	     "    toPorts:\n"
	     "    - ports: [{port: '53'}]\n"
	     "      rules: {dns: [{matchName: a.c}, {matchPattern: '*.c'}]}\n"
	     "  - toFQDNs: [{matchName: A.c}]\n";

static void test_3_4_distinct_selectors_are_numbered_as_written(void **state)
{
	static const char *const texts[] = {"b.c", "b.c", "a.c", "*.c", "A.c"};
	static const bool fqdn[] = {true, true, true, false, true};
	static const bool dns[] = {false, false, true, true, false};
	struct policy *p = read_policy(two_uses);
	struct policy_ids *ids = policy_ids_new();
	struct policy_names names = {.n = 0};
	size_t at;

	assert_int_equal(policy_names_add(&names, ids, p, POLICY_NEXT), 0);
	assert_int_equal(names.n, 5);
	assert_int_equal(names.of[POLICY_NEXT], 5);
	for (size_t i = 0; i < names.n; i++) {
		assert_string_equal(names.at[i].text, texts[i]);
		assert_true(names.at[i].fqdn == fqdn[i] && names.at[i].dns == dns[i]);
	}
	assert_int_equal(names.at[0].kind, POLICY_MATCH_PATTERN);
	/* One that is written again is the first. */
	assert_int_equal(policy_names_find(&names, ids, &p->specs[0].rules[0].fqdns[3], &at), 0);
	assert_int_equal(at, 1);
	policy_names_fini(&names);
	policy_ids_free(ids);
	policy_free(p);
}

static void test_3_4_policy_is_compiled_whole(void **state)
{
	struct policy *p = read_policy(two_uses);
	struct conf_diag diag = {.text = NULL};
	struct policy_matched m;
	uint32_t index[SNP_MATCH_BANKS];
	const uint32_t *set;
	uint8_t wire[256];
	size_t n;
	int len = name_from_text("a.c", wire);

	assert_int_equal(policy_match(p, &m, &diag), 0);
	assert_int_equal(match_name(&m.tables, wire, (size_t)len, index), 0);
	set = match_set(&m.tables.banks[0], index[0], &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(set[i], 2 + i);
	policy_matched_fini(&m);
	policy_free(p);
	conf_diag_fini(&diag);
}

static void test_3_4_policy_without_selectors_matches_nothing(void **state)
{
	struct policy *p = read_policy(HEAD "  - toEntities: [world]\n");
	struct conf_diag diag = {.text = NULL};
	struct policy_matched m;

	assert_int_equal(policy_match(p, &m, &diag), 0);
	assert_int_equal(m.names.n, 0);
	policy_matched_fini(&m);
	policy_free(p);
}

static void test_3_4_every_bad_expression_is_told_where_it_is_written(void **state)
{
	struct policy *p = read_policy(HEAD "  - toFQDNs:\n"
					    "    - matchRegex: a(b\n"
					    "    - matchName: good.com\n"
					    "    - matchRegex: 'a**'\n");
	struct conf_diag diag = {.text = NULL};
	struct policy_matched m;

	assert_int_equal(policy_match(p, &m, &diag), -EINVAL);
	assert_int_equal(diag.n_errors, 2);
	print_message("%s", diag.text);
	assert_non_null(
		strstr(diag.text, "p.yaml:8:19: error: matchRegex: 'a(b': at its character 2: "));
	assert_non_null(
		strstr(diag.text, "p.yaml:10:19: error: matchRegex: 'a**': at its character 3: "));
	policy_free(p);
	conf_diag_fini(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_4_distinct_selectors_are_numbered_as_written),
		cmocka_unit_test(test_3_4_policy_is_compiled_whole),
		cmocka_unit_test(test_3_4_policy_without_selectors_matches_nothing),
		cmocka_unit_test(test_3_4_every_bad_expression_is_told_where_it_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
