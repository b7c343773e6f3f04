/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_verdicts.c - the last refusals, and who watches them. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"

/* The n-th refusal since the start is kept at n % VERDICTS_KEPT. */
struct verdict_log {
	uint64_t told;
	size_t watchers;
	struct snp_event_verdict kept[VERDICTS_KEPT];
};

struct verdict_reading {
	uint64_t next;
	uint64_t since_ns; /* what the ring still held of before is not told */
};

struct verdict_log *verdict_log_new(void)
{
	return calloc(1, sizeof(struct verdict_log));
}

void verdict_log_free(struct verdict_log *log)
{
	free(log);
}

bool verdict_log_is_watched(const struct verdict_log *log)
{
	return log->watchers > 0;
}

void daemon_verdict(void *ctx, const struct snp_event_verdict *e)
{
	struct daemon *d = ctx;
	struct verdict_log *log = d->verdicts;

	/* What nobody watches is counted in the kernel, and that will do. */
	if (!log->watchers)
		return;
	log->kept[log->told++ % VERDICTS_KEPT] = *e;
	export_verdicts(d->export);
}

static int verdicts_open(void *ctx, const struct snp_policy_asked *asked, void **reading)
{
	static const struct timeval now = {0};
	struct daemon *d = ctx;
	struct verdict_reading *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (!d->verdicts->watchers++)
		event_add(d->drain, &now);
	r->next = d->verdicts->told;
	r->since_ns = clock_boot_ns();
	*reading = r;
	return 0;
}

static void verdicts_close(void *ctx, void *reading)
{
	struct daemon *d = ctx;

	d->verdicts->watchers--;
	free(reading);
}

static bool
show(struct daemon *d, const struct snp_event_verdict *e, export_line_fn emit, void *emit_ctx)
{
	const struct snp_endpoint_conf *endpoint = daemon_endpoint_of(d, e->endpoint);
	struct snp_policy_line line = {.kind = SNP_LINE_VERDICT};

	line.verdict = (struct snp_verdict_line){
		.endpoint = endpoint ? endpoint->name : "",
		.addr = e->addr,
		.port = e->port,
		.protocol = e->protocol,
		.verdict = e->verdict,
		.mode = daemon_mode_names[e->mode <= SNP_MODE_ENFORCE ? e->mode : SNP_MODE_ENFORCE],
		.ago_ms = daemon_ms_between(e->ts_ns, clock_boot_ns()),
	};
	return emit(emit_ctx, &line);
}

static int verdicts_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	struct daemon *d = ctx;
	struct verdict_reading *r = reading;
	const struct verdict_log *log = d->verdicts;
	const struct snp_policy_line lost = {.kind = SNP_LINE_LOST};

	if (log->told - r->next > VERDICTS_KEPT) {
		emit(emit_ctx, &lost);
		return 1;
	}
	while (r->next < log->told) {
		const struct snp_event_verdict *e = &log->kept[r->next++ % VERDICTS_KEPT];

		if (e->ts_ns >= r->since_ns && !show(d, e, emit, emit_ctx))
			return 1;
	}
	return 0;
}

const struct export_lines daemon_verdicts = {verdicts_open, verdicts_next, verdicts_close};
