/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * status.h - what `snooperctl status` and `proxy status` show, as plain data.
 *
 * core: pure. daemon.c fills it, rpc/export.c puts it on the wire. Strings and
 * arrays are borrowed from whoever filled it, for the length of the call.
 */
#ifndef SNP_STATUS_H
#define SNP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_stat.h"

/*
 * Why `status` is degraded: what stands, or happened within the last minute. The
 * most pressing first. X(NAME, "reason in status and metrics", "what it means")
 */
#define SNP_DEGRADATIONS(X)                                                                        \
	X(POLICY_LOCKED, "policy-locked",                                                          \
	  "policy could not be read at start: endpoints may do nothing")                           \
	X(POLICY_UNREAD, "policy-unread",                                                          \
	  "policy could not be read at start: an earlier snooperd's is in force")                  \
	X(PROXY_BYPASSED, "proxy-bypassed", "the proxy is gone, questions go to a fallback")       \
	X(MEMBERS_MISSED, "endpoint-cgroups-missed",                                               \
	  "cgroups of endpoints that are not known as theirs")                                     \
	X(NO_JUDGE, "no-judge", "refused unjudged: too many flows at one moment")                  \
	X(LIMITS_KEPT, "limits-not-applied", "a pinned map keeps another size than limits asks")   \
	X(UNREACHABLE, "reconcile-unreachable", "no server of reconcile.servers answers")          \
	X(CACHE_FULL, "cache-full", "snooperd's index did not take all that the maps hold")        \
	X(RESCANNING, "rescanning", "news were lost, and the maps are being read again")           \
	X(DESCRIPTORS, "no-descriptors",                                                           \
	  "no file descriptor was free: callers other than root wait")                             \
	X(LOG_LOST, "log-lost", "lines of the log could not be written")                           \
	X(UNTRUSTED, "untrusted-full", "more untrusted servers answer than can be listed")         \
	X(MAP_FULL, "map-full", "facts were refused: limits.facts or limits.rows")                 \
	X(NAMES_FULL, "names-full", "names were refused: limits.names")                            \
	X(QUOTA, "per-endpoint-limit", "facts were refused: limits.per_endpoint")                  \
	X(ROWS_FULL, "rows-full", "addresses were not granted: limits.rows")                       \
	X(FLOWS_FULL, "flows-full", "flows are judged anew by each packet: no room for more")      \
	X(NAME_CAP, "addresses-per-name-limit", "facts were refused: limits.addresses_per_name")   \
	X(ADDR_CAP, "names-per-address-limit", "facts were refused: limits.names_per_address")     \
	X(NO_SCRATCH, "scratch-exhausted", "messages passed unread: every scratch slot was used")  \
	X(Q_STORAGE, "question-storage-exhausted", "questions were not remembered: no memory")     \
	X(BYPASS_NONE, "no-fallback-of-family", "a question found neither proxy nor fallback")     \
	X(BYPASS_UNKNOWN, "proxy-cannot-be-judged", "a proxy in a network namespace out of sight") \
	X(SOCKETS_OUTSIDE, "endpoint-sockets-outside",                                             \
	  "at start or reload, processes of endpoints held sockets that are not theirs")

#define SNP_DEGRADED_ENUM(name, ...) SNP_DEGRADED_##name,
enum snp_degraded { SNP_DEGRADATIONS(SNP_DEGRADED_ENUM) SNP_DEGRADED_END };

/* The reason, as status and metrics name it. */
const char *snp_degraded_text(enum snp_degraded reason);

struct snp_status_server {
	struct snp_addr addr;
	uint64_t answers;
};

struct snp_status_endpoint {
	const char *name;
	uint64_t cgroups;
	uint64_t
		sockets_outside; /* held by its processes, and not its own: as of start or reload */
	/* That it had begun when policy was first enforced for it, or audited: they go on. */
	uint64_t connections_before_policy;
};

/* How often a verdict fell. */
struct snp_status_verdict {
	const char *endpoint, *verdict;
	uint64_t flows;
};

struct snp_status {
	const char *version;
	const char *mode;	      /* observe | audit | enforce */
	uint64_t stats[SNP_STAT_MAX]; /* by enum snp_stat */
	struct {
		uint64_t names, addresses;
		uint64_t evicted_names, refused_names, refused_addresses; /* it was full */
	} cache;
	struct {
		bool configured; /* proxy.addresses is not empty */
		bool bypassed;
		uint64_t since_ms; /* how long it has been in this state */
		uint64_t bypassed_queries;
	} proxy;
	const struct snp_status_server *untrusted;
	size_t n_untrusted;
	uint64_t untrusted_unlisted; /* answers of servers that found no room among them */
	const struct snp_status_endpoint *endpoints;
	size_t n_endpoints;
	struct {
		uint32_t generation; /* 0: no policy is in force */
		uint64_t specs, selectors;
		uint64_t rows, slots; /* verdict rows, as of the last whole reading */
		uint64_t loaded_ms_ago, load_us;
		uint64_t connections_ended, connections_not_ended;
		uint64_t not_given;	  /* rows for what was known before */
		uint64_t not_followed;	  /* times that our own addresses changed in vain */
		uint64_t verdicts_untold; /* of verdicts below: out of memory */
	} policy;
	const struct snp_status_verdict *verdicts;
	size_t n_verdicts;
	const char *const *degraded; /* reasons, most pressing first */
	size_t n_degraded;
};

#endif
