/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is not read of a policy: refused or warned about by name, to the letter and the column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy_text.h"

#define E0	"spec.egress[0]"
#define D0	"spec.egressDeny[0]"
#define MORE	"leaving this out would allow more than is written\n"
#define ENTRIES SPEC "  egress:\n  - "
#define DENIES	SPEC "  egressDeny:\n  - "

static void test_3_2_other_kinds_and_versions_are_refused_by_name(void **state)
{
	static const struct row rows[] = {
		{"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
		 "2:7: error: kind: 'NetworkPolicy' is not read here: CiliumNetworkPolicy is, and "
		 "CiliumClusterwideNetworkPolicy\n",
		 NULL},
		{"metadata: {name: p}\n",
		 "1:1: error: yaml: has no kind: CiliumNetworkPolicy is wanted, or "
		 "CiliumClusterwideNetworkPolicy\n",
		 NULL},
		{"apiVersion: cilium.io/v1\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n"
		 "spec: {endpointSelector: {}, egress: [{}]}\n",
		 "1:13: error: apiVersion: 'cilium.io/v1' is not read here: cilium.io/v2 is\n",
		 NULL},
		{"kind: CiliumNetworkPolicy\nmetadata: {name: p}\n"
		 "spec: {endpointSelector: {}, egress: [{}]}\n",
		 "1:1: error: yaml: has no apiVersion: cilium.io/v2 is wanted\n", NULL},
		{"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}, {apiVersion: "
		 "v1, "
		 "kind: List, items: []}]\n",
		 "3:32: error: items[0].kind: 'Pod' is not read here: CiliumNetworkPolicy is, and "
		 "CiliumClusterwideNetworkPolicy\n"
		 "3:61: error: items[1].kind: 'List' is not read here: CiliumNetworkPolicy is, and "
		 "CiliumClusterwideNetworkPolicy\n",
		 NULL},
		{"apiVersion: v1\nkind: List\n", "1:1: error: yaml: has no items\n", NULL},
		{"- a\n", "1:1: error: yaml: a mapping is wanted here, not a list\n", NULL},
		{"a\n", "1:1: error: yaml: a mapping is wanted here, not a single value\n", NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_a_policy_has_a_name_a_selector_and_something_to_say(void **state)
{
	static const struct row rows[] = {
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
		 "spec: {endpointSelector: {}, egress: [{}]}\n",
		 "1:1: error: yaml: has no metadata\n", NULL},
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {}\n",
		 "1:1: error: yaml: has neither spec nor specs\n"
		 "3:11: error: metadata: has no name\n",
		 NULL},
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
		 "metadata: {name: \"a b\", namespace: ''}\nspec: {endpointSelector: {}, egress: "
		 "[{}]}\n",
		 "3:18: error: metadata.name: 'a b' has other characters than letters, digits, "
		 "'_', "
		 "'.', '-' and '/'\n"
		 "3:36: error: metadata.namespace: '' is empty\n",
		 NULL},
		{"apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\n"
		 "metadata: {name: a/b, namespace: n}\nspec: {endpointSelector: {}, egress: "
		 "[{}]}\n",
		 "3:18: error: metadata.name: 'a/b' has a slash in it\n"
		 "3:23: error: metadata.namespace: a CiliumClusterwideNetworkPolicy is in no "
		 "namespace\n",
		 NULL},
		{HEAD "spec: {egress: [{}]}\n",
		 "4:7: error: spec: has no endpointSelector ({} selects every endpoint)\n", NULL},
		{HEAD "spec: {endpointSelector: , egress: }\n",
		 "4:26: error: spec.endpointSelector: a mapping is wanted here, not nothing\n"
		 "4:36: error: spec.egress: a list is wanted here, not nothing\n",
		 NULL},
		{HEAD "spec: {endpointSelector: {}}\n",
		 "4:7: warning: spec: has neither egress nor egressDeny, and no effect\n", "p:\n"},
		{HEAD "spec: [a]\nspecs: {a: b}\n",
		 "4:7: error: spec: a mapping is wanted here, not a list\n"
		 "5:8: error: specs: a list is wanted here, not a mapping\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_what_can_be_left_out_safely_is_warned_about(void **state)
{
#define LEFT "for people and for Cilium: left out\n"
#define IN   "NOT ENFORCED: snooper polices what an endpoint begins, not what comes to it\n"
	static const struct row rows[] = {
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: p\n"
		 "  labels: {a: b}\n  annotations: {a: b}\n  uid: 1\nspec:\n  endpointSelector: "
		 "{}\n"
		 "  description: text\n  labels: [{key: a}]\n  log: {value: a}\n"
		 "  ingress: [{fromEndpoints: [{}]}]\n  ingressDeny: [{}]\n"
		 "  enableDefaultDeny: {ingress: true, egress: true}\nstatus: {conditions: []}\n",
		 "5:3: warning: metadata.labels: " LEFT "6:3: warning: metadata.annotations: " LEFT
		 "10:3: warning: spec.description: " LEFT "11:3: warning: spec.labels: " LEFT
		 "12:3: warning: spec.log: " LEFT "13:3: warning: spec.ingress: " IN
		 "14:3: warning: spec.ingressDeny: " IN
		 "15:23: warning: spec.enableDefaultDeny.ingress: " IN
		 "16:1: warning: status: " LEFT,
		 "p denies:\n"},
		{HEAD "spec: {endpointSelector: {}, ingress: [{}]}\n",
		 "4:30: warning: spec.ingress: " IN, "p:\n"},
		{SPEC "  ingress:\n  description: ~\n  egress: [{}]\nstatus:\n", NULL,
		 "p denies:\n  allow\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_what_is_for_other_jobs_is_refused_by_name(void **state)
{
#define KUBE "Kubernetes objects are not known here: write names or prefixes\n"
#define ICMP                                                                                       \
	"ICMP types are not read: an entry without toPorts and icmps has all of ICMP, to its "     \
	"destinations\n"
	static const struct row rows[] = {
		{HEAD "spec: {nodeSelector: {}, egress: [{}]}\n",
		 "4:8: error: spec.nodeSelector: endpoints are policed here, not nodes: leaving "
		 "this "
		 "out would select nothing\n",
		 NULL},
		{ENTRIES "toServices: [{}]\n", "7:5: error: " E0 ".toServices: " KUBE, NULL},
		{ENTRIES "toGroups: [{}]\n",
		 "7:5: error: " E0 ".toGroups: no cloud is asked from here: write prefixes\n",
		 NULL},
		{ENTRIES "toNodes: [{}]\n", "7:5: error: " E0 ".toNodes: " KUBE, NULL},
		{ENTRIES "toRequires: [{}]\n", "7:5: error: " E0 ".toRequires: " KUBE, NULL},
		{ENTRIES "icmps: [{fields: [{type: 8}]}]\n", "7:5: error: " E0 ".icmps: " ICMP,
		 NULL},
		{ENTRIES "authentication: {mode: required}\n",
		 "7:5: error: " E0
		 ".authentication: snooper does not see this: leaving it out would "
		 "allow more than is written\n",
		 NULL},
		{ENTRIES "toPorts:\n    - ports: [{port: '80'}]\n      rules:\n        http: [{}]\n"
			 "        kafka: [{}]\n        l7proto: x\n        l7: [{}]\n",
		 "10:9: error: " E0 ".toPorts[0].rules.http: only dns is read here: " MORE
		 "11:9: error: " E0 ".toPorts[0].rules.kafka: only dns is read here: " MORE
		 "12:9: error: " E0 ".toPorts[0].rules.l7proto: only dns is read here: " MORE
		 "13:9: error: " E0 ".toPorts[0].rules.l7: only dns is read here: " MORE,
		 NULL},
		{ENTRIES "toPorts:\n    - ports: [{port: '80'}]\n      serverNames: [a]\n"
			 "      terminatingTLS: {}\n      originatingTLS: {}\n      listener: {}\n",
		 "9:7: error: " E0 ".toPorts[0].serverNames: TLS is not looked into here: " MORE
		 "10:7: error: " E0 ".toPorts[0].terminatingTLS: TLS is not looked into here: " MORE
		 "11:7: error: " E0 ".toPorts[0].originatingTLS: TLS is not looked into here: " MORE
		 "12:7: error: " E0 ".toPorts[0].listener: there is no Envoy here to redirect to\n",
		 NULL},
		{ENTRIES "toCIDRSet: [{cidrGroupRef: g}, {cidrGroupSelector: {}}]\n",
		 "7:18: error: " E0
		 ".toCIDRSet[0].cidrGroupRef: CiliumCIDRGroup objects are not read "
		 "here: write the prefixes out\n"
		 "7:37: error: " E0
		 ".toCIDRSet[1].cidrGroupSelector: CiliumCIDRGroup objects are not "
		 "read here: write the prefixes out\n",
		 NULL},
		{ENTRIES "toEntities: [cluster, kube-apiserver, moon, world]\n",
		 "7:18: error: " E0
		 ".toEntities[0]: the entity 'cluster' is not known here: world, "
		 "all and host are\n"
		 "7:27: error: " E0
		 ".toEntities[1]: the entity 'kube-apiserver' is not known here: "
		 "world, all and host are\n"
		 "7:43: error: " E0
		 ".toEntities[2]: 'moon' is no entity: world, all and host are\n",
		 NULL},
		{DENIES "toFQDNs: [{matchName: a}]\n",
		 "7:5: error: " D0 ".toFQDNs: names can be allowed, not denied, as in Cilium\n",
		 NULL},
		{DENIES "toEndpoints: [{}]\n", "7:5: error: " D0 ".toEndpoints: " KUBE, NULL},
		{DENIES "icmps: [{}]\n",
		 "7:5: error: " D0 ".icmps: ICMP types are not read: leaving this out would deny "
		 "less\n",
		 NULL},
		{DENIES "toPorts: [{ports: [{port: '80'}], rules: {}}]\n",
		 "7:39: error: " D0
		 ".toPorts[0].rules: egressDeny knows ports only, as in Cilium\n",
		 NULL},
		{ENTRIES "toFQDN: [{matchName: a}]\n    toports: []\n    xyzzy: 1\n",
		 "7:5: error: " E0 ".toFQDN: unknown field (did you mean 'toFQDNs'?)\n"
		 "8:5: error: " E0 ".toports: unknown field (did you mean 'toPorts'?)\n"
		 "9:5: error: " E0 ".xyzzy: unknown field\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_endpoints_other_than_resolvers_are_refused(void **state)
{
#define ONLY                                                                                       \
	": error: " E0 ".toEndpoints: is read as the endpoint's resolvers only, with port 53 "     \
	"and rules.dns in all of toPorts (matchPattern \"*\": every name)\n"
	static const struct row rows[] = {
		{ENTRIES "toEndpoints: [{matchLabels: {a: b}}]\n", "7:5" ONLY, NULL},
		{ENTRIES "toEndpoints: [{}]\n    toPorts: [{ports: [{port: '53'}]}]\n", "7:5" ONLY,
		 NULL},
		{ENTRIES "toPorts:\n    - {ports: [{port: '53'}], rules: {dns: [{matchName: a}]}}\n"
			 "    - {ports: [{port: '80'}]}\n    toEndpoints: [{}]\n",
		 "10:5" ONLY, NULL},
		{ENTRIES "toEndpoints: [{matchLabel: {}}, a]\n",
		 "7:20: error: " E0 ".toEndpoints[0].matchLabel: unknown field (did you mean "
		 "'matchLabels'?)\n"
		 "7:37: error: " E0
		 ".toEndpoints[1]: a mapping is wanted here, not a single value\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_one_kind_of_destination_stands_in_an_entry(void **state)
{
	static const struct row rows[] = {
		{ENTRIES
		 "toFQDNs: [{matchName: a}]\n    toCIDR: [10.0.0.0/8]\n    toEntities: []\n",
		 "8:5: error: " E0 ".toCIDR: stands beside toFQDNs: write an entry for each\n"
		 "9:5: error: " E0 ".toEntities: stands beside toFQDNs: write an entry for each\n",
		 NULL},
		{DENIES "toCIDR: [10.0.0.0/8]\n    toCIDRSet: [{cidr: 11.0.0.0/8}]\n",
		 "8:5: error: " D0 ".toCIDRSet: stands beside toCIDR: write an entry for each\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_a_selector_is_one_well_formed_name_pattern_or_expression(void **state)
{
#define F0 "error: " E0 ".toFQDNs"
	static const struct row rows[] = {
		{ENTRIES "toFQDNs: []\n",
		 "7:14: " F0
		 ": an empty list, which Cilium takes for no limit: leave the rule out\n",
		 NULL},
		{ENTRIES "toFQDNs:\n", "7:13: " F0 ": a list is wanted here, not nothing\n", NULL},
		{ENTRIES "toFQDNs: [a, {}, {matchName: a, matchPattern: b}, {matchName: [a]}]\n",
		 "7:15: " F0 "[0]: a mapping is wanted here, not a single value\n"
		 "7:18: " F0 "[1]: one of matchName, matchPattern and matchRegex is wanted\n"
		 "7:22: " F0 "[2]: only one of matchName, matchPattern and matchRegex is wanted\n"
		 "7:67: " F0 "[3].matchName: a single value is wanted here, not a list\n",
		 NULL},
		{ENTRIES "toFQDNs:\n    - matchName: '*.a.b'\n    - matchName: a..b\n"
			 "    - matchName: .a\n    - matchName: a b\n    - matchName: ''\n"
			 "    - matchName: .\n    - matchName: ü.de\n    - matchPattern: '*.a/'\n"
			 "    - matchName:\n",
		 "8:18: " F0 "[0].matchName: '*.a.b' has a star: that is a matchPattern\n"
		 "9:18: " F0 "[1].matchName: 'a..b' has an empty label\n"
		 "10:18: " F0 "[2].matchName: '.a' has an empty label\n"
		 "11:18: " F0
		 "[3].matchName: 'a b' has other characters than letters, digits, '-', "
		 "'_' and '.'\n"
		 "12:18: " F0 "[4].matchName: '' is empty\n"
		 "13:18: " F0 "[5].matchName: '.' is the root, which no selector stands for\n"
		 "14:18: " F0 "[6].matchName: '\\xc3\\xbc.de' has other characters than letters, "
		 "digits, '-', '_' and '.'\n"
		 "15:21: " F0 "[7].matchPattern: '*.a/' has other characters than letters, digits, "
		 "'-', '_', '.' and '*'\n"
		 "16:17: " F0 "[8].matchName: a single value is wanted here, not nothing\n",
		 NULL},
		{ENTRIES "toFQDNs:\n    - matchRegex: '(a)\\1'\n    - matchRegex: ''\n"
			 "    - matchRegex: 'a\\'\n    - matchRegex: 'ü'\n",
		 "8:19: " F0
		 "[0].matchRegex: '(a)\\1' has a back-reference, which no automaton can "
		 "follow\n"
		 "9:19: " F0 "[1].matchRegex: '' is empty\n"
		 "10:19: " F0 "[2].matchRegex: 'a\\' ends in a backslash\n"
		 "11:19: " F0 "[3].matchRegex: '\\xc3\\xbc' has other characters than printable "
		 "ASCII\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_ports_follow_the_rules_of_cilium(void **state)
{
#define P0 "error: " E0 ".toPorts[0]"
	static const struct row rows[] = {
		{ENTRIES "toPorts:\n    - ports:\n      - port: http\n      - port: '65536'\n"
			 "      - port: 010\n      - port: 0x50\n      - protocol: TCP\n"
			 "      - {port: '1', protocol: ICMP}\n      - {port: '1', protocol: }\n"
			 "      - {port: 80, endPort: 79}\n      - {port: 0, endPort: 5}\n"
			 "      - {port: -1}\n",
		 "9:15: " P0 ".ports[0].port: 'http' is the name of a service: write its number\n"
		 "10:15: " P0 ".ports[1].port: '65536' is not between 0 and 65535\n"
		 "11:15: " P0 ".ports[2].port: '010' has a leading zero\n"
		 "12:15: " P0 ".ports[3].port: '0x50' is the name of a service: write its number\n"
		 "13:9: " P0 ".ports[4]: has no port\n"
		 "14:31: " P0 ".ports[5].protocol: 'ICMP' is none of TCP, UDP, SCTP and ANY\n"
		 "15:31: " P0 ".ports[6].protocol: a single value is wanted here, not nothing\n"
		 "16:29: " P0 ".ports[7].endPort: 79 is below port 80\n"
		 "17:28: " P0 ".ports[8].endPort: port 0 is every port: no endPort goes with it\n"
		 "18:16: " P0 ".ports[9].port: '-1' does not begin with a digit\n",
		 NULL},
		{ENTRIES "toPorts: [{}, {ports: []}, {ports: 80}]\n",
		 "7:15: " P0 ": has no ports, and so allows nothing in Cilium: leave it out\n"
		 "7:19: error: " E0
		 ".toPorts[1]: has no ports, and so allows nothing in Cilium: leave it out\n"
		 "7:40: error: " E0
		 ".toPorts[2].ports: a list is wanted here, not a single value\n",
		 NULL},
		{ENTRIES "toPorts: [{ports: [{port: '53'}], rules: {dns: []}}]\n",
		 "7:52: " P0
		 ".rules.dns: an empty list, which Cilium takes for no limit: leave the key out\n",
		 NULL},
		{ENTRIES
		 "toPorts: [{ports: [{port: '53'}, {port: '80'}], rules: {dns: [{matchName: "
		 "a}]}}]\n",
		 "7:61: " P0 ".rules.dns: goes with port 53 of TCP, UDP or ANY, and no other\n",
		 NULL},
		{ENTRIES "toPorts: [{ports: [{port: '53', endPort: 54}], rules: {dns: [{matchName: "
			 "a}]}}]\n",
		 "7:60: " P0 ".rules.dns: goes with port 53 of TCP, UDP or ANY, and no other\n",
		 NULL},
		{ENTRIES "toPorts: [{ports: [{port: '53', protocol: SCTP}], rules: {dns: "
			 "[{matchName: a}]}}]\n",
		 "7:63: " P0 ".rules.dns: goes with port 53 of TCP, UDP or ANY, and no other\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_more_than_forty_ports_are_refused_as_in_cilium(void **state)
{
	char yaml[4096] = ENTRIES "toPorts:\n    - ports:\n";
	struct row row = {yaml, NULL, ""};
	char read[4096] = "p denies:\n  allow anywhere";

	for (int i = 1; i <= 40; i++) {
		sprintf(yaml + strlen(yaml), "      - port: %d\n", i);
		sprintf(read + strlen(read), " any:%d", i);
	}
	strcat(read, "\n");
	row.read = read;
	check_row(&row);
	strcat(yaml, "      - port: 41\n");
	row.read = NULL;
	row.said = "9:7: " P0 ".ports: 41 ports: at most 40 are possible, as in Cilium\n";
	check_row(&row);
}

static void test_3_1_prefixes_that_are_none_are_refused(void **state)
{
	static const struct row rows[] = {
		{ENTRIES "toCIDR: [10.0.0.0/33, 10.0.0, '::ffff:10.0.0.0/104', '::1%lo', {}, '']\n",
		 "7:14: error: " E0
		 ".toCIDR[0]: '10.0.0.0/33' has a prefix length that is not between 0 "
		 "and 32\n"
		 "7:27: error: " E0 ".toCIDR[1]: '10.0.0' is not an IP address\n"
		 "7:35: error: " E0
		 ".toCIDR[2]: '::ffff:10.0.0.0/104' is IPv4 written as IPv6: write "
		 "it as IPv4\n"
		 "7:58: error: " E0
		 ".toCIDR[3]: '::1%lo' has a zone: addresses that are local to a "
		 "link are not supported\n"
		 "7:68: error: " E0 ".toCIDR[4]: a single value is wanted here, not a mapping\n"
		 "7:72: error: " E0 ".toCIDR[5]: '' is not an IP address\n",
		 NULL},
		{ENTRIES "toCIDRSet:\n    - {cidr: 10.0.0.0}\n    - {except: [10.0.0.0/8]}\n"
			 "    - cidr: 10.0.0.0/9\n      except: [10.0.0.0/8, 10.128.0.0/9, '::/0', "
			 "10.64.0.0/10]\n",
		 "8:14: error: " E0 ".toCIDRSet[0].cidr: '10.0.0.0' has no prefix length: write "
		 "ADDRESS/LENGTH\n"
		 "9:7: error: " E0 ".toCIDRSet[1]: has no cidr\n"
		 "11:16: error: " E0
		 ".toCIDRSet[2].except[0]: '10.0.0.0/8' is not inside its cidr\n"
		 "11:28: error: " E0
		 ".toCIDRSet[2].except[1]: '10.128.0.0/9' is not inside its cidr\n"
		 "11:42: error: " E0 ".toCIDRSet[2].except[2]: '::/0' is not inside its cidr\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_1_selectors_of_endpoints_are_checked(void **state)
{
#define L0 "error: spec.endpointSelector"
	static const struct row rows[] = {
		{HEAD "spec:\n  egress: [{}]\n  endpointSelector:\n    matchLabels:\n"
		      "      reserved:host: ''\n      'k8s:': a\n      a: [b]\n      c: d e\n"
		      "    matchExpressions:\n    - {operator: In, values: [a]}\n"
		      "    - {key: a, operator: in}\n    - {key: a, operator: In}\n"
		      "    - {key: a, operator: Exists, values: [a]}\n"
		      "    - {key: 'container:a', operator: Exists}\n"
		      "    - {key: a, operator: In, values: [a, 'b c']}\n",
		 "8:7: " L0
		 ".matchLabels.reserved:host: 'reserved:host' has a source that endpoints' "
		 "labels do not have: k8s: and any: only\n"
		 "9:7: " L0 ".matchLabels.k8s:: 'k8s:' is empty\n"
		 "10:10: " L0 ".matchLabels.a: a single value is wanted here, not a list\n"
		 "11:10: " L0
		 ".matchLabels.c: 'd e' has other characters than letters, digits, '_', "
		 "'.', '-' and '/'\n"
		 "13:7: " L0 ".matchExpressions[0]: has no key\n"
		 "14:26: " L0
		 ".matchExpressions[1].operator: 'in' is none of In, NotIn, Exists and "
		 "DoesNotExist\n"
		 "15:7: " L0 ".matchExpressions[2]: In goes with one or more values\n"
		 "16:42: " L0 ".matchExpressions[3].values: Exists goes with no values\n"
		 "17:13: " L0
		 ".matchExpressions[4].key: 'container:a' has a source that endpoints' "
		 "labels do not have: k8s: and any: only\n"
		 "18:42: " L0 ".matchExpressions[5].values[1]: 'b c' has other characters than "
		 "letters, digits, '_', '.', '-' and '/'\n",
		 NULL},
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
		 "metadata: {name: p, namespace: n}\nspec:\n  egress: [{}]\n  endpointSelector:\n"
		 "    matchLabels: {'k8s:io.kubernetes.pod.namespace': other}\n",
		 "7:54: " L0 ".matchLabels.k8s:io.kubernetes.pod.namespace: this policy is in "
		 "namespace 'n', and selects nothing in another\n",
		 NULL},
		{HEAD
		 "spec: {endpointSelector: {}, egress: [{}], enableDefaultDeny: {egress: 'true', "
		 "ingress: no, both: true}}\n",
		 "4:72: error: spec.enableDefaultDeny.egress: 'true' is neither true nor false\n"
		 "4:89: error: spec.enableDefaultDeny.ingress: 'no' is neither true nor false\n"
		 "4:93: error: spec.enableDefaultDeny.both: unknown field\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_what_is_no_plain_yaml_is_said_with_its_place(void **state)
{
	static const struct row rows[] = {
		{SPEC "  egress: [{toCIDR: &a [10.0.0.0/8]}, {toCIDR: *a}]\n",
		 "6:21: error: spec.egress.toCIDR: anchors (&name) are not supported: write the "
		 "value "
		 "out\n"
		 "6:48: error: spec.egress.toCIDR: aliases (*name) are not supported: write the "
		 "value "
		 "out\n",
		 NULL},
		{SPEC "  egress: [{}]\n  egress: [{toCIDR: []}]\n",
		 "7:3: error: spec.egress: duplicate key (it was given at 6:3 already)\n", NULL},
		/* the policies before are looked at all the same */
		{HEAD "spec: {endpointSelector: {}, egres: [{}]}\n---\na: b: c\n",
		 "4:7: warning: spec: has neither egress nor egressDeny, and no effect\n"
		 "4:30: error: spec.egres: unknown field (did you mean 'egress'?)\n"
		 "6:5: error: yaml: mapping values are not allowed in this context\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_2_other_kinds_and_versions_are_refused_by_name),
		cmocka_unit_test(test_3_2_a_policy_has_a_name_a_selector_and_something_to_say),
		cmocka_unit_test(test_3_2_what_can_be_left_out_safely_is_warned_about),
		cmocka_unit_test(test_3_2_what_is_for_other_jobs_is_refused_by_name),
		cmocka_unit_test(test_3_2_endpoints_other_than_resolvers_are_refused),
		cmocka_unit_test(test_3_1_one_kind_of_destination_stands_in_an_entry),
		cmocka_unit_test(test_3_1_a_selector_is_one_well_formed_name_pattern_or_expression),
		cmocka_unit_test(test_3_1_ports_follow_the_rules_of_cilium),
		cmocka_unit_test(test_3_1_more_than_forty_ports_are_refused_as_in_cilium),
		cmocka_unit_test(test_3_1_prefixes_that_are_none_are_refused),
		cmocka_unit_test(test_3_1_selectors_of_endpoints_are_checked),
		cmocka_unit_test(test_3_2_what_is_no_plain_yaml_is_said_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
