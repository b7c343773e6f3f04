/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Frames by their heads: what a client may make of each, and what is said of who makes more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "snooper/base/clock.h"
#include "snooper/rpc/grpc_limit.h"

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION,
	UNKNOWN = 0x77
};
enum { END_STREAM = 1, ACK = 1 };

static struct grpc_limit begun(void)
{
	static const uint8_t preface[24];
	enum grpc_count why;
	struct grpc_limit l;

	grpc_limit_init(&l);
	assert_true(grpc_limit_feed(&l, preface, sizeof(preface), 0, &why));
	return l;
}

/* One frame with len zero bytes; -1: taken, else why not. */
static int frame(struct grpc_limit *l, uint8_t type, uint8_t flags, uint32_t len, uint64_t now_ns)
{
	uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags};
	static const uint8_t zeros[4096];
	enum grpc_count why;

	if (!grpc_limit_feed(l, head, sizeof(head), now_ns, &why)) {
		l->skip = 0; /* it was never sent */
		return (int)why;
	}
	while (len) {
		uint32_t n = len < sizeof(zeros) ? len : sizeof(zeros);

		assert_true(grpc_limit_feed(l, zeros, n, now_ns, &why));
		len -= n;
	}
	return -1;
}

static void bucket_gives_its_burst_and_then_its_rate(void **state)
{
	const struct grpc_rate rate = {10, 3};
	uint64_t bucket = 0, now_ns = 5 * SNP_NS_PER_S;

	for (int i = 0; i < 3; i++)
		assert_true(grpc_bucket_take(&bucket, &rate, 1, now_ns));
	assert_false(grpc_bucket_take(&bucket, &rate, 1, now_ns));
	assert_false(grpc_bucket_take(&bucket, &rate, 1, now_ns + 99 * SNP_NS_PER_MS));
	assert_true(grpc_bucket_take(&bucket, &rate, 1, now_ns + 100 * SNP_NS_PER_MS));
	assert_false(grpc_bucket_take(&bucket, &rate, 1, now_ns + 100 * SNP_NS_PER_MS));
	/* Full again, and never fuller. */
	now_ns += 3600 * SNP_NS_PER_S;
	assert_false(grpc_bucket_take(&bucket, &rate, 4, now_ns));
	assert_true(grpc_bucket_take(&bucket, &rate, 3, now_ns));
	assert_false(grpc_bucket_take(&bucket, &rate, 1, now_ns));
	/* A clock that stands still or a huge wish wraps nothing. */
	assert_false(grpc_bucket_take(&bucket, &rate, UINT64_MAX, now_ns));
}

static void each_flood_ends_with_its_own_reason(void **state)
{
	static const struct row {
		uint8_t type, flags;
		uint32_t len;
		unsigned int at_least, at_most; /* frames taken at one moment */
		enum grpc_count why;
	} rows[] = {
		{RST_STREAM, 0, 4, 100, 200, GRPC_COUNT_RESETS},
		{PING, 0, 8, 50, 100, GRPC_COUNT_PINGS},
		{PING, ACK, 8, 50, 100, GRPC_COUNT_OTHER_FRAMES},
		{SETTINGS, 0, 0, 20, 100, GRPC_COUNT_SETTINGS},
		{SETTINGS, ACK, 0, 20, 100, GRPC_COUNT_SETTINGS},
		{PRIORITY, 0, 5, 50, 100, GRPC_COUNT_PRIORITIES},
		{WINDOW_UPDATE, 0, 4, 500, 1000, GRPC_COUNT_WINDOW_UPDATES},
		{DATA, 0, 0, 50, 100, GRPC_COUNT_EMPTY_DATA},
		{DATA, END_STREAM, 0, 10000, 300000, GRPC_COUNT_BYTES},
		{DATA, 0, 16384, 400, 512, GRPC_COUNT_BYTES},
		{DATA, 0, 1, 10000, 300000, GRPC_COUNT_BYTES},
		{HEADERS, END_STREAM, 40, 10000, 300000, GRPC_COUNT_BYTES},
		{HEADERS, 0, 40000, 0, 0, GRPC_COUNT_HEADERS},
		{CONTINUATION, 0, 0, 4, 8, GRPC_COUNT_CONTINUATIONS},
		{CONTINUATION, 0, 16384, 1, 2, GRPC_COUNT_HEADERS},
		{UNKNOWN, 0, 0, 50, 100, GRPC_COUNT_OTHER_FRAMES},
		{PUSH_PROMISE, 0, 4, 50, 100, GRPC_COUNT_OTHER_FRAMES},
		{GOAWAY, 0, 8, 50, 100, GRPC_COUNT_OTHER_FRAMES},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct grpc_limit l = begun();
		unsigned int taken = 0;
		int why;

		print_message("type %d flags %d length %u\n", r->type, r->flags, r->len);
		while ((why = frame(&l, r->type, r->flags, r->len, SNP_NS_PER_S)) < 0)
			assert_true(++taken <= r->at_most);
		assert_true(taken >= r->at_least);
		assert_string_equal(grpc_count_name((enum grpc_count)why), grpc_count_name(r->why));
	}
}

static void block_of_headers_is_counted_from_its_begin(void **state)
{
	struct grpc_limit l = begun();

	for (int block = 0; block < 20; block++) {
		assert_int_equal(frame(&l, HEADERS, 0, 8000, 0), -1);
		for (int i = 0; i < 3; i++)
			assert_int_equal(frame(&l, CONTINUATION, 0, 8000, 0), -1);
	}
}

static void client_that_reads_may_measure(void **state)
{
	struct grpc_limit l = begun();

	for (int i = 0; i < 5000; i++) {
		grpc_limit_answered(&l);
		assert_int_equal(frame(&l, PING, 0, 8, SNP_NS_PER_S), -1);
		assert_int_equal(frame(&l, WINDOW_UPDATE, 0, 4, SNP_NS_PER_S), -1);
		assert_int_equal(frame(&l, WINDOW_UPDATE, 0, 4, SNP_NS_PER_S), -1);
	}
	/* That is no credit for later. */
	for (int i = 0; i < 100; i++)
		frame(&l, PING, 0, 8, SNP_NS_PER_S);
	assert_int_equal(frame(&l, PING, 0, 8, SNP_NS_PER_S), GRPC_COUNT_PINGS);
}

static void our_resets_for_its_faults_count_as_its_own(void **state)
{
	struct grpc_limit l = begun();
	int n = 0;

	while (grpc_limit_reset(&l, SNP_NS_PER_S))
		assert_true(++n <= 200);
	assert_int_equal(frame(&l, RST_STREAM, 0, 4, SNP_NS_PER_S), GRPC_COUNT_RESETS);
	assert_int_equal(frame(&l, RST_STREAM, 0, 4, 2 * SNP_NS_PER_S), -1);
}

static void pieces_are_judged_as_the_whole(void **state)
{
	uint8_t bytes[24 + 150 * 17] = {0};
	size_t cut = 0;

	for (int i = 0; i < 150; i++) {
		bytes[24 + i * 17 + 2] = 8;
		bytes[24 + i * 17 + 3] = PING;
	}
	for (size_t piece = 1; piece < 60; piece++) {
		enum grpc_count why = GRPC_COUNT_MAX;
		struct grpc_limit l;
		size_t off = 0;

		grpc_limit_init(&l);
		while (off < sizeof(bytes)) {
			size_t n = sizeof(bytes) - off < piece ? sizeof(bytes) - off : piece;

			if (!grpc_limit_feed(&l, bytes + off, n, 0, &why))
				break;
			off += n;
		}
		assert_int_equal(why, GRPC_COUNT_PINGS);
		/* The 101st PING, in whichever piece its head ends. */
		cut = 24 + 100 * 17 + 9;
		assert_true(off < cut && cut <= off + piece);
	}
}

struct said {
	unsigned int times;
	uint64_t unsaid;
	enum grpc_count why;
	char peer[32], detail[32];
};

static void
say(void *ctx, enum grpc_count why, const char *peer, const char *detail, uint64_t unsaid)
{
	struct said *s = ctx;

	s->times++;
	s->unsaid += unsaid;
	s->why = why;
	strncpy(s->peer, peer, sizeof(s->peer) - 1);
	strncpy(s->detail, detail, sizeof(s->detail) - 1);
}

static void everything_is_counted_and_some_of_it_said(void **state)
{
	struct said said = {0};
	struct grpc_guard g = {.audit = say, .ctx = &said}, mute = {0};

	for (int i = 0; i < 1000; i++) {
		grpc_guard_refuse(&g, GRPC_COUNT_TLS_FAILED, "192.0.2.1", "no certificate", 0);
		grpc_guard_refuse(&mute, GRPC_COUNT_DENIED, "uid=7", "", 0);
	}
	assert_int_equal(g.counts.n[GRPC_COUNT_TLS_FAILED], 1000);
	assert_int_equal(mute.counts.n[GRPC_COUNT_DENIED], 1000);
	assert_in_range(said.times, 5, 50);
	assert_int_equal(said.unsaid, 0);
	assert_string_equal(said.peer, "192.0.2.1");
	assert_string_equal(said.detail, "no certificate");
	/* What was swallowed is said with the next one. */
	said.times = 0;
	grpc_guard_refuse(&g, GRPC_COUNT_DENIED, "uid=7", "", 0); /* not silenced by the others */
	assert_int_equal(said.times, 1);
	assert_int_equal(said.why, GRPC_COUNT_DENIED);
	assert_int_equal(said.unsaid, 0);
	grpc_guard_refuse(&g, GRPC_COUNT_TLS_FAILED, "192.0.2.1", "", 10 * SNP_NS_PER_S);
	assert_in_range(said.unsaid, 950, 995);
}

static void names_of_counters_differ_and_are_words(void **state)
{
	for (int i = 0; i < GRPC_COUNT_MAX; i++) {
		const char *name = grpc_count_name((enum grpc_count)i);

		assert_true(strlen(name) > 3 &&
			    strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
		assert_true(strlen(grpc_count_text((enum grpc_count)i)) > 8);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(name, grpc_count_name((enum grpc_count)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_gives_its_burst_and_then_its_rate),
		cmocka_unit_test(each_flood_ends_with_its_own_reason),
		cmocka_unit_test(block_of_headers_is_counted_from_its_begin),
		cmocka_unit_test(client_that_reads_may_measure),
		cmocka_unit_test(our_resets_for_its_faults_count_as_its_own),
		cmocka_unit_test(pieces_are_judged_as_the_whole),
		cmocka_unit_test(everything_is_counted_and_some_of_it_said),
		cmocka_unit_test(names_of_counters_differ_and_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
