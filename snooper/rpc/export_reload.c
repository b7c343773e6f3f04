/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* export_reload.c - Control/Reload: asked for at once, answered when its result is known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/rpc/export_msg.h"
#include "snooper/rpc/export_service.h"

struct reloading {
	LIST_ENTRY(reloading) all;
	struct export_service *service;
	struct grpc_call *call;
	uint64_t number;
	bool is_over;
	int err;
	char *errors;
};

void export_service_reloaded(struct export_service *s, uint64_t number, int err, const char *errors)
{
	struct reloading *r;

	LIST_FOREACH(r, &s->reloadings, all)
	{
		if (r->number > number || r->is_over)
			continue;
		r->is_over = true;
		s->counts.reloads_waiting--;
		r->err = err;
		r->errors = errors ? strdup(errors) : NULL;
		grpc_call_wake(r->call);
	}
}

void export_reload_more(void *state, struct grpc_call *call)
{
	struct reloading *r = state;

	if (!r->is_over) {
		grpc_call_sleep(call);
		return;
	}
	export_send_reload(call, r->err, r->errors);
	grpc_call_finish(call, GRPC_OK, NULL);
}

void export_reload_stop(void *state)
{
	struct reloading *r = state;

	LIST_REMOVE(r, all);
	r->service->counts.reloads_waiting -= !r->is_over;
	free(r->errors);
	free(r);
}

void export_reload_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct export_service *service = ctx;
	const struct export_source *source = service->source;
	Snooper__V1__ReloadRequest *m = snooper__v1__reload_request__unpack(NULL, n, request);
	struct reloading *r = m ? calloc(1, sizeof(*r)) : NULL;

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	snooper__v1__reload_request__free_unpacked(m, NULL);
	if (!r) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	r->service = service;
	r->call = call;
	r->number = ++service->reloads;
	LIST_INSERT_HEAD(&service->reloadings, r, all);
	service->counts.reloads_waiting++;
	grpc_call_stream(call, r);
	source->reload(source->ctx, r->number);
}
