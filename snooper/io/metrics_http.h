/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * metrics_http.h - the HTTP server that Prometheus scrapes.
 *
 * io: libevent's evhttp on the daemon's loop; loop thread only. GET and HEAD of
 * /metrics and /healthz; 404 and 405 for the rest. A request is answered at once,
 * from one buffer, and its connection closed.
 *
 * Bounded: METRICS_CONNECTIONS at a time, further ones wait in the kernel's queue;
 * METRICS_SECONDS for a connection from its beginning to its end, whatever it does
 * meanwhile; METRICS_HEADER_BYTES and METRICS_BODY_BYTES for what a client sends.
 */
#ifndef SNP_METRICS_HTTP_H
#define SNP_METRICS_HTTP_H

#include "snooper/core/metrics.h"

#define METRICS_CONNECTIONS  16
#define METRICS_SECONDS	     5
#define METRICS_HEADER_BYTES 8192
#define METRICS_BODY_BYTES   1024

struct event_base;
struct metrics_http; /* opaque; metrics_http.c */

/* Write all metrics of now. */
typedef void (*metrics_write_fn)(void *ctx, struct metrics_text *t);

/*
 * Listen on address, an IP:PORT as conf_value_metrics() takes it. Returns 0 and
 * *out, or -errno: what bind(2) says, or -ENOMEM.
 */
int metrics_http_new(struct event_base *base, const char *address, metrics_write_fn write,
		     void *ctx, struct metrics_http **out);
void metrics_http_free(struct metrics_http *h);

/* What the server has done so far. */
const struct snp_metrics_http *metrics_http_counts(const struct metrics_http *h);

#endif
