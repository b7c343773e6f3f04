/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * export_service.h - the methods of snooper.v1 without a socket: for export.c, tests, the fuzzer.
 *
 * rpc. Health and reflection are served beside them.
 */
#ifndef SNP_EXPORT_SERVICE_H
#define SNP_EXPORT_SERVICE_H

#include <sys/queue.h>

#include "snooper/rpc/export.h"
#include "snooper/rpc/grpc_method.h"

struct watching; /* export_watch.c */
LIST_HEAD(watchings, watching);
struct reading; /* export_policy.c */
LIST_HEAD(readings, reading);
struct reloading; /* export_reload.c */
LIST_HEAD(reloadings, reloading);

struct export_service {
	struct grpc_service grpc; /* its ctx is this */
	const struct export_source *source;
	struct watchings asleep;
	struct readings waiting;	   /* for verdicts */
	struct reloadings reloadings;	   /* whose result is not known */
	uint64_t reloads;		   /* asked for */
	const struct grpc_counts *refused; /* the server's; NULL: there is none */
	struct export_counts counts;
};

/* source is borrowed for as long as the service is used, which stays where it is. */
void export_service_init(struct export_service *service, const struct export_source *source);

/* Wake the watches that wait for changes. */
void export_service_changed(struct export_service *service);
void export_service_verdicts(struct export_service *service);

void export_service_reloaded(struct export_service *service, uint64_t number, int err,
			     const char *errors);

/* For the table of methods: Control/Reload. */
void export_reload_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void export_reload_more(void *state, struct grpc_call *call);
void export_reload_stop(void *state);

/* The same: Names/Watch. */
void export_watch_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void export_watch_more(void *state, struct grpc_call *call);
void export_watch_stop(void *state);

/* The same: Policy/Why, Show and WatchVerdicts. */
void export_why_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void export_policy_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void export_verdicts_start(void *ctx, struct grpc_call *call, const uint8_t *request, size_t n);
void export_policy_more(void *state, struct grpc_call *call);
void export_policy_stop(void *state);

#endif
