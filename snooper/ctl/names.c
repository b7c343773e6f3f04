/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl names [PATTERN]: what is known, a JSON line a name or a row an address. */
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/match_pattern.h"
#include "snooper/ctl/listed.h"
#include "snooper/ctl/table.h"

struct listing {
	struct ctl *ctl;
	struct table table; /* unused with --json */
	const char *problem;
};

static const char *origin_name(Snooper__V1__Origin origin)
{
	static const char *const names[] = {"kernel", "peer", "resolver", "snapshot"};

	return (unsigned int)origin < sizeof(names) / sizeof(names[0]) ? names[origin] : "unknown";
}

static struct json_object *addresses_json(const Snooper__V1__Name *m)
{
	struct json_object *array = json_object_new_array();
	char text[CTL_ADDR_MAX];

	for (size_t i = 0; i < m->n_addresses; i++) {
		const Snooper__V1__Address *a = m->addresses[i];
		struct json_object *o = json_object_new_object();

		ctl_put_string(o, "address", ctl_addr(&a->address, text));
		ctl_put_number(o, "expires_in_ms", a->expires_in_ms);
		ctl_put_string(o, "origin", origin_name(a->origin));
		ctl_put_string(o, "reconcile", a->reconcile);
		ctl_put_number(o, "first_seen_ms_ago", a->first_seen_ms_ago);
		ctl_put_number(o, "last_seen_ms_ago", a->last_seen_ms_ago);
		json_object_array_add(array, o);
	}
	return array;
}

void listed_put_json(struct json_object *o, const Snooper__V1__Name *m)
{
	ctl_put_string(o, "name", m->name);
	json_object_object_add(o, "addresses", addresses_json(m));
	json_object_object_add(o, "cnames", ctl_strings(m->cnames, m->n_cnames));
	json_object_object_add(o, "selectors", ctl_strings(m->selectors, m->n_selectors));
	if (m->selectors_more)
		ctl_put_number(o, "selectors_more", m->selectors_more);
	json_object_object_add(o, "endpoints", ctl_strings(m->endpoints, m->n_endpoints));
	ctl_put_bool(o, "truncated", m->truncated);
}

static void print_json(struct ctl *ctl, const Snooper__V1__Name *m)
{
	struct json_object *o = json_object_new_object();

	listed_put_json(o, m);
	ctl_print_json_take(ctl, o);
}

enum { NAME, ADDRESS, EXPIRES, ORIGIN, RECONCILE, ENDPOINTS, SELECTORS, CNAMES };
static const char *const headings[] = {"NAME",	    "ADDRESS",	 "EXPIRES",   "ORIGIN",
				       "RECONCILE", "ENDPOINTS", "SELECTORS", "CNAMES"};
#define N_HEADINGS (sizeof(headings) / sizeof(headings[0]))

static int print_rows(struct table *t, const Snooper__V1__Name *m)
{
	SNP_CLEANUP(snp_freep)
	char *endpoints = ctl_joined(m->endpoints, m->n_endpoints, 0);
	SNP_CLEANUP(snp_freep)
	char *selectors = ctl_joined(m->selectors, m->n_selectors, m->selectors_more);
	SNP_CLEANUP(snp_freep)
	char *cnames = ctl_joined(m->cnames, m->n_cnames, 0);
	char address[CTL_ADDR_MAX], expires[CTL_DURATION_MAX];
	int err = 0;

	if (!endpoints || !selectors || !cnames)
		return -1;
	/* A name that has no address now, but is an alias or was one, still has its row. */
	for (size_t i = 0; !err && i < m->n_addresses + !m->n_addresses; i++) {
		const Snooper__V1__Address *a = m->n_addresses ? m->addresses[i] : NULL;
		const char *cells[] = {
			[NAME] = m->name,
			[ADDRESS] = a ? ctl_addr(&a->address, address) : "",
			[EXPIRES] = a ? ctl_duration(a->expires_in_ms, expires) : "",
			[ORIGIN] = a ? origin_name(a->origin) : "",
			[RECONCILE] = a ? a->reconcile : "",
			[ENDPOINTS] = endpoints,
			[SELECTORS] = selectors,
			[CNAMES] = cnames,
		};

		err = table_row(t, cells);
	}
	return err;
}

static bool on_name(void *ctx, const uint8_t *message, size_t n)
{
	struct listing *l = ctx;
	Snooper__V1__Name *m = snooper__v1__name__unpack(NULL, n, message);

	if (!m)
		l->problem = "the daemon's answer cannot be read";
	else if (l->ctl->json)
		print_json(l->ctl, m);
	else if (print_rows(&l->table, m))
		l->problem = "out of memory";
	snooper__v1__name__free_unpacked(m, NULL);
	return !l->problem && !l->ctl->out_err;
}

static void fini(struct listing *l)
{
	table_fini(&l->table);
}

int ctl_names(struct ctl *ctl, int n, char **args)
{
	SNP_CLEANUP(fini)
	struct listing l = {.ctl = ctl};
	Snooper__V1__ListRequest request = SNOOPER__V1__LIST_REQUEST__INIT;
	int code;

	if (n > 1)
		return ctl_error(ctl, CTL_USAGE, "names takes one pattern at most");
	if (n && !match_pattern_valid(args[0]))
		return ctl_error(ctl, CTL_USAGE, "malformed pattern '%s'", args[0]);
	if (n)
		request.pattern = args[0];
	if (!ctl->json && table_init(&l.table, ctl, headings, N_HEADINGS))
		return ctl_error(ctl, CTL_FAILED, "out of memory");
	code = ctl_call(ctl, "/snooper.v1.Names/List", &request.base, on_name, &l);
	if (!code && l.problem)
		code = ctl_error(ctl, CTL_FAILED, "%s", l.problem);
	if (!ctl->json && !code)
		table_flush(&l.table);
	return code;
}
