/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Policy/Why, Show and WatchVerdicts in memory. */
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
#define WHY	  "/snooper.v1.Policy/Why"
#define SHOW	  "/snooper.v1.Policy/Show"
#define VERDICTS  "/snooper.v1.Policy/WatchVerdicts"
#define GRPC_TYPE "application/grpc"
#define B(s)	  (const uint8_t *)(s), sizeof(s) - 1
#define EMPTY	  B("\0\0\0\0\0")

static struct fake fake;
static struct export_source source;
static struct export_service service;

static int setup(void **state)
{
	fake = (struct fake){.names = 0};
	source = fake_source(&fake);
	export_service_init(&service, &source);
	return 0;
}

/* What came, a line each. */
struct told {
	const char *path;
	char text[4000];
	size_t n, used;
};

static void tell(struct told *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	t->used += (size_t)vsnprintf(t->text + t->used, sizeof(t->text) - t->used, format, ap);
	va_end(ap);
	assert_true(t->used < sizeof(t->text));
}

static void on_why(struct told *t, const uint8_t *message, size_t n)
{
	Snooper__V1__WhyReply *m = snooper__v1__why_reply__unpack(NULL, n, message);

	assert_non_null(m);
	tell(t, "%s %s %s %s %d:%d names%zu+%d %s %s end%d %d ports%zu\n", m->endpoint,
	     m->allowed ? "allow" : "deny", m->reason, m->mode, (int)m->address.len,
	     m->address.data[0], m->n_names, (int)m->names_unlisted,
	     m->n_selectors ? m->selectors[0] : "-", m->policy, m->ends, (int)m->expires_in_ms,
	     m->n_ports);
	snooper__v1__why_reply__free_unpacked(m, NULL);
}

static void on_line(struct told *t, const uint8_t *message, size_t n)
{
	Snooper__V1__PolicyReply *m = snooper__v1__policy_reply__unpack(NULL, n, message);

	assert_non_null(m);
	if (m->line_case == SNOOPER__V1__POLICY_REPLY__LINE_SUMMARY)
		tell(t, "generation %d %s %d %d %d %d\n", (int)m->summary->generation,
		     m->summary->mode, (int)m->summary->specs, (int)m->summary->selectors,
		     (int)m->summary->rows, (int)m->summary->slots);
	else if (m->line_case == SNOOPER__V1__POLICY_REPLY__LINE_ENDPOINT)
		tell(t, "endpoint %s %d %d %s %s\n", m->endpoint->name, m->endpoint->default_deny,
		     m->endpoint->dns_rules, m->endpoint->specs[0]->name,
		     m->endpoint->specs[0]->policy);
	else
		tell(t, "selector %s %s '%s' %d %d %d %d\n", m->selector->selector,
		     m->selector->kind, m->selector->policy, m->selector->fqdns, m->selector->dns,
		     (int)m->selector->names, (int)m->selector->hits);
	snooper__v1__policy_reply__free_unpacked(m, NULL);
}

static void on_verdict(struct told *t, const uint8_t *message, size_t n)
{
	Snooper__V1__VerdictsReply *m = snooper__v1__verdicts_reply__unpack(NULL, n, message);

	assert_non_null(m);
	if (m->event_case == SNOOPER__V1__VERDICTS_REPLY__EVENT_LOST)
		tell(t, "lost\n");
	else
		tell(t, "%s %d %d/%d %s %s %d\n", m->verdict->endpoint, m->verdict->address.data[0],
		     (int)m->verdict->port, (int)m->verdict->protocol, m->verdict->verdict,
		     m->verdict->mode, (int)m->verdict->ago_ms);
	snooper__v1__verdicts_reply__free_unpacked(m, NULL);
}

static void on_message(void *ctx, const uint8_t *message, size_t n)
{
	struct told *t = ctx;

	t->n++;
	if (!strcmp(t->path, WHY))
		on_why(t, message, n);
	else if (!strcmp(t->path, SHOW))
		on_line(t, message, n);
	else if (t->used < 3000)
		on_verdict(t, message, n);
}

static void
begin(struct h2_loop *l, struct told *t, const char *path, struct h2_body *body, uint32_t window)
{
	memset(t, 0, sizeof(*t));
	t->path = path;
	h2_loop_init(l, &service.grpc, GRPC_MAY_READ, window);
	l->on_message = on_message;
	l->ctx = t;
	l->seen_id = h2_request(l, "POST", path, GRPC_TYPE, body);
	h2_loop_run(l, TURNS);
	assert_false(l->broken);
}

/* Ask once: its code. */
static int code_of(const char *path, const uint8_t *bytes, size_t n, struct told *t)
{
	struct h2_body body = {bytes, n, 0, false};
	struct h2_loop l;
	int code;

	begin(&l, t, path, &body, 1 << 30);
	code = h2_answer(&l, l.seen_id)->code;
	h2_loop_fini(&l);
	assert_int_equal(fake.readings, 0);
	return code;
}

static void why_has_a_line_an_endpoint(void **state)
{
	struct told t;

	/* address 32.1.2.3, protocol 6, port 443 */
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x0b\x0a\4\x20\1\2\3\x18\6\x20\xbb\3"), &t),
			 GRPC_OK);
	assert_string_equal(t.text,
			    "a deny deny-no-name enforce 4:32 names0+0 -  end0 0 ports0\n"
			    "b deny deny-no-name enforce 4:32 names0+0 -  end0 0 ports0\n"
			    "c allow name enforce 4:32 names2+5 *.example.com /p.yaml:3 end1 41200 "
			    "ports1\n");
	assert_int_equal(fake.asked.to.port, 443);
	assert_int_equal(fake.asked.to.protocol, 6);
	assert_false(fake.asked.any || fake.asked.to.no_ports);
	/* protocol 1, endpoint "b" */
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x0b\x0a\4\x20\1\2\3\x12\1b\x18\1"), &t), GRPC_OK);
	assert_int_equal(t.n, 1);
	assert_true(fake.asked.to.no_ports);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\6\x0a\4\x20\1\2\3"), &t), GRPC_OK);
	assert_true(fake.asked.any);
}

static void what_is_asked_wrongly_opens_nothing(void **state)
{
	struct told t;

	/* no address; 3 bytes of one; port 70000; a port of ICMP; protocol 300; endpoint "no" */
	assert_int_equal(code_of(WHY, EMPTY, &t), GRPC_INVALID_ARGUMENT);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\5\x0a\3\x20\1\2"), &t), GRPC_INVALID_ARGUMENT);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x0c\x0a\4\x20\1\2\3\x18\6\x20\xf0\xa2\4"), &t),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x0a\x0a\4\x20\1\2\3\x18\1\x20\1"), &t),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x09\x0a\4\x20\1\2\3\x18\xac\2"), &t),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\x0a\x0a\4\x20\1\2\3\x12\2no"), &t),
			 GRPC_NOT_FOUND);
	assert_int_equal(code_of(WHY, B("\0\0\0\0\3\x0a\5a"), &t), GRPC_INTERNAL);
	assert_int_equal(code_of(SHOW, B("\0\0\0\0\3\x0a\5a"), &t), GRPC_INTERNAL);
	assert_int_equal(code_of(VERDICTS, B("\0\0\0\0\3\x0a\5a"), &t), GRPC_INTERNAL);
	assert_int_equal(t.n, 0);
}

static void policy_is_a_summary_endpoints_and_selectors(void **state)
{
	struct told t;

	assert_int_equal(code_of(SHOW, EMPTY, &t), GRPC_OK);
	assert_string_equal(t.text, "generation 7 audit 1 2 3 4\n"
				    "endpoint a 1 0 p /p.yaml:1\n"
				    "selector *.example.com matchPattern '' 1 0 2 9\n");
	fake.lost = true;
	assert_int_equal(code_of(SHOW, EMPTY, &t), GRPC_ABORTED);
}

static void verdicts_are_told_from_now_on(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	struct told t;

	fake.changes = 5;
	begin(&l, &t, VERDICTS, &body, 1 << 30);
	assert_int_equal(t.n, 0);
	assert_true(grpc_session_sleeps(l.session));
	assert_int_equal(service.counts.verdict_watches, 1);
	fake.changes = 7;
	export_service_changed(&service); /* of names: none of its business */
	h2_loop_run(&l, TURNS);
	assert_int_equal(t.n, 0);
	export_service_verdicts(&service);
	h2_loop_run(&l, TURNS);
	assert_string_equal(t.text,
			    "a 32 443/6 deny-cidr enforce 5\na 32 443/6 deny-cidr enforce 6\n");
	assert_false(h2_answer(&l, l.seen_id)->closed);
	fake.lost = true;
	export_service_verdicts(&service);
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_ABORTED);
	assert_string_equal(t.text + strlen(t.text) - 5, "lost\n");
	assert_int_equal(service.counts.verdict_watches, 0);
	assert_int_equal(service.counts.watch_lost, 1);
	assert_int_equal(fake.readings, 0);
	export_service_verdicts(&service); /* nobody is there */
	h2_loop_fini(&l);
}

static void reader_of_verdicts_that_takes_nothing_is_ended(void **state)
{
	struct h2_body body = {EMPTY, 0, false};
	struct h2_loop l;
	struct told t;

	begin(&l, &t, VERDICTS, &body, 0);
	fake.changes = 100000;
	export_service_verdicts(&service);
	for (int i = 0; i < GRPC_ROUNDS; i++) {
		h2_loop_run(&l, TURNS);
		grpc_session_round(l.session);
	}
	h2_loop_run(&l, TURNS);
	assert_int_equal(h2_answer(&l, l.seen_id)->code, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(service.counts.verdict_watches, 0);
	h2_loop_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(why_has_a_line_an_endpoint, setup),
		cmocka_unit_test_setup(what_is_asked_wrongly_opens_nothing, setup),
		cmocka_unit_test_setup(policy_is_a_summary_endpoints_and_selectors, setup),
		cmocka_unit_test_setup(verdicts_are_told_from_now_on, setup),
		cmocka_unit_test_setup(reader_of_verdicts_that_takes_nothing_is_ended, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
