/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_why.c - `why`: the names are gone through in slices, then a line an endpoint. */
#include "snooper/daemon_why.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/endpoints.h"

#define ENDPOINTS_A_TURN 32

struct why_reading {
	struct snp_policy_asked asked;
	char *endpoint; /* NULL: each of them */
	uint64_t cursor;
	bool scanned;
	struct why_holder *holders;
	size_t n_holders, room;
	size_t next; /* endpoint, of the configuration */
};

const char *const daemon_mode_names[] = {
	[SNP_MODE_OBSERVE] = "observe", [SNP_MODE_AUDIT] = "audit", [SNP_MODE_ENFORCE] = "enforce"};

char *daemon_place_text(const struct policy_place *at)
{
	char *text;

	if (!at || !at->file || asprintf(&text, "%s:%u", at->file, at->line) < 0)
		return NULL;
	text_make_utf8(text);
	return text;
}

static void why_close(void *ctx, void *reading)
{
	struct why_reading *r = reading;

	if (!r)
		return;
	free(r->endpoint);
	free(r->holders);
	free(r);
}

static int why_open(void *ctx, const struct snp_policy_asked *asked, void **reading)
{
	struct daemon *d = ctx;
	struct why_reading *r;
	bool is_known = !asked->endpoint;

	for (size_t i = 0; i < d->conf->n_endpoints && !is_known; i++)
		is_known = !strcmp(d->conf->endpoints[i].name, asked->endpoint);
	if (!is_known)
		return -ENOENT;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->asked = *asked;
	r->asked.to.addr = asked->addr;
	r->endpoint = asked->endpoint ? strdup(asked->endpoint) : NULL;
	if (asked->endpoint && !r->endpoint) {
		free(r);
		return -ENOMEM;
	}
	*reading = r;
	return 0;
}

/* --- the names --- */

static int hold(struct why_reading *r, const struct fqdn_name *name)
{
	struct why_holder *h;

	if (r->n_holders == r->room) {
		size_t room = r->room ? r->room * 2 : 16;

		h = realloc(r->holders, room * sizeof(*h));
		if (!h)
			return -ENOMEM;
		r->holders = h;
		r->room = room;
	}
	h = &r->holders[r->n_holders];
	h->key = name->key;
	memcpy(h->wire, name->wire, name->wire_len);
	h->wire_len = name->wire_len;
	if (name_to_text(name->wire, name->wire_len, h->text) >= 0)
		r->n_holders++;
	return 0;
}

struct scanning {
	struct daemon *d;
	struct why_reading *reading;
	int error;
};

static void on_scope(void *ctx, const struct fqdn_name *name)
{
	struct scanning *s = ctx;

	if (!s->error && fqdn_cache_has(s->d->cache, &name->key, &s->reading->asked.addr))
		s->error = hold(s->reading, name);
}

/* A slice of the names. 1: there are more; 0; -ENOMEM. */
static int scan(struct daemon *d, struct why_reading *r)
{
	struct scanning s = {d, r, 0};
	struct fqdn_name name;

	for (unsigned int i = 0; i < DAEMON_SLICE && !s.error; i++) {
		if (!fqdn_cache_next(d->cache, &r->cursor, &name))
			return 0;
		fqdn_cache_scopes(d->cache, &name.key, on_scope, &s);
	}
	return s.error ? s.error : 1;
}

static bool show(struct why_case *c, export_line_fn emit, void *emit_ctx)
{
	uint64_t now_ms = clock_boot_ns() / SNP_NS_PER_MS;
	const struct policy_answer *a = &c->answer;
	SNP_CLEANUP(snp_freep)
	char *place = daemon_place_text(c->place);
	struct snp_policy_line line = {.kind = SNP_LINE_WHY};

	line.why = (struct snp_why_line){
		.endpoint = c->endpoint->name,
		.addr = c->asked->addr,
		.verdict = a->verdict,
		.mode = daemon_mode_names[a->generation ? (unsigned int)a->mode
							: (unsigned int)c->d->conf->policy.mode],
		.generation = a->generation,
		.names = c->names,
		.n_names = c->n_names,
		.unlisted = c->unlisted,
		.selectors = c->selectors,
		.n_selectors = c->n_selectors,
		.selectors_more = c->selectors_more,
		.policy = place,
		.ends = a->verdict == SNP_VERDICT_NAME,
		.expires_in_ms = a->verdict == SNP_VERDICT_NAME && a->end_ms > now_ms
					 ? a->end_ms - now_ms
					 : 0,
		.ports = c->ports,
		.n_ports = a->n_runs,
	};
	return emit(emit_ctx, &line);
}

static int
answer(struct daemon *d, struct why_reading *r, size_t i, export_line_fn emit, void *emit_ctx)
{
	struct why_case *c = calloc(1, sizeof(*c));
	int e;

	if (!c)
		return -ENOMEM;
	*c = (struct why_case){
		.d = d,
		.asked = &r->asked,
		.holders = r->holders,
		.n_holders = r->n_holders,
		.endpoint = &d->conf->endpoints[i],
		.number = endpoints_number(d->endpoints, i),
		.scope = daemon_endpoint_scope(d, i),
	};
	e = why_case_judge(c);
	if (!e)
		e = show(c, emit, emit_ctx);
	why_case_fini(c);
	free(c);
	return e;
}

/* Some endpoints, all by one generation. */
static int answer_some(struct daemon *d, struct why_reading *r, export_line_fn emit, void *emit_ctx)
{
	unsigned int done = 0;
	int e = 1;

	for (; r->next < d->conf->n_endpoints && done < ENDPOINTS_A_TURN && e > 0; r->next++) {
		if (r->endpoint && strcmp(d->conf->endpoints[r->next].name, r->endpoint) != 0)
			continue;
		e = answer(d, r, r->next, emit, emit_ctx);
		done++;
	}
	return e < 0 ? e : r->next < d->conf->n_endpoints;
}

static int why_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	struct daemon *d = ctx;
	struct why_reading *r = reading;

	if (!r->scanned) {
		int e = scan(d, r);

		if (e)
			return e;
		r->scanned = true;
	}
	return answer_some(d, r, emit, emit_ctx);
}

const struct export_lines daemon_why = {why_open, why_next, why_close};
