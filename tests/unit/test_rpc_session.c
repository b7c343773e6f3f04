/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a session makes of requests of every shape, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "snooper/rpc/export_service.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/h2_loop.h"

#define TURNS	  100000
#define BOTH	  (GRPC_MAY_READ | GRPC_MAY_CHANGE)
#define GRPC_TYPE "application/grpc"
#define LIST	  "/snooper.v1.Names/List"
#define STATUS	  "/snooper.v1.Status/Get"
#define RELOAD	  "/snooper.v1.Control/Reload"
#define B(s)	  (const uint8_t *)(s), sizeof(s) - 1
#define EMPTY	  B("\0\0\0\0\0")

static struct fake fake;
static struct export_source source;
static struct export_service exported;
#define service exported.grpc

static int setup(void **state)
{
	fake = (struct fake){.names = FAKE_NAMES};
	source = fake_source(&fake);
	export_service_init(&exported, &source);
	fake.face = &exported;
	return 0;
}

static const struct row {
	const char *why, *method, *path, *type;
	const uint8_t *body;
	size_t n;
	int http_status, code;
} rows[] = {
	{"as it should be", "POST", STATUS, GRPC_TYPE, EMPTY, 200, GRPC_OK},
	{"the codec named", "POST", STATUS, "application/grpc+proto", EMPTY, 200, GRPC_OK},
	{"with a parameter", "POST", STATUS, "application/grpc; x=y", EMPTY, 200, GRPC_OK},
	{"not POST", "GET", STATUS, GRPC_TYPE, EMPTY, 405, -1},
	{"another type", "POST", STATUS, "application/json", EMPTY, 415, -1},
	{"another codec", "POST", STATUS, "application/grpc+json", EMPTY, 415, -1},
	{"a type that only begins so", "POST", STATUS, "application/grpc-web", EMPTY, 415, -1},
	{"no such method", "POST", "/snooper.v1.Status/Gets", GRPC_TYPE, EMPTY, 200,
	 GRPC_UNIMPLEMENTED},
	{"a method's beginning", "POST", "/snooper.v1.Status/Ge", GRPC_TYPE, EMPTY, 200,
	 GRPC_UNIMPLEMENTED},
	{"no message", "POST", STATUS, GRPC_TYPE, B(""), 200, GRPC_UNIMPLEMENTED},
	{"a prefix cut short", "POST", STATUS, GRPC_TYPE, B("\0\0\0"), 200, GRPC_INTERNAL},
	{"a message cut short", "POST", STATUS, GRPC_TYPE, B("\0\0\0\0\2x"), 200, GRPC_INTERNAL},
	{"two messages", "POST", STATUS, GRPC_TYPE, B("\0\0\0\0\0\0\0\0\0\0"), 200,
	 GRPC_UNIMPLEMENTED},
	{"a message and a byte", "POST", STATUS, GRPC_TYPE, B("\0\0\0\0\0\0"), 200,
	 GRPC_UNIMPLEMENTED},
	{"compressed", "POST", STATUS, GRPC_TYPE, B("\1\0\0\0\1x"), 200, GRPC_UNIMPLEMENTED},
	{"a flag nobody knows", "POST", STATUS, GRPC_TYPE, B("\x80\0\0\0\0"), 200, GRPC_INTERNAL},
	{"65,537 bytes announced", "POST", STATUS, GRPC_TYPE, B("\0\0\1\0\1"), 200,
	 GRPC_RESOURCE_EXHAUSTED},
	{"a field cut short", "POST", LIST, GRPC_TYPE, B("\0\0\0\0\3\x0a\5a"), 200, GRPC_INTERNAL},
	{"a pattern with a zero in it", "POST", LIST, GRPC_TYPE, B("\0\0\0\0\5\x0a\3a\0b"), 200,
	 GRPC_OK},
	{"a malformed pattern", "POST", LIST, GRPC_TYPE, B("\0\0\0\0\5\x0a\3a b"), 200,
	 GRPC_INVALID_ARGUMENT},
};

static void every_shape_of_request_has_its_answer(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_body body = {rows[i].body, rows[i].n, 0, false};
		struct h2_answer *a;
		struct h2_loop l;

		print_message("%s\n", rows[i].why);
		h2_loop_init(&l, &service, BOTH, 65535);
		a = h2_answer(&l,
			      h2_request(&l, rows[i].method, rows[i].path, rows[i].type, &body));
		h2_loop_run(&l, TURNS);
		assert_false(l.broken);
		assert_int_equal(a->http_status, rows[i].http_status);
		assert_int_equal(a->code, rows[i].code);
		assert_true(a->closed);
		h2_loop_fini(&l);
	}
}

static void missing_body_is_a_missing_message(void **state)
{
	struct h2_answer *a;
	struct h2_loop l;

	h2_loop_init(&l, &service, BOTH, 65535);
	a = h2_answer(&l, h2_request(&l, "POST", STATUS, GRPC_TYPE, NULL));
	h2_loop_run(&l, TURNS);
	assert_int_equal(a->code, GRPC_UNIMPLEMENTED);
	h2_loop_fini(&l);
}

static void too_many_headers_are_refused(void **state)
{
	char value[GRPC_MAX_HEADER_BYTES];
	nghttp2_nv nv[] = {h2_nv(":method", "POST"),	     h2_nv(":scheme", "http"),
			   h2_nv(":path", STATUS),	     h2_nv(":authority", "localhost"),
			   h2_nv("content-type", GRPC_TYPE), h2_nv("x", "")};
	struct h2_loop l;
	int32_t id;

	memset(value, 'v', sizeof(value));
	nv[5].value = (uint8_t *)value;
	nv[5].valuelen = sizeof(value);
	h2_loop_init(&l, &service, BOTH, 65535);
	id = nghttp2_submit_request(l.h2, NULL, nv, 6, NULL, NULL);
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, id)->code, GRPC_RESOURCE_EXHAUSTED);
	h2_loop_fini(&l);
}

static void caller_who_is_refused_is_told_to_stop_sending(void **state)
{
	/* Compressed, and too long, which is the connection's end as well. */
	struct h2_body bodies[] = {{B("\1\0\0\0\1"), 0, true}, {B("\0\0\1\0\1"), 0, true}};
	const int codes[] = {GRPC_UNIMPLEMENTED, GRPC_RESOURCE_EXHAUSTED};

	for (int i = 0; i < 2; i++) {
		struct h2_answer *a;
		struct h2_loop l;

		h2_loop_init(&l, &service, BOTH, 65535);
		a = h2_answer(&l, h2_request(&l, "POST", STATUS, GRPC_TYPE, &bodies[i]));
		h2_loop_run(&l, TURNS);
		assert_int_equal(a->code, codes[i]);
		assert_true(a->closed);
		assert_int_equal(a->reset, NGHTTP2_NO_ERROR);
		assert_int_equal(grpc_session_alive(l.session), i == 0);
		h2_loop_fini(&l);
	}
}

static int code_with(unsigned int rights, const char *path)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	int32_t id;
	int code;

	h2_loop_init(&l, &service, rights, 1 << 30);
	id = h2_request(&l, "POST", path, GRPC_TYPE, &body);
	h2_loop_run(&l, TURNS);
	code = h2_answer(&l, id)->code;
	h2_loop_fini(&l);
	return code;
}

static void each_method_wants_its_right(void **state)
{
	assert_int_equal(code_with(0, LIST), GRPC_PERMISSION_DENIED);
	assert_int_equal(code_with(0, STATUS), GRPC_PERMISSION_DENIED);
	assert_int_equal(code_with(0, RELOAD), GRPC_PERMISSION_DENIED);
	assert_int_equal(fake.list_calls, 0);
	assert_int_equal(code_with(GRPC_MAY_READ, LIST), GRPC_OK);
	assert_int_equal(code_with(GRPC_MAY_READ, STATUS), GRPC_OK);
	assert_int_equal(code_with(GRPC_MAY_READ, RELOAD), GRPC_PERMISSION_DENIED);
	assert_int_equal(fake.reloads, 0);
	assert_int_equal(code_with(BOTH, RELOAD), GRPC_OK);
	assert_int_equal(fake.reloads, 1);
}

/* Each by the one that began after it asked; who has gone is forgotten. */
static void callers_of_a_reload_wait_for_its_result(void **state)
{
	struct h2_body bodies[4] = {
		{EMPTY, 0, false}, {EMPTY, 0, false}, {EMPTY, 0, false}, {EMPTY, 0, false}};
	struct h2_loop l;
	int32_t id[4];

	fake.reloads_wait = true;
	h2_loop_init(&l, &service, BOTH, 65535);
	for (int i = 0; i < 4; i++)
		id[i] = h2_request(&l, "POST", RELOAD, GRPC_TYPE, &bodies[i]);
	h2_loop_run(&l, TURNS);
	assert_int_equal(fake.reloads, 4);
	assert_int_equal(exported.counts.reloads_waiting, 4);
	assert_false(h2_answer(&l, id[0])->closed);
	fake_reloaded(&fake, 1);
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, id[0])->code, GRPC_OK);
	assert_false(h2_answer(&l, id[1])->closed);
	assert_int_equal(exported.counts.reloads_waiting, 3);
	nghttp2_submit_rst_stream(l.h2, 0, id[1], NGHTTP2_CANCEL);
	h2_loop_run(&l, TURNS);
	assert_int_equal(exported.counts.reloads_waiting, 2);
	fake_reloaded(&fake, 3);
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, id[2])->code, GRPC_OK);
	assert_false(h2_answer(&l, id[3])->closed);
	assert_int_equal(exported.counts.reloads_waiting, 1);
	h2_loop_fini(&l);
	assert_int_equal(exported.counts.reloads_waiting, 0);
	fake_reloaded(&fake, 4);
}

static void reader_that_takes_nothing_makes_us_hold_little(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_answer *a;
	struct h2_loop l;
	unsigned int held;
	int32_t id;

	h2_loop_init(&l, &service, BOTH, 0);
	id = h2_request(&l, "POST", LIST, GRPC_TYPE, &body);
	a = h2_answer(&l, id);
	h2_loop_run(&l, TURNS);
	assert_int_equal(a->bytes, 0);
	held = fake.emitted;
	assert_true(held > 1 && held < GRPC_ROOM / 300); /* a name takes more than 300 bytes */
	assert_false(grpc_session_has_work(l.session));

	/* Room for a part brings that part, and a little more is prepared. */
	nghttp2_submit_window_update(l.h2, NGHTTP2_FLAG_NONE, id, 100000);
	h2_loop_run(&l, TURNS);
	assert_int_equal(a->bytes, 100000);
	assert_true(fake.emitted > held && fake.emitted < held + 100000 / 300);

	nghttp2_submit_window_update(l.h2, NGHTTP2_FLAG_NONE, id, 1 << 30);
	h2_loop_run(&l, TURNS);
	assert_int_equal(a->code, GRPC_OK);
	assert_int_equal(fake.emitted, FAKE_NAMES);
	h2_loop_fini(&l);
}

/* What the methods hold is given back (the sanitizer looks), whatever ends the call. */
static void calls_that_end_early_leave_nothing(void **state)
{
	struct h2_body body[3] = {{EMPTY, 0, false}, {EMPTY, 0, false}, {EMPTY, 0, false}};
	struct h2_loop l;
	int32_t id;

	h2_loop_init(&l, &service, BOTH, 1000);
	id = h2_request(&l, "POST", LIST, GRPC_TYPE, &body[0]);
	h2_request(&l, "POST", LIST, GRPC_TYPE, &body[1]);
	h2_loop_run(&l, TURNS);
	nghttp2_submit_rst_stream(l.h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	h2_loop_run(&l, TURNS);
	assert_true(h2_answer(&l, id)->closed);
	/* Cancelled before its first slice: it never starts. */
	id = h2_request(&l, "POST", RELOAD, GRPC_TYPE, &body[2]);
	while (h2_to_session(&l))
		;
	assert_true(grpc_session_has_work(l.session));
	nghttp2_submit_rst_stream(l.h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	while (h2_to_session(&l))
		;
	assert_false(grpc_session_has_work(l.session));
	assert_int_equal(fake.reloads, 0);
	h2_loop_fini(&l); /* with the second list still open */
}

static void streams_above_the_limit_are_refused(void **state)
{
	struct h2_body body[GRPC_MAX_STREAMS + 4];
	struct h2_loop l;
	int refused = 0;

	h2_loop_init(&l, &service, BOTH, 0);
	/* All at once, before we have heard of any limit. */
	for (int i = 0; i < GRPC_MAX_STREAMS + 4; i++) {
		body[i] = (struct h2_body){EMPTY, 0, false};
		h2_request(&l, "POST", LIST, GRPC_TYPE, &body[i]);
	}
	while (h2_to_session(&l))
		;
	h2_loop_run(&l, TURNS);
	for (int i = 0; i < GRPC_MAX_STREAMS + 4; i++)
		refused += h2_answer(&l, 2 * i + 1)->reset == NGHTTP2_REFUSED_STREAM;
	assert_int_equal(refused, 4);
	assert_false(l.broken);
	h2_loop_fini(&l);
}

static void calls_take_turns(void **state)
{
	struct h2_body body[2] = {{EMPTY, 0, false}, {EMPTY, 0, false}};
	struct h2_loop l;
	int32_t list, status;
	unsigned int emitted;

	h2_loop_init(&l, &service, BOTH, 1 << 30);
	list = h2_request(&l, "POST", LIST, GRPC_TYPE, &body[0]);
	h2_loop_run(&l, 20);
	emitted = fake.emitted;
	assert_true(emitted > 0 && emitted < FAKE_NAMES);
	status = h2_request(&l, "POST", STATUS, GRPC_TYPE, &body[1]);
	while (!h2_answer(&l, status)->closed)
		h2_loop_run(&l, 1);
	assert_int_equal(h2_answer(&l, status)->code, GRPC_OK);
	assert_true(fake.emitted < FAKE_NAMES); /* the list has not gone first */
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, list)->code, GRPC_OK);
	h2_loop_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_shape_of_request_has_its_answer, setup),
		cmocka_unit_test_setup(missing_body_is_a_missing_message, setup),
		cmocka_unit_test_setup(too_many_headers_are_refused, setup),
		cmocka_unit_test_setup(caller_who_is_refused_is_told_to_stop_sending, setup),
		cmocka_unit_test_setup(each_method_wants_its_right, setup),
		cmocka_unit_test_setup(callers_of_a_reload_wait_for_its_result, setup),
		cmocka_unit_test_setup(reader_that_takes_nothing_makes_us_hold_little, setup),
		cmocka_unit_test_setup(calls_that_end_early_leave_nothing, setup),
		cmocka_unit_test_setup(streams_above_the_limit_are_refused, setup),
		cmocka_unit_test_setup(calls_take_turns, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
