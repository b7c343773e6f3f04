/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl why ADDRESS: may endpoints begin a flow to it now, by which rule, and by which names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/ctl/table.h"

struct asking {
	struct ctl *ctl;
	struct table table; /* unused with --json */
	size_t answers;
	const char *problem;
};

static void print_json(struct ctl *ctl, const Snooper__V1__WhyReply *m)
{
	struct json_object *o = json_object_new_object();
	char text[CTL_ADDR_MAX];

	ctl_put_string(o, "address", ctl_addr(&m->address, text));
	ctl_put_string(o, "endpoint", m->endpoint);
	ctl_put_string(o, "verdict", m->allowed ? "allow" : "deny");
	ctl_put_string(o, "reason", m->reason);
	ctl_put_string(o, "mode", m->mode);
	json_object_object_add(o, "names", ctl_strings(m->names, m->n_names));
	if (m->names_unlisted)
		ctl_put_number(o, "names_unlisted", m->names_unlisted);
	json_object_object_add(o, "selectors", ctl_strings(m->selectors, m->n_selectors));
	if (m->selectors_more)
		ctl_put_number(o, "selectors_more", m->selectors_more);
	if (m->policy[0])
		ctl_put_string(o, "policy", m->policy);
	if (m->ends)
		ctl_put_number(o, "expires_in_ms", m->expires_in_ms);
	if (m->n_ports)
		json_object_object_add(o, "ports", ctl_strings(m->ports, m->n_ports));
	ctl_put_number(o, "generation", m->generation);
	ctl_print_json_take(ctl, o);
}

enum { ENDPOINT, VERDICT, REASON, PORTS, EXPIRES, NAMES, SELECTORS, POLICY };
static const char *const headings[] = {"ENDPOINT", "VERDICT", "REASON",	   "PORTS",
				       "EXPIRES",  "NAMES",   "SELECTORS", "POLICY"};
#define N_HEADINGS (sizeof(headings) / sizeof(headings[0]))

/* What a refusal comes to depends on the mode. */
static const char *verdict_of(const Snooper__V1__WhyReply *m)
{
	if (m->allowed)
		return "allow";
	if (!strcmp(m->mode, "enforce"))
		return "deny";
	return strcmp(m->mode, "audit") ? "deny (observed)" : "deny (audited)";
}

static int print_row(struct table *t, const Snooper__V1__WhyReply *m)
{
	SNP_CLEANUP(snp_freep)
	char *names = ctl_joined(m->names, m->n_names, m->names_unlisted);
	SNP_CLEANUP(snp_freep)
	char *selectors = ctl_joined(m->selectors, m->n_selectors, m->selectors_more);
	SNP_CLEANUP(snp_freep)
	char *ports = ctl_joined(m->ports, m->n_ports, 0);
	char expires[CTL_DURATION_MAX] = "";

	if (!names || !selectors || !ports)
		return -ENOMEM;
	if (m->ends)
		ctl_duration(m->expires_in_ms, expires);
	const char *cells[] = {
		[ENDPOINT] = m->endpoint, [VERDICT] = verdict_of(m), [REASON] = m->reason,
		[PORTS] = ports,	  [EXPIRES] = expires,	     [NAMES] = names,
		[SELECTORS] = selectors,  [POLICY] = m->policy,
	};

	return table_row(t, cells);
}

static bool on_reply(void *ctx, const uint8_t *message, size_t n)
{
	struct asking *a = ctx;
	Snooper__V1__WhyReply *m = snooper__v1__why_reply__unpack(NULL, n, message);

	a->answers++;
	if (!m)
		a->problem = "the daemon's answer cannot be read";
	else if (a->ctl->json)
		print_json(a->ctl, m);
	else if (print_row(&a->table, m))
		a->problem = "out of memory";
	snooper__v1__why_reply__free_unpacked(m, NULL);
	return !a->problem && !a->ctl->out_err;
}

/* "443/TCP", "ICMP". 0, or -EINVAL. */
static int read_port(const char *text, Snooper__V1__WhyRequest *m)
{
	static const struct {
		const char *name;
		uint32_t number;
	} protocols[] = {{"TCP", 6}, {"UDP", 17}, {"SCTP", 132}};
	const char *slash = strchr(text, '/');
	char *end;
	unsigned long port;

	if (!strcasecmp(text, "ICMP")) {
		m->protocol = 1;
		return 0;
	}
	if (!slash || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (end != slash || port > UINT16_MAX)
		return -EINVAL;
	m->port = (uint32_t)port;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strcasecmp(slash + 1, protocols[i].name))
			m->protocol = protocols[i].number;
	return m->protocol ? 0 : -EINVAL;
}

static void fini(struct asking *a)
{
	table_fini(&a->table);
}

static int ask(struct ctl *ctl, const Snooper__V1__WhyRequest *request)
{
	SNP_CLEANUP(fini)
	struct asking a = {.ctl = ctl};
	int code;

	if (!ctl->json && table_init(&a.table, ctl, headings, N_HEADINGS))
		return ctl_error(ctl, CTL_FAILED, "out of memory");
	code = ctl_call(ctl, "/snooper.v1.Policy/Why", &request->base, on_reply, &a);
	if (!code && a.problem)
		return ctl_error(ctl, CTL_FAILED, "%s", a.problem);
	if (!code && !a.answers)
		return ctl_error(ctl, CTL_FAILED,
				 "no endpoint is configured: whoever asks is not judged");
	if (!ctl->json && !code)
		table_flush(&a.table);
	return code;
}

int ctl_why(struct ctl *ctl, int n, char **args)
{
	Snooper__V1__WhyRequest request = SNOOPER__V1__WHY_REQUEST__INIT;
	unsigned char bytes[16];

	if (n != 1)
		return ctl_error(ctl, CTL_USAGE, "why takes one address");
	if (inet_pton(AF_INET, args[0], bytes) == 1)
		request.address.len = 4;
	else if (inet_pton(AF_INET6, args[0], bytes) == 1)
		request.address.len = 16;
	else
		return ctl_error(ctl, CTL_USAGE, "'%s' is no IPv4 or IPv6 address", args[0]);
	request.address.data = bytes;
	if (ctl->endpoint)
		request.endpoint = (char *)ctl->endpoint;
	if (ctl->port && read_port(ctl->port, &request))
		return ctl_error(ctl, CTL_USAGE,
				 "'%s' is no port: N/TCP, N/UDP, N/SCTP, or ICMP for what has none",
				 ctl->port);
	return ask(ctl, &request);
}
