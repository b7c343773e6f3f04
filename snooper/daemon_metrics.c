/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_metrics.h"

#include <string.h>

#include "snooper/base/log.h"
#include "snooper/io/metrics_http.h"
#include "snooper/io/metrics_process.h"

static void write_metrics(void *ctx, struct metrics_text *t)
{
	struct daemon *d = ctx;
	struct snp_metrics_map maps[MAPS_FILLS];
	/* A part with a list of counters of its own has a line here. */
#define RECONCILE(name, help)                                                                      \
	{"snooper_reconcile_" #name "_total", (help), d->reconciler.counts.name},
	const struct snp_metrics_count counts[] = {
		{"snooper_proxy_looks_failed_total",
		 "times that snooperd could not look for the proxy itself", d->proxy_looks.failed},
		RECONCILE_COUNTS(RECONCILE)};
	struct snp_metrics_reason grpc[GRPC_COUNT_MAX];
	struct snp_status status;
	struct snp_metrics m = {
		.status = &status,
		.maps = maps,
		.n_maps = MAPS_FILLS,
		.counts = counts,
		.n_counts = sizeof(counts) / sizeof(counts[0]),
		.grpc_refused = grpc,
		.n_grpc_refused = GRPC_COUNT_MAX,
		.watches = export_watches(d->export)->watches,
		.watch_lost = export_watches(d->export)->watch_lost,
		.verdict_watches = export_watches(d->export)->verdict_watches,
		.reloads_waiting = export_watches(d->export)->reloads_waiting,
		.untrusted_aged = d->untrusted.aged,
		.log_lost = log_lost(),
		.collected = d->scan.collected,
		.put_back = d->scan.put_back,
		.longest_turn_ns = d->turns.longest_ns,
		.slow_turns = d->turns.slow,
		.http = *metrics_http_counts(d->metrics),
	};

	for (unsigned int i = 0; i < GRPC_COUNT_MAX; i++)
		grpc[i] = (struct snp_metrics_reason){grpc_count_name(i), grpc_count_text(i),
						      export_counts(d->export)->n[i]};
	daemon_status(d, &status);
	m.no_descriptor = d->descriptors.times;
	maps_fill(d->maps, maps);
	metrics_process_read(&m.process);
	metrics_write(&m, t);
}

int daemon_metrics_start(struct daemon *d)
{
	const char *address = d->conf->export.metrics;
	int r;

	if (snp_conf_metrics_off(address))
		return 0;
	r = metrics_http_new(d->base, address, write_metrics, d, &d->metrics);
	if (r < 0)
		log_err("event=metrics-failed key=export.metrics address=%s reason=\"%s\"", address,
			strerror(-r));
	else
		log_info("event=metrics address=%s", address);
	return r;
}
