/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Policies of the shapes that people write for Cilium, each with one job: what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy_text.h"

#define CNP "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: p\nspec:\n"
#define CCNP                                                                                       \
	"apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata:\n  name: "      \
	"p\nspec:\n"
#define APP	"  endpointSelector:\n    matchLabels:\n      app: svc\n"
#define INGRESS "NOT ENFORCED: snooper polices what an endpoint begins, not what comes to it\n"
#define KUBE	"Kubernetes objects are not known here: write names or prefixes\n"

static void test_3_1_shapes_that_are_read(void **state)
{
	static const struct row rows[] = {
		/* everything is denied */
		{CNP "  endpointSelector:\n    matchLabels:\n      role: restricted\n  egress:\n  "
		     "- {}\n",
		 NULL, "p denies: role in restricted;\n  allow\n"},
		{CNP APP "  egress:\n  - toCIDR:\n    - 203.0.113.1/32\n  - toCIDRSet:\n"
			 "    - cidr: 10.0.0.0/8\n      except:\n      - 10.96.0.0/12\n",
		 NULL,
		 "p denies: app in svc;\n  allow 203.0.113.1/32\n  allow "
		 "10.0.0.0/8-10.96.0.0/12\n"},
		{CNP APP "  egress:\n    - toEntities:\n      - host\n", NULL,
		 "p denies: app in svc;\n  allow host\n"},
		{CNP APP "  egress:\n  - toPorts:\n    - ports:\n      - port: \"80\"\n"
			 "        protocol: TCP\n",
		 NULL, "p denies: app in svc;\n  allow anywhere tcp:80\n"},
		{CNP APP "  egress:\n  - toPorts:\n    - ports:\n      - port: \"8000\"\n"
			 "        endPort: 8999\n        protocol: TCP\n",
		 NULL, "p denies: app in svc;\n  allow anywhere tcp:8000-8999\n"},
		{CNP APP "  egress:\n  - toCIDR:\n    - 192.0.2.0/24\n    toPorts:\n    - ports:\n"
			 "      - port: \"80\"\n        protocol: TCP\n",
		 NULL, "p denies: app in svc;\n  allow 192.0.2.0/24 tcp:80\n"},
		/* everybody but kube-system may ask for anything, and go nowhere */
		{CCNP
		 "  description: \"all but DNS is denied\"\n  egress:\n  - toEndpoints:\n"
		 "    - matchLabels:\n        io.kubernetes.pod.namespace: kube-system\n"
		 "        k8s-app: kube-dns\n    toPorts:\n    - ports:\n      - port: '53'\n"
		 "        protocol: UDP\n      rules:\n        dns:\n        - matchPattern: '*'\n"
		 "  endpointSelector:\n    matchExpressions:\n"
		 "    - key: io.kubernetes.pod.namespace\n      operator: NotIn\n      values:\n"
		 "      - kube-system\n",
		 "6:3: warning: spec.description: for people and for Cilium: left out\n",
		 "p denies: io.kubernetes.pod.namespace not in kube-system;\n"
		 "  allow resolvers udp:53 dns pattern *\n"},
		/* one label of two values */
		{CNP "  endpointSelector:\n    matchExpressions:\n    - {key: env, operator: In, "
		     "values: "
		     "[prod, dev]}\n  egress:\n  - toEntities: [world]\n",
		 NULL, "p denies: env in prod,dev;\n  allow world\n"},
		/* a deny for all, besides what others allow */
		{CCNP "  endpointSelector: {}\n  egress:\n  - toEntities: [all]\n  egressDeny:\n"
		      "  - toCIDR: [169.254.169.254/32]\n",
		 NULL, "p denies:\n  allow all\n  deny 169.254.169.254/32\n"},
		/* only looked at, not restricted */
		{CCNP "  endpointSelector: {}\n  enableDefaultDeny:\n    egress: false\n"
		      "    ingress: false\n  egress:\n  - toEndpoints:\n    - {}\n    toPorts:\n"
		      "    - ports: [{port: \"53\", protocol: ANY}]\n      rules:\n        dns:\n"
		      "        - matchPattern: \"*\"\n",
		 NULL, "p:\n  allow resolvers any:53 dns pattern *\n"},
		/* DNS of a server that is no pod */
		{CNP APP
		 "  egress:\n  - toCIDR: [10.0.0.53/32]\n    toPorts:\n"
		 "    - ports: [{port: \"53\", protocol: ANY}]\n      rules:\n        dns:\n"
		 "        - matchPattern: \"*.example.com\"\n  - toFQDNs:\n"
		 "    - matchPattern: \"*.example.com\"\n",
		 NULL,
		 "p denies: app in svc;\n  allow 10.0.0.53/32 any:53 dns pattern *.example.com\n"
		 "  allow pattern *.example.com\n"},
		/* what comes in is for others */
		{CNP APP
		 "  ingress:\n  - fromEndpoints:\n    - matchLabels:\n        role: frontend\n"
		 "    toPorts:\n    - ports: [{port: http, protocol: TCP}]\n  egress:\n"
		 "  - toEntities: [world]\n",
		 "9:3: warning: spec.ingress: " INGRESS, "p denies: app in svc;\n  allow world\n"},
		/* what `kubectl get -o yaml` adds */
		{"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n"
		 "  creationTimestamp: \"2024-01-01T00:00:00Z\"\n  generation: 1\n"
		 "  managedFields:\n  - apiVersion: cilium.io/v2\n    fieldsV1:\n      f:spec:\n"
		 "        .: {}\n        f:egress: {}\n  name: p\n  namespace: default\n"
		 "  resourceVersion: \"1\"\n  uid: 5f9a\nspec:\n" APP
		 "  egress:\n  - toEntities: [world]\nstatus:\n  conditions:\n  - type: Valid\n",
		 "22:1: warning: status: for people and for Cilium: left out\n",
		 "default/p of default denies: app in svc;\n  allow world\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void test_3_2_shapes_that_are_refused(void **state)
{
	static const struct row rows[] = {
		/* to every pod of the namespace */
		{CNP APP "  egress:\n  - toEndpoints:\n    - {}\n",
		 "10:5: error: spec.egress[0].toEndpoints: is read as the endpoint's resolvers "
		 "only, "
		 "with port 53 and rules.dns in all of toPorts (matchPattern \"*\": every name)\n",
		 NULL},
		{CNP APP "  egress:\n  - toServices:\n    - k8sService:\n        serviceName: s\n"
			 "        namespace: default\n",
		 "10:5: error: spec.egress[0].toServices: " KUBE, NULL},
		{CNP APP "  egress:\n  - toNodes:\n    - matchLabels:\n        a: b\n",
		 "10:5: error: spec.egress[0].toNodes: " KUBE, NULL},
		{CNP APP "  egress:\n  - toGroups:\n    - aws:\n        securityGroupsIds:\n       "
			 " - 'sg-1'\n",
		 "10:5: error: spec.egress[0].toGroups: no cloud is asked from here: write "
		 "prefixes\n",
		 NULL},
		{CNP APP "  egress:\n  - icmps:\n    - fields:\n      - type: EchoRequest\n        "
			 "family: IPv4\n",
		 "10:5: error: spec.egress[0].icmps: ICMP types are not read: an entry without "
		 "toPorts "
		 "and icmps has all of ICMP, to its destinations\n",
		 NULL},
		{CNP APP
		 "  egress:\n  - toFQDNs:\n    - matchName: a.example\n    toPorts:\n    - ports:\n"
		 "      - port: \"443\"\n        protocol: TCP\n      serverNames:\n      - "
		 "a.example\n",
		 "16:7: error: spec.egress[0].toPorts[0].serverNames: TLS is not looked into here: "
		 "leaving this out would allow more than is written\n",
		 NULL},
		{CNP APP
		 "  egress:\n  - toPorts:\n    - ports:\n      - port: \"9092\"\n"
		 "        protocol: TCP\n      rules:\n        kafka:\n        - role: produce\n",
		 "15:9: error: spec.egress[0].toPorts[0].rules.kafka: only dns is read here: "
		 "leaving "
		 "this out would allow more than is written\n",
		 NULL},
		/* a policy for the host itself */
		{CCNP "  nodeSelector:\n    matchLabels:\n      type: ingress-worker\n  ingress:\n"
		      "  - fromEntities: [cluster]\n",
		 "6:3: error: spec.nodeSelector: endpoints are policed here, not nodes: leaving "
		 "this out "
		 "would select nothing\n"
		 "9:3: warning: spec.ingress: " INGRESS,
		 NULL},
		{CNP APP "  egress:\n  - toEntities:\n    - kube-apiserver\n",
		 "11:7: error: spec.egress[0].toEntities[0]: the entity 'kube-apiserver' is not "
		 "known "
		 "here: world, all and host are\n",
		 NULL},
		{CNP APP "  egress:\n  - toCIDRSet:\n    - cidrGroupRef: vpn\n",
		 "11:7: error: spec.egress[0].toCIDRSet[0].cidrGroupRef: CiliumCIDRGroup objects "
		 "are not "
		 "read here: write the prefixes out\n",
		 NULL},
		{CNP APP "  egress:\n  - authentication:\n      mode: \"required\"\n    "
			 "toEntities: [world]\n",
		 "10:5: error: spec.egress[0].authentication: snooper does not see this: leaving "
		 "it out "
		 "would allow more than is written\n",
		 NULL},
	};

	check_rows(rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_shapes_that_are_read),
		cmocka_unit_test(test_3_2_shapes_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
