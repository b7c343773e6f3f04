/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * export.h - the gRPC face of the daemon: package snooper.v1 on a Unix socket, and on TCP.
 *
 * rpc: may include base, core and the wire codec (nghttp2, protobuf-c,
 * libevent). Knows no maps: what it shows comes through struct export_source.
 *
 * Life cycle: export_new() listens, callbacks run on the loop thread,
 * export_free() closes every connection before it returns.
 *
 * A List is produced in slices as the client reads: no callback runs longer
 * than a few milliseconds, and no reader makes the daemon buffer a whole list.
 */
#ifndef SNP_EXPORT_H
#define SNP_EXPORT_H

#include <stdint.h>

#include "snooper/core/listing.h"
#include "snooper/core/policy_lines.h"
#include "snooper/core/status.h"
#include "snooper/rpc/grpc_guard.h"

struct event_base;
struct grpc_tls; /* grpc_tls.h */
struct export;	 /* opaque; export.c */

/* Called once per name; borrowed. Returns false to pause: no more room now. */
typedef bool (*export_emit_fn)(void *ctx, const struct snp_listed_name *name);

/* What a Watch tells. */
enum export_change {
	EXPORT_NAME,   /* its whole state now */
	EXPORT_GONE,   /* name and endpoints only */
	EXPORT_SYNCED, /* no name: all that was there at the beginning was told */
	EXPORT_LOST,   /* no name: changes were missed, and the watch is over */
};
/* As export_emit_fn. name is NULL where there is none. */
typedef bool (*export_change_fn)(void *ctx, enum export_change change,
				 const struct snp_listed_name *name);

/* As export_emit_fn. */
typedef bool (*export_line_fn)(void *ctx, const struct snp_policy_line *line);

/* Lines about policy, read as they are asked for. */
struct export_lines {
	/* Begin. 0 and *reading; -ENOENT: no such endpoint; -ENOMEM. What was opened is closed. */
	int (*open)(void *ctx, const struct snp_policy_asked *asked, void **reading);
	/*
	 * Emit what is next, as list() does. 1: there may be more; 0: that was all, or, of verdicts,
	 * there is nothing before the next export_verdicts(); -EAGAIN: policy was replaced
	 * meanwhile; -errno.
	 */
	int (*next)(void *ctx, void *reading, export_line_fn emit, void *emit_ctx);
	void (*close)(void *ctx, void *reading);
};

/* What became of watches, and waits: X(field, "name", "what it is"). */
#define EXPORT_COUNTS(X)                                                                           \
	X(watches, "watches", "open now")                                                          \
	X(watch_lost, "watch_lost", "too slow for the changes: lost its place")                    \
	X(verdict_watches, "verdict_watches", "of verdicts, open now")                             \
	X(reloads_waiting, "reloads_waiting", "reloads asked for, whose result is not known yet")

struct export_counts {
#define EXPORT_COUNT(field, name, text) uint64_t field;
	EXPORT_COUNTS(EXPORT_COUNT)
#undef EXPORT_COUNT
};

struct export_source {
	/*
	 * Emit names that match pattern (NULL: all), starting after *cursor (0 at first).
	 * Stops when emit returns false (that name counts as emitted) or after a bounded
	 * slice of work, and leaves *cursor where to go on. Returns 1 when there may be
	 * more, 0 at the end, -EINVAL for a malformed pattern.
	 */
	int (*list)(void *ctx, const char *pattern, uint64_t *cursor, export_emit_fn emit,
		    void *emit_ctx);
	/*
	 * Begin to watch the names that match pattern (NULL: all). 0 and *watch;
	 * -EINVAL for a malformed pattern; -ENOMEM. What was opened is closed.
	 */
	int (*watch_open)(void *ctx, const char *pattern, void **watch);
	/*
	 * Emit what is next, as list() does. Returns 1 when there may be more, 0 when
	 * there is nothing before the next export_changed(), -errno.
	 */
	int (*watch_next)(void *ctx, void *watch, export_change_fn emit, void *emit_ctx);
	void (*watch_close)(void *ctx, void *watch);
	struct export_lines why, policy, verdicts; /* asked: NULL for all but why */
	/* Fill *st; what it points at stays until the next call. */
	void (*status)(void *ctx, struct snp_status *st);
	/*
	 * Read the configuration again, from now on: export_reloaded() with this number, or
	 * a higher one, says what came of it. Numbers grow.
	 */
	void (*reload)(void *ctx, uint64_t number);
	void *ctx;
};

/*
 * Listen on path (an old socket file there is replaced), mode 0660, group owned
 * by group (NULL: leave). Callers may read if they are root, our uid or in the
 * group; reload is for root and our uid only (others: PERMISSION_DENIED).
 * source is copied. Returns 0 and *out, or -errno: -ESRCH when there is no such
 * group, -EEXIST when path is a file that is no socket.
 */
int export_new(struct event_base *base, const char *path, const char *group,
	       const struct export_source *source, struct export **out);
void export_free(struct export *e);

/*
 * A reload is over that all up to this number asked for: 0, or -errno with the text for a person
 * (file:line:column lines, or NULL).
 */
void export_reloaded(struct export *e, uint64_t number, int err, const char *errors);

/* Names have changed: who watches them is told soon. Cheap, and more so when nobody waits. */
void export_changed(struct export *e);
/* The same for verdicts. */
void export_verdicts(struct export *e);

/*
 * Serve on TCP too, behind certificates: every caller that has one may read,
 * those whom tls names may reload. address is "192.0.2.1:9954" or "[::]:9954".
 * tls is taken when that succeeds. 0, or -errno of socket(2) or bind(2).
 */
int export_listen_take(struct export *e, const char *address, struct grpc_tls *tls);

/* After export_listen_take(): other certificates from now on. tls is taken. */
void export_set_tls_take(struct export *e, struct grpc_tls *tls);

/* Who is refused is said to audit, at a bounded rate; all of them are counted. */
void export_audit(struct export *e, grpc_audit_fn audit, void *ctx);
/* Since the start; good until export_free(). Names: grpc_guard.h. */
const struct grpc_counts *export_counts(const struct export *e);
const struct export_counts *export_watches(const struct export *e);

#endif
