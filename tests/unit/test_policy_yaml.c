/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is read of a policy, field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy_text.h"

static void test_3_1_documents_specs_and_lists_are_all_read(void **state)
{
	static const struct row rows[] = {
		{"", NULL, ""},
		{"---\n# nothing\n---\n", NULL, ""},
		{SPEC "  egress: [{}]\n---\n" SPEC "  egress: [{}]\n---\n",
		 "10:18: warning: metadata.name: 'p' is the name of the policy at f:3 too: both "
		 "count\n",
		 "p denies:\n  allow\np denies:\n  allow\n"},
		{HEAD "specs:\n- {endpointSelector: {}, egress: [{}]}\n"
		      "- {endpointSelector: {matchLabels: {a: b}}, egress: [{}]}\n"
		      "spec: {endpointSelector: {}, egressDeny: [{}]}\n",
		 NULL, "p denies:\n  deny\np denies:\n  allow\np denies: a in b;\n  allow\n"},
		{"apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
		 "- apiVersion: cilium.io/v2\n  kind: CiliumNetworkPolicy\n"
		 "  metadata: {name: p, namespace: n, uid: 1, generation: 2}\n"
		 "  spec: {endpointSelector: {}, egress: [{}]}\n"
		 "- apiVersion: cilium.io/v2\n  kind: CiliumClusterwideNetworkPolicy\n"
		 "  metadata: {name: p, creationTimestamp: null}\n"
		 "  spec: {endpointSelector: {}, egress: [{}]}\n",
		 NULL, "n/p of n denies:\n  allow\np denies:\n  allow\n"},
		{"apiVersion: v1\nkind: List\nitems: []\n", NULL, ""},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_names_patterns_and_expressions_are_told_apart(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress:\n  - toFQDNs:\n    - matchName: Api.GitHub.com.\n"
		      "    - matchPattern: '*.x_y.io'\n    - matchRegex: '^a+\\.b\\.$'\n"
		      "    - matchPattern: '*'\n    - matchName: com\n",
		 NULL,
		 "p denies:\n  allow Api.GitHub.com. pattern *.x_y.io regex ^a+\\.b\\.$ pattern * "
		 "com\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_ports_are_numbers_ranges_and_protocols(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress:\n  - toCIDR: [10.0.0.0/8]\n    toPorts:\n    - ports:\n"
		      "      - {port: '443', protocol: TCP}\n      - {port: 80}\n"
		      "      - {port: '5000', endPort: 6000, protocol: UDP}\n"
		      "      - {port: '7', endPort: 7, protocol: sctp}\n"
		      "      - {port: '9', endPort: 0, protocol: ''}\n"
		      "    - ports: [{port: '0', protocol: ANY}]\n",
		 NULL,
		 "p denies:\n  allow 10.0.0.0/8 tcp:443 any:80 udp:5000-6000 sctp:7 any:9 "
		 "any:0-65535\n"},
		{SPEC "  egress:\n  - {toCIDR: [10.0.0.0/8], toPorts: []}\n", NULL,
		 "p denies:\n  allow 10.0.0.0/8\n"},
		/* no destination is any destination, where ports are written */
		{SPEC "  egress: [{toPorts: [{ports: [{port: '80'}]}]}]\n", NULL,
		 "p denies:\n  allow anywhere any:80\n"},
		/* an empty list is no destination: nothing is allowed */
		{SPEC "  egress: [{toCIDR: [], toPorts: [{ports: [{port: '80'}]}]}]\n", NULL,
		 "p denies:\n  allow any:80\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_prefixes_are_masked_and_their_exceptions_lie_inside(void **state)
{
	static const struct row rows[] = {
		{SPEC
		 "  egress:\n  - toCIDR: [192.0.2.1, '2001:db8::1', 0.0.0.0/0, '::/0']\n"
		 "  - toCIDRSet:\n    - cidr: 10.0.0.0/8\n      except: [10.96.0.0/12, "
		 "10.0.0.0/8]\n    - cidr: 2001:db8::/33\n      except: ['2001:db8:4000::/34']\n"
		 "    - {cidr: 10.0.0.0/8, except: []}\n",
		 NULL,
		 "p denies:\n  allow 192.0.2.1/32 2001:db8::1/128 0.0.0.0/0 ::/0\n"
		 "  allow 10.0.0.0/8-10.96.0.0/12-10.0.0.0/8 2001:db8::/33-2001:db8:4000::/34 "
		 "10.0.0.0/8\n"},
		{SPEC "  egress:\n  - toCIDR: [10.1.2.3/8]\n",
		 "7:14: warning: spec.egress[0].toCIDR[0]: '10.1.2.3/8' has bits set behind its "
		 "prefix: read as '10.0.0.0/8'\n",
		 "p denies:\n  allow 10.0.0.0/8\n"},
		{SPEC "  egress:\n  - toCIDRSet: [{cidr: '::1/0', except: ['10::1/16']}]\n",
		 "7:24: warning: spec.egress[0].toCIDRSet[0].cidr: '::1/0' has bits set behind its "
		 "prefix: read as '::/0'\n"
		 "7:42: warning: spec.egress[0].toCIDRSet[0].except[0]: '10::1/16' has bits set "
		 "behind its prefix: read as '10::/16'\n",
		 "p denies:\n  allow ::/0-10::/16\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_entities_are_world_all_and_host(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress: [{toEntities: [world]}, {toEntities: [all, host]}]\n", NULL,
		 "p denies:\n  allow world\n  allow all host\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_endpoints_on_port_53_are_the_resolvers(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress:\n  - toEndpoints: [{matchLabels: {'k8s:k8s-app': kube-dns}}]\n"
		      "    toPorts:\n    - ports: [{port: '53', protocol: ANY}]\n"
		      "      rules: {dns: [{matchPattern: '*'}, {matchName: a.b}]}\n",
		 NULL, "p denies:\n  allow resolvers any:53 dns pattern * a.b\n"},
		{SPEC "  egress:\n  - toEndpoints: [{}]\n    toPorts:\n"
		      "    - ports: [{port: '53', protocol: UDP}, {port: 53, protocol: TCP}]\n"
		      "      rules: {dns: [{matchRegex: 'a'}]}\n",
		 NULL, "p denies:\n  allow resolvers udp:53 tcp:53 dns regex a\n"},
		/* whatever the labels */
		{SPEC "  egress:\n  - toEndpoints: [{matchLabels: {'reserved:x y': ''},"
		      " matchExpressions: [{key: a, operator: Exists}]}]\n"
		      "    toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchName: a}]}}]\n",
		 NULL, "p denies:\n  allow resolvers any:53 dns a\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_ports_with_names_are_a_rule_of_their_own(void **state)
{
	static const struct row rows[] = {
		{SPEC
		 "  egress:\n  - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]\n"
		 "    toPorts:\n    - ports: [{port: '53'}]\n      rules: {dns: [{matchName: a}]}\n"
		 "    - ports: [{port: '80'}]\n    - ports: [{port: '53', protocol: TCP}]\n"
		 "      rules: {dns: [{matchName: b}]}\n    - ports: [{port: '81'}]\n      rules: "
		 "{}\n",
		 NULL,
		 "p denies:\n  allow 10.0.0.0/8-10.1.0.0/16 any:53 dns a\n"
		 "  allow 10.0.0.0/8-10.1.0.0/16 any:80 any:81\n"
		 "  allow 10.0.0.0/8-10.1.0.0/16 tcp:53 dns b\n"},
		{SPEC
		 "  egress:\n  - toFQDNs: [{matchName: x}, {matchPattern: '*.y'}]\n    toPorts:\n"
		 "    - ports: [{port: '53'}]\n      rules: {dns: [{matchName: a}]}\n"
		 "    - ports: [{port: '80'}]\n",
		 NULL,
		 "p denies:\n  allow x pattern *.y any:53 dns a\n  allow x pattern *.y any:80\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_deny_has_prefixes_entities_and_ports(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egressDeny:\n  - {toCIDR: [10.0.0.0/8]}\n"
		      "  - {toCIDRSet: [{cidr: 10.0.0.0/8}], toPorts: [{ports: [{port: '25', "
		      "protocol: TCP}]}]}\n  - {toEntities: [world]}\n"
		      "  - {toPorts: [{ports: [{port: '23'}]}]}\n  egress: [{toEntities: [all]}]\n",
		 NULL,
		 "p denies:\n  allow all\n  deny 10.0.0.0/8\n  deny 10.0.0.0/8 tcp:25\n"
		 "  deny world\n  deny anywhere any:23\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_default_deny_is_as_written_or_follows_the_rules(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress: [{}]\n", NULL, "p denies:\n  allow\n"},
		{SPEC "  egressDeny: [{}]\n", NULL, "p denies:\n  deny\n"},
		{SPEC "  egress: []\n",
		 "6:11: warning: spec.egress: an empty list has no effect, as in Cilium: [{}] "
		 "denies everything that nothing else allows\n",
		 "p:\n"},
		{SPEC
		 "  egressDeny: [{toEntities: [world]}]\n  enableDefaultDeny: {egress: false}\n",
		 NULL, "p:\n  deny world\n"},
		{SPEC "  egress: [{toEntities: [world]}]\n"
		      "  enableDefaultDeny: {egress: true, ingress: false}\n",
		 NULL, "p denies:\n  allow world\n"},
		{SPEC "  enableDefaultDeny: {egress: true}\n", NULL, "p denies:\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_selectors_of_endpoints_lose_their_source(void **state)
{
	static const struct row rows[] = {
		{HEAD "spec:\n  endpointSelector:\n    matchLabels: {'k8s:org': empire, any:a/b: "
		      "c, d: 1, "
		      "e: ''}\n    matchExpressions:\n"
		      "    - {key: 'k8s:x', operator: In, values: [a, b]}\n"
		      "    - {key: x, operator: NotIn, values: [c]}\n"
		      "    - {key: any:y, operator: Exists}\n"
		      "    - {key: z, operator: DoesNotExist, values: []}\n  egress: [{}]\n",
		 NULL,
		 "p denies: org in empire; a/b in c; d in 1; e in ; x in a,b; x not in c; y "
		 "exists; "
		 "z absent;\n  allow\n"},
		/* the namespace's own label may be written too */
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
		 "metadata: {name: p, namespace: n}\nspec: {endpointSelector: {matchLabels: "
		 "{'k8s:io.kubernetes.pod.namespace': n}}, egress: [{}]}\n",
		 NULL, "n/p of n denies: io.kubernetes.pod.namespace in n;\n  allow\n"},
	};

	check_rows(rows, COUNT(rows));
}

/* Does the first spec of yaml select the labels "a=1 b=2"? */
static bool selects(const char *metadata, const char *selector, struct snp_label *labels, size_t n)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char yaml[1024];
	bool yes;

	snprintf(yaml, sizeof(yaml),
		 "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: %s\n"
		 "spec: {endpointSelector: %s, egress: [{}]}\n",
		 metadata, selector);
	if (policy_read_text("f", yaml, strlen(yaml), &p, &d) < 0)
		fail_msg("%s", d.text);
	yes = policy_selects(&p->specs[0], labels, n);
	conf_diag_fini(&d);
	policy_free(p);
	return yes;
}

static void test_3_1_an_endpoint_is_selected_when_every_expression_holds(void **state)
{
	static struct snp_label labels[] = {
		{"org", "empire"}, {"class", "mediabot"}, {"empty", ""}};
	static const struct {
		const char *selector;
		bool yes;
	} rows[] = {
		{"{}", true},
		{"{matchLabels: {}}", true},
		{"{matchLabels: {org: empire}}", true},
		{"{matchLabels: {'any:org': empire, 'k8s:class': mediabot}}", true},
		{"{matchLabels: {org: alliance}}", false},
		{"{matchLabels: {org: empire, class: xwing}}", false},
		{"{matchLabels: {other: empire}}", false},
		{"{matchLabels: {empty: ''}}", true},
		{"{matchLabels: {other: ''}}", false},
		{"{matchExpressions: [{key: org, operator: In, values: [a, empire]}]}", true},
		{"{matchExpressions: [{key: org, operator: NotIn, values: [a, empire]}]}", false},
		{"{matchExpressions: [{key: other, operator: NotIn, values: [a]}]}", true},
		{"{matchExpressions: [{key: empty, operator: Exists}]}", true},
		{"{matchExpressions: [{key: other, operator: Exists}]}", false},
		{"{matchExpressions: [{key: other, operator: DoesNotExist}]}", true},
		{"{matchExpressions: [{key: org, operator: DoesNotExist}]}", false},
		{"{matchLabels: {org: empire}, matchExpressions: [{key: class, operator: In, "
		 "values: [x]}]}",
		 false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].selector);
		assert_int_equal(selects("{name: p}", rows[i].selector, labels, COUNT(labels)),
				 rows[i].yes);
	}
	assert_true(selects("{name: p}", "{}", NULL, 0));
}

static void test_3_1_a_namespace_selects_nobody_who_is_known_to_be_in_another(void **state)
{
	static struct snp_label a[] = {{"x", "y"}, {POLICY_NAMESPACE_LABEL, "a"}};
	static struct snp_label b[] = {{"x", "y"}, {POLICY_NAMESPACE_LABEL, "b"}};

	assert_true(selects("{name: p, namespace: a}", "{matchLabels: {x: y}}", a, 2));
	assert_false(selects("{name: p, namespace: a}", "{matchLabels: {x: y}}", b, 2));
	assert_true(selects("{name: p, namespace: a}", "{matchLabels: {x: y}}", b, 1));
	assert_true(selects("{name: p}", "{matchLabels: {x: y}}", b, 2));
}

static void test_3_1_everything_knows_its_place(void **state)
{
	static const char yaml[] =
		SPEC "  egress:\n  - toFQDNs:\n    - matchName: a\n  - toCIDR:\n    - 10.0.0.0/8\n"
		     "  - toEndpoints: [{}]\n    toPorts:\n    - ports: [{port: 53}]\n"
		     "      rules:\n        dns:\n        - matchPattern: '*'\n";
	struct conf_diag d = {0};
	struct policy *p = NULL;
	const struct policy_spec *s;

	assert_int_equal(policy_read_text("f", yaml, strlen(yaml), &p, &d), 0);
	assert_null(d.text);
	assert_int_equal(p->n_files, 1);
	s = &p->specs[0];
	assert_int_equal(s->n_rules, 3);
	assert_ptr_equal(s->at.file, p->files[0]);
	assert_int_equal(s->at.line, 5);
	assert_int_equal(s->rules[0].at.line, 7);
	assert_int_equal(s->rules[0].at.column, 5);
	assert_int_equal(s->rules[0].fqdns[0].at.line, 8);
	assert_int_equal(s->rules[0].fqdns[0].at.column, 18);
	assert_string_equal(s->rules[0].fqdns[0].at.file, "f");
	assert_int_equal(s->rules[1].cidrs[0].at.line, 10);
	assert_int_equal(s->rules[2].dns[0].at.line, 16);
	conf_diag_fini(&d);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_documents_specs_and_lists_are_all_read),
		cmocka_unit_test(test_3_1_names_patterns_and_expressions_are_told_apart),
		cmocka_unit_test(test_3_1_ports_are_numbers_ranges_and_protocols),
		cmocka_unit_test(test_3_1_prefixes_are_masked_and_their_exceptions_lie_inside),
		cmocka_unit_test(test_3_1_entities_are_world_all_and_host),
		cmocka_unit_test(test_3_1_endpoints_on_port_53_are_the_resolvers),
		cmocka_unit_test(test_3_1_ports_with_names_are_a_rule_of_their_own),
		cmocka_unit_test(test_3_1_deny_has_prefixes_entities_and_ports),
		cmocka_unit_test(test_3_1_default_deny_is_as_written_or_follows_the_rules),
		cmocka_unit_test(test_3_1_selectors_of_endpoints_lose_their_source),
		cmocka_unit_test(test_3_1_an_endpoint_is_selected_when_every_expression_holds),
		cmocka_unit_test(test_3_1_a_namespace_selects_nobody_who_is_known_to_be_in_another),
		cmocka_unit_test(test_3_1_everything_knows_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
