/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * metrics.h - every number of snooper for Prometheus, from plain data.
 *
 * core: pure. daemon_metrics.c fills the struct, io/metrics_http.c serves the text.
 *
 * A label is a word from one of our lists, the version, or the name of an endpoint, which the
 * configuration chooses. Never a name of the DNS, an address, a path or anything else that the
 * network or a client can choose: who may scrape need not be one who may know whom this host talks to.
 */
#ifndef SNP_METRICS_H
#define SNP_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "snooper/core/metrics_text.h"
#include "snooper/core/status.h"

/* How full a table of the kernel side is, as of the last whole reading. */
struct snp_metrics_map {
	const char *name;
	uint64_t rows, max_rows;
};

/* A counter of a part that keeps its own list: the whole name, ending in _total. */
struct snp_metrics_count {
	const char *name, *help;
	uint64_t value;
};

/* A reason of a family that a part keeps its own list for. */
struct snp_metrics_reason {
	const char *reason, *text;
	uint64_t value;
};

/* What the kernel knows of our process. */
struct snp_metrics_process {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t cpu_ns;
	uint64_t start_unix_ns;
	uint64_t open_fds, max_fds;
};

/* The HTTP server itself. */
struct snp_metrics_http {
	uint64_t requests;     /* answered, whatever with */
	uint64_t timed_out;    /* connections that took too long */
	uint64_t waited;       /* times that all connections were in use, and others had to wait */
	uint64_t not_accepted; /* times that there was no descriptor for one */
};

struct snp_metrics {
	const struct snp_status *status;
	const struct snp_metrics_map *maps;
	size_t n_maps;
	const struct snp_metrics_count *counts;
	size_t n_counts;
	const struct snp_metrics_reason *grpc_refused;
	size_t n_grpc_refused;
	uint64_t watches, watch_lost;	      /* open now; that lost their place */
	uint64_t verdict_watches;	      /* open now */
	uint64_t reloads_waiting;	      /* asked for, and not answered yet */
	uint64_t untrusted_aged;	      /* rows of servers that were silent for long */
	uint64_t no_descriptor;		      /* times that one was needed, and none was free */
	uint64_t log_lost;		      /* lines */
	uint64_t collected, put_back;	      /* learned rows that were over, and that were not */
	uint64_t longest_turn_ns, slow_turns; /* of the loop, on the CPU */
	struct snp_metrics_process process;
	struct snp_metrics_http http;
};

/* Append all of them. Out of memory: see metrics_text_error(). */
void metrics_write(const struct snp_metrics *m, struct metrics_text *t);

#endif
