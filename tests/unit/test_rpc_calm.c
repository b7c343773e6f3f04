/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A session whose caller makes too much of something: GOAWAY, the reason told once, and silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/clock.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_session.h"
#include "tests/unit/fake_source.h"

#define PREFACE	  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define CALM	  11
#define PROTOCOL  1
#define PATH	  "/snooper.v1.Names/List"
#define END_HEADS 4
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING = 6, GOAWAY, WINDOW_UPDATE };

struct told {
	unsigned int times[GRPC_COUNT_MAX], all;
};

struct caller {
	struct fake fake;
	struct export_source source;
	struct export_service service;
	struct grpc_session *session;
	struct told told;
	uint64_t now_ns;
	uint8_t bytes[1 << 16];
	size_t n;
};

static void refused(void *ctx, enum grpc_count why, const char *detail)
{
	struct told *t = ctx;

	t->times[why]++;
	t->all++;
}

static void put(struct caller *c, const void *bytes, size_t n)
{
	assert_true(c->n + n <= sizeof(c->bytes));
	memcpy(c->bytes + c->n, bytes, n);
	c->n += n;
}

static void put_frame(struct caller *c, uint8_t type, uint8_t flags, uint32_t stream,
		      const void *payload, size_t n)
{
	const uint8_t head[9] = {
		(uint8_t)(n >> 16),	(uint8_t)(n >> 8), (uint8_t)n, type, flags, 0, 0,
		(uint8_t)(stream >> 8), (uint8_t)stream};

	put(c, head, sizeof(head));
	put(c, payload, n);
}

static void put_call(struct caller *c, uint32_t stream, unsigned int fields)
{
	static const char *const pairs[][2] = {{":method", "POST"},
					       {":scheme", "http"},
					       {":path", PATH},
					       {":authority", "x"},
					       {"content-type", "application/grpc"}};
	const unsigned int n_pairs = sizeof(pairs) / sizeof(pairs[0]);
	uint8_t block[8192];
	size_t n = 0;

	for (unsigned int i = 0; i < n_pairs + fields; i++) {
		const char *name = i < n_pairs ? pairs[i][0] : "x",
			   *value = i < n_pairs ? pairs[i][1] : "y";

		n += (size_t)snprintf((char *)block + n, sizeof(block) - n, "%c%c%s%c%s", 0,
				      (int)strlen(name), name, (int)strlen(value), value);
	}
	put_frame(c, HEADERS, END_HEADS, stream, block, n);
}

/* What was put, all at once. */
static int say(struct caller *c)
{
	int r = grpc_session_input(c->session, c->bytes, c->n, c->now_ns);

	c->n = 0;
	return r;
}

/* Everything the session has to say; the code of its GOAWAY, -1: none. */
static int listen_for_goaway(struct caller *c)
{
	const uint8_t *bytes;
	int code = -1;
	long n;

	while ((n = grpc_session_output(c->session, &bytes)) > 0) {
		/* nghttp2 hands out a frame at a time. */
		if (n >= 17 && bytes[3] == GOAWAY)
			code = bytes[16];
	}
	assert_int_equal(n, 0);
	return code;
}

static int setup(void **state)
{
	struct caller *c = calloc(1, sizeof(*c));

	c->fake.names = 100;
	c->source = fake_source(&c->fake);
	export_service_init(&c->service, &c->source);
	c->now_ns = SNP_NS_PER_S;
	assert_int_equal(grpc_session_new(&c->service.grpc, GRPC_MAY_READ, &c->session), 0);
	grpc_session_tell(c->session, refused, NULL, &c->told);
	put(c, PREFACE, sizeof(PREFACE) - 1);
	put_frame(c, SETTINGS, 0, 0, "", 0);
	assert_int_equal(say(c), 0);
	assert_int_equal(listen_for_goaway(c), -1);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct caller *c = *state;

	grpc_session_free(c->session);
	free(c);
	return 0;
}

static void assert_calmed(struct caller *c, enum grpc_count why)
{
	assert_true(grpc_session_calmed(c->session));
	assert_int_equal(listen_for_goaway(c), CALM);
	assert_false(grpc_session_alive(c->session));
	assert_int_equal(c->told.times[why], 1);
	assert_int_equal(c->told.all, 1);
	/* Deaf from now on. */
	put_call(c, 999, 0);
	assert_int_equal(say(c), 0);
	assert_false(grpc_session_has_work(c->session));
	assert_int_equal(listen_for_goaway(c), -1);
	assert_int_equal(c->told.all, 1);
}

static void pings_within_measure_are_answered_and_then_it_ends(void **state)
{
	struct caller *c = *state;

	for (int i = 0; i < 90; i++)
		put_frame(c, PING, 0, 0, "12345678", 8);
	assert_int_equal(say(c), 0);
	assert_false(grpc_session_calmed(c->session));
	assert_int_equal(listen_for_goaway(c), -1);
	/* Ten seconds later as many again, and then some. */
	c->now_ns += 10 * SNP_NS_PER_S;
	for (int i = 0; i < 90; i++)
		put_frame(c, PING, 0, 0, "12345678", 8);
	assert_int_equal(say(c), 0);
	assert_false(grpc_session_calmed(c->session));
	assert_int_equal(listen_for_goaway(c), -1);
	for (int i = 0; i < 90; i++)
		put_frame(c, PING, 0, 0, "12345678", 8);
	assert_int_equal(say(c), 0);
	assert_calmed(c, GRPC_COUNT_PINGS);
}

static void rapid_reset_ends_and_leaves_no_call(void **state)
{
	struct caller *c = *state;

	for (uint32_t s = 1; s < 1000 && !grpc_session_calmed(c->session); s += 2) {
		put_call(c, s, 0);
		put_frame(c, RST_STREAM, 0, s, "\0\0\0\10", 4);
		assert_int_equal(say(c), 0);
	}
	assert_calmed(c, GRPC_COUNT_RESETS);
	assert_int_equal(c->fake.list_calls, 0);
}

static void streams_above_the_announced_number_end_it(void **state)
{
	struct caller *c = *state;

	put_frame(c, SETTINGS, 1, 0, "", 0); /* our limit is known to the caller */
	for (uint32_t s = 1; s <= 2 * GRPC_MAX_STREAMS + 1; s += 2)
		put_call(c, s, 0);
	assert_int_equal(say(c), 0);
	assert_calmed(c, GRPC_COUNT_STREAMS);
}

static void resets_that_we_are_made_to_send_count(void **state)
{
	struct caller *c = *state;
	int code = -1;

	for (uint32_t s = 1; s < 1000 && code < 0; s += 2) {
		put_call(c, s, 0);
		put_frame(c, WINDOW_UPDATE, 0, s, "\x7f\xff\xff\xff",
			  4); /* above the largest window */
		assert_int_equal(say(c), 0);
		code = listen_for_goaway(c);
	}
	assert_int_equal(code, CALM);
	assert_int_equal(c->told.times[GRPC_COUNT_RESETS], 1);
	assert_false(grpc_session_alive(c->session));
}

static void block_of_many_fields_ends_it(void **state)
{
	struct caller *c = *state;

	put_call(c, 1, GRPC_MAX_HEADER_BYTES / 34 - 20);
	assert_int_equal(say(c), 0);
	assert_false(grpc_session_calmed(c->session));
	put_call(c, 3, 400);
	assert_int_equal(say(c), 0);
	assert_calmed(c, GRPC_COUNT_HEADERS);
}

/* A field of 4,000 bytes, kept by the table, and then named by a byte each time. */
static void small_block_that_unpacks_to_much_ends_it(void **state)
{
	static uint8_t block[4096 + 4096];
	struct caller *c = *state;
	size_t n = 0;

	block[n++] = 0x40;
	block[n++] = 1;
	block[n++] = 'x';
	block[n++] = 127;
	block[n++] = (3000 - 127) % 128 | 128;
	block[n++] = (3000 - 127) / 128;
	memset(block + n, 'y', 3000);
	n += 3000;
	memset(block + n, 0xbe, 200); /* 200 fields, 600 kB */
	n += 200;
	put_frame(c, HEADERS, END_HEADS, 1, block, n);
	assert_int_equal(say(c), 0);
	assert_calmed(c, GRPC_COUNT_HEADERS);
}

static void errors_of_the_protocol_are_told_by_their_name(void **state)
{
	struct caller *c = *state;

	put_frame(c, PING, 0, 0, "1234567", 7);
	put_frame(c, DATA, 0, 0, "x", 1);
	assert_int_equal(say(c), 0);
	assert_true(listen_for_goaway(c) > 0);
	assert_false(grpc_session_calmed(c->session));
	assert_int_equal(c->told.times[GRPC_COUNT_PROTOCOL], 1);
	grpc_session_free(c->session);
	assert_int_equal(grpc_session_new(&c->service.grpc, GRPC_MAY_READ, &c->session), 0);
	grpc_session_tell(c->session, refused, NULL, &c->told);
	memset(&c->told, 0, sizeof(c->told));
	put(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	assert_true(say(c) < 0);
	assert_int_equal(c->told.times[GRPC_COUNT_PROTOCOL], 1);
}

/* Too large for a request, and no reason to part. */
static void large_headers_cost_their_call_only(void **state)
{
	struct caller *c = *state;

	put_call(c, 1, GRPC_MAX_HEADER_BYTES / 34 + 5);
	assert_int_equal(say(c), 0);
	assert_int_equal(listen_for_goaway(c), -1);
	assert_true(grpc_session_alive(c->session) && !grpc_session_calmed(c->session));
	assert_int_equal(c->told.times[GRPC_COUNT_HEADER_SIZE], 1);
	assert_int_equal(c->told.all, 1);
}

/* Its call is answered, and then the connection ends; the second one is not even looked at. */
static void huge_message_ends_it(void **state)
{
	struct caller *c = *state;

	put_call(c, 1, 0);
	put_frame(c, DATA, 0, 1, "\0\x40\0\0\0", 5); /* a gigabyte is announced */
	put_call(c, 3, 0);
	put_frame(c, DATA, 0, 3, "\0\0\1\0\1", 5);
	assert_int_equal(say(c), 0);
	assert_calmed(c, GRPC_COUNT_MESSAGE_SIZE);
}

static void request_that_is_no_message_ends_it(void **state)
{
	struct caller *c = *state;

	put_call(c, 1, 0);
	put_frame(c, DATA, 1, 1, "\0\0\0\0\3\x0a\5a", 8); /* five bytes announced, one there */
	assert_int_equal(say(c), 0);
	assert_int_equal(listen_for_goaway(c), -1);
	grpc_session_work(c->session);
	assert_calmed(c, GRPC_COUNT_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pings_within_measure_are_answered_and_then_it_ends),
		TEST(rapid_reset_ends_and_leaves_no_call),
		TEST(streams_above_the_announced_number_end_it),
		TEST(resets_that_we_are_made_to_send_count),
		TEST(block_of_many_fields_ends_it),
		TEST(small_block_that_unpacks_to_much_ends_it),
		TEST(large_headers_cost_their_call_only),
		TEST(huge_message_ends_it),
		TEST(request_that_is_no_message_ends_it),
		TEST(errors_of_the_protocol_are_told_by_their_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
