/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/rpc/export_msg.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_health.h"
#include "snooper/rpc/grpc_reflection.h"
#include "snooper/rpc/grpc_server.h"

struct export
{
	struct export_source source;
	struct export_service service;
	struct grpc_server *server;
};

/* A List that is being read. */
struct listing {
	const struct export_source *source;
	char *pattern; /* NULL: all */
	uint64_t cursor;
};

static bool emit(void *ctx, const struct snp_listed_name *name)
{
	struct grpc_call *call = ctx;

	export_send_name(call, name);
	return grpc_call_has_room(call);
}

static void list_more(void *state, struct grpc_call *call)
{
	struct listing *l = state;
	const struct export_source *source = l->source;
	int r = source->list(source->ctx, l->pattern, &l->cursor, emit, call);

	if (r == 0)
		grpc_call_finish(call, GRPC_OK, NULL);
	else if (r == -EINVAL)
		grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "malformed pattern");
	else if (r < 0)
		grpc_call_finish(call, GRPC_INTERNAL, strerror(-r));
}

static void list_stop(void *state)
{
	struct listing *l = state;

	free(l->pattern);
	free(l);
}

static void list_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	const struct export_service *service = ctx;
	Snooper__V1__ListRequest *m = snooper__v1__list_request__unpack(NULL, n, request);
	struct listing *l = m ? calloc(1, sizeof(*l)) : NULL;

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	if (l && m->pattern[0])
		l->pattern = strdup(m->pattern);
	if (!l || (m->pattern[0] && !l->pattern)) {
		free(l);
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	} else {
		l->source = service->source;
		grpc_call_stream(call, l);
	}
	snooper__v1__list_request__free_unpacked(m, NULL);
}

static void status_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n)
{
	Snooper__V1__StatusRequest *m = snooper__v1__status_request__unpack(NULL, n, request);
	const struct export_service *service = ctx;
	struct snp_status st = {0};

	if (!m) {
		grpc_call_malformed(call);
		return;
	}
	snooper__v1__status_request__free_unpacked(m, NULL);
	service->source->status(service->source->ctx, &st);
	export_send_status(call, &st, service);
	grpc_call_finish(call, GRPC_OK, NULL);
}

static const struct grpc_method methods[] = {
	{"/snooper.v1.Names/List", GRPC_MAY_READ, list_start, list_more, list_stop, NULL},
	{"/snooper.v1.Status/Get", GRPC_MAY_READ, status_start, NULL, NULL, NULL},
	{"/snooper.v1.Control/Reload", GRPC_MAY_CHANGE, export_reload_start, export_reload_more,
	 export_reload_stop, NULL},
	{"/snooper.v1.Names/Watch", GRPC_MAY_READ, export_watch_start, export_watch_more,
	 export_watch_stop, NULL},
	{"/snooper.v1.Policy/Why", GRPC_MAY_READ, export_why_start, export_policy_more,
	 export_policy_stop, NULL},
	{"/snooper.v1.Policy/Show", GRPC_MAY_READ, export_policy_start, export_policy_more,
	 export_policy_stop, NULL},
	{"/snooper.v1.Policy/WatchVerdicts", GRPC_MAY_READ, export_verdicts_start,
	 export_policy_more, export_policy_stop, NULL},
	GRPC_HEALTH_METHODS,
	GRPC_REFLECTION_METHODS,
};

void export_service_init(struct export_service *service, const struct export_source *source)
{
	*service = (struct export_service){
		.grpc = {methods, sizeof(methods) / sizeof(methods[0]), service},
		.source = source,
	};
	LIST_INIT(&service->asleep);
	LIST_INIT(&service->waiting);
	LIST_INIT(&service->reloadings);
}

int export_new(struct event_base *base, const char *path, const char *group,
	       const struct export_source *source, struct export **out)
{
	struct grpc_server_conf conf = {GRPC_SERVER_DEFAULTS, .path = path, .group = group};
	SNP_CLEANUP(snp_freep)
	struct export *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->source = *source;
	export_service_init(&e->service, &e->source);
	err = grpc_server_new(base, &conf, &e->service.grpc, &e->server);
	if (err)
		return err;
	e->service.refused = grpc_server_counts(e->server);
	*out = snp_take(&e);
	return 0;
}

int export_listen_take(struct export *e, const char *address, struct grpc_tls *tls)
{
	return grpc_server_listen_take(e->server, address, tls);
}

void export_set_tls_take(struct export *e, struct grpc_tls *tls)
{
	grpc_server_set_tls_take(e->server, tls);
}

void export_audit(struct export *e, grpc_audit_fn audit, void *ctx)
{
	grpc_server_audit(e->server, audit, ctx);
}

const struct grpc_counts *export_counts(const struct export *e)
{
	return grpc_server_counts(e->server);
}

const struct export_counts *export_watches(const struct export *e)
{
	return &e->service.counts;
}

void export_free(struct export *e)
{
	if (!e)
		return;
	grpc_server_free(e->server);
	free(e);
}

void export_reloaded(struct export *e, uint64_t number, int err, const char *errors)
{
	if (e)
		export_service_reloaded(&e->service, number, err, errors);
}

void export_changed(struct export *e)
{
	if (e)
		export_service_changed(&e->service);
}

void export_verdicts(struct export *e)
{
	if (e)
		export_service_verdicts(&e->service);
}
