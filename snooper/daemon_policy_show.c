/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_show.c - the policy in force, as callers see it: summary, endpoints, selectors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/maps_policy.h"

#define LINES_A_TURN 256

struct show_reading {
	enum { SHOW_NAMES, SHOW_SUMMARY, SHOW_ENDPOINTS, SHOW_SELECTORS, SHOW_DONE } stage;
	uint32_t generation; /* another one is in force: begin again */
	uint64_t cursor;
	size_t next;
	uint64_t *names, *hits; /* by index in policy.names */
};

static void show_close(void *ctx, void *reading)
{
	struct show_reading *r = reading;

	free(r->names);
	free(r->hits);
	free(r);
}

static int show_open(void *ctx, const struct snp_policy_asked *asked, void **reading)
{
	*reading = calloc(1, sizeof(struct show_reading));
	return *reading ? 0 : -ENOMEM;
}

/* --- counting --- */

static int count_begin(struct daemon *d, struct show_reading *r)
{
	free(r->names);
	free(r->hits);
	r->names = calloc(d->policy.made.names.n + 1, sizeof(*r->names));
	r->hits = calloc(d->policy.made.names.n + 1, sizeof(*r->hits));
	r->cursor = 0;
	r->generation = d->policy.generation;
	return r->names && r->hits ? 0 : -ENOMEM;
}

static void count_name(struct daemon *d, struct show_reading *r, const struct fqdn_name *name)
{
	for (size_t b = 0; b < d->policy.made.automata.n_banks; b++) {
		size_t n = 0;
		const uint32_t *set = daemon_policy_matched(d, name->wire, name->wire_len, b, &n);

		for (size_t i = 0; set && i < n; i++)
			r->names[set[i]]++;
	}
}

struct hitting {
	const struct daemon_policy *policy;
	uint64_t *hits;
};

static void on_hit(void *ctx, uint32_t identity, uint64_t n)
{
	const struct hitting *h = ctx;
	const struct policy_names *names = &h->policy->made.names;
	size_t members;
	const uint32_t *set = h->policy->made.ids
				      ? policy_ids_set(h->policy->made.ids, identity, &members)
				      : NULL;

	for (size_t i = 0; set && i < members; i++)
		if (set[i] < names->n_selectors && names->by_selector[set[i]])
			h->hits[names->by_selector[set[i]] - 1] += n;
}

/* A slice of the names that are known. */
static int count_names(struct daemon *d, struct show_reading *r)
{
	struct hitting h = {&d->policy, NULL};
	struct fqdn_name name;

	if (!r->names || r->generation != d->policy.generation)
		if (count_begin(d, r))
			return -ENOMEM;
	for (unsigned int i = 0; i < DAEMON_SLICE; i++) {
		if (!fqdn_cache_next(d->cache, &r->cursor, &name)) {
			h.hits = r->hits;
			r->stage = SHOW_SUMMARY;
			return maps_hits(d->maps, on_hit, &h);
		}
		count_name(d, r, &name);
	}
	return 0;
}

/* --- lines --- */

static uint64_t loaded_ms_ago(const struct daemon *d)
{
	return d->policy.loaded_ns ? daemon_ms_between(d->policy.loaded_ns, clock_boot_ns()) : 0;
}

static bool show_summary(struct daemon *d, export_line_fn emit, void *emit_ctx)
{
	const struct daemon_policy *p = &d->policy;
	struct snp_policy_line line = {.kind = SNP_LINE_SUMMARY};

	line.summary = (struct snp_policy_summary){
		.generation = p->in_force,
		.mode = daemon_mode_names[d->conf->policy.mode],
		.unread = p->unread,
		.locked = p->locked,
		.specs = p->policy ? p->policy->n_specs : 0,
		.selectors = p->made.names.of[p->side],
		.identities = p->made.ids ? policy_ids_end(p->made.ids) - 1 : 0,
		.loaded_ms_ago = loaded_ms_ago(d),
	};
	maps_rows_held(d->maps, &line.summary.rows, &line.summary.slots);
	return emit(emit_ctx, &line);
}

struct specs {
	const char **names;
	char **places;
	size_t n;
};

static void drop_specs(struct specs *s)
{
	for (size_t i = 0; s->places && i < s->n; i++)
		free(s->places[i]);
	free(s->places);
	free(s->names);
}

static int specs_of(const struct policy *p, const struct snp_endpoint_conf *e, struct specs *out)
{
	size_t room = p ? p->n_specs : 0;

	out->names = calloc(room + 1, sizeof(*out->names));
	out->places = calloc(room + 1, sizeof(*out->places));
	if (!out->names || !out->places)
		return -ENOMEM;
	for (size_t i = 0; i < room; i++) {
		if (!policy_selects(&p->specs[i], e->labels, e->n_labels))
			continue;
		out->names[out->n] = p->specs[i].name;
		out->places[out->n++] = daemon_place_text(&p->specs[i].at);
	}
	return 0;
}

static int show_endpoint(struct daemon *d, size_t i, export_line_fn emit, void *emit_ctx)
{
	SNP_CLEANUP(drop_specs)
	struct specs specs = {.n = 0};
	struct snp_policy_line line = {.kind = SNP_LINE_ENDPOINT};
	const uint8_t *tables = daemon_policy_now(d).tables;
	uint32_t class = 0, flags = 0;

	if (specs_of(d->policy.policy, &d->conf->endpoints[i], &specs))
		return -ENOMEM;
	if (tables)
		class = snp_policy_class(tables, endpoints_number(d->endpoints, i));
	if (class)
		flags = snp_class_at(tables, class)->flags;
	line.endpoint = (struct snp_policy_endpoint){
		.name = d->conf->endpoints[i].name,
		.mode = daemon_mode_names[d->conf->policy.mode],
		.default_deny = flags & SNP_CLASS_DEFAULT_DENY,
		.dns = flags & SNP_CLASS_DNS,
		.specs = specs.names,
		.places = (const char *const *)specs.places,
		.n_specs = specs.n,
	};
	return emit(emit_ctx, &line);
}

static int
show_endpoints(struct daemon *d, struct show_reading *r, export_line_fn emit, void *emit_ctx)
{
	int e = 1;

	for (unsigned int done = 0; r->next < d->conf->n_endpoints && done < LINES_A_TURN && e > 0;
	     done++)
		e = show_endpoint(d, r->next++, emit, emit_ctx);
	if (r->next >= d->conf->n_endpoints) {
		r->next = 0;
		r->stage = SHOW_SELECTORS;
	}
	return e < 0 ? e : 0;
}

static bool show_selector(struct daemon *d, const struct show_reading *r, size_t i,
			  export_line_fn emit, void *emit_ctx)
{
	static const char *const kinds[] = {[POLICY_MATCH_NAME] = "matchName",
					    [POLICY_MATCH_PATTERN] = "matchPattern",
					    [POLICY_MATCH_REGEX] = "matchRegex"};
	const struct policy_name *n = &d->policy.made.names.at[i];
	const struct policy_use *use = &n->in[d->policy.side];
	SNP_CLEANUP(snp_freep)
	char *place = daemon_place_text(&use->at);
	struct snp_policy_line line = {.kind = SNP_LINE_SELECTOR};

	line.selector = (struct snp_policy_selector){
		.text = n->text,
		.kind = kinds[n->kind],
		.policy = place,
		.fqdn = use->fqdn,
		.dns = use->dns,
		.names = r->names[i],
		.hits = r->hits[i],
	};
	return emit(emit_ctx, &line);
}

static void
show_selectors(struct daemon *d, struct show_reading *r, export_line_fn emit, void *emit_ctx)
{
	const struct policy_names *names = &d->policy.made.names;
	bool room = true;

	for (unsigned int done = 0; r->next < names->n && done < LINES_A_TURN && room; r->next++) {
		const struct policy_use *use = &names->at[r->next].in[d->policy.side];

		if (!use->fqdn && !use->dns)
			continue;
		room = show_selector(d, r, r->next, emit, emit_ctx);
		done++;
	}
	if (r->next >= names->n)
		r->stage = SHOW_DONE;
}

static int show_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	struct daemon *d = ctx;
	struct show_reading *r = reading;
	int e = 0;

	/* Replaced while it was shown: what was counted is of another list. */
	if (r->stage != SHOW_NAMES && r->generation != d->policy.generation)
		return -EAGAIN;
	switch (r->stage) {
	case SHOW_NAMES:
		e = count_names(d, r);
		break;
	case SHOW_SUMMARY:
		show_summary(d, emit, emit_ctx);
		r->stage = SHOW_ENDPOINTS;
		break;
	case SHOW_ENDPOINTS:
		e = show_endpoints(d, r, emit, emit_ctx);
		break;
	case SHOW_SELECTORS:
		show_selectors(d, r, emit, emit_ctx);
		break;
	case SHOW_DONE:
		return 0;
	}
	return e < 0 ? e : 1;
}

const struct export_lines daemon_policy_show = {show_open, show_next, show_close};
