/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fake_source.h - a daemon's knowledge, made up: for the tests of the gRPC face and its fuzzer.
 *
 * Name i is "hNNNNN.example.com" with FAKE_ADDRS addresses in turn IPv4 and IPv6.
 * Change k, from 0 on, is of name k: a new state, every third time that it is gone.
 */
#ifndef SNP_FAKE_SOURCE_H
#define SNP_FAKE_SOURCE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"
#include "snooper/rpc/export_service.h"

#define FAKE_NAMES 10000
#define FAKE_ADDRS 16
#define FAKE_SLICE 100 /* names looked at in one call */

struct fake {
	unsigned int names;
	unsigned int emitted, list_calls, watch_calls, reloads; /* what was asked of it */
	unsigned int watches;					/* open */
	unsigned int readings;					/* of lines, open */
	struct snp_policy_asked asked; /* of the last why, without its endpoint */
	unsigned int changes;
	bool lost; /* every watch has lost its place */
	bool reloads_wait;
	int reload_err;
	const char *reload_text;
	/* Where a reload's end is told: one of them. */
	struct export *export;
	struct export_service *face;
	bool degraded;
};

static inline bool fake_emit_one(unsigned int i, export_emit_fn emit, void *emit_ctx)
{
	static const char *const cnames[] = {"edge.example.net", "a\\.b.example.net"};
	static const char *const selectors[] = {"*.example.com"};
	static const char *const endpoints[] = {"mediabot", "other"};
	struct snp_listed_addr addrs[FAKE_ADDRS] = {0};
	char name[32];
	struct snp_listed_name n = {.name = name,
				    .addrs = addrs,
				    .n_addrs = FAKE_ADDRS,
				    .cnames = cnames,
				    .n_cnames = 2,
				    .selectors = selectors,
				    .n_selectors = 1,
				    .endpoints = endpoints,
				    .n_endpoints = 2,
				    .selectors_more = i == 7 ? 3 : 0,
				    .truncated = i == 7};

	snprintf(name, sizeof(name), "h%05u.example.com", i);
	for (unsigned int k = 0; k < FAKE_ADDRS; k++) {
		struct snp_listed_addr *a = &addrs[k];

		if (k % 2)
			a->addr.b[0] = 0x20, a->addr.b[1] = 1, a->addr.b[2] = 0xd,
			a->addr.b[3] = 0xb8;
		else
			a->addr.b[10] = a->addr.b[11] = 0xff, a->addr.b[12] = 192;
		a->addr.b[14] = (__u8)(k % 2 ? i >> 8 : 2);
		a->addr.b[15] = (__u8)k;
		a->expires_in_ms = 41200 + i;
		a->first_seen_ms = 5000;
		a->last_seen_ms = 20;
		a->origin = (enum snp_origin)(k % 4);
		a->reconcile = "off";
	}
	return emit(emit_ctx, &n);
}

static inline int
fake_list(void *ctx, const char *pattern, uint64_t *cursor, export_emit_fn emit, void *emit_ctx)
{
	struct fake *f = ctx;
	char name[32];

	f->list_calls++;
	if (pattern && !match_pattern_valid(pattern))
		return -EINVAL;
	for (unsigned int n = 0; n < FAKE_SLICE && *cursor < f->names; n++) {
		unsigned int i = (unsigned int)(*cursor)++;

		snprintf(name, sizeof(name), "h%05u.example.com", i);
		if (pattern && !match_pattern(pattern, name))
			continue;
		f->emitted++;
		if (!fake_emit_one(i, emit, emit_ctx))
			break;
	}
	return *cursor < f->names;
}

struct fake_watch {
	struct fake *fake;
	char pattern[64];
	unsigned int cursor, seen;
	bool synced;
};

/* An emit of names as one of changes. */
struct fake_change {
	export_change_fn emit;
	void *ctx;
	enum export_change change;
};

static inline bool fake_emit_change(void *ctx, const struct snp_listed_name *name)
{
	struct fake_change *c = ctx;

	return c->emit(c->ctx, c->change, name);
}

static inline int fake_watch_open(void *ctx, const char *pattern, void **watch)
{
	struct fake_watch *w;

	if (pattern && !match_pattern_valid(pattern))
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	w->fake = ctx;
	w->seen = w->fake->changes;
	snprintf(w->pattern, sizeof(w->pattern), "%s", pattern ? pattern : "*.example.com");
	w->fake->watches++;
	*watch = w;
	return 0;
}

static inline void fake_watch_close(void *ctx, void *watch)
{
	((struct fake_watch *)watch)->fake->watches--;
	free(watch);
}

static inline int fake_watch_next(void *ctx, void *watch, export_change_fn emit, void *emit_ctx)
{
	struct fake_change c = {emit, emit_ctx, EXPORT_NAME};
	struct fake_watch *w = watch;
	struct fake *f = ctx;
	char name[32];

	f->watch_calls++;
	if (f->lost) {
		emit(emit_ctx, EXPORT_LOST, NULL);
		return 1;
	}
	for (unsigned int n = 0; n < FAKE_SLICE; n++) {
		unsigned int i = w->synced ? w->seen : w->cursor;
		bool more;

		if (w->synced && w->seen == f->changes)
			return 0;
		if (!w->synced && w->cursor == f->names) {
			w->synced = true;
			if (!emit(emit_ctx, EXPORT_SYNCED, NULL))
				return 1;
			continue;
		}
		*(w->synced ? &w->seen : &w->cursor) += 1;
		snprintf(name, sizeof(name), "h%05u.example.com", i);
		if (!match_pattern(w->pattern, name))
			continue;
		c.change = w->synced && i % 3 == 2 ? EXPORT_GONE : EXPORT_NAME;
		f->emitted++;
		more = fake_emit_one(i, fake_emit_change, &c);
		if (!more)
			break;
	}
	return 1;
}

/* Lines about policy: three endpoints, of which "c" is let go; three selectors; a verdict a change. */
struct fake_reading {
	unsigned int next;
	char endpoint[64]; /* "": each */
};

static inline int fake_open(void *ctx, const struct snp_policy_asked *asked, void **reading)
{
	struct fake *f = ctx;
	struct fake_reading *r;

	if (asked && asked->endpoint && strlen(asked->endpoint) != 1)
		return -ENOENT;
	r = calloc(1, sizeof(*r));
	if (asked && asked->endpoint)
		strcpy(r->endpoint, asked->endpoint);
	if (asked)
		f->asked = *asked;
	f->asked.endpoint = NULL;
	r->next = asked ? 0 : f->changes;
	f->readings++;
	*reading = r;
	return 0;
}

static inline void fake_close(void *ctx, void *reading)
{
	((struct fake *)ctx)->readings--;
	free(reading);
}

static inline int fake_why_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	static const char *const endpoints[] = {"a", "b", "c"};
	static const char *const names[] = {"x.example.com", "y.example.com"};
	static const char *const selectors[] = {"*.example.com"};
	static const char *const ports[] = {"443/TCP"};
	const struct fake *f = ctx;
	struct fake_reading *r = reading;

	for (; r->next < 3; r->next++) {
		bool is_c = r->next == 2;
		struct snp_policy_line line = {.kind = SNP_LINE_WHY};

		if (r->endpoint[0] && r->endpoint[0] != endpoints[r->next][0])
			continue;
		line.why = (struct snp_why_line){
			.endpoint = endpoints[r->next],
			.addr = f->asked.addr,
			.verdict = is_c ? SNP_VERDICT_NAME : SNP_VERDICT_DENY_NO_NAME,
			.mode = "enforce",
			.generation = 7,
			.names = names,
			.n_names = is_c ? 2 : 0,
			.unlisted = is_c ? 5 : 0,
			.selectors = selectors,
			.n_selectors = is_c,
			.policy = is_c ? "/p.yaml:3" : NULL,
			.ends = is_c,
			.expires_in_ms = is_c ? 41200 : 0,
			.ports = ports,
			.n_ports = is_c,
		};
		if (!emit(emit_ctx, &line)) {
			r->next++;
			return 1;
		}
	}
	return 0;
}

static inline int fake_policy_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	static const char *const specs[] = {"p"}, *const places[] = {"/p.yaml:1"};
	struct fake *f = ctx;
	struct fake_reading *r = reading;
	struct snp_policy_line line = {.kind = SNP_LINE_SUMMARY};

	if (f->lost)
		return -EAGAIN;
	line.summary = (struct snp_policy_summary){.generation = 7,
						   .mode = "audit",
						   .specs = 1,
						   .selectors = 2,
						   .rows = 3,
						   .slots = 4};
	emit(emit_ctx, &line);
	line.kind = SNP_LINE_ENDPOINT;
	line.endpoint = (struct snp_policy_endpoint){.name = "a",
						     .mode = "audit",
						     .default_deny = true,
						     .specs = specs,
						     .places = places,
						     .n_specs = 1};
	emit(emit_ctx, &line);
	line.kind = SNP_LINE_SELECTOR;
	line.selector = (struct snp_policy_selector){.text = "*.example.com",
						     .kind = "matchPattern",
						     .fqdn = true,
						     .names = 2,
						     .hits = 9};
	emit(emit_ctx, &line);
	r->next++;
	return 0;
}

static inline int fake_verdicts_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	const struct fake *f = ctx;
	struct fake_reading *r = reading;
	struct snp_policy_line line = {.kind = f->lost ? SNP_LINE_LOST : SNP_LINE_VERDICT};

	if (f->lost) {
		emit(emit_ctx, &line);
		return 1;
	}
	for (; r->next < f->changes; r->next++) {
		line.verdict = (struct snp_verdict_line){.endpoint = "a",
							 .port = 443,
							 .protocol = 6,
							 .verdict = SNP_VERDICT_DENY_CIDR,
							 .mode = "enforce",
							 .ago_ms = r->next};
		line.verdict.addr.b[0] = 0x20;
		if (!emit(emit_ctx, &line)) {
			r->next++;
			return 1;
		}
	}
	return 0;
}

static inline void fake_status(void *ctx, struct snp_status *st)
{
	static const char *const degraded[] = {"proxy-bypassed", "ring-lost"};
	static const struct snp_status_server untrusted = {
		.addr.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 96, [15] = 10},
		.answers = 412};
	static const struct snp_status_verdict verdict = {"a", "deny-cidr", 14};
	struct fake *f = ctx;

	memset(st, 0, sizeof(*st));
	st->version = "9.8.7";
	st->mode = "observe";
	for (int i = 0; i < SNP_STAT_MAX; i++)
		st->stats[i] = 1000u + (unsigned int)i;
	st->cache.names = f->names;
	st->cache.addresses = (uint64_t)f->names * FAKE_ADDRS;
	st->proxy.configured = true;
	st->proxy.bypassed = f->degraded;
	st->proxy.since_ms = 61000;
	st->proxy.bypassed_queries = 3;
	st->policy.generation = 7;
	st->policy.specs = 8;
	st->policy.selectors = 9;
	st->policy.rows = 10;
	st->policy.slots = 11;
	st->policy.loaded_ms_ago = 12;
	st->policy.load_us = 13;
	st->policy.connections_ended = 14;
	st->policy.connections_not_ended = 15;
	st->policy.not_given = 16;
	st->policy.not_followed = 17;
	st->policy.verdicts_untold = 18;
	st->verdicts = &verdict;
	st->n_verdicts = 1;
	st->untrusted = &untrusted;
	st->n_untrusted = 1;
	st->degraded = degraded;
	st->n_degraded = f->degraded ? 2 : 0;
}

/* At once, unless somebody says when: then fake_reloaded() is for him to call. */
static inline void fake_reloaded(struct fake *f, uint64_t number)
{
	if (f->export)
		export_reloaded(f->export, number, f->reload_err, f->reload_text);
	if (f->face)
		export_service_reloaded(f->face, number, f->reload_err, f->reload_text);
}

static inline void fake_reload(void *ctx, uint64_t number)
{
	struct fake *f = ctx;

	f->reloads++;
	if (!f->reloads_wait)
		fake_reloaded(f, number);
}

static inline struct export_source fake_source(struct fake *f)
{
	return (struct export_source){.list = fake_list,
				      .watch_open = fake_watch_open,
				      .watch_next = fake_watch_next,
				      .watch_close = fake_watch_close,
				      .why = {fake_open, fake_why_next, fake_close},
				      .policy = {fake_open, fake_policy_next, fake_close},
				      .verdicts = {fake_open, fake_verdicts_next, fake_close},
				      .status = fake_status,
				      .reload = fake_reload,
				      .ctx = f};
}

#endif
