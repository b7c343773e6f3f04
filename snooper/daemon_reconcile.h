/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_reconcile.h - what was learned, against an independent look-up.
 *
 * A fact of the kernel is never changed by it: outcomes are shown, and what is found
 * for a name that has to be renewed, or that the kernel could not read whole, is
 * written as a fact of its own origin, for as long as clients ask for the name.
 */
#ifndef SNP_DAEMON_RECONCILE_H
#define SNP_DAEMON_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_fact.h"
#include "snooper/core/reconcile.h"
#include "snooper/daemon_grant.h"

struct daemon;
struct event;
struct resolver;

/* X(name, "help"): what happened since the start of the daemon. */
#define RECONCILE_COUNTS(X)                                                                        \
	X(lookups, "questions asked of reconcile.servers")                                         \
	X(no_reply, "of those, answered by nobody or with an error")                               \
	X(confirmed, "addresses that the look-up gave too")                                        \
	X(unconfirmed, "addresses where the look-up gave others")                                  \
	X(conflict, "addresses of names that the look-up says there are none, or refused ones")    \
	X(granted, "addresses written as facts of the resolver")                                   \
	X(refused,                                                                                 \
	  "addresses found and not written: refused ranges, a cap, a TTL of 0, or no time")        \
	X(paused, "times that nobody answered, and asking stopped for a while")

struct reconciler {
	struct resolver *resolver; /* NULL: off */
	struct event *asking;
	uint64_t asking_at_ns; /* when that is to come, while it is pending */
	struct grants grants;
	struct reconcile_bucket bucket;
	unsigned int failures;	   /* in a row, whatever the name */
	unsigned int pauses;	   /* since the last answer */
	uint64_t paused_until_ns;  /* nobody answers */
	uint64_t refresh_since_ns; /* the mode was another one before */
	struct {
#define RECONCILE_COUNT(name, help) uint64_t name;
		RECONCILE_COUNTS(RECONCILE_COUNT)
#undef RECONCILE_COUNT
	} counts;
};

/* As the configuration says: at start, and when it is another than `was`. 0, or -errno. */
int daemon_reconcile_start(struct daemon *d);
int daemon_reconcile_changed(struct daemon *d, const struct snp_conf *was);
void daemon_reconcile_stop(struct daemon *d);

/* What a new address starts with: pending, or off. */
enum fqdn_reconcile daemon_reconcile_first(const struct daemon *d);

/* There is news of a name of the cache. */
void daemon_reconcile_news(struct daemon *d, const struct snp_name_key *name);

/* A name of the cache, seen by a scan: it may have been asked for under another mode only. */
void daemon_reconcile_seen(struct daemon *d, const struct fqdn_name *name);

/* Has nobody answered for a while? */
bool daemon_reconcile_is_unreachable(const struct daemon *d);

#endif
