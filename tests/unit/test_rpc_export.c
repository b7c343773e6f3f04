/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The gRPC face over its socket: a forked server with a made-up source, the
 * real client. `test_rpc_export serve SOCKET [N] [degraded] [badreload]` is the
 * server alone, for clients in other languages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>

#include "proto/export.pb-c.h"
#include "snooper/base/clock.h"
#include "snooper/rpc/export.h"
#include "snooper/rpc/grpc_client.h"
#include "tests/unit/fake_source.h"

#define DEADLINE_MS 20000
#define LIST	    "/snooper.v1.Names/List"
#define STATUS	    "/snooper.v1.Status/Get"
#define RELOAD	    "/snooper.v1.Control/Reload"

struct fixture {
	char dir[64], path[96];
	struct fake *fake; /* shared with the server */
	pid_t server;
};

static void serve(const char *path, struct fake *fake, int ready_fd)
{
	struct export_source source = fake_source(fake);
	struct event_base *base = event_base_new();
	struct export *e = NULL;
	int err = base ? export_new(base, path, NULL, &source, &e) : -ENOMEM;

	fake->export = e;
	if (err || write(ready_fd, "", 1) != 1) {
		fprintf(stderr, "serve: %s\n", strerror(-err));
		_exit(1);
	}
	event_base_dispatch(base);
	export_free(e);
	event_base_free(base);
	_exit(0);
}

static void start(struct fixture *x)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	x->server = fork();
	if (!x->server) {
		close(ready[0]);
		serve(x->path, x->fake, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/snp-rpc-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	assert_int_equal(chmod(x->dir, 0755), 0);
	snprintf(x->path, sizeof(x->path), "%s/s", x->dir);
	x->fake = mmap(NULL, sizeof(*x->fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	assert_ptr_not_equal(x->fake, MAP_FAILED);
	x->fake->names = FAKE_NAMES;
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;
	int status = 0;

	if (x->server) {
		/* Whatever a test did to it, it was still there to be stopped. */
		assert_int_equal(waitpid(x->server, &status, WNOHANG), 0);
		kill(x->server, SIGKILL);
		waitpid(x->server, &status, 0);
	}
	unlink(x->path);
	rmdir(x->dir);
	munmap(x->fake, sizeof(*x->fake));
	free(x);
	return 0;
}

static int setup_and_start(void **state)
{
	setup(state);
	start(*state);
	return 0;
}

static struct grpc_client *client(const struct fixture *x)
{
	struct grpc_client *c = NULL;

	assert_int_equal(grpc_client_open(x->path, DEADLINE_MS, &c), 0);
	return c;
}

static bool keep_nothing(void *ctx, const uint8_t *message, size_t n)
{
	return true;
}

/* The code of one call on a connection of its own. */
static struct grpc_reply
ask(const struct fixture *x, const char *method, const void *request, size_t n)
{
	struct grpc_client *c = client(x);
	struct grpc_reply reply;

	assert_int_equal(
		grpc_client_call(c, method, request, n, DEADLINE_MS, keep_nothing, NULL, &reply),
		0);
	grpc_client_free(c);
	return reply;
}

static void assert_serves(const struct fixture *x)
{
	assert_int_equal(ask(x, STATUS, NULL, 0).code, GRPC_OK);
}

struct reading {
	const struct fixture *x;
	unsigned int names;
	bool pause;
	unsigned int stop_after; /* 0: never */
};

static void check_name(const Snooper__V1__Name *m, unsigned int i)
{
	char want[32];

	snprintf(want, sizeof(want), "h%05u.example.com", i);
	assert_string_equal(m->name, want);
	assert_int_equal(m->n_addresses, FAKE_ADDRS);
	assert_int_equal(m->addresses[0]->address.len, 4);
	assert_memory_equal(m->addresses[0]->address.data, "\300\0\2\0", 4);
	assert_int_equal(m->addresses[1]->address.len, 16);
	assert_int_equal(m->addresses[3]->origin, SNOOPER__V1__ORIGIN__ORIGIN_SNAPSHOT);
	assert_int_equal(m->addresses[3]->expires_in_ms, 41200 + i);
	assert_int_equal(m->addresses[3]->first_seen_ms_ago, 5000);
	assert_int_equal(m->addresses[3]->last_seen_ms_ago, 20);
	assert_string_equal(m->addresses[3]->reconcile, "off");
	assert_int_equal(m->n_cnames, 2);
	assert_string_equal(m->cnames[1], "a\\.b.example.net");
	assert_string_equal(m->selectors[0], "*.example.com");
	assert_int_equal(m->selectors_more, i == 7 ? 3 : 0);
	assert_int_equal(m->n_endpoints, 2);
	assert_int_equal(m->truncated, i == 7);
}

static bool on_name(void *ctx, const uint8_t *message, size_t n)
{
	struct reading *r = ctx;
	Snooper__V1__Name *m = snooper__v1__name__unpack(NULL, n, message);

	assert_non_null(m);
	check_name(m, r->names++);
	snooper__v1__name__free_unpacked(m, NULL);
	if (r->pause && r->names == 1) {
		unsigned int seen;

		/* While we do not read, others are served, and the list comes to a stop. */
		do {
			seen = r->x->fake->emitted;
			for (int i = 0; i < 20; i++)
				assert_serves(r->x);
		} while (seen != r->x->fake->emitted);
		assert_true(seen < FAKE_NAMES / 2);
	}
	return r->names != r->stop_after;
}

static void list_waits_for_its_reader_and_arrives_whole(void **state)
{
	struct reading r = {.x = *state, .pause = true};
	struct grpc_client *c = client(*state);
	struct grpc_reply reply;

	assert_int_equal(grpc_client_call(c, LIST, NULL, 0, DEADLINE_MS, on_name, &r, &reply), 0);
	assert_int_equal(reply.code, GRPC_OK);
	assert_int_equal(r.names, FAKE_NAMES);
	assert_int_equal(r.x->fake->emitted, FAKE_NAMES);
	/* Slice by slice, as the source allows. */
	assert_true(r.x->fake->list_calls >= FAKE_NAMES / FAKE_SLICE);
	grpc_client_free(c);
}

static void list_of_few_among_many_is_found(void **state)
{
	const struct fixture *x = *state;
	Snooper__V1__ListRequest request = SNOOPER__V1__LIST_REQUEST__INIT;
	uint8_t bytes[64];
	size_t n;

	request.pattern = (char *)"h0999*.EXAMPLE.com";
	n = snooper__v1__list_request__pack(&request, bytes);
	assert_int_equal(ask(x, LIST, bytes, n).code, GRPC_OK);
	assert_int_equal(x->fake->emitted, 10);
}

static void reader_that_has_enough_stops_the_list(void **state)
{
	struct reading r = {.x = *state, .stop_after = 3};
	struct grpc_client *c = client(*state);
	struct grpc_reply reply;

	assert_int_equal(grpc_client_call(c, LIST, NULL, 0, DEADLINE_MS, on_name, &r, &reply), 0);
	assert_int_equal(reply.code, GRPC_CANCELLED);
	assert_int_equal(r.names, 3);
	grpc_client_free(c);
	assert_serves(*state);
	assert_true(r.x->fake->emitted < FAKE_NAMES);
}

static void bad_requests_are_answered_not_obeyed(void **state)
{
	static const uint8_t bad_pattern[] = {0x0a, 3, 'a', ' ', 'b'},
			     cut_short[] = {0x0a, 200, 1, 'a'};
	const struct fixture *x = *state;
	uint8_t *large = calloc(1, 70000);
	struct grpc_reply reply;

	reply = ask(x, LIST, bad_pattern, sizeof(bad_pattern));
	assert_int_equal(reply.code, GRPC_INVALID_ARGUMENT);
	assert_string_equal(reply.text, "malformed pattern");
	assert_int_equal(ask(x, LIST, cut_short, sizeof(cut_short)).code, GRPC_INTERNAL);
	assert_int_equal(ask(x, STATUS, cut_short, sizeof(cut_short)).code, GRPC_INTERNAL);
	assert_int_equal(ask(x, RELOAD, cut_short, sizeof(cut_short)).code, GRPC_INTERNAL);
	assert_int_equal(x->fake->reloads, 0);
	assert_int_equal(ask(x, LIST, large, 70000).code, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(ask(x, "/snooper.v1.Names/Lisp", NULL, 0).code, GRPC_UNIMPLEMENTED);
	assert_int_equal(ask(x, "/", NULL, 0).code, GRPC_UNIMPLEMENTED);
	/* 65,536 bytes are not too many; these are fields nobody knows. */
	for (int i = 0; i < 65536; i += 2)
		large[i] = 0x78;
	assert_int_equal(ask(x, STATUS, large, 65536).code, GRPC_OK);
	free(large);
}

static void one_connection_serves_many_calls(void **state)
{
	struct grpc_client *c = client(*state);
	struct grpc_reply reply;

	for (int i = 0; i < 500; i++) {
		assert_int_equal(grpc_client_call(c, i % 3 ? STATUS : "/no/such", NULL, 0,
						  DEADLINE_MS, keep_nothing, NULL, &reply),
				 0);
		assert_int_equal(reply.code, i % 3 ? GRPC_OK : GRPC_UNIMPLEMENTED);
	}
	grpc_client_free(c);
}

static bool on_status(void *ctx, const uint8_t *message, size_t n)
{
	*(Snooper__V1__StatusReply **)ctx = snooper__v1__status_reply__unpack(NULL, n, message);
	return true;
}

static void status_carries_every_reason_and_counter(void **state)
{
	static const char *const names[] = {
#define NAME(slot, name, help) [SNP_STAT_##slot] = name,
		SNP_REFUSALS(NAME) SNP_COUNTERS(NAME)};
	const struct fixture *x = *state;
	Snooper__V1__StatusReply *m = NULL;
	struct grpc_client *c = client(x);
	struct grpc_reply reply;
	size_t k = 0;

	x->fake->degraded = true;
	assert_int_equal(grpc_client_call(c, STATUS, NULL, 0, DEADLINE_MS, on_status, &m, &reply),
			 0);
	assert_int_equal(reply.code, GRPC_OK);
	assert_string_equal(m->version, "9.8.7");
	assert_string_equal(m->mode, "observe");
	assert_int_equal(m->kernel->answers_parsed, 1000 + SNP_STAT_PARSED);
	assert_int_equal(m->kernel->answers_learned, 1000 + SNP_STAT_LEARNED);
	assert_int_equal(m->kernel->ring_lost, 1000 + SNP_STAT_RING_LOST);
	assert_int_equal(m->kernel->n_refused, SNP_STAT_REFUSALS_END);
	for (; k < m->kernel->n_refused; k++) {
		assert_string_equal(m->kernel->refused[k]->name, names[k]);
		assert_int_equal(m->kernel->refused[k]->value, 1000 + k);
	}
	for (k = 0; k < m->kernel->n_counters; k++) {
		assert_string_equal(m->kernel->counters[k]->name,
				    names[SNP_STAT_COUNTERS_START + k]);
		assert_int_equal(m->kernel->counters[k]->value, 1000 + SNP_STAT_COUNTERS_START + k);
	}
	assert_int_equal(SNP_STAT_COUNTERS_START + k, SNP_STAT_END);
	assert_int_equal(m->cache->names, FAKE_NAMES);
	assert_int_equal(m->proxy->state, SNOOPER__V1__PROXY__STATE__BYPASSED);
	assert_int_equal(m->proxy->since_ms, 61000);
	assert_int_equal(m->proxy->bypassed_queries, 3);
	assert_int_equal(m->n_untrusted_servers, 1);
	assert_memory_equal(m->untrusted_servers[0]->address.data, "\12\140\0\12", 4);
	assert_int_equal(m->n_degraded, 2);
	assert_string_equal(m->degraded[0], "proxy-bypassed");
	snooper__v1__status_reply__free_unpacked(m, NULL);
	grpc_client_free(c);
}

static bool on_reload(void *ctx, const uint8_t *message, size_t n)
{
	*(Snooper__V1__ReloadReply **)ctx = snooper__v1__reload_reply__unpack(NULL, n, message);
	return true;
}

static Snooper__V1__ReloadReply *reload(const struct fixture *x)
{
	Snooper__V1__ReloadReply *m = NULL;
	struct grpc_client *c = client(x);
	struct grpc_reply reply;

	assert_int_equal(grpc_client_call(c, RELOAD, NULL, 0, DEADLINE_MS, on_reload, &m, &reply),
			 0);
	assert_int_equal(reply.code, GRPC_OK);
	assert_non_null(m);
	grpc_client_free(c);
	return m;
}

static void reload_tells_what_is_wrong_line_by_line(void **state)
{
	const struct fixture *x = *state;
	Snooper__V1__ReloadReply *m = reload(x);

	assert_int_equal(m->result, SNOOPER__V1__RELOAD_REPLY__RESULT__RELOADED);
	assert_int_equal(m->n_errors, 0);
	snooper__v1__reload_reply__free_unpacked(m, NULL);

	x->fake->reload_err = -EINVAL;
	x->fake->reload_text =
		"a.yaml:1:2: error: x: \377\nb.yaml:3:4: error: y: no\n"; /* same image */
	m = reload(x);
	assert_int_equal(m->result, SNOOPER__V1__RELOAD_REPLY__RESULT__REFUSED);
	assert_int_equal(m->n_errors, 2);
	assert_string_equal(m->errors[0], "a.yaml:1:2: error: x: ?");
	assert_string_equal(m->errors[1], "b.yaml:3:4: error: y: no");
	snooper__v1__reload_reply__free_unpacked(m, NULL);

	x->fake->reload_err = -ENOSPC;
	x->fake->reload_text = NULL;
	m = reload(x);
	assert_int_equal(m->result, SNOOPER__V1__RELOAD_REPLY__RESULT__FAILED);
	assert_string_equal(m->errors[0], strerror(ENOSPC));
	snooper__v1__reload_reply__free_unpacked(m, NULL);
	assert_int_equal(x->fake->reloads, 3);
}

static int raw(const struct fixture *x)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, x->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* Reads until the server hangs up; fails when it does not. */
static void assert_hung_up(int fd)
{
	uint64_t until = clock_boot_ns() + DEADLINE_MS * SNP_NS_PER_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[4096];

	for (;;) {
		assert_true(clock_boot_ns() < until);
		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0 && errno != EAGAIN)
			return;
		errno = 0;
	}
}

#define PREFACE	 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define BYTES(s) (s), sizeof(s) - 1

static void noise_costs_the_noisy_their_connection_only(void **state)
{
	static const struct {
		const char *why, *bytes;
		size_t n;
	} noise[] = {
		{"another protocol", BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
		{"a frame of 16 MB after the preface", BYTES(PREFACE "\xff\xff\xff\x04\0\0\0\0\0")},
		{"DATA on stream 0", BYTES(PREFACE "\0\0\0\4\0\0\0\0\0"
						   "\0\0\1\0\0\0\0\0\0a")},
		{"HEADERS with broken HPACK", BYTES(PREFACE "\0\0\0\4\0\0\0\0\0"
							    "\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff")},
		{"CONTINUATION out of the blue", BYTES(PREFACE "\0\0\0\4\0\0\0\0\0"
							       "\0\0\1\x09\4\0\0\0\1\x82")},
		{"SETTINGS of a wrong size", BYTES(PREFACE "\0\0\5\4\0\0\0\0\0abcde")},
	};

	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		int fd = raw(*state);

		print_message("%s\n", noise[i].why);
		assert_int_equal(send(fd, noise[i].bytes, noise[i].n, MSG_NOSIGNAL), noise[i].n);
		assert_hung_up(fd);
		close(fd);
		assert_serves(*state);
	}
}

static void pings_without_reading_are_cut_off_or_held_back(void **state)
{
	static const char hello[] = PREFACE "\0\0\0\4\0\0\0\0\0",
			  ping[] = "\0\0\x08\6\0\0\0\0\0abcdefgh";
	int fd = raw(*state), sent = 0;
	ssize_t n;

	assert_int_equal(send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL), sizeof(hello) - 1);
	do {
		n = send(fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			assert_serves(*state);
			n = poll(&p, 1, 200); /* full in both directions: held back */
		}
	} while (n > 0 && ++sent < 1000000);
	assert_true(sent < 1000000);
	close(fd);
	assert_serves(*state);
}

/* Runs fn as another user; returns its result. */
static int as_user(uid_t uid, gid_t gid, gid_t extra, int (*fn)(const struct fixture *),
		   const struct fixture *x)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(setgroups(1, &extra) || setgid(gid) || setuid(uid) ? 99 : fn(x));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int code_of(const struct fixture *x, const char *method)
{
	struct grpc_client *c;
	struct grpc_reply reply = {0};
	int err = grpc_client_open(x->path, DEADLINE_MS, &c);

	if (err)
		return err == -EACCES ? 77 : 97;
	err = grpc_client_call(c, method, NULL, 0, DEADLINE_MS, keep_nothing, NULL, &reply);
	grpc_client_free(c);
	return err ? 96 : (int)reply.code;
}

static int code_of_status(const struct fixture *x)
{
	return code_of(x, STATUS);
}

static int code_of_reload(const struct fixture *x)
{
	return code_of(x, RELOAD);
}

static void rights_follow_the_callers_user_and_groups(void **state)
{
	const uid_t nobody = 65534;
	const struct fixture *x = *state;
	struct stat st;

	if (geteuid()) { /* other users can be had by root only */
		assert_null(getenv("REQUIRE_ROOT"));
		skip();
	}
	assert_int_equal(stat(x->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* The file keeps strangers out ... */
	assert_int_equal(as_user(nobody, nobody, nobody, code_of_status, x), 77);
	/* ... members of its group may read, by whichever of their groups ... */
	assert_int_equal(as_user(nobody, st.st_gid, nobody, code_of_status, x), GRPC_OK);
	assert_int_equal(as_user(nobody, nobody, st.st_gid, code_of_status, x), GRPC_OK);
	assert_int_equal(as_user(nobody, nobody, st.st_gid, code_of_reload, x),
			 GRPC_PERMISSION_DENIED);
	assert_int_equal(x->fake->reloads, 0);
	/* ... and a file that lets everybody in is not the only guard. */
	assert_int_equal(chmod(x->path, 0666), 0);
	assert_int_equal(as_user(nobody, nobody, nobody, code_of_status, x),
			 GRPC_PERMISSION_DENIED);
	assert_int_equal(as_user(nobody, nobody, nobody, code_of_reload, x),
			 GRPC_PERMISSION_DENIED);
	assert_int_equal(as_user(0, 0, 0, code_of_reload, x), GRPC_OK);
	assert_int_equal(x->fake->reloads, 1);
}

static int serve_alone(int argc, char **argv)
{
	struct fake fake = {.names = argc > 3 ? (unsigned int)atoi(argv[3]) : 3};

	for (int i = 4; i < argc; i++) {
		fake.degraded = fake.degraded || !strcmp(argv[i], "degraded");
		if (!strcmp(argv[i], "badreload")) {
			fake.reload_err = -EINVAL;
			fake.reload_text =
				"snooper.yaml:14:12: error: policy.min_ttl: above max_ttl\n";
		}
	}
	serve(argv[2], &fake, STDOUT_FILENO);
	return 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(list_waits_for_its_reader_and_arrives_whole,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(list_of_few_among_many_is_found, setup_and_start,
						teardown),
		cmocka_unit_test_setup_teardown(reader_that_has_enough_stops_the_list,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(bad_requests_are_answered_not_obeyed,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(one_connection_serves_many_calls, setup_and_start,
						teardown),
		cmocka_unit_test_setup_teardown(status_carries_every_reason_and_counter,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(reload_tells_what_is_wrong_line_by_line,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(noise_costs_the_noisy_their_connection_only,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(pings_without_reading_are_cut_off_or_held_back,
						setup_and_start, teardown),
		cmocka_unit_test_setup_teardown(rights_follow_the_callers_user_and_groups,
						setup_and_start, teardown),
	};

	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve_alone(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
