/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* metrics_http.c: a connection that is over, and the descriptors of those who come after it. */
#include <arpa/inet.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <event2/event.h>

#include "snooper/io/metrics_http.h"

struct scraped {
	struct event_base *base;
	struct metrics_http *http;
	struct sockaddr_in at;
};

static void write_nothing(void *ctx, struct metrics_text *t)
{
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* On a port of the kernel's choice, which is free again when it is told. */
static int start(void **state)
{
	static struct scraped s;
	socklen_t len = sizeof(s.at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char address[32];

	s.at = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)&s.at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&s.at, &len), 0);
	close(fd);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(s.at.sin_port));
	s.base = event_base_new();
	assert_int_equal(metrics_http_new(s.base, address, write_nothing, NULL, &s.http), 0);
	*state = &s;
	return 0;
}

static int stop(void **state)
{
	struct scraped *s = *state;

	metrics_http_free(s->http);
	event_base_free(s->base);
	return 0;
}

static int connected(const struct scraped *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&s->at, sizeof(s->at)), 0);
	return fd;
}

/* Turn the loop until the server has nothing more to say. */
static void read_to_end(struct scraped *s, int fd)
{
	char buf[4096];
	ssize_t n;

	/* Read before each turn: the last one closes, and the next may be a good while after. */
	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)))
		if (n < 0)
			event_base_loop(s->base, EVLOOP_ONCE);
}

static void ask(const struct scraped *s, int fd)
{
	static const char question[] = "GET /healthz HTTP/1.0\r\n\r\n";

	assert_int_equal(send(fd, question, sizeof(question) - 1, 0), sizeof(question) - 1);
}

static void let_be(evutil_socket_t fd, short what, void *arg)
{
}

/* Its number is the lowest that is free: the one that a connection before had, if it has been closed. */
static void what_comes_for_the_next_descriptor_is_left_alone(void **state)
{
	struct scraped *s = *state;
	int client = connected(s), pair[2];
	struct event *next;
	char byte = 0;

	ask(s, client);
	read_to_end(s, client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	next = event_new(s->base, pair[0], EV_READ | EV_WRITE, let_be, NULL);
	event_add(next, NULL);
	assert_int_equal(send(pair[1], "x", 1, 0), 1);
	event_base_loop(s->base, EVLOOP_NONBLOCK);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'x');
	event_free(next);
	close(pair[0]);
	close(pair[1]);
	close(client);
}

static void a_connections_descriptor_is_given_back(void **state)
{
	struct scraped *s = *state;
	int before = open_descriptors();

	for (int i = 0; i < 3 * METRICS_CONNECTIONS; i++) {
		int client = connected(s);

		ask(s, client);
		read_to_end(s, client);
		close(client);
	}
	assert_true(open_descriptors() <= before + METRICS_CONNECTIONS);
	while (open_descriptors() > before)
		assert_int_equal(event_base_loop(s->base, EVLOOP_ONCE), 0);
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_comes_for_the_next_descriptor_is_left_alone,
						start, stop),
		cmocka_unit_test_setup_teardown(a_connections_descriptor_is_given_back, start,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
