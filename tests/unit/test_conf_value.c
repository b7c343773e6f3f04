/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The words of a configuration: durations, sizes, addresses, paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/io/conf_value.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char unit_missing[] = "has no unit: ns, us, ms, s, m, h or d";
static const char unit_wrong[] = "is not one number and one unit: ns, us, ms, s, m, h or d";

static void durations_have_one_number_and_one_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
		const char *why;
	} rows[] = {
		{"0", 0, NULL},
		{"0s", 0, NULL},
		{"7ns", 7, NULL},
		{"7us", 7000, NULL},
		{"250ms", 250000000, NULL},
		{"10s", 10000000000, NULL},
		{"3m", 180000000000, NULL},
		{"24h", 86400000000000, NULL},
		{"2d", 172800000000000, NULL},
		{"213503d", 18446659200000000000ull, NULL},
		{"213504d", 0, "is too large"},
		{"18446744073709551615ns", UINT64_MAX, NULL},
		{"18446744073709551616ns", 0, "is too large"},
		{"99999999999999999999999s", 0, "is too large"},
		{"5", 0, unit_missing},
		{"1.5s", 0, unit_wrong},
		{"1h30m", 0, unit_wrong},
		{"5 s", 0, unit_wrong},
		{"5S", 0, unit_wrong},
		{"5x", 0, unit_wrong},
		{"05s", 0, "has a leading zero"},
		{"-5s", 0, "does not begin with a digit"},
		{"+5s", 0, "does not begin with a digit"},
		{"s", 0, "does not begin with a digit"},
		{"", 0, "does not begin with a digit"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t ns = 12345;
		const char *why = conf_value_duration(rows[i].text, &ns);

		print_message("duration '%s'\n", rows[i].text);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		assert_int_equal(ns, why ? 12345 : rows[i].ns);
	}
}

static void durations_are_shown_in_their_largest_unit(void **state)
{
	char buf[CONF_DURATION_TEXT];

	assert_string_equal(conf_duration_text(0, buf), "0s");
	assert_string_equal(conf_duration_text(1, buf), "1ns");
	assert_string_equal(conf_duration_text(1500000000, buf), "1500ms");
	assert_string_equal(conf_duration_text(90 * 60000000000ull, buf), "90m");
	assert_string_equal(conf_duration_text(172800000000000, buf), "2d");
	assert_string_equal(conf_duration_text(UINT64_MAX, buf), "18446744073709551615ns");
}

static void sizes_are_bytes_or_binary_units(void **state)
{
	static const char wrong[] =
		"is not one number and one unit: KiB, MiB or GiB, or plain bytes";
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *why;
	} rows[] = {
		{"0", 0, NULL},
		{"4096", 4096, NULL},
		{"4KiB", 4096, NULL},
		{"16MiB", 16777216, NULL},
		{"1GiB", 1073741824, NULL},
		{"17179869184GiB", 0, "is too large"},
		{"16M", 0, wrong},
		{"16MB", 0, wrong},
		{"16 MiB", 0, wrong},
		{"1.5MiB", 0, wrong},
		{"0x1000", 0, wrong},
		{"MiB", 0, "does not begin with a digit"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t bytes = 12345;
		const char *why = conf_value_size(rows[i].text, &bytes);

		print_message("size '%s'\n", rows[i].text);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		assert_int_equal(bytes, why ? 12345 : rows[i].bytes);
	}
}

static void addresses_stand_alone(void **state)
{
	static const struct {
		const char *text, *shown, *why;
	} rows[] = {
		{"127.0.0.53", "127.0.0.53", NULL},
		{"fd00::10", "fd00::10", NULL},
		{"FD00:0:0::10", "fd00::10", NULL},
		{"::ffff:192.0.2.1", "192.0.2.1", NULL},
		{"::", "::", NULL},
		{"1.2.3", NULL, "is not an IP address"},
		{"01.2.3.4", NULL, "is not an IP address"},
		{"1.2.3.4 ", NULL, "is not an IP address"},
		{"resolver.example", NULL, "is not an IP address"},
		{"", NULL, "is not an IP address"},
		{"10.0.0.1:53", NULL, "has a port: only an address is wanted"},
		{"[::1]:53", NULL, "has a port: only an address is wanted"},
		{"fe80::1%eth0", NULL,
		 "has a zone: addresses that are local to a link are not supported"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[CONF_ADDR_TEXT];
		struct snp_addr addr;
		const char *why = conf_value_addr(rows[i].text, &addr);

		print_message("address '%s'\n", rows[i].text);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		if (!why)
			assert_string_equal(conf_addr_text(&addr, buf), rows[i].shown);
	}
}

static void servers_have_an_address_and_a_port(void **state)
{
	static const char port[] = "has a port that is not between 1 and 65535";
	static const struct {
		const char *text, *shown;
		uint16_t port;
		const char *why;
	} rows[] = {
		{"127.0.0.1:53", "127.0.0.1", 53, NULL},
		{"[2001:db8::1]:65535", "2001:db8::1", 65535, NULL},
		{"0.0.0.0:1", "0.0.0.0", 1, NULL},
		{"127.0.0.1", NULL, 0, "has no port: write ADDRESS:PORT"},
		{"::1", NULL, 0, "has no port: write [ADDRESS]:PORT"},
		{"fd00::10:53", NULL, 0, "has no port: write [ADDRESS]:PORT"},
		{"127.0.0.1:0", NULL, 0, port},
		{"127.0.0.1:65536", NULL, 0, port},
		{"127.0.0.1:", NULL, 0, port},
		{"127.0.0.1:53x", NULL, 0, port},
		{"127.0.0.1:053", NULL, 0, port},
		{"[::1]53", NULL, 0, "is not IP:PORT"},
		{"[127.0.0.1]:53", NULL, 0, "is not [IPv6]:PORT"},
		{"[]:53", NULL, 0, "is not [IPv6]:PORT"},
		{"]:53", NULL, 0, "is not IP:PORT"},
		{"[", NULL, 0, "is not IP:PORT"},
		{"localhost:53", NULL, 0, "is not IP:PORT"},
		{":53", NULL, 0, "is not IP:PORT"},
		{":", NULL, 0, "is not IP:PORT"},
		{"", NULL, 0, "is not IP:PORT"},
		{"00000000000000000000000000000000000000000000000000000000000000000000001.2.3.4:53",
		 NULL, 0, "is not IP:PORT"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[CONF_ADDR_TEXT];
		struct snp_endpoint e;
		const char *why;

		memset(&e, 0xa5, sizeof(e));
		why = conf_value_endpoint(rows[i].text, &e);
		print_message("server '%s'\n", rows[i].text);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		if (why)
			continue;
		assert_string_equal(conf_addr_text(&e.addr, buf), rows[i].shown);
		assert_int_equal(e.port, rows[i].port);
		assert_int_equal(e.reserved[0] | e.reserved[1] | e.reserved[2], 0);
	}
}

static void prefixes_count_from_128_and_remember_their_family(void **state)
{
	static const char v4[] = "has a prefix length that is not between 0 and 32";
	static const char v6[] = "has a prefix length that is not between 0 and 128";
	static const struct {
		const char *text, *shown;
		uint8_t prefix;
		bool ipv6;
		const char *why;
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0", 104, false, NULL},
		{"0.0.0.0/0", "0.0.0.0", 96, false, NULL},
		{"192.0.2.1/32", "192.0.2.1", 128, false, NULL},
		{"::/0", "::", 0, true, NULL},
		{"fe80::/10", "fe80::", 10, true, NULL},
		{"::ffff:0:0/96", "0.0.0.0", 96, true, NULL},
		{"::1/128", "::1", 128, true, NULL},
		{"10.0.0.1", NULL, 0, false, "has no prefix length: write ADDRESS/LENGTH"},
		{"10.0.0.0/33", NULL, 0, false, v4},
		{"10.0.0.0/", NULL, 0, false, v4},
		{"10.0.0.0/-1", NULL, 0, false, v4},
		{"10.0.0.0/08", NULL, 0, false, v4},
		{"::/129", NULL, 0, false, v6},
		{"example/8", NULL, 0, false, "is not ADDRESS/LENGTH"},
		{"/8", NULL, 0, false, "is not ADDRESS/LENGTH"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[CONF_ADDR_TEXT];
		struct snp_cidr c;
		const char *why = conf_value_cidr(rows[i].text, &c);

		print_message("prefix '%s'\n", rows[i].text);
		assert_string_equal(why ? why : "", rows[i].why ? rows[i].why : "");
		if (why)
			continue;
		assert_string_equal(conf_addr_text(&c.addr, buf), rows[i].shown);
		assert_int_equal(c.prefix, rows[i].prefix);
		assert_int_equal(c.ipv6, rows[i].ipv6);
	}
}

static void bits_behind_a_prefix_are_refused_and_cleared(void **state)
{
	static const struct {
		const char *text, *meant;
	} rows[] = {
		{"10.1.2.3/8", "10.0.0.0"},	      {"192.0.2.129/25", "192.0.2.128"},
		{"192.0.2.1/0", "0.0.0.0"},	      {"2001:db8::1/32", "2001:db8::"},
		{"2001:db8:8000::/32", "2001:db8::"}, {"ffff::/1", "8000::"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[CONF_ADDR_TEXT];
		struct snp_cidr c;
		const char *why = conf_value_cidr(rows[i].text, &c);

		print_message("prefix '%s'\n", rows[i].text);
		assert_non_null(why);
		assert_string_equal(why, "has bits set behind its prefix");
		assert_string_equal(conf_addr_text(&c.addr, buf), rows[i].meant);
	}
}

static void paths_are_absolute_and_written_out(void **state)
{
	char long_path[5000];

	assert_null(conf_value_path("/"));
	assert_null(conf_value_path("/sys/fs/cgroup/a.b/..c/.d/"));
	assert_string_equal(conf_value_path(""), "is not an absolute path");
	assert_string_equal(conf_value_path("a/b"), "is not an absolute path");
	assert_string_equal(conf_value_path("/a/../b"), "has . or .. in it: write the path out");
	assert_string_equal(conf_value_path("/a/."), "has . or .. in it: write the path out");
	assert_string_equal(conf_value_path("/.."), "has . or .. in it: write the path out");
	assert_string_equal(conf_value_path("/a\nb"), "has a control character in it");
	memset(long_path, '/', sizeof(long_path));
	long_path[4096] = '\0';
	assert_string_equal(conf_value_path(long_path), "is longer than a path may be");
	long_path[4095] = '\0';
	assert_null(conf_value_path(long_path));
}

static void slashes_of_a_path_are_cleaned(void **state)
{
	static const char *const rows[][2] = {
		{"/", "/"},   {"//", "/"},   {"///", "/"},
		{"/a", "/a"}, {"/a/", "/a"}, {"//a///b//", "/a/b"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char path[32];

		strcpy(path, rows[i][0]);
		conf_value_clean_path(path);
		assert_string_equal(path, rows[i][1]);
	}
}

static void a_socket_path_fits_into_its_address(void **state)
{
	char path[128];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_null(conf_value_socket(path));
	path[107] = 'a';
	path[108] = '\0';
	assert_string_equal(conf_value_socket(path),
			    "is longer than the 107 bytes a socket's path may have");
	assert_null(conf_value_listen("unix:/run/x"));
	assert_null(conf_value_listen("[::]:7946"));
	assert_string_equal(conf_value_listen("unix:x"), "is not an absolute path");
	assert_string_equal(conf_value_listen("0.0.0.0"), "has no port: write ADDRESS:PORT");
}

static void metrics_have_an_address_or_are_off(void **state)
{
	assert_null(conf_value_metrics("127.0.0.1:9953"));
	assert_null(conf_value_metrics("[::]:9953"));
	assert_null(conf_value_metrics("0.0.0.0:1"));
	assert_null(conf_value_metrics("off"));
	assert_null(conf_value_metrics(""));
	assert_string_equal(conf_value_metrics("on"), "is not IP:PORT");
	assert_string_equal(conf_value_metrics("off:9953"), "is not IP:PORT");
	assert_string_equal(conf_value_metrics("127.0.0.1"), "has no port: write ADDRESS:PORT");
	assert_string_equal(conf_value_metrics("127.0.0.1:0"),
			    "has a port that is not between 1 and 65535");
	assert_true(snp_conf_metrics_off(NULL));
	assert_true(snp_conf_metrics_off(""));
	assert_true(snp_conf_metrics_off("off"));
	assert_false(snp_conf_metrics_off("127.0.0.1:9953"));
}

static void names_of_ours_are_plain_words(void **state)
{
	assert_null(conf_value_id("node-1.a_B"));
	assert_string_equal(conf_value_id(""), "is empty");
	assert_string_equal(conf_value_id("a b"), "has other characters than letters, digits, "
						  "'_', '.' and '-'");
	assert_string_equal(
		conf_value_id("0123456789012345678901234567890123456789012345678901234567890123"),
		"is longer than 63 characters");
	assert_null(conf_value_group("snooper"));
	assert_string_equal(conf_value_group("-x"), "is not the name of a group");
	assert_string_equal(conf_value_group("a:b"), "is not the name of a group");
	assert_null(conf_value_dns_name("."));
	assert_null(conf_value_dns_name("probe.example."));
	assert_string_equal(conf_value_dns_name("a..b"), "is not a domain name");
	assert_null(conf_value_label(""));
	assert_null(conf_value_label("app.kubernetes.io/name"));
	assert_non_null(conf_value_label("a b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_one_number_and_one_unit),
		cmocka_unit_test(durations_are_shown_in_their_largest_unit),
		cmocka_unit_test(sizes_are_bytes_or_binary_units),
		cmocka_unit_test(addresses_stand_alone),
		cmocka_unit_test(servers_have_an_address_and_a_port),
		cmocka_unit_test(prefixes_count_from_128_and_remember_their_family),
		cmocka_unit_test(bits_behind_a_prefix_are_refused_and_cleared),
		cmocka_unit_test(paths_are_absolute_and_written_out),
		cmocka_unit_test(slashes_of_a_path_are_cleaned),
		cmocka_unit_test(a_socket_path_fits_into_its_address),
		cmocka_unit_test(metrics_have_an_address_or_are_off),
		cmocka_unit_test(names_of_ours_are_plain_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
