/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* export_policy_msg.c - lines about policy as messages of proto/export.proto. */
#include <stdlib.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/policy_why.h"
#include "snooper/core/text.h"
#include "snooper/rpc/export_msg.h"

/* A string that is not there is empty on the wire. */
static char *text_of(const char *text)
{
	return (char *)(text ? text : "");
}

static void send_why(struct grpc_call *call, const struct snp_why_line *line)
{
	Snooper__V1__WhyReply m = SNOOPER__V1__WHY_REPLY__INIT;

	m.address = export_addr(&line->addr);
	m.endpoint = text_of(line->endpoint);
	m.allowed = !SNP_VERDICT_IS_DENY(line->verdict);
	m.reason = text_of(policy_verdict_name(line->verdict));
	m.mode = text_of(line->mode);
	m.generation = line->generation;
	m.n_names = line->n_names;
	m.names = (char **)line->names;
	m.names_unlisted = line->unlisted;
	m.n_selectors = line->n_selectors;
	m.selectors_more = line->selectors_more;
	m.selectors = (char **)line->selectors;
	m.policy = text_of(line->policy);
	m.ends = line->ends;
	m.expires_in_ms = line->expires_in_ms;
	m.n_ports = line->n_ports;
	m.ports = (char **)line->ports;
	export_send(call, &m.base);
}

/* The parts of a reply share one place: whichever it is. */
static void
send_part(struct grpc_call *call, Snooper__V1__PolicyReply__LineCase which, ProtobufCMessage *part)
{
	Snooper__V1__PolicyReply m = SNOOPER__V1__POLICY_REPLY__INIT;

	m.line_case = which;
	m.summary = (Snooper__V1__PolicySummary *)part;
	export_send(call, &m.base);
}

static void send_summary(struct grpc_call *call, const struct snp_policy_summary *from)
{
	Snooper__V1__PolicySummary m = SNOOPER__V1__POLICY_SUMMARY__INIT;

	m.generation = from->generation;
	m.mode = text_of(from->mode);
	m.unread = from->unread;
	m.locked = from->locked;
	m.specs = from->specs;
	m.selectors = from->selectors;
	m.identities = from->identities;
	m.rows = from->rows;
	m.slots = from->slots;
	m.loaded_ms_ago = from->loaded_ms_ago;
	send_part(call, SNOOPER__V1__POLICY_REPLY__LINE_SUMMARY, &m.base);
}

static void send_endpoint(struct grpc_call *call, const struct snp_policy_endpoint *from)
{
	Snooper__V1__PolicyEndpoint m = SNOOPER__V1__POLICY_ENDPOINT__INIT;
	SNP_CLEANUP(snp_freep)
	Snooper__V1__PolicySpec *specs = calloc(from->n_specs + 1, sizeof(*specs));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__PolicySpec **list = calloc(from->n_specs + 1, sizeof(*list));

	if (!specs || !list) {
		grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	for (size_t i = 0; i < from->n_specs; i++) {
		snooper__v1__policy_spec__init(&specs[i]);
		specs[i].name = text_of(from->specs[i]);
		specs[i].policy = text_of(from->places[i]);
		list[i] = &specs[i];
	}
	m.name = text_of(from->name);
	m.mode = text_of(from->mode);
	m.default_deny = from->default_deny;
	m.dns_rules = from->dns;
	m.n_specs = from->n_specs;
	m.specs = list;
	send_part(call, SNOOPER__V1__POLICY_REPLY__LINE_ENDPOINT, &m.base);
}

static void send_selector(struct grpc_call *call, const struct snp_policy_selector *from)
{
	Snooper__V1__PolicySelector m = SNOOPER__V1__POLICY_SELECTOR__INIT;

	m.selector = text_of(from->text);
	m.kind = text_of(from->kind);
	m.policy = text_of(from->policy);
	m.fqdns = from->fqdn;
	m.dns = from->dns;
	m.names = from->names;
	m.hits = from->hits;
	send_part(call, SNOOPER__V1__POLICY_REPLY__LINE_SELECTOR, &m.base);
}

static void send_verdict(struct grpc_call *call, const struct snp_verdict_line *from)
{
	Snooper__V1__VerdictsReply m = SNOOPER__V1__VERDICTS_REPLY__INIT;
	Snooper__V1__Verdict v = SNOOPER__V1__VERDICT__INIT;

	v.endpoint = text_of(from->endpoint);
	if (from->addr.q[0] || from->addr.q[1])
		v.address = export_addr(&from->addr);
	v.port = from->port;
	v.protocol = from->protocol;
	v.verdict = text_of(policy_verdict_name(from->verdict));
	v.mode = text_of(from->mode);
	v.ago_ms = from->ago_ms;
	m.event_case = SNOOPER__V1__VERDICTS_REPLY__EVENT_VERDICT;
	m.verdict = &v;
	export_send(call, &m.base);
}

static void send_lost(struct grpc_call *call)
{
	Snooper__V1__VerdictsReply m = SNOOPER__V1__VERDICTS_REPLY__INIT;
	Snooper__V1__Lost lost = SNOOPER__V1__LOST__INIT;

	m.event_case = SNOOPER__V1__VERDICTS_REPLY__EVENT_LOST;
	m.lost = &lost;
	export_send(call, &m.base);
}

void export_send_line(struct grpc_call *call, const struct snp_policy_line *line)
{
	switch (line->kind) {
	case SNP_LINE_WHY:
		send_why(call, &line->why);
		break;
	case SNP_LINE_SUMMARY:
		send_summary(call, &line->summary);
		break;
	case SNP_LINE_ENDPOINT:
		send_endpoint(call, &line->endpoint);
		break;
	case SNP_LINE_SELECTOR:
		send_selector(call, &line->selector);
		break;
	case SNP_LINE_VERDICT:
		send_verdict(call, &line->verdict);
		break;
	case SNP_LINE_LOST:
		send_lost(call);
		break;
	}
}
