/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is said about a configuration, to the letter and the column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "snooper/io/conf_tree.h"
#include "snooper/io/conf_yaml.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	const char *yaml;
	const char *said; /* without the "f:" that every line begins with; NULL: nothing */
};

/* "f:1:2: ..." lines of got, compared with expected, where only the first misses its "f:". */
static void check_said(const char *yaml, const char *got, const char *expected)
{
	char all[8192];
	size_t used = 0;

	for (const char *p = expected ? expected : ""; *p;) {
		size_t len = strcspn(p, "\n");

		used += (size_t)snprintf(all + used, sizeof(all) - used, "f:%.*s\n", (int)len, p);
		p += len + (p[len] == '\n');
	}
	all[used] = '\0';
	print_message("--- %s\n", yaml);
	assert_string_equal(got ? got : "", all);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct conf_diag d = {0};
		struct snp_conf *c = NULL;
		int r = conf_read_text("f", rows[i].yaml, strlen(rows[i].yaml), &c, &d);

		check_said(rows[i].yaml, d.text, rows[i].said);
		assert_int_equal(r, d.n_errors ? -EINVAL : 0);
		assert_int_equal(c == NULL, r < 0);
		conf_diag_fini(&d);
		snp_conf_free(c);
	}
}

static void what_is_no_yaml_is_said_with_its_place(void **state)
{
	static const struct row rows[] = {
		{"", NULL},
		{"# only a comment\n", NULL},
		{"---\n", NULL},
		{"observe:\n", NULL},
		{"\xef\xbb\xbf"
		 "log: {level: info}\n",
		 NULL},
		{"observe: {resolvers: [127.0.0.53\n",
		 "2:1: error: yaml: did not find expected ',' or ']' (while parsing a flow "
		 "sequence, begun at 1:22)\n"},
		{"a: b: c\n", "1:5: error: yaml: mapping values are not allowed in this context\n"},
		{"log:\n\tlevel: info\n",
		 "2:1: error: yaml: found character that cannot start any token (while scanning "
		 "for the next token, begun at 2:1)\n"},
		{"log: {level: \"info}\n",
		 "2:1: error: yaml: found unexpected end of stream (while scanning a quoted "
		 "scalar, begun at 1:14)\n"},
		{"log:\n  level: \xff\n", "2:10: error: yaml: invalid leading UTF-8 octet\n"},
		{"- observe\n", "1:1: error: yaml: a mapping of sections is wanted here, not a "
				"list\n"},
		{"text\n", "1:1: error: yaml: a mapping of sections is wanted here, not a single "
			   "value\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void the_fancy_part_of_yaml_is_refused(void **state)
{
	static const struct row rows[] = {
		{"log: &l {level: info}\n",
		 "1:6: error: log: anchors (&name) are not supported: write the value out\n"},
		{"log: {level: *l}\n", "1:14: error: log.level: aliases (*name) are not supported: "
				       "write the value out\n"},
		{"log: {level: !!str info}\n",
		 "1:14: error: log.level: tags (!name) are not supported: leave it out\n"},
		{"log: {level: info}\n---\nlog: {level: info}\n",
		 "2:1: error: yaml: a second document begins here: one is all a file may have\n"},
		{"? [a]\n: b\n", "1:3: error: yaml: a key must be plain text\n"},
		{"log: {level: info, level: warn}\n",
		 "1:20: error: log.level: duplicate key (it was given at 1:7 already)\n"},
		{"log: {level: info}\nstate: {}\nlog: {level: info}\n",
		 "3:1: error: log: duplicate key (it was given at 1:1 already)\n"},
		{"log: {level: \"in\\0fo\"}\n",
		 "1:14: error: log.level: a NUL character in a value\n"},
		{"log: {<<: {level: info}}\n", "1:7: error: log.<<: unknown key\n"},
		{"a: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n",
		 "1:19: error: yaml: nested deeper than 16 levels\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void an_unknown_key_comes_with_a_suggestion(void **state)
{
	static const struct row rows[] = {
		{"policy:\n  min_tll: 3s\n",
		 "2:3: error: policy.min_tll: unknown key (did you mean 'min_ttl'?)\n"},
		{"polcy: {}\n", "1:1: error: polcy: unknown key (did you mean 'policy'?)\n"},
		{"min_ttl: 3s\n",
		 "1:1: error: min_ttl: unknown key here (did you mean 'policy.min_ttl'?)\n"},
		{"observe: {dwell: 3s}\n",
		 "1:11: error: observe.dwell: unknown key here (did you mean 'proxy.dwell'?)\n"},
		{"proxy: {probe: {intervall: 3s}}\n",
		 "1:9: warning: proxy.probe: not in this version: accepted, without effect\n"
		 "1:17: error: proxy.probe.intervall: unknown key (did you mean 'interval'?)\n"},
		{"foo: {bar: 1}\n", "1:1: error: foo: unknown key\n"},
		{"log: {\"a\\nb\": 1}\n", "1:7: error: log.a\\x0ab: unknown key\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void a_value_of_another_kind_is_refused(void **state)
{
	static const struct row rows[] = {
		{"observe: [a]\n", "1:10: error: observe: a mapping is wanted here, not a list\n"},
		{"observe: 5\n",
		 "1:10: error: observe: a mapping is wanted here, not a single value\n"},
		{"observe: {resolvers: 127.0.0.1}\n",
		 "1:22: error: observe.resolvers: a list is wanted here, not a single value\n"},
		{"observe: {resolvers: []}\n",
		 "1:22: error: observe.resolvers: an empty list: leave "
		 "the key out to have its default\n"},
		{"observe: {resolvers: [[127.0.0.1]]}\n",
		 "1:23: error: observe.resolvers: a single value is wanted here, not a list\n"},
		{"observe:\n  port:\n",
		 "2:8: error: observe.port: a single value is wanted here, not nothing\n"},
		{"observe: {port: ~}\n",
		 "1:17: error: observe.port: a single value is wanted here, not nothing\n"},
		{"observe: {port: {a: 1}}\n",
		 "1:17: error: observe.port: a single value is wanted here, not a mapping\n"},
		{"observe: {port: \"53\"}\n",
		 "1:17: error: observe.port: '53' in quotes is text, and a number is wanted\n"},
		{"observe: {port: 0x35}\n",
		 "1:17: error: observe.port: '0x35' is not a whole decimal number\n"},
		{"observe: {port: 65536}\n",
		 "1:17: error: observe.port: '65536' is outside 1 to 65535\n"},
		{"observe: {learn_private: yes}\n",
		 "1:26: error: observe.learn_private: 'yes' is not one of false, true\n"},
		{"observe: {tcp: segmets}\n",
		 "1:16: error: observe.tcp: 'segmets' is not one of segments, verdict, parser, "
		 "off (did you mean 'segments'?)\n"},
		{"observe: {query_timeout: 10}\n",
		 "1:26: error: observe.query_timeout: '10' has no "
		 "unit: ns, us, ms, s, m, h or d\n"},
		{"observe: {query_timeout: 1ms}\n",
		 "1:26: error: observe.query_timeout: '1ms' is outside 100ms to 10m\n"},
		{"state: {bpffs: sys/fs/bpf}\n",
		 "1:16: error: state.bpffs: 'sys/fs/bpf' is not an absolute path\n"},
		{"log: {level: \"\\e[31m\"}\n",
		 "1:14: error: log.level: '\\x1b[31m' is not one of err, warn, info, debug\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void entries_of_lists_have_their_own_places(void **state)
{
	static const struct row rows[] = {
		{"observe:\n  resolvers:\n    - 127.0.0.53\n    - 10.0.0.1:53\n    - 0.0.0.0\n",
		 "4:7: error: observe.resolvers: '10.0.0.1:53' has a port: only an address is "
		 "wanted\n"
		 "5:7: error: observe.resolvers: '0.0.0.0' is not the address of a host\n"},
		{"observe: {resolvers: [10.0.0.1, \"::ffff:10.0.0.1\"]}\n",
		 "1:33: warning: observe.resolvers: '::ffff:10.0.0.1' stands here twice\n"},
		{"observe: {never_learn: [10.1.0.0/8]}\n",
		 "1:25: error: observe.never_learn: '10.1.0.0/8' has bits set behind its prefix "
		 "(did you mean '10.0.0.0/8'?)\n"},
		{"observe: {never_learn: [\"fe80::1/10\"]}\n",
		 "1:25: error: observe.never_learn: 'fe80::1/10' has bits set behind its prefix "
		 "(did you mean 'fe80::/10'?)\n"},
		{"observe: {never_learn: []}\n", NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
	static const struct row rows[] = {
		{"policy: {min_ttl: 90m, max_ttl: 1h}\n",
		 "1:19: error: policy.min_ttl: '90m' is above policy.max_ttl (1h)\n"},
		{"policy: {min_ttl: 2d}\n",
		 "1:19: error: policy.min_ttl: '2d' is above policy.max_ttl (1d)\n"},
		{"policy: {min_ttl: 1h, max_ttl: 1h}\n", NULL},
		{"policy: {min_ttl: 1500ms}\n",
		 "1:19: error: policy.min_ttl: not a whole number of "
		 "seconds, as every TTL is\n"},
		{"observe: {cgroups: [/a, /a/b, /ab]}\n",
		 "1:25: error: observe.cgroups: '/a/b' is inside '/a': its packets would be seen "
		 "twice\n"},
		{"observe: {cgroups: [/a/b, /]}\n",
		 "1:21: error: observe.cgroups: '/a/b' is inside '/': its packets would be seen "
		 "twice\n"},
		{"observe: {cgroups: [/a/, //a]}\n",
		 "1:26: warning: observe.cgroups: '//a' stands here twice\n"},
		{"limits: {ring: 12345}\n",
		 "1:16: error: limits.ring: 12345 bytes are not a power of two\n"},
		{"limits: {ring: 2KiB}\n",
		 "1:16: error: limits.ring: '2KiB' is outside 4KiB to 1GiB\n"},
		{"limits: {facts: 10, per_endpoint: 11}\n",
		 "1:35: warning: limits.per_endpoint: 11 is above limits.facts (10), and never "
		 "reached\n"},
		{"limits: {facts: 10}\n", NULL},
	};

	check_rows(rows, COUNT(rows));
}

static void a_proxy_needs_somewhere_else_to_fall_back_to(void **state)
{
	static const struct row rows[] = {
		{"proxy: {addresses: [127.0.0.1:53], fallback: [10.0.0.1:53]}\n", NULL},
		{"proxy: {addresses: [127.0.0.1:53], fallback: [127.0.0.1:54]}\n", NULL},
		{"proxy: {addresses: [127.0.0.1:53], fallback: [127.0.0.1:53]}\n",
		 "1:47: error: proxy.fallback: 127.0.0.1 port 53 is one of proxy.addresses: it is "
		 "gone when the proxy is\n"},
		{"proxy: {addresses: [127.0.0.1:53]}\n",
		 "1:9: warning: proxy.addresses: no proxy.fallback: names stop resolving when the "
		 "proxy dies\n"},
		{"proxy: {addresses: [127.0.0.1:53, \"[::1]:53\"], fallback: [10.0.0.1:53]}\n",
		 "1:35: warning: proxy.addresses: ::1 has no IPv6 address in proxy.fallback: names "
		 "stop resolving there when the proxy dies\n"},
		{"proxy: {fallback: [10.0.0.1:53]}\n",
		 "1:9: warning: proxy.fallback: no proxy.addresses: nothing will ever fall back\n"},
		{"proxy: {cgroup: /sys/fs/cgroup/p}\n",
		 "1:17: warning: proxy.cgroup: no proxy.addresses: without effect\n"},
		{"proxy: {addresses: [0.0.0.0:53]}\n",
		 "1:21: error: proxy.addresses: '0.0.0.0:53' is not the address of a host: write "
		 "the one that clients send to\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void endpoints_have_one_name_and_a_cgroup(void **state)
{
	static const struct row row = {
		"endpoints:\n"
		"- name: a\n"
		"  cgroup: /a*\n"
		"  labels: {k8s:org: x, any:org: y, \"b c\": z, d: [1]}\n"
		"- {name: a, port: 1}\n"
		"- {cgroup: b}\n"
		"- 5\n"
		"- {name: c, cgroup: '/a/[bc]'}\n",
		"4:24: error: endpoints[0].labels: 'org' stands here twice\n"
		"4:36: error: endpoints[0].labels: 'b c' has other characters than letters, "
		"digits, '_', '.', '-' and '/'\n"
		"4:49: error: endpoints[0].labels: a single value is wanted here, not a list\n"
		"5:3: error: endpoints[1]: has no cgroup\n"
		"5:3: error: endpoints[1]: its name 'a' is that of endpoints[0] already\n"
		"5:13: error: endpoints[1].port: unknown key here (did you mean 'observe.port'?)\n"
		"6:3: error: endpoints[2]: has no name\n"
		"6:12: error: endpoints[2].cgroup: 'b' is not an absolute path\n"
		"7:3: error: endpoints[3]: a mapping is wanted here, not a single value\n"
		"8:21: error: endpoints[4].cgroup: '/a/[bc]' has brackets or braces: only * and ? "
		"are known here\n",
	};

	check_rows(&row, 1);
}

static void peers_are_secured_or_said_to_be_insecure(void **state)
{
#define HA_LATER                                                                                   \
	"1:1: warning: ha: not in this version: accepted, without effect (nothing is "             \
	"replicated)\n"
	static const struct row rows[] = {
		{"ha: {peers: [192.0.2.2:7946], tls: insecure}\n", HA_LATER},
		{"ha: {peers: [192.0.2.2:7946], insecure: true}\n", HA_LATER},
		{"ha: {peers: [192.0.2.2:7946], tls: {ca: /a, certificate: /b, key: /c}}\n",
		 HA_LATER},
		{"ha: {listen: unix:/run/a}\n", HA_LATER},
		{"ha: {listen: 0.0.0.0:7946}\n",
		 HA_LATER "1:14: error: ha.listen: needs ha.tls (ca, certificate, key), or 'tls: "
			  "insecure'\n"},
		{"ha: {tls: {ca: /a, certificate: /b}}\n",
		 HA_LATER "1:6: error: ha.tls: has no key\n"},
		{"ha: {tls: insecure, insecure: true}\n",
		 HA_LATER "1:31: error: ha.insecure: excludes ha.tls: keep one of them\n"},
		{"ha: {tls: no}\n",
		 HA_LATER "1:11: error: ha.tls: a mapping of ca, certificate and "
			  "key is wanted here, or the word insecure\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void the_face_on_tcp_has_certificates(void **state)
{
	static const struct row rows[] = {
		{"export: {listen: 0.0.0.0:9954, tls: {ca: /a, certificate: /b, key: /c}}\n", NULL},
		{"export: {listen: '[::]:9954', tls: {ca: /a, certificate: /b, key: /c, "
		 "admins: [on call]}}\n",
		 NULL},
		{"export: {listen: 0.0.0.0:9954}\n",
		 "1:18: error: export.listen: needs export.tls (ca, certificate, key)\n"},
		{"export: {listen: 0.0.0.0:9954, tls: {ca: /a}}\n",
		 "1:32: error: export.tls: has no certificate\n"
		 "1:32: error: export.tls: has no key\n"},
		{"export: {listen: 0.0.0.0:9954, tls: insecure}\n",
		 "1:18: error: export.listen: needs export.tls (ca, certificate, key)\n"
		 "1:37: error: export.tls: a mapping of ca, certificate and key is wanted here\n"},
		{"export: {listen: localhost, tls: {ca: a, certificate: /b, key: /c}}\n",
		 "1:18: error: export.listen: 'localhost' is not IP:PORT\n"
		 "1:29: warning: export.tls: no export.listen: without effect\n"
		 "1:39: error: export.tls.ca: the value (not shown here) is not an absolute "
		 "path\n"},
		{"export: {tls: {ca: /a, certificate: /b, key: /c, admins: ['']}}\n",
		 "1:10: warning: export.tls: no export.listen: without effect\n"
		 "1:59: error: export.tls.admins: '' is empty\n"},
		{"export: {listen: 0.0.0.0:9954, tls: {ca: /a, certificate: /b, key: /c, admin: "
		 "x}}\n",
		 "1:72: error: export.tls.admin: unknown key (did you mean 'admins'?)\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void a_secret_is_never_said(void **state)
{
	static const char *const yamls[] = {
		"ha: {tls: {ca: s3cr3t, certificate: s3cr3t, key: s3cr3t}}\n",
		"ha: {tls: s3cr3t}\n",
		"ha: {tls: [s3cr3t]}\n",
		"ha: {tls: {key: [s3cr3t]}}\n",
		"ha: {tls: {key: &s3cr3 s3cr3t}}\n",
		"ha: {tls: {key: !s3cr3t s3cr3t}}\n",
		"ha: {tls: {key: \"s3cr3t\\0\"}}\n",
		"ha: {tls: {key: \"s3cr3t}}\n",
		"export: {tls: {ca: s3cr3t, certificate: s3cr3t, key: s3cr3t}}\n",
		"export: {tls: s3cr3t}\n",
		"export: {tls: {\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC s3cr3t\": 1}}\n",
		"ha: {tls: {\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC s3cr3t\": 1}}\n",
	};

	for (size_t i = 0; i < COUNT(yamls); i++) {
		struct conf_diag d = {0};
		struct snp_conf *c = NULL;

		print_message("--- %s\n", yamls[i]);
		assert_int_equal(conf_read_text("f", yamls[i], strlen(yamls[i]), &c, &d), -EINVAL);
		assert_non_null(d.text);
		assert_null(strstr(d.text, "s3cr3"));
		conf_diag_fini(&d);
	}
}

static void what_does_nothing_yet_is_said_once(void **state)
{
#define LATER "not in this version: accepted, without effect"
	static const struct row rows[] = {
		{"observe: {tcp: off, names: all}\n", NULL},
		{"policy: {mode: observe, min_ttl: 5s, max_ttl: 1h}\n", NULL},
		{"reconcile: {mode: off}\n", NULL},
		{"endpoints: []\nha:\n", NULL},
		{"state: {bpffs: /sys/fs/bpf/x, keep_on_stop: false}\n", NULL},
		{"export: {socket: /run/x, socket_group: root}\n", NULL},
		{"export: {metrics: 127.0.0.1:9953}\n", NULL},
		{"observe: {tcp: segments, names: matched}\n",
		 "1:16: warning: observe.tcp: " LATER " (answers over TCP are not learned yet)\n"},
		{"policy: {mode: enforce, grace: 5s, scope: node}\n", NULL},
		{"policy: {mode: audit, on_error: allow, live_flow_idle: 5m}\n", NULL},
		{"proxy: {mute_after: {queries: 5, time: 1s}}\n",
		 "1:9: warning: proxy.mute_after: " LATER " (a proxy that hangs is not noticed)\n"},
		{"ha: {node: a, cluster: b}\n",
		 "1:1: warning: ha: " LATER " (nothing is replicated)\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void all_errors_come_at_once_in_the_order_of_the_file(void **state)
{
	static const struct row rows[] = {
		{"proxy:\n  fallback: [x]\npolicy:\n  min_ttl: 2d\n  foo: 1\nobserve:\n  port: 0\n"
		 "log: {level: *a}\n",
		 "2:14: error: proxy.fallback: 'x' is not IP:PORT\n"
		 "4:12: error: policy.min_ttl: '2d' is above policy.max_ttl (1d)\n"
		 "5:3: error: policy.foo: unknown key\n"
		 "7:9: error: observe.port: '0' is outside 1 to 65535\n"
		 "8:14: error: log.level: aliases (*name) are not supported: write the value "
		 "out\n"},
	};

	check_rows(rows, COUNT(rows));
}

static void more_lines_than_anyone_reads_are_counted(void **state)
{
	size_t room = 64 * 1024, used;
	char *yaml = malloc(room);
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	assert_non_null(yaml);
	used = (size_t)snprintf(yaml, room, "ha: {tls: insecure}\nendpoints:\n");
	for (int i = 0; i < 1500; i++)
		used += (size_t)snprintf(yaml + used, room - used, "- {name: n%d}\n", i);
	assert_int_equal(conf_read_text("f", yaml, used, &c, &d), -EINVAL);
	assert_int_equal(d.n_errors, 1500);
	assert_int_equal(d.n_warnings, 1);
	assert_non_null(
		strstr(d.text, "f: error: configuration: 501 more problems are not shown\n"));
	conf_diag_fini(&d);
	free(yaml);
}

static void too_much_of_anything_is_refused(void **state)
{
	size_t room = CONF_BYTES_MAX + 1, used = 0;
	char *yaml = malloc(room);
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	assert_non_null(yaml);
	memset(yaml, '#', room);
	assert_int_equal(conf_read_text("f", yaml, room, &c, &d), -EINVAL);
	assert_string_equal(d.text, "f: error: file: larger than 1MiB\n");
	conf_diag_fini(&d);
	assert_int_equal(conf_read_text("f", yaml, room - 1, &c, &d), 0);
	snp_conf_free(c);
	conf_diag_fini(&d);

	for (int i = 0; i <= CONF_MAP_MAX; i++)
		used += (size_t)snprintf(yaml + used, room - used, "k%d: 1\n", i);
	assert_int_equal(conf_read_text("f", yaml, used, &c, &d), -EINVAL);
	assert_string_equal(d.text, "f:129:1: error: yaml: more than 128 entries in one mapping\n");
	conf_diag_fini(&d);

	used = (size_t)snprintf(yaml, room, "endpoints:\n");
	for (int i = 0; i <= CONF_LIST_MAX; i++)
		used += (size_t)snprintf(yaml + used, room - used, "- 1\n");
	assert_int_equal(conf_read_text("f", yaml, used, &c, &d), -EINVAL);
	assert_string_equal(d.text, "f:4098:3: error: yaml: more than 4096 entries in one list\n");
	conf_diag_fini(&d);

	used = (size_t)snprintf(yaml, room, "endpoints:\n");
	for (int i = 0; i < CONF_LIST_MAX; i++)
		used += (size_t)snprintf(yaml + used, room - used, "- 1\n");
	assert_int_equal(conf_read_text("f", yaml, used, &c, &d), -EINVAL);
	assert_string_equal(d.text,
			    "f:1:1: error: endpoints: 4096 endpoints: at most 4095 are possible\n");
	conf_diag_fini(&d);
	free(yaml);
}

/* A list of n entries that are told apart by their number. */
static void check_room(const char *before, const char *entry, int n, const char *said)
{
	char yaml[8192];
	struct row row = {yaml, said};
	size_t used = (size_t)snprintf(yaml, sizeof(yaml), "%s", before);

	for (int i = 1; i <= n; i++) {
		used += (size_t)snprintf(yaml + used, sizeof(yaml) - used, i > 1 ? ", " : "");
		used += (size_t)snprintf(yaml + used, sizeof(yaml) - used, entry, i);
	}
	snprintf(yaml + used, sizeof(yaml) - used, "]}\n");
	check_rows(&row, 1);
}

static void what_the_kernel_side_has_no_room_for_is_refused(void **state)
{
	check_room("observe: {resolvers: [", "10.0.0.%d", 40, NULL);
	check_room("observe: {resolvers: [", "10.0.0.%d", 41,
		   "1:22: error: observe.resolvers: 41 entries: at most 40 are possible\n");
	check_room("observe: {never_learn: [", "10.0.%d.0/24", 40, NULL);
	check_room("observe: {never_learn: [", "10.0.%d.0/24", 41,
		   "1:11: error: observe.never_learn: 41 IPv4 prefixes: at most 40 are possible\n");
	check_room("observe: {never_learn: [", "'2001:db8:%d::/48'", 41,
		   "1:11: error: observe.never_learn: 41 IPv6 prefixes: at most 40 are possible\n");
	check_room("proxy: {fallback: [10.0.0.1:53], addresses: [", "127.0.0.1:%d", 8, NULL);
	check_room("proxy: {fallback: [10.0.0.1:53], addresses: [", "127.0.0.1:%d", 9,
		   "1:9: warning: proxy.fallback: no proxy.addresses: nothing will ever fall back\n"
		   "1:45: error: proxy.addresses: 9 entries: at most 8 are possible\n");
	check_room("proxy: {addresses: [127.0.0.1:53], fallback: [", "10.0.0.1:%d", 9,
		   "1:36: error: proxy.fallback: 9 IPv4 servers: at most 8 are possible\n");
}

static void a_file_that_cannot_be_read_is_said_and_returned(void **state)
{
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	assert_int_equal(conf_read("/nonexistent/f", &c, &d), -ENOENT);
	assert_string_equal(d.text, "/nonexistent/f: error: file: cannot be read: No such file or "
				    "directory\n");
	assert_null(c);
	conf_diag_fini(&d);
	assert_int_equal(conf_read("/", &c, &d), -EISDIR);
	assert_string_equal(d.text, "/: error: file: cannot be read: Is a directory\n");
	conf_diag_fini(&d);
	assert_int_equal(conf_read("/dev/zero", &c, &d), -EINVAL);
	assert_string_equal(d.text, "/dev/zero: error: file: larger than 1MiB\n");
	conf_diag_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_yaml_is_said_with_its_place),
		cmocka_unit_test(the_fancy_part_of_yaml_is_refused),
		cmocka_unit_test(an_unknown_key_comes_with_a_suggestion),
		cmocka_unit_test(a_value_of_another_kind_is_refused),
		cmocka_unit_test(entries_of_lists_have_their_own_places),
		cmocka_unit_test(keys_that_contradict_each_other_are_refused),
		cmocka_unit_test(a_proxy_needs_somewhere_else_to_fall_back_to),
		cmocka_unit_test(endpoints_have_one_name_and_a_cgroup),
		cmocka_unit_test(peers_are_secured_or_said_to_be_insecure),
		cmocka_unit_test(the_face_on_tcp_has_certificates),
		cmocka_unit_test(a_secret_is_never_said),
		cmocka_unit_test(what_does_nothing_yet_is_said_once),
		cmocka_unit_test(all_errors_come_at_once_in_the_order_of_the_file),
		cmocka_unit_test(more_lines_than_anyone_reads_are_counted),
		cmocka_unit_test(too_much_of_anything_is_refused),
		cmocka_unit_test(what_the_kernel_side_has_no_room_for_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_said_and_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
