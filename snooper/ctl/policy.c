/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl policy: what is in force, whom it is for, and what its selectors let go. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/ctl/table.h"

struct showing {
	struct ctl *ctl;
	struct table endpoints, selectors; /* unused with --json */
	const char *problem;
};

static const char *const endpoint_headings[] = {"ENDPOINT", "MODE", "DEFAULT", "QUESTIONS",
						"SPECS"};
static const char *const selector_headings[] = {"SELECTOR", "KIND", "USE",
						"NAMES",    "HITS", "POLICY"};
#define N(list) (sizeof(list) / sizeof((list)[0]))

/* --- JSON --- */

static struct json_object *endpoint_json(const Snooper__V1__PolicyEndpoint *m)
{
	struct json_object *o = ctl_message_json(&m->base), *specs = json_object_new_array();

	for (size_t i = 0; i < m->n_specs; i++)
		json_object_array_add(specs, ctl_message_json(&m->specs[i]->base));
	json_object_object_add(o, "specs", specs);
	return o;
}

static void print_json(struct ctl *ctl, const Snooper__V1__PolicyReply *m)
{
	struct json_object *o = json_object_new_object();

	switch (m->line_case) {
	case SNOOPER__V1__POLICY_REPLY__LINE_SUMMARY:
		json_object_object_add(o, "policy", ctl_message_json(&m->summary->base));
		break;
	case SNOOPER__V1__POLICY_REPLY__LINE_ENDPOINT:
		json_object_object_add(o, "endpoint", endpoint_json(m->endpoint));
		break;
	case SNOOPER__V1__POLICY_REPLY__LINE_SELECTOR:
		json_object_object_add(o, "selector", ctl_message_json(&m->selector->base));
		break;
	default: /* of a newer daemon */
		json_object_put(o);
		return;
	}
	ctl_print_json_take(ctl, o);
}

/* --- text --- */

static void print_summary(struct ctl *ctl, const Snooper__V1__PolicySummary *m)
{
	char ago[CTL_DURATION_MAX];

	if (!m->generation) {
		ctl_printf(ctl, "no policy is in force\n\n");
		return;
	}
	ctl_printf(ctl,
		   "generation %" PRIu64 ", mode %s: %" PRIu64 " specs, %" PRIu64
		   " selectors, %" PRIu64 " identities; %" PRIu64 " verdict rows, %" PRIu64
		   " slots in use\n",
		   m->generation, m->mode, m->specs, m->selectors, m->identities, m->rows,
		   m->slots);
	if (m->unread)
		ctl_printf(ctl, "the files could not be read: an earlier snooperd's stays\n");
	else
		ctl_printf(ctl, "loaded %s ago\n", ctl_duration(m->loaded_ms_ago, ago));
	if (m->locked)
		ctl_printf(ctl, "the files could not be read: endpoints may do nothing\n");
	ctl_printf(ctl, "\n");
}

/* "ns/p (/etc/…/p.yaml:3), …". NULL when out of memory. */
static char *specs_text(const Snooper__V1__PolicyEndpoint *m)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (size_t i = 0; i < m->n_specs; i++)
		fprintf(f, "%s%s (%s)", i ? ", " : "", m->specs[i]->name, m->specs[i]->policy);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int add_endpoint(struct table *t, const Snooper__V1__PolicyEndpoint *m)
{
	SNP_CLEANUP(snp_freep)
	char *specs = specs_text(m);

	if (!specs)
		return -ENOMEM;
	return table_row(t,
			 (const char *const[]){m->name, m->mode, m->default_deny ? "deny" : "allow",
					       m->dns_rules ? "rules.dns" : "any", specs});
}

static int add_selector(struct table *t, const Snooper__V1__PolicySelector *m)
{
	const char *use = m->fqdns && m->dns ? "toFQDNs,dns" : m->fqdns ? "toFQDNs" : "dns";
	char names[24], hits[24];

	snprintf(names, sizeof(names), "%" PRIu64, m->names);
	snprintf(hits, sizeof(hits), "%" PRIu64, m->hits);
	return table_row(t,
			 (const char *const[]){m->selector, m->kind, use, names, hits, m->policy});
}

static int print_text(struct showing *s, const Snooper__V1__PolicyReply *m)
{
	switch (m->line_case) {
	case SNOOPER__V1__POLICY_REPLY__LINE_SUMMARY:
		print_summary(s->ctl, m->summary);
		return 0;
	case SNOOPER__V1__POLICY_REPLY__LINE_ENDPOINT:
		return add_endpoint(&s->endpoints, m->endpoint);
	case SNOOPER__V1__POLICY_REPLY__LINE_SELECTOR:
		return add_selector(&s->selectors, m->selector);
	default:
		return 0;
	}
}

static bool on_line(void *ctx, const uint8_t *message, size_t n)
{
	struct showing *s = ctx;
	Snooper__V1__PolicyReply *m = snooper__v1__policy_reply__unpack(NULL, n, message);

	if (!m)
		s->problem = "the daemon's answer cannot be read";
	else if (s->ctl->json)
		print_json(s->ctl, m);
	else if (print_text(s, m))
		s->problem = "out of memory";
	snooper__v1__policy_reply__free_unpacked(m, NULL);
	return !s->problem && !s->ctl->out_err;
}

static void fini(struct showing *s)
{
	table_fini(&s->endpoints);
	table_fini(&s->selectors);
}

int ctl_policy(struct ctl *ctl, int n, char **args)
{
	SNP_CLEANUP(fini)
	struct showing s = {.ctl = ctl};
	Snooper__V1__PolicyRequest request = SNOOPER__V1__POLICY_REQUEST__INIT;
	int code;

	if (n)
		return ctl_error(ctl, CTL_USAGE, "policy takes no argument");
	if (!ctl->json && (table_init(&s.endpoints, ctl, endpoint_headings, N(endpoint_headings)) ||
			   table_init(&s.selectors, ctl, selector_headings, N(selector_headings))))
		return ctl_error(ctl, CTL_FAILED, "out of memory");
	code = ctl_call(ctl, "/snooper.v1.Policy/Show", &request.base, on_line, &s);
	if (!code && s.problem)
		return ctl_error(ctl, CTL_FAILED, "%s", s.problem);
	if (code || ctl->json)
		return code;
	table_flush(&s.endpoints);
	ctl_printf(ctl, "\n");
	table_flush(&s.selectors);
	return code;
}
