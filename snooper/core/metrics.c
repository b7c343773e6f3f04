/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/metrics.h"

#include <string.h>

#include "bpf/snp_policy.h"

/* A state of several, as Prometheus likes it: a line each, 1 at those that hold. */
static void write_info(const struct snp_metrics *m, struct metrics_text *t)
{
	static const char *const modes[] = {"observe", "audit", "enforce"};

	metrics_family(t, "snooper_build_info", METRICS_GAUGE, "The running version; always 1.");
	metrics_value(t, "version", m->status->version, 1);
	metrics_family(t, "snooper_policy_mode", METRICS_GAUGE,
		       "1 at the policy mode that is in force.");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		metrics_value(t, "mode", modes[i], !strcmp(modes[i], m->status->mode));
}

static void write_refused(const struct snp_metrics *m, struct metrics_text *t)
{
	const uint64_t *stats = m->status->stats;

	metrics_family(t, "snooper_answers_refused_total", METRICS_COUNTER,
		       "Messages, records and facts that were not learned from, and questions not "
		       "remembered, by reason. Answers were let through.");
#define REMARK(name, reason, help) metrics_remark(t, reason, help);
	SNP_REFUSALS(REMARK)
#define REFUSED(name, reason, help) metrics_value(t, "reason", reason, stats[SNP_STAT_##name]);
	SNP_REFUSALS(REFUSED)
}

static void write_counters(const struct snp_metrics *m, struct metrics_text *t)
{
	const uint64_t *stats = m->status->stats;

#define COUNTER(name, word, help)                                                                  \
	metrics_one(t, "snooper_" word "_total", METRICS_COUNTER, help, stats[SNP_STAT_##name]);
	SNP_COUNTERS(COUNTER)
}

static void write_cache(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_one(t, "snooper_cache_names", METRICS_GAUGE, "Names that snooperd lists.",
		    m->status->cache.names);
	metrics_one(t, "snooper_cache_addresses", METRICS_GAUGE,
		    "Addresses that the listed names stand for.", m->status->cache.addresses);
	metrics_one(t, "snooper_cache_names_evicted_total", METRICS_COUNTER,
		    "Names taken out of a full cache for one that policy needs.",
		    m->status->cache.evicted_names);
	metrics_one(t, "snooper_cache_names_refused_total", METRICS_COUNTER,
		    "Names that a full cache did not take; the maps have them.",
		    m->status->cache.refused_names);
	metrics_one(t, "snooper_cache_addresses_refused_total", METRICS_COUNTER,
		    "Addresses that a full cache did not take; the maps have them.",
		    m->status->cache.refused_addresses);
}

static void write_maps(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_map_rows", METRICS_GAUGE,
		       "Rows in a table of the kernel side, as of the last whole reading.");
	for (size_t i = 0; i < m->n_maps; i++)
		metrics_value(t, "map", m->maps[i].name, m->maps[i].rows);
	metrics_family(t, "snooper_map_max_rows", METRICS_GAUGE,
		       "Rows that such a table has room for.");
	for (size_t i = 0; i < m->n_maps; i++)
		metrics_value(t, "map", m->maps[i].name, m->maps[i].max_rows);
	metrics_one(t, "snooper_rows_collected_total", METRICS_COUNTER,
		    "Learned rows taken away after they were over.", m->collected);
	metrics_one(t, "snooper_rows_put_back_total", METRICS_COUNTER,
		    "Rows that came alive while they were taken away, and were put back.",
		    m->put_back);
}

static void write_counts(const struct snp_metrics *m, struct metrics_text *t)
{
	for (size_t i = 0; i < m->n_counts; i++)
		metrics_one(t, m->counts[i].name, METRICS_COUNTER, m->counts[i].help,
			    m->counts[i].value);
}

static void write_grpc(const struct snp_metrics *m, struct metrics_text *t)
{
	const struct snp_metrics_reason *r = m->grpc_refused;

	metrics_family(t, "snooper_grpc_refused_total", METRICS_COUNTER,
		       "Connections and calls to export.socket and export.listen that were "
		       "refused or ended, by reason.");
	for (size_t i = 0; i < m->n_grpc_refused; i++)
		metrics_remark(t, r[i].reason, r[i].text);
	for (size_t i = 0; i < m->n_grpc_refused; i++)
		metrics_value(t, "reason", r[i].reason, r[i].value);
	metrics_one(t, "snooper_grpc_watches", METRICS_GAUGE, "Watches that are open.", m->watches);
	metrics_one(t, "snooper_grpc_verdict_watches", METRICS_GAUGE,
		    "Watches of verdicts that are open.", m->verdict_watches);
	metrics_one(t, "snooper_grpc_reloads_waiting", METRICS_GAUGE,
		    "Reloads that were asked for, and whose result is not known yet.",
		    m->reloads_waiting);
	metrics_one(t, "snooper_grpc_watch_lost_total", METRICS_COUNTER,
		    "Watches that read too slowly for the changes, and lost their place.",
		    m->watch_lost);
}

static void write_proxy(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_one(t, "snooper_proxy_configured", METRICS_GAUGE,
		    "1 when proxy.addresses names a proxy.", m->status->proxy.configured);
	metrics_one(t, "snooper_proxy_bypassed", METRICS_GAUGE,
		    "1 while questions to the proxy go to a fallback.", m->status->proxy.bypassed);
	metrics_family(t, "snooper_proxy_state_seconds", METRICS_GAUGE,
		       "For how long the proxy has been bypassed, or not.");
	metrics_seconds(t, m->status->proxy.since_ms * 1000000);
}

/* By endpoint, as verdicts are. */
static void write_before_policy(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_connections_before_policy_total", METRICS_COUNTER,
		       "TCP connections of an endpoint that were open when policy was first "
		       "enforced for it, and went on.");
	for (size_t i = 0; i < m->status->n_endpoints; i++) {
		const struct snp_status_endpoint *e = &m->status->endpoints[i];

		metrics_value(t, "endpoint", e->name, e->connections_before_policy);
	}
}

/* These together only: there may be thousands. */
static void write_endpoints(const struct snp_metrics *m, struct metrics_text *t)
{
	uint64_t cgroups = 0, outside = 0;

	for (size_t i = 0; i < m->status->n_endpoints; i++) {
		cgroups += m->status->endpoints[i].cgroups;
		outside += m->status->endpoints[i].sockets_outside;
	}
	metrics_one(t, "snooper_endpoints", METRICS_GAUGE, "Endpoints in the configuration.",
		    m->status->n_endpoints);
	metrics_one(t, "snooper_endpoint_cgroups", METRICS_GAUGE, "Cgroups that belong to one.",
		    cgroups);
	metrics_one(
		t, "snooper_endpoint_sockets_outside", METRICS_GAUGE,
		"Sockets that their processes held at start or reload, and that are not theirs.",
		outside);
	write_before_policy(m, t);
}

/* What keeps policy true while it is in force, and where that failed. */
static void write_policy_work(const struct snp_status *st, struct metrics_text *t)
{
	metrics_one(t, "snooper_connections_ended_total", METRICS_COUNTER,
		    "Connections that policy no longer allows, ended at once.",
		    st->policy.connections_ended);
	metrics_one(t, "snooper_connections_not_ended_total", METRICS_COUNTER,
		    "Those left to their own time-out: of another network namespace, or gone.",
		    st->policy.connections_not_ended);
	metrics_one(t, "snooper_policy_not_given_total", METRICS_COUNTER,
		    "Addresses of known names that could not be written for a new policy.",
		    st->policy.not_given);
	metrics_one(t, "snooper_policy_not_followed_total", METRICS_COUNTER,
		    "Times that policy could not follow a change of this host's own addresses.",
		    st->policy.not_followed);
	metrics_one(t, "snooper_policy_verdicts_untold_total", METRICS_COUNTER,
		    "Counts of verdicts that status and metrics left out, for want of memory.",
		    st->policy.verdicts_untold);
}

static void write_policy(const struct snp_metrics *m, struct metrics_text *t)
{
	const struct snp_status *st = m->status;

	metrics_one(t, "snooper_policy_generation", METRICS_GAUGE,
		    "The number of the policy in force, 0: none is.", st->policy.generation);
	metrics_one(t, "snooper_policy_specs", METRICS_GAUGE, "Specs of the policy in force.",
		    st->policy.specs);
	metrics_one(t, "snooper_policy_selectors", METRICS_GAUGE,
		    "Distinct selectors of the policy in force.", st->policy.selectors);
	metrics_one(t, "snooper_policy_rows", METRICS_GAUGE,
		    "Verdict rows, as of the last whole reading.", st->policy.rows);
	metrics_one(t, "snooper_policy_slots", METRICS_GAUGE,
		    "Their slots in use: an identity that an address may be used under.",
		    st->policy.slots);
	metrics_family(t, "snooper_policy_load_seconds", METRICS_GAUGE,
		       "How long it took to put the policy in force, the last time.");
	metrics_seconds(t, st->policy.load_us * 1000);
	metrics_family(t, "snooper_policy_loaded_seconds", METRICS_GAUGE,
		       "How long ago that was, 0: never.");
	metrics_seconds(t, st->policy.loaded_ms_ago * 1000000);
	write_policy_work(st, t);
}

static void write_verdicts(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_verdicts_total", METRICS_COUNTER,
		       "How flows were judged when they began, by endpoint and verdict.");
#define REMARK_VERDICT(name, text, help) metrics_remark(t, text, help);
	SNP_VERDICTS(REMARK_VERDICT)
	for (size_t i = 0; i < m->status->n_verdicts; i++) {
		const struct snp_status_verdict *v = &m->status->verdicts[i];

		metrics_value_of(t,
				 (const struct metrics_label[]){{"endpoint", v->endpoint},
								{"verdict", v->verdict}},
				 v->flows);
	}
}

/* What was put out for something else. What is full and refuses is in snooper_answers_refused_total. */
static void write_evicted(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_evicted_total", METRICS_COUNTER,
		       "What was alive and was put out for something new, by cause.");
	metrics_value(t, "cause", "slots-full", m->status->stats[SNP_STAT_SLOT_EVICTED]);
	metrics_value(t, "cause", "questions-full", m->status->stats[SNP_STAT_Q_EVICTED]);
	metrics_value(t, "cause", "cache-full", m->status->cache.evicted_names);
}

static void write_untrusted(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_one(t, "snooper_untrusted_servers", METRICS_GAUGE,
		    "Servers that answer here and are not in observe.resolvers (256 are listed).",
		    m->status->n_untrusted);
	metrics_one(t, "snooper_untrusted_unlisted_total", METRICS_COUNTER,
		    "Answers of such servers that found no room in the list.",
		    m->status->untrusted_unlisted);
	metrics_one(t, "snooper_untrusted_aged_total", METRICS_COUNTER,
		    "Such servers taken off the list, having been silent for long.",
		    m->untrusted_aged);
}

static bool is_degraded(const struct snp_status *st, const char *reason)
{
	for (size_t i = 0; i < st->n_degraded; i++)
		if (!strcmp(st->degraded[i], reason))
			return true;
	return false;
}

static void write_degraded(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_degraded", METRICS_GAUGE,
		       "1 at each reason that stands, or happened within the last minute.");
#define REMARK_DEGRADED(name, reason, help) metrics_remark(t, reason, help);
	SNP_DEGRADATIONS(REMARK_DEGRADED)
#define DEGRADED(name, reason, help)                                                               \
	metrics_value(t, "reason", reason, is_degraded(m->status, reason));
	SNP_DEGRADATIONS(DEGRADED)
}

static void write_loop(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_family(t, "snooper_loop_longest_turn_seconds", METRICS_GAUGE,
		       "CPU time of the longest turn of snooperd's loop since its start.");
	metrics_seconds(t, m->longest_turn_ns);
	metrics_one(t, "snooper_loop_slow_turns_total", METRICS_COUNTER,
		    "Turns of snooperd's loop that took more than 10 ms of CPU time.",
		    m->slow_turns);
}

static void write_shortages(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_one(t, "snooper_no_descriptor_total", METRICS_COUNTER,
		    "Times that a file descriptor was needed, and none was free.",
		    m->no_descriptor);
	metrics_one(t, "snooper_log_lost_total", METRICS_COUNTER,
		    "Lines of the log that could not be written.", m->log_lost);
}

/* By the names that every exporter uses. */
static void write_process(const struct snp_metrics *m, struct metrics_text *t)
{
	const struct snp_metrics_process *p = &m->process;

	metrics_family(t, "process_cpu_seconds_total", METRICS_COUNTER,
		       "Total user and system CPU time spent in seconds.");
	metrics_seconds(t, p->cpu_ns);
	metrics_one(t, "process_resident_memory_bytes", METRICS_GAUGE,
		    "Resident memory size in bytes; the maps of the kernel side are not in it.",
		    p->resident_bytes);
	metrics_one(t, "process_virtual_memory_bytes", METRICS_GAUGE,
		    "Virtual memory size in bytes.", p->virtual_bytes);
	metrics_one(t, "process_open_fds", METRICS_GAUGE, "Number of open file descriptors.",
		    p->open_fds);
	metrics_one(t, "process_max_fds", METRICS_GAUGE, "Maximum number of open file descriptors.",
		    p->max_fds);
	metrics_family(t, "process_start_time_seconds", METRICS_GAUGE,
		       "Start time of the process since unix epoch in seconds.");
	metrics_seconds(t, p->start_unix_ns);
}

static void write_http(const struct snp_metrics *m, struct metrics_text *t)
{
	metrics_one(t, "snooper_metrics_requests_total", METRICS_COUNTER,
		    "HTTP requests answered here, this one not counted.", m->http.requests);
	metrics_one(t, "snooper_metrics_timeouts_total", METRICS_COUNTER,
		    "HTTP connections closed because they took too long.", m->http.timed_out);
	metrics_one(t, "snooper_metrics_waits_total", METRICS_COUNTER,
		    "Times that new HTTP connections had to wait for another one to end.",
		    m->http.waited);
}

void metrics_write(const struct snp_metrics *m, struct metrics_text *t)
{
	write_info(m, t);
	write_counters(m, t);
	write_refused(m, t);
	write_cache(m, t);
	write_maps(m, t);
	write_proxy(m, t);
	write_endpoints(m, t);
	write_policy(m, t);
	write_verdicts(m, t);
	write_evicted(m, t);
	write_untrusted(m, t);
	write_counts(m, t);
	write_grpc(m, t);
	write_degraded(m, t);
	write_loop(m, t);
	write_shortages(m, t);
	write_process(m, t);
	write_http(m, t);
}
