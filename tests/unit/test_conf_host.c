/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a configuration takes from its host: mounts, name servers, cgroup paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "snooper/io/conf_host.h"
#include "snooper/io/conf_value.h"
#include "snooper/io/conf_yaml.h"

#define UNIFIED "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
#define HYBRID                                                                                     \
	"tmpfs /sys/fs/cgroup tmpfs ro 0 0\n"                                                      \
	"cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"                                          \
	"cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"

/* A host made of files, and one reading on it. */
struct host {
	char dir[64], mounts[96], resolv_conf[96];
	struct conf_diag d;
	struct snp_conf *c;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	if (!h)
		return -1;
	strcpy(h->dir, "/tmp/snooper-conf-XXXXXX");
	if (!mkdtemp(h->dir))
		return -1;
	snprintf(h->mounts, sizeof(h->mounts), "%s/mounts", h->dir);
	snprintf(h->resolv_conf, sizeof(h->resolv_conf), "%s/resolv.conf", h->dir);
	write_file(h->mounts, UNIFIED);
	write_file(h->resolv_conf, "nameserver 10.0.0.10\n");
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	static const char *const made[] = {"cg", "link", "mounts", "resolv.conf"};
	struct host *h = *state;
	char path[128];

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", h->dir, made[i]);
		remove(path);
	}
	rmdir(h->dir);
	conf_diag_fini(&h->d);
	snp_conf_free(h->c);
	free(h);
	return 0;
}

static int read_on(struct host *h, const char *yaml)
{
	struct conf_host_files files = {h->mounts, h->resolv_conf};

	conf_diag_fini(&h->d);
	snp_conf_free(h->c);
	h->c = NULL;
	assert_int_equal(conf_read_text("f", yaml, strlen(yaml), &h->c, &h->d), 0);
	return conf_fill_from_files(h->c, &files, &h->d);
}

/* The addresses (and ports) of a list, with blanks between them. */
static void check_addrs(const struct snp_addr *addrs, size_t n, const char *expected)
{
	char all[512] = "", buf[CONF_ADDR_TEXT];

	for (size_t i = 0; i < n; i++) {
		strcat(all, i ? " " : "");
		strcat(all, conf_addr_text(&addrs[i], buf));
	}
	assert_string_equal(all, expected);
}

static void check_servers(const struct snp_endpoint *servers, size_t n, const char *expected)
{
	char all[512], buf[CONF_ADDR_TEXT];
	size_t used = 0;

	all[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s/%u", i ? " " : "",
					 conf_addr_text(&servers[i].addr, buf), servers[i].port);
	assert_string_equal(all, expected);
}

static void the_cgroup_default_is_the_v2_mount(void **state)
{
	static const char *const rows[][2] = {
		{UNIFIED, "/sys/fs/cgroup"},
		{HYBRID, "/sys/fs/cgroup/unified"},
		{"x /a cgroup2 rw 0 0\n" UNIFIED, "/sys/fs/cgroup"},
		{"x /a cgroup2 rw 0 0\n" HYBRID, "/sys/fs/cgroup/unified"},
		{"x /a cgroup2 rw 0 0\ny /b cgroup2 rw 0 0\n", "/a"},
		{"x /my\\040cgroups cgroup2 rw 0 0\n", "/my cgroups"},
		/* what was mounted over it is what is there */
		{"x /a cgroup2 rw 0 0\ny /a tmpfs rw 0 0\nz /b cgroup2 rw 0 0\n", "/b"},
	};
	struct host *h = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(h->mounts, rows[i][0]);
		print_message("--- %s", rows[i][0]);
		assert_int_equal(read_on(h, ""), 0);
		assert_int_equal(h->c->observe.n_cgroups, 1);
		assert_string_equal(h->c->observe.cgroups[0], rows[i][1]);
		assert_null(h->d.text);
	}
}

static void a_host_without_cgroup_v2_is_an_error(void **state)
{
	struct host *h = *state;
	char expected[256];

	write_file(h->mounts, "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n");
	assert_int_equal(read_on(h, ""), -EINVAL);
	snprintf(expected, sizeof(expected),
		 "f: error: observe.cgroups: no cgroup v2 is mounted (by %s)\n", h->mounts);
	assert_string_equal(h->d.text, expected);
	assert_int_equal(h->d.n_errors, 1);
}

static void mounts_that_cannot_be_read_are_an_error(void **state)
{
	struct host *h = *state;
	char expected[256];

	assert_int_equal(remove(h->mounts), 0);
	assert_int_equal(read_on(h, ""), -ENOENT);
	snprintf(expected, sizeof(expected),
		 "f: error: observe.cgroups: %s cannot be read: No such file or directory\n",
		 h->mounts);
	assert_string_equal(h->d.text, expected);
}

static void observed_cgroups_must_be_there_and_of_version_2(void **state)
{
	struct host *h = *state;
	char yaml[512], expected[512], table[256], path[128], link[128];

	snprintf(path, sizeof(path), "%s/cg", h->dir);
	snprintf(link, sizeof(link), "%s/link", h->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink("cg", link), 0);
	snprintf(yaml, sizeof(yaml), "observe:\n  cgroups:\n  - %s\n  - %s/none\n", link, h->dir);

	assert_int_equal(read_on(h, yaml), -EINVAL);
	snprintf(expected, sizeof(expected),
		 "f:3:5: error: observe.cgroups: '%s' is not in a cgroup v2 mount\n"
		 "f:4:5: error: observe.cgroups: '%s/none': No such file or directory\n",
		 link, h->dir);
	assert_string_equal(h->d.text, expected);

	snprintf(table, sizeof(table), "x %s cgroup2 rw 0 0\n", path);
	write_file(h->mounts, table);
	snprintf(yaml, sizeof(yaml), "observe: {cgroups: [%s]}\n", link);
	assert_int_equal(read_on(h, yaml), 0);
	assert_string_equal(h->c->observe.cgroups[0], link);
}

static void certificates_must_be_there_and_the_key_be_private(void **state)
{
	struct host *h = *state;
	char yaml[512];

	chmod(h->mounts, 0644);
	snprintf(yaml, sizeof(yaml),
		 "export:\n listen: 0.0.0.0:9954\n tls:\n  ca: %s\n  certificate: /none/c\n  key: "
		 "%s\n",
		 h->mounts, h->mounts);
	assert_int_equal(read_on(h, yaml), -EINVAL);
	assert_string_equal(h->d.text,
			    "f:5:16: error: export.tls.certificate: the file cannot be "
			    "read: No such file or directory\n"
			    "f:6:8: warning: export.tls.key: everybody can read this key\n");
	chmod(h->mounts, 0600);
	snprintf(yaml, sizeof(yaml),
		 "export: {listen: 0.0.0.0:9954, tls: {ca: %s, certificate: %s, key: %s}}\n",
		 h->mounts, h->mounts, h->mounts);
	assert_int_equal(read_on(h, yaml), 0);
	assert_null(h->d.text);
}

static void the_proxys_cgroup_may_come_later_but_not_of_version_1(void **state)
{
#define PROXY "proxy: {addresses: [127.0.0.1:53], fallback: [10.0.0.1:53], cgroup: %s%s}\n"
	struct host *h = *state;
	char yaml[512], expected[512];

	snprintf(yaml, sizeof(yaml), PROXY, h->dir, "/none");
	assert_int_equal(read_on(h, yaml), 0);
	snprintf(expected, sizeof(expected),
		 "f:1:69: warning: proxy.cgroup: '%s/none': No such file or directory\n", h->dir);
	assert_string_equal(h->d.text, expected);

	snprintf(yaml, sizeof(yaml), PROXY, h->dir, "");
	assert_int_equal(read_on(h, yaml), -EINVAL);
	snprintf(expected, sizeof(expected),
		 "f:1:69: error: proxy.cgroup: '%s' is not in a cgroup v2 mount\n", h->dir);
	assert_string_equal(h->d.text, expected);
}

static void an_endpoints_cgroup_may_come_later_but_not_of_version_1(void **state)
{
	struct host *h = *state;
	char yaml[512], expected[512];

	snprintf(yaml, sizeof(yaml),
		 "endpoints:\n- {name: a, cgroup: /sys/fs/cgroup/none/p*}\n"
		 "- {name: b, cgroup: '%s/p*'}\n",
		 h->dir);
	assert_int_equal(read_on(h, yaml), -EINVAL);
	snprintf(
		expected, sizeof(expected),
		"f:1:1: error: endpoints: the cgroup of entry 2, '%s/p*', is not below a cgroup v2 "
		"mount\n",
		h->dir);
	assert_string_equal(h->d.text, expected);
}

static void resolvers_are_resolv_confs_and_the_proxys(void **state)
{
	struct host *h = *state;

	write_file(h->resolv_conf, "# comment\n"
				   "search example.com\n"
				   "nameserver 127.0.0.53\n"
				   "  nameserver\t10.0.0.10   # second\n"
				   "nameserver 2001:db8::1\n"
				   "nameserver 127.0.0.53\n"
				   "nameserverx 10.0.0.99\n"
				   ";nameserver 10.0.0.98\n"
				   "nameserver\n"
				   "nameserver 10.0.0.11");
	assert_int_equal(read_on(h, "proxy:\n"
				    "  addresses: [\"127.0.0.53:53\", \"127.0.0.1:5353\"]\n"
				    "  fallback: [10.0.0.10:53, 10.0.0.12:5300]\n"),
			 0);
	check_addrs(h->c->observe.resolvers, h->c->observe.n_resolvers,
		    "127.0.0.53 10.0.0.10 2001:db8::1 10.0.0.11 127.0.0.1 10.0.0.12");
	check_servers(h->c->reconcile.servers, h->c->reconcile.n_servers,
		      "10.0.0.10/53 10.0.0.12/5300");
	assert_null(h->d.text);
}

static void resolvers_that_were_written_stay_as_they_are(void **state)
{
	struct host *h = *state;

	assert_int_equal(remove(h->resolv_conf), 0);
	assert_int_equal(read_on(h,
				 "observe: {resolvers: [10.1.1.1]}\n"
				 "proxy: {addresses: [127.0.0.1:53], fallback: [10.0.0.1:53]}\n"),
			 0);
	check_addrs(h->c->observe.resolvers, h->c->observe.n_resolvers, "10.1.1.1");
	assert_null(h->d.text); /* resolv.conf was not needed, and not missed */
}

static void reconciling_asks_resolv_conf_without_a_fallback(void **state)
{
	struct host *h = *state;

	write_file(h->resolv_conf, "nameserver 10.0.0.1\nnameserver ::1\n");
	assert_int_equal(read_on(h, ""), 0);
	check_servers(h->c->reconcile.servers, h->c->reconcile.n_servers, "10.0.0.1/53 ::1/53");
	assert_int_equal(read_on(h, "reconcile: {servers: [10.0.0.9:99]}\n"), 0);
	check_servers(h->c->reconcile.servers, h->c->reconcile.n_servers, "10.0.0.9/99");
}

static void name_servers_that_cannot_be_used_are_left_out_aloud(void **state)
{
	struct host *h = *state;
	char expected[1024];

	write_file(h->resolv_conf, "nameserver fe80::1%eth0\n"
				   "nameserver 10.0.0.1\n"
				   "nameserver \033[31m\n"
				   "nameserver 224.0.0.1\n"
				   "nameserver 0.0.0.0\n");
	assert_int_equal(read_on(h, ""), 0);
	check_addrs(h->c->observe.resolvers, h->c->observe.n_resolvers, "10.0.0.1 127.0.0.1");
	snprintf(expected, sizeof(expected),
		 "f: warning: observe.resolvers: %s:1: 'fe80::1%%eth0' has a zone: addresses that "
		 "are local to a link are not supported: left out\n"
		 "f: warning: observe.resolvers: %s:3: '\\x1b[31m' is not an IP address: left out\n"
		 "f: warning: observe.resolvers: %s:4: '224.0.0.1' is not the address of a host: "
		 "left out\n",
		 h->resolv_conf, h->resolv_conf, h->resolv_conf);
	assert_string_equal(h->d.text, expected);
}

static void without_a_name_server_the_host_asks_itself(void **state)
{
	struct host *h = *state;
	char expected[256];

	snprintf(expected, sizeof(expected),
		 "f: warning: observe.resolvers: %s names no name server: 127.0.0.1 is taken, as "
		 "the host does\n",
		 h->resolv_conf);
	write_file(h->resolv_conf, "search example.com\n");
	assert_int_equal(read_on(h, ""), 0);
	check_addrs(h->c->observe.resolvers, h->c->observe.n_resolvers, "127.0.0.1");
	assert_string_equal(h->d.text, expected);

	assert_int_equal(remove(h->resolv_conf), 0);
	assert_int_equal(read_on(h, ""), 0);
	check_addrs(h->c->observe.resolvers, h->c->observe.n_resolvers, "127.0.0.1");
	assert_string_equal(h->d.text, expected);
}

static void a_long_list_of_name_servers_has_an_end(void **state)
{
	struct host *h = *state;
	FILE *f = fopen(h->resolv_conf, "w");

	assert_non_null(f);
	for (int i = 1; i <= 40; i++)
		fprintf(f, "nameserver 10.0.0.%d\n", i);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(read_on(h, ""), 0);
	assert_int_equal(h->c->observe.n_resolvers, 16);
	assert_int_equal(h->d.n_warnings, 24);
	assert_non_null(
		strstr(h->d.text, ":17: '10.0.0.17' is one name server too many: left out"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_cgroup_default_is_the_v2_mount),
		TEST(a_host_without_cgroup_v2_is_an_error),
		TEST(mounts_that_cannot_be_read_are_an_error),
		TEST(observed_cgroups_must_be_there_and_of_version_2),
		TEST(certificates_must_be_there_and_the_key_be_private),
		TEST(the_proxys_cgroup_may_come_later_but_not_of_version_1),
		TEST(an_endpoints_cgroup_may_come_later_but_not_of_version_1),
		TEST(resolvers_are_resolv_confs_and_the_proxys),
		TEST(resolvers_that_were_written_stay_as_they_are),
		TEST(reconciling_asks_resolv_conf_without_a_fallback),
		TEST(name_servers_that_cannot_be_used_are_left_out_aloud),
		TEST(without_a_name_server_the_host_asks_itself),
		TEST(a_long_list_of_name_servers_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
