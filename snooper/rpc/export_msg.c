/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/export_msg.h"

#include <errno.h>
#include <string.h>

#include "proto/export.pb-c.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"

#define ERROR_LINES 1000

/* The message's numbers are the kernel's: no table between them. */
#define SAME_ORIGIN(name)                                                                          \
	_Static_assert((int)SNP_ORIGIN_##name == (int)SNOOPER__V1__ORIGIN__ORIGIN_##name,          \
		       "enum Origin follows enum snp_origin")
SAME_ORIGIN(KERNEL);
SAME_ORIGIN(PEER);
SAME_ORIGIN(RESOLVER);
SAME_ORIGIN(SNAPSHOT);

void export_send(struct grpc_call *call, const ProtobufCMessage *m)
{
	uint8_t *at = grpc_call_message(call, protobuf_c_message_get_packed_size(m));

	if (at)
		protobuf_c_message_pack(m, at);
}

static void fail(struct grpc_call *call)
{
	grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}

ProtobufCBinaryData export_addr(const struct snp_addr *a)
{
	const unsigned char *bytes;
	size_t n = addr_to_bytes(a, &bytes);

	return (ProtobufCBinaryData){n, (uint8_t *)bytes};
}

static void put_addr(Snooper__V1__Address *to, const struct snp_listed_addr *from)
{
	snooper__v1__address__init(to);
	to->address = export_addr(&from->addr);
	to->expires_in_ms = from->expires_in_ms;
	to->first_seen_ms_ago = from->first_seen_ms;
	to->last_seen_ms_ago = from->last_seen_ms;
	to->origin = (Snooper__V1__Origin)from->origin;
	to->reconcile = (char *)from->reconcile;
}

/* A name as a message, which borrows what it was made from. */
struct name_message {
	Snooper__V1__Name m;
	Snooper__V1__Address *addrs, **list;
};

static void drop_name(struct name_message *n)
{
	free(n->addrs);
	free(n->list);
}

static bool put_name(struct name_message *to, const struct snp_listed_name *from)
{
	size_t n = from->n_addrs;

	snooper__v1__name__init(&to->m);
	to->addrs = calloc(n + 1, sizeof(*to->addrs));
	to->list = calloc(n + 1, sizeof(*to->list));
	if (!to->addrs || !to->list)
		return false;
	for (size_t i = 0; i < n; i++) {
		put_addr(&to->addrs[i], &from->addrs[i]);
		to->list[i] = &to->addrs[i];
	}
	to->m.name = (char *)from->name;
	to->m.n_addresses = n;
	to->m.addresses = to->list;
	to->m.n_cnames = from->n_cnames;
	to->m.cnames = (char **)from->cnames;
	to->m.n_selectors = from->n_selectors;
	to->m.selectors = (char **)from->selectors;
	to->m.selectors_more = from->selectors_more;
	to->m.n_endpoints = from->n_endpoints;
	to->m.endpoints = (char **)from->endpoints;
	to->m.truncated = from->truncated;
	return true;
}

void export_send_name(struct grpc_call *call, const struct snp_listed_name *name)
{
	SNP_CLEANUP(drop_name)
	struct name_message n = {0};

	if (put_name(&n, name))
		export_send(call, &n.m.base);
	else
		fail(call);
}

void export_send_change(struct grpc_call *call, enum export_change change,
			const struct snp_listed_name *name)
{
	SNP_CLEANUP(drop_name)
	struct name_message n = {0};
	Snooper__V1__WatchReply m = SNOOPER__V1__WATCH_REPLY__INIT;
	Snooper__V1__Gone gone = SNOOPER__V1__GONE__INIT;
	Snooper__V1__Synced synced = SNOOPER__V1__SYNCED__INIT;
	Snooper__V1__Lost lost = SNOOPER__V1__LOST__INIT;

	switch (change) {
	case EXPORT_NAME:
		if (!put_name(&n, name)) {
			fail(call);
			return;
		}
		m.event_case = SNOOPER__V1__WATCH_REPLY__EVENT_NAME;
		m.name = &n.m;
		break;
	case EXPORT_GONE:
		gone.name = (char *)name->name;
		gone.n_endpoints = name->n_endpoints;
		gone.endpoints = (char **)name->endpoints;
		m.event_case = SNOOPER__V1__WATCH_REPLY__EVENT_GONE;
		m.gone = &gone;
		break;
	case EXPORT_SYNCED:
		m.event_case = SNOOPER__V1__WATCH_REPLY__EVENT_SYNCED;
		m.synced = &synced;
		break;
	case EXPORT_LOST:
		m.event_case = SNOOPER__V1__WATCH_REPLY__EVENT_LOST;
		m.lost = &lost;
	}
	export_send(call, &m.base);
}

struct stat_name {
	enum snp_stat slot;
	const char *name;
};
#define STAT_NAME(slot, name, help) {SNP_STAT_##slot, name},
static const struct stat_name refusals[] = {SNP_REFUSALS(STAT_NAME)};
static const struct stat_name counters[] = {SNP_COUNTERS(STAT_NAME)};
#define N_REFUSALS (sizeof(refusals) / sizeof(refusals[0]))
#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))

/* The kernel's part, with its rows. */
struct kernel_message {
	Snooper__V1__Kernel kernel;
	Snooper__V1__Counter refused[N_REFUSALS], counted[N_COUNTERS];
	Snooper__V1__Counter *refused_list[N_REFUSALS], *counted_list[N_COUNTERS];
};

static void put_counters(const struct stat_name *names, size_t n, const uint64_t *stats,
			 Snooper__V1__Counter *to, Snooper__V1__Counter **list)
{
	for (size_t i = 0; i < n; i++) {
		snooper__v1__counter__init(&to[i]);
		to[i].name = (char *)names[i].name;
		to[i].value = stats[names[i].slot];
		list[i] = &to[i];
	}
}

static void put_kernel(struct kernel_message *m, const uint64_t *stats)
{
	snooper__v1__kernel__init(&m->kernel);
	put_counters(refusals, N_REFUSALS, stats, m->refused, m->refused_list);
	put_counters(counters, N_COUNTERS, stats, m->counted, m->counted_list);
	m->kernel.answers_parsed = stats[SNP_STAT_PARSED];
	m->kernel.answers_learned = stats[SNP_STAT_LEARNED];
	m->kernel.ring_lost = stats[SNP_STAT_RING_LOST];
	m->kernel.n_refused = N_REFUSALS;
	m->kernel.refused = m->refused_list;
	m->kernel.n_counters = N_COUNTERS;
	m->kernel.counters = m->counted_list;
}

static void put_untrusted(const struct snp_status *st, Snooper__V1__UntrustedServer *servers,
			  Snooper__V1__UntrustedServer **list)
{
	for (size_t i = 0; i < st->n_untrusted; i++) {
		snooper__v1__untrusted_server__init(&servers[i]);
		servers[i].address = export_addr(&st->untrusted[i].addr);
		servers[i].answers = st->untrusted[i].answers;
		list[i] = &servers[i];
	}
}

static void
put_endpoints(const struct snp_status *st, Snooper__V1__Endpoint *to, Snooper__V1__Endpoint **list)
{
	for (size_t i = 0; i < st->n_endpoints; i++) {
		snooper__v1__endpoint__init(&to[i]);
		to[i].name = (char *)st->endpoints[i].name;
		to[i].cgroups = st->endpoints[i].cgroups;
		to[i].sockets_outside = st->endpoints[i].sockets_outside;
		to[i].connections_before_policy = st->endpoints[i].connections_before_policy;
		list[i] = &to[i];
	}
}

static void put_policy(const struct snp_status *st, Snooper__V1__PolicyState *to)
{
	snooper__v1__policy_state__init(to);
	to->generation = st->policy.generation;
	to->specs = st->policy.specs;
	to->selectors = st->policy.selectors;
	to->rows = st->policy.rows;
	to->slots = st->policy.slots;
	to->loaded_ms_ago = st->policy.loaded_ms_ago;
	to->load_us = st->policy.load_us;
	to->connections_ended = st->policy.connections_ended;
	to->connections_not_ended = st->policy.connections_not_ended;
	to->not_given = st->policy.not_given;
	to->not_followed = st->policy.not_followed;
	to->verdicts_untold = st->policy.verdicts_untold;
}

static void put_verdicts(const struct snp_status *st, Snooper__V1__VerdictCount *to,
			 Snooper__V1__VerdictCount **list)
{
	for (size_t i = 0; i < st->n_verdicts; i++) {
		snooper__v1__verdict_count__init(&to[i]);
		to[i].endpoint = (char *)st->verdicts[i].endpoint;
		to[i].verdict = (char *)st->verdicts[i].verdict;
		to[i].flows = st->verdicts[i].flows;
		list[i] = &to[i];
	}
}

#define N_EXPORT (sizeof(struct export_counts) / sizeof(uint64_t) + GRPC_COUNT_MAX)

/* What callers did, and what was refused to them. */
struct export_message {
	Snooper__V1__Counter counts[N_EXPORT], *list[N_EXPORT];
	size_t n;
};

static void put_count(struct export_message *m, const char *name, uint64_t value)
{
	Snooper__V1__Counter *c = &m->counts[m->n];

	snooper__v1__counter__init(c);
	c->name = (char *)name;
	c->value = value;
	m->list[m->n++] = c;
}

static void put_export(struct export_message *m, const struct export_service *service)
{
	m->n = 0;
#define PUT_COUNT(field, name, text) put_count(m, name, service->counts.field);
	EXPORT_COUNTS(PUT_COUNT)
	for (int i = 0; service->refused && i < GRPC_COUNT_MAX; i++)
		put_count(m, grpc_count_name((enum grpc_count)i), service->refused->n[i]);
}

void export_send_status(struct grpc_call *call, const struct snp_status *st,
			const struct export_service *service)
{
	SNP_CLEANUP(snp_freep)
	struct kernel_message *kernel = calloc(1, sizeof(*kernel));
	size_t n = st->n_untrusted;
	SNP_CLEANUP(snp_freep)
	Snooper__V1__UntrustedServer *servers = calloc(n + 1, sizeof(*servers));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__UntrustedServer **list = calloc(n + 1, sizeof(*list));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__Endpoint *endpoints = calloc(st->n_endpoints + 1, sizeof(*endpoints));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__Endpoint **endpoint_list = calloc(st->n_endpoints + 1, sizeof(*endpoint_list));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__VerdictCount *verdicts = calloc(st->n_verdicts + 1, sizeof(*verdicts));
	SNP_CLEANUP(snp_freep)
	Snooper__V1__VerdictCount **verdict_list =
		calloc(st->n_verdicts + 1, sizeof(*verdict_list));
	Snooper__V1__StatusReply m = SNOOPER__V1__STATUS_REPLY__INIT;
	Snooper__V1__PolicyState policy;
	Snooper__V1__Cache cache = SNOOPER__V1__CACHE__INIT;
	Snooper__V1__Proxy proxy = SNOOPER__V1__PROXY__INIT;
	struct export_message export;

	if (!kernel || !servers || !list || !endpoints || !endpoint_list || !verdicts ||
	    !verdict_list) {
		fail(call);
		return;
	}
	put_kernel(kernel, st->stats);
	put_untrusted(st, servers, list);
	put_endpoints(st, endpoints, endpoint_list);
	put_policy(st, &policy);
	put_verdicts(st, verdicts, verdict_list);
	put_export(&export, service);
	cache.names = st->cache.names;
	cache.addresses = st->cache.addresses;
	cache.evicted_names = st->cache.evicted_names;
	cache.refused_names = st->cache.refused_names;
	cache.refused_addresses = st->cache.refused_addresses;
	proxy.configured = st->proxy.configured;
	proxy.state = st->proxy.bypassed ? SNOOPER__V1__PROXY__STATE__BYPASSED
					 : SNOOPER__V1__PROXY__STATE__ACTIVE;
	proxy.since_ms = st->proxy.since_ms;
	proxy.bypassed_queries = st->proxy.bypassed_queries;
	m.version = (char *)st->version;
	m.mode = (char *)st->mode;
	m.kernel = &kernel->kernel;
	m.cache = &cache;
	m.proxy = &proxy;
	m.n_untrusted_servers = n;
	m.untrusted_servers = list;
	m.untrusted_unlisted = st->untrusted_unlisted;
	m.n_endpoints = st->n_endpoints;
	m.endpoints = endpoint_list;
	m.policy = &policy;
	m.n_verdicts = st->n_verdicts;
	m.verdicts = verdict_list;
	m.n_export = export.n;
	m.export = export.list;
	m.n_degraded = st->n_degraded;
	m.degraded = (char **)st->degraded;
	export_send(call, &m.base);
}

void export_send_reload(struct grpc_call *call, int err, char *errors)
{
	SNP_CLEANUP(snp_freep)
	char **lines = calloc(ERROR_LINES, sizeof(*lines));
	Snooper__V1__ReloadReply m = SNOOPER__V1__RELOAD_REPLY__INIT;
	char *save = NULL;

	if (!lines) {
		fail(call);
		return;
	}
	if (err)
		m.result = err == -EINVAL ? SNOOPER__V1__RELOAD_REPLY__RESULT__REFUSED
					  : SNOOPER__V1__RELOAD_REPLY__RESULT__FAILED;
	m.errors = lines;
	for (char *line = errors ? strtok_r(errors, "\n", &save) : NULL;
	     line && m.n_errors < ERROR_LINES; line = strtok_r(NULL, "\n", &save)) {
		text_make_utf8(line); /* a path may be any bytes, a string may not */
		lines[m.n_errors++] = line;
	}
	if (err && !m.n_errors)
		lines[m.n_errors++] = strerror(-err);
	export_send(call, &m.base);
}
