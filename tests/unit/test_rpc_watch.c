/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names/Watch in memory: what is told and when, and readers that take nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/export.pb-c.h"
#include "snooper/rpc/export_service.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/h2_loop.h"

#define TURNS	  100000
#define WATCH	  "/snooper.v1.Names/Watch"
#define STATUS	  "/snooper.v1.Status/Get"
#define GRPC_TYPE "application/grpc"
#define B(s)	  (const uint8_t *)(s), sizeof(s) - 1
#define EMPTY	  B("\0\0\0\0\0")

static struct fake fake;
static struct export_source source;
static struct export_service service;
static unsigned int refused; /* for being stalled */

static int setup(void **state)
{
	fake = (struct fake){.names = 300};
	refused = 0;
	source = fake_source(&fake);
	export_service_init(&service, &source);
	return 0;
}

/* What came, a letter a message: N, G, S, L. */
struct told {
	char kinds[1000];
	char last[64];
	size_t n;
};

static void on_message(void *ctx, const uint8_t *message, size_t n)
{
	Snooper__V1__WatchReply *m = snooper__v1__watch_reply__unpack(NULL, n, message);
	struct told *t = ctx;

	assert_non_null(m);
	assert_true(t->n < sizeof(t->kinds) - 1);
	t->kinds[t->n++] = "?NGSL"[m->event_case];
	if (m->event_case == SNOOPER__V1__WATCH_REPLY__EVENT_NAME) {
		strcpy(t->last, m->name->name);
		assert_int_equal(m->name->n_addresses, FAKE_ADDRS);
	} else if (m->event_case == SNOOPER__V1__WATCH_REPLY__EVENT_GONE) {
		strcpy(t->last, m->gone->name);
		assert_int_equal(m->gone->n_endpoints, 2);
	}
	snooper__v1__watch_reply__free_unpacked(m, NULL);
}

static void on_refused(void *ctx, enum grpc_count why, const char *detail)
{
	assert_true(why == GRPC_COUNT_STALLED || why == GRPC_COUNT_MALFORMED);
	assert_string_equal(detail, WATCH);
	refused++;
}

static void begin(struct h2_loop *l, struct told *t, struct h2_body *body, uint32_t window)
{
	memset(t, 0, sizeof(*t));
	h2_loop_init(l, &service.grpc, GRPC_MAY_READ, window);
	grpc_session_tell(l->session, on_refused, NULL, NULL);
	l->on_message = on_message;
	l->ctx = t;
	l->seen_id = h2_request(l, "POST", WATCH, GRPC_TYPE, body);
	h2_loop_run(l, TURNS);
	assert_false(l->broken);
}

static void what_is_there_then_what_changes_in_its_order(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	unsigned int calls;
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &body, 1 << 30);
	assert_int_equal(t.n, 301);
	assert_int_equal(strspn(t.kinds, "N"), 300);
	assert_int_equal(t.kinds[300], 'S');
	assert_int_equal(service.counts.watches, 1);

	/* Nothing to say: it sleeps, whatever else the connection does. */
	calls = fake.watch_calls;
	nghttp2_submit_ping(l.h2, NGHTTP2_FLAG_NONE, NULL);
	h2_loop_run(&l, TURNS);
	assert_true(grpc_session_sleeps(l.session));
	assert_int_equal(fake.watch_calls, calls);

	fake.changes = 4;
	export_service_changed(&service);
	h2_loop_run(&l, TURNS);
	assert_string_equal(t.kinds + 300, "SNNGN");
	assert_string_equal(t.last, "h00003.example.com");

	/* Woken for nothing: nothing is told. */
	export_service_changed(&service);
	h2_loop_run(&l, TURNS);
	assert_int_equal(t.n, 305);
	assert_false(h2_answer(&l, l.seen_id)->closed);
	h2_loop_fini(&l);
	assert_int_equal(fake.watches, 0);
	assert_int_equal(service.counts.watches, 0);
	export_service_changed(&service); /* nobody is there */
}

static void pattern_holds_for_what_is_gone_too(void **state)
{
	struct h2_body body = {B("\0\0\0\0\x14\x0a\x12H00001.example.com"), 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &body, 1 << 30);
	assert_string_equal(t.kinds, "NS");
	fake.changes = 6; /* 2 and 5 are gone, and are not asked for */
	export_service_changed(&service);
	h2_loop_run(&l, TURNS);
	assert_string_equal(t.kinds, "NSN");
	h2_loop_fini(&l);
}

static void malformed_requests_open_nothing(void **state)
{
	struct h2_body pattern = {B("\0\0\0\0\5\x0a\3a b"), 0, false};
	struct h2_body cut = {B("\0\0\0\0\3\x0a\5a"), 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &pattern, 1 << 30);
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_INVALID_ARGUMENT);
	h2_loop_fini(&l);
	begin(&l, &t, &cut, 1 << 30);
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_INTERNAL);
	h2_loop_fini(&l);
	assert_int_equal(fake.watches, 0);
}

static void lost_place_is_told_and_ends_the_call(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &body, 1 << 30);
	fake.lost = true;
	export_service_changed(&service);
	h2_loop_run(&l, TURNS);
	assert_string_equal(t.kinds + 300, "SL");
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_ABORTED);
	assert_int_equal(service.counts.watch_lost, 1);
	assert_int_equal(fake.watches, 0);
	h2_loop_fini(&l);
}

static int status_code(struct h2_loop *l)
{
	struct h2_body body = {EMPTY, 0, false};
	int32_t id = h2_request(l, "POST", STATUS, GRPC_TYPE, &body);

	h2_loop_run(l, TURNS);
	h2_make_room(l, id, 1 << 20);
	return h2_answer(l, id)->code;
}

static void reader_that_takes_nothing_is_ended_after_some_rounds(void **state)
{
	struct h2_body body = {EMPTY, 0, false}, others = {EMPTY, 0, false};
	struct h2_answer *a;
	unsigned int held;
	struct h2_loop l;
	struct told t;
	int32_t other;

	fake.names = FAKE_NAMES;
	begin(&l, &t, &body, 0);
	a = h2_answer(&l, l.seen_id);
	other = h2_request(&l, "POST", WATCH, GRPC_TYPE, &others);
	h2_loop_run(&l, TURNS);
	h2_make_room(&l, other, 1 << 30);
	held = fake.emitted;
	for (int i = 1; i < GRPC_ROUNDS; i++) {
		assert_true(grpc_session_waits(l.session));
		fake.changes++;
		export_service_changed(&service);
		grpc_session_round(l.session);
		h2_loop_run(&l, TURNS);
		assert_int_equal(status_code(&l), GRPC_OK);
		assert_false(a->closed);
		/* The one that reads is told, for the other nothing more is kept. */
		assert_int_equal(fake.emitted, held + (unsigned int)i);
	}
	grpc_session_round(l.session);
	h2_loop_run(&l, TURNS);
	assert_true(a->closed);
	assert_int_equal(a->code, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(refused, 1);
	assert_int_equal(fake.watches, 1);
	assert_false(grpc_session_waits(l.session));
	assert_false(h2_answer(&l, other)->closed);
	assert_false(l.broken);
	h2_loop_fini(&l);
}

static void slow_reader_is_not_one_that_takes_nothing(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &body, 0);
	for (int i = 0; i < 4 * GRPC_ROUNDS; i++) {
		h2_make_room(&l, l.seen_id, 1);
		grpc_session_round(l.session);
		h2_loop_run(&l, TURNS);
	}
	assert_false(h2_answer(&l, l.seen_id)->closed);
	assert_int_equal(h2_answer(&l, l.seen_id)->bytes, 4 * GRPC_ROUNDS);
	assert_int_equal(refused, 0);
	h2_loop_fini(&l);
}

static void cancelled_watch_is_closed(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, &body, 1 << 30);
	nghttp2_submit_rst_stream(l.h2, NGHTTP2_FLAG_NONE, l.seen_id, NGHTTP2_CANCEL);
	h2_loop_run(&l, TURNS);
	assert_int_equal(fake.watches, 0);
	fake.changes++;
	export_service_changed(&service);
	h2_loop_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_there_then_what_changes_in_its_order, setup),
		cmocka_unit_test_setup(pattern_holds_for_what_is_gone_too, setup),
		cmocka_unit_test_setup(malformed_requests_open_nothing, setup),
		cmocka_unit_test_setup(lost_place_is_told_and_ends_the_call, setup),
		cmocka_unit_test_setup(reader_that_takes_nothing_is_ended_after_some_rounds, setup),
		cmocka_unit_test_setup(slow_reader_is_not_one_that_takes_nothing, setup),
		cmocka_unit_test_setup(cancelled_watch_is_closed, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
