/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_grant.h - what a look-up found, written as facts of its own origin. */
#ifndef SNP_DAEMON_GRANT_H
#define SNP_DAEMON_GRANT_H

#include <stdint.h>
#include <sys/queue.h>

#include "snooper/core/reconcile.h"

struct daemon;
struct event;

/* One name's look-up: what is granted of its answers. */
struct granting {
	struct snp_name_key name;
	uint64_t client_ns;  /* when a client last asked */
	uint64_t since_ns;   /* when writing began */
	uint32_t ttl_s;	     /* the least that was to be written with, 0: nothing was */
	uint32_t lifetime_s; /* 0: nothing was found */
};

/* Answers that wait for a turn of the loop that has time for them, or for more of them. */
TAILQ_HEAD(grant_queue, grant_rest);
struct grants {
	struct grant_queue rest;
	size_t n; /* of them */
	struct event *next;
	uint64_t turn; /* of the loop, the last that had some written ... */
	size_t left;   /* ... and how many more that may have */
};
int daemon_grants_init(struct daemon *d);  /* 0, or -ENOMEM */
void daemon_grants_fini(struct daemon *d); /* those that wait are not written */

/* All that will be written is; false: not all of it could be. g is not looked at any more. */
typedef void (*grant_done_fn)(void *ctx, bool all);

/*
 * The addresses of one answer. Those in refused ranges, and new ones of a name that holds
 * limits.addresses_per_name, are counted and not written; none is with a TTL of 0. done() is
 * called now, or in a later turn: g is kept until then.
 */
void daemon_grant(struct daemon *d, struct granting *g, const struct reconcile_found *found,
		  grant_done_fn done, void *ctx);

#endif
