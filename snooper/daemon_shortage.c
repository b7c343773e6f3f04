/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_shortage.c - what the host has too little of: descriptors, and room for the log. */
#include "snooper/base/log.h"
#include "snooper/daemon.h"
#include "snooper/io/metrics_http.h"

static void note(struct shortage *s, uint64_t times, uint64_t now_ns)
{
	if (times != s->times)
		s->grew_ns = now_ns;
	s->times = times;
}

void daemon_note_shortages(struct daemon *d, uint64_t now_ns)
{
	uint64_t times = export_counts(d->export)->n[GRPC_COUNT_ACCEPT_FAILED] + d->not_looked;

	if (d->metrics)
		times += metrics_http_counts(d->metrics)->not_accepted;
	if (times && !d->descriptors.times)
		log_warn("event=no-descriptors hint=\"raise LimitNOFILE or fs.file-max; some are "
			 "held "
			 "back for root on export.socket\"");
	note(&d->descriptors, times, now_ns);
	note(&d->log_lost, log_lost(), now_ns);
}
