/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* export_policy.c - Policy/Why, Show and WatchVerdicts: lines, as the caller reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"
#include "snooper/rpc/export_msg.h"
#include "snooper/rpc/export_service.h"

struct reading {
	LIST_ENTRY(reading) waiting;
	struct export_service *service;
	const struct export_lines *lines;
	struct grpc_call *call;
	void *reading; /* the source's */
	bool is_waiting;
};

static bool is_of_verdicts(const struct reading *r)
{
	return r->lines == &r->service->source->verdicts;
}

static void wake(struct reading *r)
{
	if (!r->is_waiting)
		return;
	LIST_REMOVE(r, waiting);
	r->is_waiting = false;
}

void export_service_verdicts(struct export_service *s)
{
	struct reading *r;

	while ((r = LIST_FIRST(&s->waiting))) {
		wake(r);
		grpc_call_wake(r->call);
	}
}

static bool emit(void *ctx, const struct snp_policy_line *line)
{
	struct reading *r = ctx;

	export_send_line(r->call, line);
	if (line->kind == SNP_LINE_LOST) {
		r->service->counts.watch_lost++;
		grpc_call_finish(r->call, GRPC_ABORTED, "verdicts were missed: watch anew");
	}
	return grpc_call_has_room(r->call);
}

void export_policy_more(void *state, struct grpc_call *call)
{
	struct reading *r = state;
	int e = r->lines->next(r->service->source->ctx, r->reading, emit, r);

	if (e == -EAGAIN) {
		grpc_call_finish(call, GRPC_ABORTED, "policy was replaced meanwhile: ask again");
	} else if (e < 0) {
		grpc_call_finish(call, GRPC_INTERNAL, strerror(-e));
	} else if (!e && is_of_verdicts(r)) {
		r->is_waiting = true;
		LIST_INSERT_HEAD(&r->service->waiting, r, waiting);
		grpc_call_sleep(call);
	} else if (!e) {
		grpc_call_finish(call, GRPC_OK, NULL);
	}
}

void export_policy_stop(void *state)
{
	struct reading *r = state;

	wake(r);
	r->lines->close(r->service->source->ctx, r->reading);
	if (is_of_verdicts(r))
		r->service->counts.verdict_watches--;
	free(r);
}

static void begin(struct export_service *service, const struct export_lines *lines,
		  struct grpc_call *call, const struct snp_policy_asked *asked)
{
	SNP_CLEANUP(snp_freep)
	struct reading *r = calloc(1, sizeof(*r));
	int e = r ? lines->open(service->source->ctx, asked, &r->reading) : -ENOMEM;

	if (e == -ENOENT) {
		grpc_call_finish(call, GRPC_NOT_FOUND, "no such endpoint is configured");
	} else if (e) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, strerror(-e));
	} else {
		r->service = service;
		r->lines = lines;
		r->call = call;
		if (is_of_verdicts(r))
			service->counts.verdict_watches++;
		grpc_call_stream(call, snp_take(&r));
	}
}

/* What is wrong with it, or NULL. */
static const char *asked_of(const Snooper__V1__WhyRequest *m, struct snp_policy_asked *out)
{
	bool has_ports = m->protocol == 6 || m->protocol == 17 || m->protocol == 132;

	memset(out, 0, sizeof(*out));
	if (!addr_from_bytes(m->address.data, m->address.len, &out->addr))
		return "an address has 4 or 16 bytes";
	if (m->protocol > UINT8_MAX || m->port > UINT16_MAX || (m->port && !has_ports))
		return "no such port";
	out->endpoint = m->endpoint[0] ? m->endpoint : NULL;
	out->any = !m->protocol;
	out->to.protocol = (uint8_t)m->protocol;
	out->to.port = (uint16_t)m->port;
	out->to.no_ports = !has_ports;
	return NULL;
}

void export_why_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct export_service *service = ctx;
	Snooper__V1__WhyRequest *m = snooper__v1__why_request__unpack(NULL, n, request);
	struct snp_policy_asked asked;
	const char *wrong;

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	wrong = asked_of(m, &asked);
	if (wrong)
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, wrong);
	else
		begin(service, &service->source->why, call, &asked);
	snooper__v1__why_request__free_unpacked(m, NULL);
}

void export_policy_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct export_service *service = ctx;
	Snooper__V1__PolicyRequest *m = snooper__v1__policy_request__unpack(NULL, n, request);

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	snooper__v1__policy_request__free_unpacked(m, NULL);
	begin(service, &service->source->policy, call, NULL);
}

void export_verdicts_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct export_service *service = ctx;
	Snooper__V1__VerdictsRequest *m = snooper__v1__verdicts_request__unpack(NULL, n, request);

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	snooper__v1__verdicts_request__free_unpacked(m, NULL);
	begin(service, &service->source->verdicts, call, NULL);
}
