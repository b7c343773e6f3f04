/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The socket itself: its file, its limits, and clients that say nothing. The loop is turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>

#include "snooper/base/clock.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_client.h"
#include "snooper/rpc/grpc_server.h"
#include "tests/unit/fake_source.h"

#define DEADLINE_MS 20000
#define STATUS	    "/snooper.v1.Status/Get"
#define PREFACE	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HELLO	    PREFACE "\0\0\0\4\0\0\0\0\0"

struct fixture {
	char dir[64], path[96];
	struct fake fake;
	struct export_source source;
	struct export_service service;
	struct event_base *base;
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/snp-rpc-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->path, sizeof(x->path), "%s/s", x->dir);
	x->source = fake_source(&x->fake);
	export_service_init(&x->service, &x->source);
	x->base = event_base_new();
	assert_non_null(x->base);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	event_base_free(x->base);
	unlink(x->path);
	rmdir(x->dir);
	free(x);
	return 0;
}

static bool keep_nothing(void *ctx, const uint8_t *message, size_t n)
{
	return true;
}

static int raw(const struct fixture *x)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, x->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void socket_file_is_replaced_and_removed_but_only_our_own(void **state)
{
	struct fixture *x = *state;
	struct export *a = NULL, *b = NULL;
	char path[200];
	int fd;

	assert_int_equal(export_new(x->base, x->path, NULL, &x->source, &a), 0);
	assert_int_equal(export_new(x->base, x->path, NULL, &x->source, &b), 0);
	export_free(a); /* the file is b's by now */
	assert_int_equal(access(x->path, F_OK), 0);
	export_free(b);
	assert_int_equal(access(x->path, F_OK), -1);

	fd = open(x->path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(export_new(x->base, x->path, NULL, &x->source, &a), -EEXIST);
	assert_int_equal(access(x->path, F_OK), 0);
	unlink(x->path);
	assert_int_equal(export_new(x->base, x->path, "no-such-group-here", &x->source, &a),
			 -ESRCH);
	assert_int_equal(export_new(x->base, "/no/such/directory/s", NULL, &x->source, &a),
			 -ENOENT);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(export_new(x->base, path, NULL, &x->source, &a), -ENAMETOOLONG);
	export_free(NULL);
}

/* Turn the loop until fd is hung up. */
static void assert_hangs_up(struct event_base *base, int fd)
{
	uint64_t until = clock_boot_ns() + DEADLINE_MS * SNP_NS_PER_MS;
	char buf[4096];

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (!n || (n < 0 && errno != EAGAIN))
			return;
		assert_true(clock_boot_ns() < until);
		event_base_loop(base, EVLOOP_ONCE);
	}
}

static void silent_clients_are_hung_up_on(void **state)
{
	struct fixture *x = *state;
	struct grpc_server_conf conf = {.path = x->path,
					.max_conns = 4,
					.max_peer = 4,
					.hello_ms = 30,
					.idle_ms = 60,
					.stall_ms = 60};
	const struct grpc_counts *counts;
	struct grpc_server *s = NULL;
	int mute, idle;

	assert_int_equal(grpc_server_new(x->base, &conf, &x->service.grpc, &s), 0);
	mute = raw(x);
	idle = raw(x);
	assert_int_equal(send(idle, HELLO, sizeof(HELLO) - 1, 0), sizeof(HELLO) - 1);
	assert_hangs_up(x->base, mute);
	assert_hangs_up(x->base, idle);
	counts = grpc_server_counts(s);
	assert_int_equal(counts->n[GRPC_COUNT_HELLO_TIMEOUT], 1);
	assert_int_equal(counts->n[GRPC_COUNT_IDLE], 1);
	close(mute);
	close(idle);
	grpc_server_free(s);
}

struct said {
	enum grpc_count why;
	char peer[64];
};

static void
note(void *ctx, enum grpc_count why, const char *peer, const char *detail, uint64_t unsaid)
{
	struct said *said = ctx;

	said->why = why;
	snprintf(said->peer, sizeof(said->peer), "%s", peer);
}

/* A List of everything, whose answer the client makes room for and never reads. */
static void reader_that_takes_nothing_is_hung_up_on(void **state)
{
#define ROOM "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff\0\0\4\x8\0\0\0\0\0\x7f\xff\0\0"
#define BLOCK                                                                                      \
	"\x83\x86\x41\1x\x44\x16/snooper.v1.Names/List\x5f\x10"                                    \
	"application/grpc"
#define ASK "\0\0\x2f\1\4\0\0\0\1" BLOCK "\0\0\5\0\1\0\0\0\1\0\0\0\0\0"
	struct fixture *x = *state;
	struct grpc_server_conf conf = {GRPC_SERVER_DEFAULTS, .path = x->path};
	uint64_t until = clock_boot_ns() + DEADLINE_MS * SNP_NS_PER_MS;
	const struct grpc_counts *counts;
	struct grpc_server *s = NULL;
	int fd;

	x->fake.names = FAKE_NAMES;
	conf.stall_ms = 50;
	assert_int_equal(grpc_server_new(x->base, &conf, &x->service.grpc, &s), 0);
	counts = grpc_server_counts(s);
	fd = raw(x);
	assert_int_equal(send(fd, PREFACE ROOM ASK, sizeof(PREFACE ROOM ASK) - 1, 0),
			 sizeof(PREFACE ROOM ASK) - 1);
	while (!counts->n[GRPC_COUNT_STALLED] && clock_boot_ns() < until)
		event_base_loop(x->base, EVLOOP_ONCE);
	assert_int_equal(counts->n[GRPC_COUNT_STALLED], 1);
	assert_true(x->fake.emitted > 0 && x->fake.emitted < FAKE_NAMES);
	close(fd);
	grpc_server_free(s);
}

static void one_user_does_not_take_all_places(void **state)
{
	enum { MAX = 2, ALL = MAX + GRPC_SERVER_SPARE };
	struct fixture *x = *state;
	struct grpc_server_conf conf = {GRPC_SERVER_DEFAULTS, .path = x->path};
	struct grpc_server *s = NULL;
	int fd[ALL + 1];

	conf.max_peer = MAX;
	assert_int_equal(grpc_server_new(x->base, &conf, &x->service.grpc, &s), 0);
	for (int i = 0; i <= ALL; i++)
		fd[i] = raw(x);
	assert_hangs_up(x->base, fd[ALL]);
	assert_int_equal(grpc_server_counts(s)->n[GRPC_COUNT_CONNS_PEER], 1);
	assert_int_equal(grpc_server_counts(s)->n[GRPC_COUNT_CONNS_FULL], 0);
	for (int i = 0; i <= ALL; i++)
		close(fd[i]);
	grpc_server_free(s);
}

static void connections_above_the_limit_are_turned_away(void **state)
{
	enum { MAX = 3, ALL = MAX + GRPC_SERVER_SPARE };
	struct fixture *x = *state;
	struct grpc_server_conf conf = {GRPC_SERVER_DEFAULTS, .path = x->path};
	struct grpc_server *s = NULL;
	struct said said = {0};
	char who[32], byte;
	int fd[ALL + 1];

	conf.max_conns = MAX;
	assert_int_equal(grpc_server_new(x->base, &conf, &x->service.grpc, &s), 0);
	grpc_server_audit(s, note, &said);
	for (int i = 0; i <= ALL; i++)
		fd[i] = raw(x);
	assert_hangs_up(x->base, fd[ALL]);
	assert_int_equal(grpc_server_counts(s)->n[GRPC_COUNT_CONNS_FULL], 1);
	snprintf(who, sizeof(who), "uid=%u pid=%d", geteuid(), getpid());
	assert_string_equal(said.peer, who);
	assert_int_equal(said.why, GRPC_COUNT_CONNS_FULL);
	for (int i = 0; i < ALL; i++) /* greeted with SETTINGS, or still waiting; not gone */
		assert_int_not_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK), 0);
	close(fd[0]);
	fd[0] = -1;
	/* A place that is given up can be had again. */
	event_base_loop(x->base, EVLOOP_ONCE);
	fd[0] = raw(x);
	do
		event_base_loop(x->base, EVLOOP_ONCE);
	while (recv(fd[0], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0);
	assert_int_equal(recv(fd[0], &byte, 1, MSG_DONTWAIT), 1);
	for (int i = 0; i <= ALL; i++)
		close(fd[i]);
	grpc_server_free(s);
}

static void absent_and_mute_servers_are_told_apart(void **state)
{
	struct fixture *x = *state;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct grpc_client *c = NULL;
	struct grpc_reply reply;
	int fd;

	assert_int_equal(grpc_client_open(x->path, DEADLINE_MS, &c), -ENOENT);
	strcpy(un.sun_path, x->path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(grpc_client_open(x->path, DEADLINE_MS, &c), -ECONNREFUSED);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(grpc_client_open(x->path, DEADLINE_MS, &c), 0);
	assert_int_equal(grpc_client_call(c, STATUS, NULL, 0, 50, keep_nothing, NULL, &reply),
			 -ETIMEDOUT);
	close(fd); /* and the connection that nobody took with it */
	assert_true(grpc_client_call(c, STATUS, NULL, 0, DEADLINE_MS, keep_nothing, NULL, &reply) <
		    0);
	grpc_client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			socket_file_is_replaced_and_removed_but_only_our_own, setup, teardown),
		cmocka_unit_test_setup_teardown(silent_clients_are_hung_up_on, setup, teardown),
		cmocka_unit_test_setup_teardown(reader_that_takes_nothing_is_hung_up_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_user_does_not_take_all_places, setup, teardown),
		cmocka_unit_test_setup_teardown(connections_above_the_limit_are_turned_away, setup,
						teardown),
		cmocka_unit_test_setup_teardown(absent_and_mute_servers_are_told_apart, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
