/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory that ends at every single allocation in turn: -ENOMEM, and nothing lost.
 *
 * The allocator of short_memory.h stands in for libc's, for libyaml as well as for us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/io/conf_host.h"
#include "snooper/io/conf_yaml.h"
#include "snooper/io/policy_yaml.h"

#ifdef __SANITIZE_ADDRESS__

/* ASan brings an allocator of its own, and its own look at leaks. */
int main(void)
{
	puts("left to the builds without AddressSanitizer");
	return 0;
}

#else

#include "tests/unit/short_memory.h"

static const char good[] =
	"observe: {cgroups: [/sys], resolvers: [10.0.0.1, '::1'], never_learn: [10.0.0.0/8]}\n"
	"endpoints: [{name: e, labels: {org: empire}, cgroup: /cg/e*}, {name: f, cgroup: /f}]\n"
	"proxy: {addresses: [127.0.0.1:53], cgroup: /sys, probe: {name: x.example}}\n"
	"ha: {node: n, peers: [unix:/peer, unix:/peer], tls: insecure}\n"
	"export: {listen: '0.0.0.0:3', tls: {ca: /etc/hosts, certificate: /etc/hosts,\n"
	"  key: /etc/hosts, admins: [x, y]}}\n"
	"log: {level: debug}\n";

static const char bad[] = "observe: {cgroups: [sys], prot: 53, port: 0}\n"
			  "endpoints: [{name: e, labels: {org: [x]}, cgroup: e}, 5]\n"
			  "policy: {mode: &a enforce, mode: *a, min_ttl: 5}\n";

static const char good_policy[] =
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: n}\n"
	"spec:\n  endpointSelector: {matchLabels: {a: b}, matchExpressions: [{key: c, operator: "
	"In,\n"
	"    values: [d, e]}]}\n  egress:\n  - toCIDRSet: [{cidr: 10.0.0.0/8, except: "
	"[10.1.0.0/16]}]\n"
	"    toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchName: a}]}}, {ports: [{port: "
	"80}]}]\n"
	"  - toFQDNs: [{matchName: x}, {matchPattern: '*.y'}]\n"
	"    toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchName: a}]}}, {ports: [{port: "
	"80}]}]\n"
	"  egressDeny: [{toCIDR: [10.2.0.0/16]}]\n---\n"
	"apiVersion: v1\nkind: List\nitems: [{apiVersion: cilium.io/v2, kind: "
	"CiliumNetworkPolicy,\n"
	"  metadata: {name: p, namespace: n}, spec: {endpointSelector: {}, egress: [{}]}}]\n";

static const char bad_policy[] =
	"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: n}\n"
	"spec:\n  endpointSelector: {matchLabels: {a: [b]}}\n  egress:\n  - toServices: []\n"
	"  - {toFQDNs: [{matchName: x}, {matchName: '*'}], toPorts: [{ports: [{port: http}]}]}\n"
	"  - {toCIDR: [1.2.3.4, x], toFQDN: []}\n---\nkind: &a\n";

struct outcome {
	int read, filled;
	size_t n_errors;
};

typedef struct outcome (*reader_fn)(const char *yaml, long n);

/* One reading in which the n-th allocation fails, and all after it. */
static struct outcome read_conf_with(const char *yaml, long n)
{
	static const struct conf_host_files files = {"/proc/mounts", "/etc/resolv.conf"};
	struct outcome o = {0, 0, 0};
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	held = 0;
	left = n;
	counting = true;
	o.read = conf_read_text("f", yaml, strlen(yaml), &c, &d);
	if (o.read == 0)
		o.filled = conf_fill_from_files(c, &files, &d);
	o.n_errors = d.n_errors;
	conf_diag_fini(&d);
	snp_conf_free(c);
	counting = false;
	return o;
}

static struct outcome read_policy_with(const char *yaml, long n)
{
	struct outcome o = {0, 0, 0};
	struct conf_diag d = {0};
	struct policy *p = NULL;

	held = 0;
	left = n;
	counting = true;
	o.read = policy_read_text("f", yaml, strlen(yaml), &p, &d);
	o.n_errors = d.n_errors;
	conf_diag_fini(&d);
	policy_free(p);
	counting = false;
	return o;
}

static void sweep(reader_fn read_with, const char *yaml, int read)
{
	struct outcome all = read_with(yaml, -1);
	long n = 0;

	assert_int_equal(all.read, read);
	assert_int_equal(held, 0);
	for (;; n++) {
		struct outcome o = read_with(yaml, n);

		assert_int_equal(held, 0);
		if (left > 0)
			break; /* there was enough */
		if (o.read == all.read && o.filled == all.filled)
			continue; /* it ended with the last one, or where libc copes */
		assert_true(o.read == -ENOMEM || o.filled == -ENOMEM);
		if (o.read == -ENOMEM) /* nothing was made up for want of memory */
			assert_true(o.n_errors <= all.n_errors);
	}
	print_message("%ld allocations\n", n);
	assert_true(n > 50);
}

static void a_good_file_is_read_whole_or_not_at_all(void **state)
{
	sweep(read_conf_with, good, 0);
}

static void a_bad_file_is_bad_or_memory_is_short(void **state)
{
	sweep(read_conf_with, bad, -EINVAL);
}

static void test_3_1_a_good_policy_is_read_whole_or_not_at_all(void **state)
{
	sweep(read_policy_with, good_policy, 0);
}

static void test_3_1_a_bad_policy_is_bad_or_memory_is_short(void **state)
{
	sweep(read_policy_with, bad_policy, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_bad_file_is_bad_or_memory_is_short),
		cmocka_unit_test(test_3_1_a_good_policy_is_read_whole_or_not_at_all),
		cmocka_unit_test(test_3_1_a_bad_policy_is_bad_or_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
