/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Health and reflection in memory; and with reflection, calls of several requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/grpc/health/v1/health.pb-c.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_described.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/h2_loop.h"

#define TURNS	  100000
#define GRPC_TYPE "application/grpc"
#define CHECK	  "/grpc.health.v1.Health/Check"
#define WATCH	  "/grpc.health.v1.Health/Watch"
#define REFLECT	  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define ALPHA	  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
#define B(s)	  (const uint8_t *)(s), sizeof(s) - 1
#define EMPTY	  B("\0\0\0\0\0")
#define UNKNOWN	  B("\0\0\0\0\6\x0a\4nope")
#define NAMES	  B("\0\0\0\0\x12\x0a\x10snooper.v1.Names")
/* list_services "", file_containing_symbol "snooper.v1.Names" and "nope". */
#define LIST_SERVICES "\0\0\0\0\2\x3a\0"
#define SYMBOL	      "\0\0\0\0\x12\x22\x10snooper.v1.Names"
#define NO_SYMBOL     "\0\0\0\0\6\x22\4nope"

static struct fake fake;
static struct export_source source;
static struct export_service service;

static int setup(void **state)
{
	fake = (struct fake){0};
	source = fake_source(&fake);
	export_service_init(&service, &source);
	return 0;
}

struct told {
	size_t n;
	int status;	 /* of the last health message */
	char kinds[200]; /* a letter an answer of the reflection */
	size_t services;
	int error;
};

static void on_health(void *ctx, const uint8_t *message, size_t n)
{
	Grpc__Health__V1__HealthCheckResponse *m =
		grpc__health__v1__health_check_response__unpack(NULL, n, message);
	struct told *t = ctx;

	assert_non_null(m);
	t->status = (int)m->status;
	t->n++;
	grpc__health__v1__health_check_response__free_unpacked(m, NULL);
}

static void on_reflection(void *ctx, const uint8_t *message, size_t n)
{
	Grpc__Reflection__V1__ServerReflectionResponse *m =
		grpc__reflection__v1__server_reflection_response__unpack(NULL, n, message);
	struct told *t = ctx;

	assert_non_null(m);
	assert_non_null(m->original_request);
	assert_true(t->n < sizeof(t->kinds) - 1);
	t->kinds[t->n++] = "?...FXSE"[m->message_response_case];
	if (m->list_services_response && m->message_response_case == 6)
		t->services = m->list_services_response->n_service;
	if (m->message_response_case == 7)
		t->error = m->error_response->error_code;
	grpc__reflection__v1__server_reflection_response__free_unpacked(m, NULL);
}

static int32_t ask(struct h2_loop *l, struct told *t, const char *path, struct h2_body *body)
{
	*t = (struct told){.status = -1};
	h2_loop_init(l, &service.grpc, GRPC_MAY_READ, 1 << 30);
	l->on_message = strstr(path, "health") ? on_health : on_reflection;
	l->ctx = t;
	l->seen_id = h2_request(l, "POST", path, GRPC_TYPE, body);
	h2_loop_run(l, TURNS);
	assert_false(l->broken);
	return l->seen_id;
}

static void health_knows_what_is_served(void **state)
{
	static const struct {
		const char *path;
		const uint8_t *body;
		size_t n;
		int code, status; /* -1: none, it stays open */
	} rows[] = {
		{CHECK, EMPTY, GRPC_OK, 1},
		{CHECK, NAMES, GRPC_OK, 1},
		{CHECK, UNKNOWN, GRPC_NOT_FOUND, -1},
		{WATCH, EMPTY, -1, 1},
		{WATCH, NAMES, -1, 1},
		{WATCH, UNKNOWN, -1, 3},
		{CHECK, B("\0\0\0\0\3\x0a\5a"), GRPC_INTERNAL, -1},
		{WATCH, B("\0\0\0\0\3\x0a\5a"), GRPC_INTERNAL, -1},
		/* A part of a name, and a name with its method. */
		{CHECK, B("\0\0\0\0\x11\x0a\x0fsnooper.v1.Name"), GRPC_NOT_FOUND, -1},
		{CHECK, B("\0\0\0\0\x17\x0a\x15snooper.v1.Names/List"), GRPC_NOT_FOUND, -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_body body = {rows[i].body, rows[i].n, 0, false};
		struct h2_loop l;
		struct told t;
		int32_t id = ask(&l, &t, rows[i].path, &body);

		print_message("row %zu\n", i);
		assert_int_equal(h2_answer(&l, id)->code, rows[i].code);
		assert_int_equal(h2_answer(&l, id)->closed, rows[i].code >= 0);
		assert_int_equal(t.status, rows[i].status);
		assert_int_equal(t.n, rows[i].status >= 0);
		h2_loop_fini(&l);
	}
}

static void requests_of_a_stream_are_answered_one_by_one(void **state)
{
	static const char *const paths[] = {REFLECT, ALPHA};

	for (int i = 0; i < 2; i++) {
		struct h2_body body = {B(LIST_SERVICES SYMBOL NO_SYMBOL LIST_SERVICES), 0, false};
		struct h2_loop l;
		struct told t;
		int32_t id = ask(&l, &t, paths[i], &body);

		assert_string_equal(t.kinds, "SFES");
		assert_int_equal(t.error, GRPC_NOT_FOUND);
		assert_int_equal(h2_answer(&l, id)->code, GRPC_OK);
		assert_true(h2_answer(&l, id)->closed);
		h2_loop_fini(&l);
	}
}

/* A client that asks, reads, and asks again: the call stays open in between. */
static void next_request_may_come_later_and_in_pieces(void **state)
{
	static const uint8_t all[] = SYMBOL NO_SYMBOL;
	struct h2_body body = {all, sizeof(SYMBOL) - 1, 0, true};
	struct h2_loop l;
	struct told t;
	int32_t id = ask(&l, &t, REFLECT, &body);

	assert_string_equal(t.kinds, "F");
	assert_false(h2_answer(&l, id)->closed);
	while (body.n < sizeof(all) - 1) {
		assert_string_equal(t.kinds, "F");
		body.n++;
		nghttp2_session_resume_data(l.h2, id);
		h2_loop_run(&l, TURNS);
	}
	assert_string_equal(t.kinds, "FE");
	body.unfinished = false;
	nghttp2_session_resume_data(l.h2, id);
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, id)->code, GRPC_OK);
	h2_loop_fini(&l);
}

static void stream_that_ends_within_a_request_is_told_so(void **state)
{
	struct h2_body cut = {B(LIST_SERVICES "\0\0\0\0\2\x3a"), 0, false};
	struct h2_body none = {B(""), 0, false};
	struct h2_body malformed = {B("\0\0\0\0\3\x1a\5a" LIST_SERVICES), 0, false};
	struct h2_body too_long = {B(LIST_SERVICES "\0\1\0\0\0"), 0, true};
	struct h2_loop l;
	struct told t;
	int32_t id = ask(&l, &t, REFLECT, &cut);

	assert_int_equal(h2_answer(&l, id)->code, GRPC_INTERNAL);
	h2_loop_fini(&l);
	id = ask(&l, &t, REFLECT, &none);
	assert_int_equal(h2_answer(&l, id)->code, GRPC_OK);
	h2_loop_fini(&l);
	id = ask(&l, &t, REFLECT, &malformed);
	assert_int_equal(h2_answer(&l, id)->code, GRPC_INTERNAL);
	assert_int_equal(t.n, 0);
	h2_loop_fini(&l);
	id = ask(&l, &t, REFLECT, &too_long);
	assert_int_equal(h2_answer(&l, id)->code, GRPC_RESOURCE_EXHAUSTED);
	assert_string_equal(t.kinds, "S");
	h2_loop_fini(&l);
}

static void count(void *ctx, const uint8_t *message, size_t n)
{
	++*(size_t *)ctx;
}

/* Who asks and asks and reads nothing is held back by its own window, and loses nothing. */
static void requests_without_end_wait_for_their_answers(void **state)
{
	enum { N = 20000, ONE = sizeof(SYMBOL) - 1 };
	uint8_t *all = malloc((size_t)N * ONE);
	struct h2_body body = {all, (size_t)N * ONE, 0, false};
	size_t answers = 0, sent;
	struct h2_loop l;

	for (int i = 0; i < N; i++)
		memcpy(all + i * ONE, SYMBOL, ONE);
	h2_loop_init(&l, &service.grpc, GRPC_MAY_READ, 0);
	l.on_message = count;
	l.ctx = &answers;
	l.seen_id = h2_request(&l, "POST", REFLECT, GRPC_TYPE, &body);
	h2_loop_run(&l, TURNS);
	sent = body.off;
	assert_true(sent > 60000 && sent < 2 * 65536);
	assert_int_equal(answers, 0);
	/* Its own calls, too, go on beside it. */
	{
		struct h2_body check = {EMPTY, 0, false};
		int32_t id = h2_request(&l, "POST", CHECK, GRPC_TYPE, &check);

		h2_loop_run(&l, TURNS);
		h2_make_room(&l, id, 1000);
		assert_int_equal(h2_answer(&l, id)->code, GRPC_OK);
	}
	h2_make_room(&l, l.seen_id, 1 << 30);
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_OK);
	assert_int_equal(answers, N);
	h2_loop_fini(&l);
	free(all);
}

static void every_method_that_is_served_is_described_and_none_else(void **state)
{
	struct grpc_described *d = grpc_described_new();
	size_t n = 0, methods = 0;
	char text[128];

	assert_non_null(d);
	for (size_t i = 0; i < service.grpc.n_methods; i++) {
		snprintf(text, sizeof(text), "%s", service.grpc.methods[i].path + 1);
		*strchr(text, '/') = '.';
		print_message("%s\n", text);
		assert_non_null(grpc_described_symbol(d, text));
		assert_false(grpc_described_is_type(d, text));
	}
	for (; grpc_described_service(d, n, text, sizeof(text)); n++) {
		bool served = false;

		for (size_t i = 0; i < service.grpc.n_methods; i++) {
			const char *path = service.grpc.methods[i].path + 1;
			bool is_its =
				!strncmp(path, text, strlen(text)) && path[strlen(text)] == '/';

			served = served || is_its;
			methods += is_its;
		}
		print_message("%s\n", text);
		assert_true(served);
	}
	assert_int_equal(methods, service.grpc.n_methods);
	grpc_described_free(d);
}

static void symbols_are_found_by_their_whole_name(void **state)
{
	static const struct {
		const char *symbol, *file;
		bool is_type;
	} rows[] = {
		{"snooper.v1.Names", "export.proto", false},
		{"snooper.v1.Names.Watch", "export.proto", false},
		{"snooper.v1.Names.Wat", NULL, false},
		{"snooper.v1.Name", "export.proto", true},
		{"snooper.v1.Name.cnames", "export.proto", false},
		{"snooper.v1.WatchReply.event", "export.proto", false},
		{"snooper.v1.Proxy.State", "export.proto", false},
		{"snooper.v1.Proxy.BYPASSED", "export.proto", false},
		{"snooper.v1.ORIGIN_PEER", "export.proto", false},
		{"snooper.v1", NULL, false},
		{"snooper.v1.", NULL, false},
		{"snooper", NULL, false},
		{"Names", NULL, false},
		{".snooper.v1.Names", NULL, false},
		{"", NULL, false},
		{"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto",
		 false},
		{"grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto",
		 false},
		{"grpc.reflection.v1alpha.ErrorResponse",
		 "grpc/reflection/v1alpha/reflection.proto", true},
	};
	struct grpc_described *d = grpc_described_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].symbol);
		assert_ptr_equal(grpc_described_symbol(d, rows[i].symbol),
				 rows[i].file ? grpc_described_file(d, rows[i].file) : NULL);
		assert_int_equal(grpc_described_is_type(d, rows[i].symbol), rows[i].is_type);
	}
	assert_non_null(grpc_described_file(d, "export.proto"));
	assert_null(grpc_described_file(d, "descriptor_set.proto"));
	grpc_described_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(health_knows_what_is_served, setup),
		cmocka_unit_test_setup(requests_of_a_stream_are_answered_one_by_one, setup),
		cmocka_unit_test_setup(next_request_may_come_later_and_in_pieces, setup),
		cmocka_unit_test_setup(stream_that_ends_within_a_request_is_told_so, setup),
		cmocka_unit_test_setup(requests_without_end_wait_for_their_answers, setup),
		cmocka_unit_test_setup(every_method_that_is_served_is_described_and_none_else,
				       setup),
		cmocka_unit_test_setup(symbols_are_found_by_their_whole_name, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
