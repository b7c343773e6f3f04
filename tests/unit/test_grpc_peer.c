/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who is who: the names in the log, and whose connections count together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <event2/util.h>

#include "snooper/rpc/grpc_method.h"
#include "snooper/rpc/grpc_peer.h"

static struct grpc_peer tcp(const char *address)
{
	struct sockaddr_storage addr = {0};
	int len = sizeof(addr);
	struct grpc_peer p;

	assert_int_equal(evutil_parse_sockaddr_port(address, (struct sockaddr *)&addr, &len), 0);
	grpc_peer_tcp((struct sockaddr *)&addr, &p);
	assert_int_equal(p.rights, 0);
	return p;
}

static void addresses_are_named_as_people_write_them(void **state)
{
	static const char *const rows[][2] = {
		{"192.0.2.1:4711", "192.0.2.1:4711"},
		{"[2001:db8::1]:4711", "[2001:db8::1]:4711"},
		{"[::ffff:192.0.2.1]:9", "192.0.2.1:9"},
		{"[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
		 "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(tcp(rows[i][0]).name, rows[i][1]);
}

static void a_host_is_its_address_or_its_64(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true},
		{"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
		{"[::1]:1", "192.0.2.1:1", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct grpc_peer a = tcp(rows[i].a), b = tcp(rows[i].b);

		print_message("%s %s\n", rows[i].a, rows[i].b);
		assert_int_equal(grpc_peer_same(&a, &b), rows[i].same);
	}
}

static void a_local_caller_is_its_user(void **state)
{
	struct grpc_peer a, b;
	char name[64];
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	grpc_peer_unix(fd[0], (gid_t)-1, &a);
	grpc_peer_unix(fd[1], (gid_t)-1, &b);
	snprintf(name, sizeof(name), "uid=%u pid=%d", geteuid(), getpid());
	assert_string_equal(a.name, name);
	assert_true(grpc_peer_same(&a, &b));
	assert_int_equal(a.rights, GRPC_MAY_READ | GRPC_MAY_CHANGE);
	close(fd[0]);
	close(fd[1]);
	/* Of whom the kernel says nothing, nothing is believed. */
	grpc_peer_unix(-1, 0, &a);
	assert_int_equal(a.rights, 0);
	assert_false(grpc_peer_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_named_as_people_write_them),
		cmocka_unit_test(a_host_is_its_address_or_its_64),
		cmocka_unit_test(a_local_caller_is_its_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
