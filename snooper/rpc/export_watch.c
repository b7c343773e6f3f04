/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* export_watch.c - Names/Watch: what is known, then what changes, as the caller reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/rpc/export_msg.h"
#include "snooper/rpc/export_service.h"

struct watching {
	LIST_ENTRY(watching) asleep;
	struct export_service *service;
	struct grpc_call *call;
	void *watch; /* the source's */
	bool is_asleep;
};

static void wake(struct watching *w)
{
	if (!w->is_asleep)
		return;
	LIST_REMOVE(w, asleep);
	w->is_asleep = false;
}

void export_service_changed(struct export_service *s)
{
	struct watching *w;

	while ((w = LIST_FIRST(&s->asleep))) {
		wake(w);
		grpc_call_wake(w->call);
	}
}

static bool emit(void *ctx, enum export_change change, const struct snp_listed_name *name)
{
	struct watching *w = ctx;

	export_send_change(w->call, change, name);
	if (change == EXPORT_LOST) {
		w->service->counts.watch_lost++;
		grpc_call_finish(w->call, GRPC_ABORTED, "changes were missed: watch anew");
	}
	return grpc_call_has_room(w->call);
}

void export_watch_more(void *state, struct grpc_call *call)
{
	struct watching *w = state;
	const struct export_source *source = w->service->source;
	int r = source->watch_next(source->ctx, w->watch, emit, w);

	if (r < 0) {
		grpc_call_finish(call, GRPC_INTERNAL, strerror(-r));
	} else if (!r) {
		w->is_asleep = true;
		LIST_INSERT_HEAD(&w->service->asleep, w, asleep);
		grpc_call_sleep(call);
	}
}

void export_watch_stop(void *state)
{
	struct watching *w = state;

	wake(w);
	w->service->source->watch_close(w->service->source->ctx, w->watch);
	w->service->counts.watches--;
	free(w);
}

void export_watch_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	struct export_service *service = ctx;
	const struct export_source *source = service->source;
	Snooper__V1__WatchRequest *m = snooper__v1__watch_request__unpack(NULL, n, request);
	SNP_CLEANUP(snp_freep)
	struct watching *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	if (w)
		r = source->watch_open(source->ctx, m->pattern[0] ? m->pattern : NULL, &w->watch);
	snooper__v1__watch_request__free_unpacked(m, NULL);
	if (r == -EINVAL) {
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "malformed pattern");
	} else if (r) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, strerror(-r));
	} else {
		w->service = service;
		w->call = call;
		service->counts.watches++;
		grpc_call_stream(call, snp_take(&w));
	}
}
