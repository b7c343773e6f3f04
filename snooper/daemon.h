/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon.h - the daemon's pipeline: news from the kernel, the cache, its face.
 *
 * One loop, one thread, and a worker's for what takes long (io/worker.h). daemon.c owns the event_base and every event;
 * daemon_learn.c fills and empties the cache; daemon_show.c answers callers,
 * daemon_metrics.c Prometheus.
 */
#ifndef SNP_DAEMON_H
#define SNP_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/base/clock.h"
#include "snooper/core/conf.h"
#include "snooper/core/fqdn_cache.h"
#include "snooper/daemon_policy.h"
#include "snooper/daemon_reconcile.h"
#include "snooper/io/maps.h"
#include "snooper/rpc/export.h"

struct endpoints;
struct event;
struct event_base;
struct metrics_http;
struct reload;

/* A full reading of the maps, in slices: at start, after lost news, and now and then. */
enum scan_stage {
	SCAN_IDLE,
	SCAN_LEARNED,
	SCAN_GRANTED,
	SCAN_NAMES,
	SCAN_ROWS,
	SCAN_ROWS_GIVEN,
	SCAN_FLOWS,
};
struct scan {
	enum scan_stage stage;
	struct maps_pos pos;
	bool again;    /* asked for while it ran */
	bool for_lost; /* news was lost, and is read by it */
	uint64_t started_ns;
	uint64_t collected, put_back; /* since start of the daemon */
};

/* Something that ran out: how often, and when last. */
struct shortage {
	uint64_t times, grew_ns;
};

#define DAEMON_TTL_ZERO_NS (10 * SNP_NS_PER_S) /* how long what was learned with TTL 0 is shown */
#define DAEMON_SLICE	   256		       /* facts shown in a turn, at a look-up each */

struct daemon {
	const char *conf_path;
	struct snp_conf *conf;
	struct maps *maps;
	struct fqdn_cache *cache;
	struct export *export;
	struct metrics_http *metrics; /* NULL: off */
	struct event_base *base;
	struct event *ring, *drain, *tick, *scanning, *expiring, *sighup, *sigterm, *sigint,
		*watchdog, *looking;
	struct worker *worker;
	struct reload *reload;	/* under way; NULL: none */
	uint64_t reload_number; /* of the last caller who asked for one */
	bool reload_again;	/* somebody did since it began */
	uint64_t started_ns;
	uint32_t proxy_generation;
	uint64_t proxy_cgroup_id; /* that the programs are attached to, 0: none */
	uint64_t attach_again_ns; /* that failed: not before */
	struct endpoints *endpoints;
	struct daemon_policy policy;
	struct verdict_log *verdicts;	     /* daemon_verdicts.c */
	uint64_t settled_ns, settle_took_ns; /* when their cgroups were last looked through */
	bool is_settling;		     /* ... and are, for want of some */
	struct scan scan;
	struct reconciler reconciler;
	struct untrusted untrusted;
	struct shortage descriptors, log_lost;
	uint64_t not_looked; /* times that there was no descriptor to look at a proxy with */
	bool cache_full;
	struct {
		uint64_t failed; /* times */
		bool fails;
	} proxy_looks;	       /* of our own, at proxy.addresses */
	uint64_t told_changes; /* of the cache, up to which its watches were woken */
	struct {
		uint64_t n;	     /* of the loop, so far */
		uint64_t longest_ns; /* of one, on the CPU */
		uint64_t slow;	     /* how many took more than 10 ms */
	} turns;
	/* counters as of the last tick, and when each last grew */
	uint64_t stats[SNP_STAT_MAX], grew_ns[SNP_STAT_MAX];
	/* daemon_show.c */
	struct snp_status_verdict *verdict_rows;
	size_t n_verdict_rows, room_verdict_rows;
	uint64_t verdicts_untold; /* no memory for a row */
	const char *degraded[SNP_DEGRADED_END];
	struct snp_status_server untrusted_rows[UNTRUSTED_ROWS]; /* as last read */
};

/*
 * daemon.c: run until told to stop. policy_take NULL: it could not be read. An exit status of
 * snooperd(8).
 */
int daemon_run(const char *conf_path, struct snp_conf *conf_take, struct policy *policy_take);

/* daemon_export.c: who is refused there, and the certificates of the face on TCP. */
void daemon_audit(void *ctx, enum grpc_count why, const char *peer, const char *detail,
		  uint64_t unsaid);
int daemon_listen(struct daemon *d);
/* *out is NULL where conf asks for no TCP. 0, -EINVAL with *why (malloc'd, or NULL), -ENOMEM. */
int daemon_read_tls(const struct snp_conf *conf, struct grpc_tls **out, char **why);

/*
 * daemon_names.c: emit a name of the cache, in all its scopes as one, without addresses when it has none now; or
 * not, when it does not match pattern (NULL: all). 1; 0 when emit has no more room; -ENOMEM.
 */
int daemon_show_name(struct daemon *d, const struct fqdn_name *name, const char *pattern,
		     uint64_t now_ns, export_emit_fn emit, void *emit_ctx);
/* How many facts the cache has of it, in all its scopes; 0: it is gone. */
size_t daemon_name_facts(const struct daemon *d, const struct fqdn_name *name);
uint64_t daemon_ms_between(uint64_t from_ns, uint64_t to_ns); /* 0 when from is later */

/* daemon_watch.c; the last: wake the watches, if the cache has changed. Once a turn. */
int daemon_watch_open(void *ctx, const char *pattern, void **watch);
int daemon_watch_next(void *ctx, void *watch, export_change_fn emit, void *emit_ctx);
void daemon_watch_close(void *ctx, void *watch);
void daemon_tell_changes(struct daemon *d);

/*
 * daemon_untrusted.c: fill d->untrusted_rows, the loudest first, and take away who was silent
 * for long. stats were read before. Returns how many rows there are.
 */
void daemon_untrusted_start(struct daemon *d);
size_t daemon_untrusted_look(struct daemon *d, const uint64_t *stats, uint64_t now_ns);

/* daemon_shortage.c: now and then, and before they are shown. */
void daemon_note_shortages(struct daemon *d, uint64_t now_ns);

/* daemon_show.c: the source behind the gRPC face */
int daemon_list(void *ctx, const char *pattern, uint64_t *cursor, export_emit_fn emit,
		void *emit_ctx);
void daemon_status(void *ctx, struct snp_status *st);

#endif
