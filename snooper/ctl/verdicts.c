/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl watch --verdicts: refusals as they happen, a line each, until interrupted. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/export.pb-c.h"
#include "snooper/ctl/ctl.h"

struct watching {
	struct ctl *ctl;
	const char *problem;
};

/* A question that may not be asked has no address. */
static void print_text(struct ctl *ctl, const Snooper__V1__Verdict *v)
{
	char clock[CTL_CLOCK_MAX], address[CTL_ADDR_MAX] = "-", protocol[CTL_PROTOCOL_MAX];
	char port[8] = "";

	if (v->address.len)
		ctl_addr(&v->address, address);
	if (v->port)
		snprintf(port, sizeof(port), "%" PRIu32 "/", v->port & 0xffff);
	ctl_printf(ctl, "%s  %-16s  %-14s  %-16s  %s%s%s\n", ctl_clock(clock), v->endpoint,
		   v->verdict, address, port, ctl_protocol(v->protocol, protocol),
		   strcmp(v->mode, "audit") == 0 ? "  (audit: it passed)" : "");
}

static void print_json(struct ctl *ctl, const Snooper__V1__Verdict *v)
{
	struct json_object *o = json_object_new_object();
	char address[CTL_ADDR_MAX], protocol[CTL_PROTOCOL_MAX];

	ctl_put_string(o, "endpoint", v->endpoint);
	if (v->address.len)
		ctl_put_string(o, "address", ctl_addr(&v->address, address));
	if (v->port)
		ctl_put_number(o, "port", v->port);
	ctl_put_string(o, "protocol", ctl_protocol(v->protocol, protocol));
	ctl_put_string(o, "verdict", v->verdict);
	ctl_put_string(o, "mode", v->mode);
	ctl_put_number(o, "ago_ms", v->ago_ms);
	ctl_print_json_take(ctl, o);
}

static void print_lost(struct ctl *ctl)
{
	struct json_object *o;

	if (!ctl->json)
		return; /* the call ends with an error, which is told */
	o = json_object_new_object();
	ctl_put_string(o, "change", "lost");
	ctl_print_json_take(ctl, o);
}

static bool on_reply(void *ctx, const uint8_t *message, size_t n)
{
	struct watching *w = ctx;
	Snooper__V1__VerdictsReply *m = snooper__v1__verdicts_reply__unpack(NULL, n, message);

	if (!m) {
		w->problem = "the daemon's answer cannot be read";
		return false;
	}
	if (m->event_case == SNOOPER__V1__VERDICTS_REPLY__EVENT_LOST)
		print_lost(w->ctl);
	else if (m->event_case == SNOOPER__V1__VERDICTS_REPLY__EVENT_VERDICT && w->ctl->json)
		print_json(w->ctl, m->verdict);
	else if (m->event_case == SNOOPER__V1__VERDICTS_REPLY__EVENT_VERDICT)
		print_text(w->ctl, m->verdict);
	snooper__v1__verdicts_reply__free_unpacked(m, NULL);
	if (fflush(stdout) && !w->ctl->out_err)
		w->ctl->out_err = errno;
	return !w->ctl->out_err;
}

int ctl_watch_verdicts(struct ctl *ctl)
{
	Snooper__V1__VerdictsRequest request = SNOOPER__V1__VERDICTS_REQUEST__INIT;
	struct watching w = {.ctl = ctl};
	int code = ctl_catch_signals(ctl);

	if (code)
		return ctl_error(ctl, CTL_FAILED, "signalfd: %s", strerror(-code));
	ctl->patient = true;
	code = ctl_call(ctl, "/snooper.v1.Policy/WatchVerdicts", &request.base, on_reply, &w);
	close(ctl->stop_fd);
	ctl->stop_fd = 0;
	if (!code && w.problem)
		code = ctl_error(ctl, CTL_FAILED, "%s", w.problem);
	return code;
}
