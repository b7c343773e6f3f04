/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_watch.h - read the cache, then what changes in it.
 *
 * core: pure. A reader gets every name in the order of its last change: first
 * what was there when it began (what changes meanwhile in its new state), then
 * FQDN_WATCH_SYNCED, once it has read all, then what changes. It holds
 * no queue: a name that changes twice before it is read is read once, in its last
 * state; so is one that changes in two scopes, and it is gone when it is in the last of them. One
 * that is gone is kept until all were told; of a reader so slow that FQDN_GONE_MAX of them wait
 * for it, the place is given up.
 */
#ifndef SNP_FQDN_WATCH_H
#define SNP_FQDN_WATCH_H

#include "snooper/core/fqdn_cache.h"

#define FQDN_GONE_MAX 65536

struct fqdn_watch; /* opaque; fqdn_cache_priv.h */

enum fqdn_watched {
	FQDN_WATCH_IDLE,   /* nothing new */
	FQDN_WATCH_NAME,   /* *out, in one of its scopes; without facts: gone */
	FQDN_WATCH_SYNCED, /* all that was there at the beginning was read. Once */
	FQDN_WATCH_LOST,   /* its place is lost: begin anew */
};

/* NULL: out of memory. Before fqdn_cache_free(), fqdn_watch_free(). */
struct fqdn_watch *fqdn_watch_new(struct fqdn_cache *c);
void fqdn_watch_free(struct fqdn_watch *w);

/* *out is borrowed until the next call that changes the cache, or this one. */
enum fqdn_watched fqdn_watch_next(struct fqdn_watch *w, struct fqdn_name *out);

#endif
