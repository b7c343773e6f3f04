/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every key: its default, its field, its place in the sample and in the manual. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/io/conf_keys.h"
#include "snooper/io/conf_value.h"
#include "snooper/io/conf_yaml.h"

#define SAMPLE "snooper/conf/snooper.yaml"
#define MANUAL "snooper/man/snooper.yaml.5"
#define S      1000000000ull

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static struct snp_conf *read_text(const char *yaml, struct conf_diag *d)
{
	struct snp_conf *c = NULL;

	conf_read_text("f", yaml, strlen(yaml), &c, d);
	if (!c)
		fail_msg("%s", d->text);
	return c;
}

/* What "#key:" in the sample would set: the same text without that '#'. */
static void uncomment(char *text)
{
	char *to = text;

	for (char *p = text; *p; p++) {
		bool starts = p == text || p[-1] == '\n' || p[-1] == ' ';

		if (*p == '#' && starts && (p[1] == '-' || (p[1] >= 'a' && p[1] <= 'z')))
			continue;
		*to++ = *p;
	}
	*to = '\0';
}

static void check_cidrs(const struct snp_conf *c)
{
	static const char *const expected[] = {
		"0.0.0.0/8",	     "127.0.0.0/8",	   "169.254.0.0/16",
		"224.0.0.0/4",	     "255.255.255.255/32", "::/128",
		"::1/128",	     "fe80::/10",	   "ff00::/8",
		"fd00:ec2::254/128", "::ffff:0:0/96",	   "64:ff9b::/96",
	};

	assert_int_equal(c->observe.n_never_learn, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < c->observe.n_never_learn; i++) {
		struct snp_cidr want;

		assert_null(conf_value_cidr(expected[i], &want));
		assert_memory_equal(&c->observe.never_learn[i].addr, &want.addr, 16);
		assert_int_equal(c->observe.never_learn[i].prefix, want.prefix);
		assert_int_equal(c->observe.never_learn[i].ipv6, want.ipv6);
	}
}

static void check_fixed_defaults(const struct snp_conf *c)
{
	assert_int_equal(c->observe.port, 53);
	assert_int_equal(c->observe.tcp, SNP_TCP_SEGMENTS);
	assert_int_equal(c->observe.query_timeout_ns, 10 * S);
	assert_true(c->observe.learn_private && c->observe.svcb_hints && c->observe.names_all);
	check_cidrs(c);
	assert_int_equal(c->policy.mode, SNP_POLICY_OBSERVE);
	assert_false(c->policy.scope_node || c->policy.on_error_allow);
	assert_string_equal(c->policy.directory, "/etc/snooper/policy.d");
	assert_int_equal(c->policy.min_ttl_ns, 0);
	assert_int_equal(c->policy.max_ttl_ns, 86400 * S);
	assert_int_equal(c->policy.grace_ns, 0);
	assert_int_equal(c->policy.live_flow_idle_ns, 3600 * S);
	assert_int_equal(c->proxy.mute_queries, 3);
	assert_int_equal(c->proxy.mute_time_ns, S / 2);
	assert_string_equal(c->proxy.probe_name, ".");
	assert_int_equal(c->proxy.probe_interval_ns, S / 4);
	assert_int_equal(c->proxy.dwell_ns, 5 * S);
	assert_int_equal(c->reconcile.mode, SNP_RECONCILE_VERIFY);
	assert_int_equal(c->reconcile.rate, 200);
	assert_string_equal(c->ha.cluster, "default");
	assert_false(c->ha.insecure);
	assert_string_equal(c->state.directory, "/var/lib/snooper");
	assert_string_equal(c->state.bpffs, "/sys/fs/bpf/snooper");
	assert_int_equal(c->state.snapshot_interval_ns, 30 * S);
	assert_true(c->state.keep_on_stop);
	assert_string_equal(c->export.socket, "/run/snooper/snooper.sock");
	assert_int_equal(c->limits.names, 262144);
	assert_int_equal(c->limits.addresses_per_name, 1000);
	assert_int_equal(c->limits.names_per_address, 1000);
	assert_int_equal(c->limits.rows, 262144);
	assert_int_equal(c->limits.facts, 524288);
	assert_int_equal(c->limits.per_endpoint, 65536);
	assert_int_equal(c->limits.ring_bytes, 16777216);
	assert_int_equal(c->log.level, SNP_LOG_INFO);
}

static void an_empty_file_has_every_default(void **state)
{
	struct conf_diag d = {0};
	struct snp_conf *c = read_text("", &d);

	check_fixed_defaults(c);
	assert_int_equal(c->observe.n_cgroups + c->observe.n_resolvers + c->n_endpoints, 0);
	assert_int_equal(c->proxy.n_addresses + c->proxy.n_fallback + c->reconcile.n_servers, 0);
	assert_int_equal(c->ha.n_peers, 0);
	assert_null(c->proxy.cgroup);
	assert_null(c->ha.node);
	assert_null(c->ha.listen);
	assert_null(c->export.socket_group);
	assert_null(c->export.metrics);
	snp_conf_free(c);
	conf_diag_fini(&d);
}

static void the_sample_as_installed_changes_nothing_and_says_nothing(void **state)
{
	struct conf_diag d = {0};
	char *text = slurp(SAMPLE);
	struct snp_conf *c = read_text(text, &d);

	check_fixed_defaults(c);
	assert_int_equal(c->proxy.n_addresses, 0);
	assert_null(d.text);
	snp_conf_free(c);
	conf_diag_fini(&d);
	free(text);
}

static void the_sample_shows_every_key_with_its_default(void **state)
{
	struct conf_diag d = {0};
	char *text = slurp(SAMPLE);
	const struct conf_key *keys;
	struct snp_conf *c;
	size_t n;

	uncomment(text);
	c = read_text(text, &d);
	assert_int_equal(d.n_errors, 0);
	check_fixed_defaults(c); /* what is shown without "example" is what holds anyway */
	keys = conf_key_all(&n);
	for (size_t i = 0; i < n; i++) {
		print_message("%s\n", keys[i].path);
		if (strcmp(keys[i].path, "ha.insecure") != 0 &&
		    strcmp(keys[i].path, "endpoints.labels") != 0)
			assert_true(conf_diag_was_set(&d, keys[i].path));
	}
	snp_conf_free(c);
	conf_diag_fini(&d);
	free(text);
}

static void the_manual_names_every_key(void **state)
{
	char *text = slurp(MANUAL);
	const struct conf_key *keys;
	size_t n;

	keys = conf_key_all(&n);
	for (size_t i = 0; i < n; i++) {
		char entry[64];

		if (keys[i].kind == CONF_KEY_SECTION && !strchr(keys[i].path, '.'))
			continue;
		snprintf(entry, sizeof(entry), "\n.TP\n.B %s\n", keys[i].path);
		print_message("%s\n", keys[i].path);
		assert_non_null(strstr(text, entry));
	}
	free(text);
}

static void every_key_reaches_its_own_field(void **state)
{
	static const char yaml[] =
		"observe: {cgroups: [/cg/a/, /cg/b], resolvers: [10.0.0.1, '::1'], port: 54,\n"
		"  tcp: verdict, query_timeout: 1s, never_learn: [10.0.0.0/8],\n"
		"  learn_private: false, svcb_hints: false, names: matched}\n"
		"policy: {mode: audit, scope: node, directory: /p, min_ttl: 1s, max_ttl: 2s,\n"
		"  grace: 3s, live_flow_idle: 4s, on_error: allow}\n"
		"endpoints: [{name: e, labels: {'k8s:org': empire}, cgroup: /cg/e*}]\n"
		"proxy: {addresses: [127.0.0.1:53], cgroup: /cg/p, fallback: ['10.0.0.2:54'],\n"
		"  mute_after: {queries: 5, time: 6s}, probe: {name: x.example, interval: 7s},\n"
		"  dwell: 8s}\n"
		"reconcile: {mode: refresh, servers: ['[::2]:55'], rate: 9}\n"
		"ha: {node: n, cluster: c, listen: '0.0.0.0:1', peers: [unix:/peer],\n"
		"  tls: {ca: /ca, certificate: /crt, key: /key}}\n"
		"state: {directory: /s, bpffs: /b, snapshot_interval: 10s, keep_on_stop: false}\n"
		"export: {socket: /sock, socket_group: g, metrics: '127.0.0.1:2',\n"
		"  listen: '[::]:3', tls: {ca: /eca, certificate: /ecrt, key: /ekey,\n"
		"  admins: [root on call, x]}}\n"
		"limits: {names: 11, addresses_per_name: 12, names_per_address: 13, rows: 14,\n"
		"  facts: 15, per_endpoint: 10, ring: 8KiB}\n"
		"log: {level: debug}\n";
	struct conf_diag d = {0};
	struct snp_conf *c = read_text(yaml, &d);

	assert_int_equal(c->observe.n_cgroups, 2);
	assert_string_equal(c->observe.cgroups[0], "/cg/a");
	assert_int_equal(c->observe.n_resolvers, 2);
	assert_int_equal(c->observe.resolvers[1].b[15], 1);
	assert_int_equal(c->observe.port, 54);
	assert_int_equal(c->observe.tcp, SNP_TCP_VERDICT);
	assert_int_equal(c->observe.query_timeout_ns, S);
	assert_int_equal(c->observe.n_never_learn, 1);
	assert_false(c->observe.learn_private || c->observe.svcb_hints || c->observe.names_all);
	assert_int_equal(c->policy.mode, SNP_POLICY_AUDIT);
	assert_true(c->policy.scope_node && c->policy.on_error_allow);
	assert_string_equal(c->policy.directory, "/p");
	assert_int_equal(c->policy.min_ttl_ns, S);
	assert_int_equal(c->policy.max_ttl_ns, 2 * S);
	assert_int_equal(c->policy.grace_ns, 3 * S);
	assert_int_equal(c->policy.live_flow_idle_ns, 4 * S);
	assert_int_equal(c->n_endpoints, 1);
	assert_string_equal(c->endpoints[0].name, "e");
	assert_string_equal(c->endpoints[0].cgroup, "/cg/e*");
	assert_int_equal(c->endpoints[0].n_labels, 1);
	assert_string_equal(c->endpoints[0].labels[0].key, "org");
	assert_string_equal(c->endpoints[0].labels[0].value, "empire");
	assert_int_equal(c->proxy.addresses[0].port, 53);
	assert_string_equal(c->proxy.cgroup, "/cg/p");
	assert_int_equal(c->proxy.fallback[0].port, 54);
	assert_int_equal(c->proxy.mute_queries, 5);
	assert_int_equal(c->proxy.mute_time_ns, 6 * S);
	assert_string_equal(c->proxy.probe_name, "x.example");
	assert_int_equal(c->proxy.probe_interval_ns, 7 * S);
	assert_int_equal(c->proxy.dwell_ns, 8 * S);
	assert_int_equal(c->reconcile.mode, SNP_RECONCILE_REFRESH);
	assert_int_equal(c->reconcile.servers[0].port, 55);
	assert_int_equal(c->reconcile.rate, 9);
	assert_string_equal(c->ha.node, "n");
	assert_string_equal(c->ha.cluster, "c");
	assert_string_equal(c->ha.listen, "0.0.0.0:1");
	assert_string_equal(c->ha.peers[0], "unix:/peer");
	assert_string_equal(c->ha.tls_ca, "/ca");
	assert_string_equal(c->ha.tls_certificate, "/crt");
	assert_string_equal(c->ha.tls_key, "/key");
	assert_string_equal(c->state.directory, "/s");
	assert_string_equal(c->state.bpffs, "/b");
	assert_int_equal(c->state.snapshot_interval_ns, 10 * S);
	assert_false(c->state.keep_on_stop);
	assert_string_equal(c->export.socket, "/sock");
	assert_string_equal(c->export.socket_group, "g");
	assert_string_equal(c->export.metrics, "127.0.0.1:2");
	assert_string_equal(c->export.listen, "[::]:3");
	assert_string_equal(c->export.tls_ca, "/eca");
	assert_string_equal(c->export.tls_certificate, "/ecrt");
	assert_string_equal(c->export.tls_key, "/ekey");
	assert_int_equal(c->export.n_tls_admins, 2);
	assert_string_equal(c->export.tls_admins[0], "root on call");
	assert_int_equal(c->limits.names, 11);
	assert_int_equal(c->limits.addresses_per_name, 12);
	assert_int_equal(c->limits.names_per_address, 13);
	assert_int_equal(c->limits.rows, 14);
	assert_int_equal(c->limits.facts, 15);
	assert_int_equal(c->limits.per_endpoint, 10);
	assert_int_equal(c->limits.ring_bytes, 8192);
	assert_int_equal(c->log.level, SNP_LOG_DEBUG);
	snp_conf_free(c);
	conf_diag_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_every_default),
		cmocka_unit_test(the_sample_as_installed_changes_nothing_and_says_nothing),
		cmocka_unit_test(the_sample_shows_every_key_with_its_default),
		cmocka_unit_test(the_manual_names_every_key),
		cmocka_unit_test(every_key_reaches_its_own_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
