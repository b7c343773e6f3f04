/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl watch [PATTERN]: what is known, then what changes, a line each, until interrupted. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uthash.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/match_pattern.h"
#include "snooper/ctl/listed.h"

#define NAME_WIDTH 40 /* longer ones move their own line only */

/* A name that was told, and is not gone. */
struct known {
	UT_hash_handle hh;
	char name[];
};

struct watching {
	struct ctl *ctl;
	const char *problem;
	struct known *known; /* text only */
	bool synced, colour;
};

static bool remember(struct watching *w, const char *name)
{
	struct known *k;

	HASH_FIND_STR(w->known, name, k);
	if (k)
		return false;
	k = calloc(1, sizeof(*k) + strlen(name) + 1);
	if (!k) {
		w->problem = "out of memory";
		return true;
	}
	strcpy(k->name, name);
	HASH_ADD_STR(w->known, name, k);
	return true;
}

static void forget(struct watching *w, const char *name)
{
	struct known *k;

	HASH_FIND_STR(w->known, name, k);
	if (!k)
		return;
	HASH_DEL(w->known, k);
	free(k);
}

static void fini(struct watching *w)
{
	struct known *k, *next;

	HASH_ITER (hh, w->known, k, next) {
		HASH_DEL(w->known, k);
		free(k);
	}
	if (w->ctl->stop_fd > 0)
		close(w->ctl->stop_fd);
	w->ctl->stop_fd = 0;
}

static void print_line(struct watching *w, char sign, const char *name, const char *rest)
{
	const char *on = "", *off = "";
	char clock[CTL_CLOCK_MAX];

	if (w->colour) {
		on = sign == '+' ? "\033[32m" : sign == '-' ? "\033[31m" : "\033[33m";
		off = "\033[0m";
	}
	ctl_printf(w->ctl, "%s  %s%c%s  %-*s%s%s\n", ctl_clock(clock), on, sign, off,
		   *rest ? NAME_WIDTH : 0, name, *rest ? "  " : "", rest);
}

/* "192.0.2.1 41.2s, 2001:db8::1 3m 4s". NULL when out of memory. */
static char *addresses_text(const Snooper__V1__Name *m)
{
	char address[CTL_ADDR_MAX], expires[CTL_DURATION_MAX], *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (size_t i = 0; i < m->n_addresses; i++)
		fprintf(f, "%s%s %s", i ? ", " : "", ctl_addr(&m->addresses[i]->address, address),
			ctl_duration(m->addresses[i]->expires_in_ms, expires));
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void print_name(struct watching *w, const Snooper__V1__Name *m)
{
	SNP_CLEANUP(snp_freep)
	char *text = addresses_text(m);

	if (text)
		print_line(w, remember(w, m->name) ? '+' : '~', m->name, text);
	else
		w->problem = "out of memory";
}

static void print_text(struct watching *w, const Snooper__V1__WatchReply *m)
{
	switch (m->event_case) {
	case SNOOPER__V1__WATCH_REPLY__EVENT_NAME:
		print_name(w, m->name);
		break;
	case SNOOPER__V1__WATCH_REPLY__EVENT_GONE:
		forget(w, m->gone->name);
		print_line(w, '-', m->gone->name, "");
		break;
	case SNOOPER__V1__WATCH_REPLY__EVENT_SYNCED:
		print_line(w, '=', "that was all; changes follow", "");
		break;
	default: /* lost: the call ends with an error, which is told */
		break;
	}
}

static void print_json(struct watching *w, const Snooper__V1__WatchReply *m)
{
	struct json_object *o = json_object_new_object();

	switch (m->event_case) {
	case SNOOPER__V1__WATCH_REPLY__EVENT_NAME:
		ctl_put_string(o, "change", w->synced ? "changed" : "present");
		listed_put_json(o, m->name);
		break;
	case SNOOPER__V1__WATCH_REPLY__EVENT_GONE:
		ctl_put_string(o, "change", "gone");
		ctl_put_string(o, "name", m->gone->name);
		json_object_object_add(o, "endpoints",
				       ctl_strings(m->gone->endpoints, m->gone->n_endpoints));
		break;
	case SNOOPER__V1__WATCH_REPLY__EVENT_SYNCED:
		ctl_put_string(o, "change", "synced");
		break;
	case SNOOPER__V1__WATCH_REPLY__EVENT_LOST:
		ctl_put_string(o, "change", "lost");
		break;
	default: /* of a newer daemon */
		json_object_put(o);
		return;
	}
	ctl_print_json_take(w->ctl, o);
}

static bool on_reply(void *ctx, const uint8_t *message, size_t n)
{
	struct watching *w = ctx;
	Snooper__V1__WatchReply *m = snooper__v1__watch_reply__unpack(NULL, n, message);

	if (!m) {
		w->problem = "the daemon's answer cannot be read";
		return false;
	}
	if (w->ctl->json)
		print_json(w, m);
	else
		print_text(w, m);
	w->synced = w->synced || m->event_case == SNOOPER__V1__WATCH_REPLY__EVENT_SYNCED;
	snooper__v1__watch_reply__free_unpacked(m, NULL);
	/* Who reads us waits for each line, once the first lot is over. */
	if (w->synced && fflush(stdout) && !w->ctl->out_err)
		w->ctl->out_err = errno;
	return !w->problem && !w->ctl->out_err;
}

int ctl_catch_signals(struct ctl *ctl)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ctl->stop_fd = fd;
	return 0;
}

int ctl_watch(struct ctl *ctl, int n, char **args)
{
	SNP_CLEANUP(fini)
	struct watching w = {.ctl = ctl};
	Snooper__V1__WatchRequest request = SNOOPER__V1__WATCH_REQUEST__INIT;
	int code;

	if (ctl->verdicts && n)
		return ctl_error(ctl, CTL_USAGE, "watch --verdicts takes no pattern");
	if (ctl->verdicts)
		return ctl_watch_verdicts(ctl);
	if (n > 1)
		return ctl_error(ctl, CTL_USAGE, "watch takes one pattern at most");
	if (n && !match_pattern_valid(args[0]))
		return ctl_error(ctl, CTL_USAGE, "malformed pattern '%s'", args[0]);
	if (n)
		request.pattern = args[0];
	code = ctl_catch_signals(ctl);
	if (code)
		return ctl_error(ctl, CTL_FAILED, "signalfd: %s", strerror(-code));
	ctl->patient = true;
	w.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	code = ctl_call(ctl, "/snooper.v1.Names/Watch", &request.base, on_reply, &w);
	if (!code && w.problem)
		code = ctl_error(ctl, CTL_FAILED, "%s", w.problem);
	return code;
}
