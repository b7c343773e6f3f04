/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_cache.h - which addresses each learned name stands for, as the daemon knows it.
 *
 * core: pure. No clock, no I/O; the caller passes the time in. Single-threaded.
 * Times are CLOCK_BOOTTIME nanoseconds. Names are canonical wire form (name.h).
 *
 * A name is put, then its facts, as often as they are seen. A deadline never
 * moves earlier. What is over goes by fqdn_cache_expire(), soonest first.
 *
 * Full (max_names): for a name that policy needs, one that policy does not need
 * goes, the one whose first fact ends soonest (or did, before it was renewed, where a
 * name has many: what is done with one fact takes as long beside thousands). Nothing
 * that policy needs is ever taken for another; a name that it does not need, and a fact
 * above max_facts, is refused. fqdn_cache_counts tells how often.
 *
 * Every change of a name gets the next number of one sequence, and names stand in
 * the order of their last change (fqdn_watch.h), so that a reader may stop anywhere
 * and go on: it gets what changed since, each name once, in its last state.
 */
#ifndef SNP_FQDN_CACHE_H
#define SNP_FQDN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_fact.h"

struct fqdn_cache; /* opaque; fqdn_cache_priv.h */

/* What an independent look-up said of an address. */
enum fqdn_reconcile {
	FQDN_PENDING,	  /* not asked yet */
	FQDN_CONFIRMED,	  /* it has the address too */
	FQDN_UNCONFIRMED, /* it has others */
	FQDN_CONFLICT,	  /* it says that there is no such name, or gives refused addresses only */
	FQDN_UNREACHABLE, /* it does not answer */
	FQDN_OFF,	  /* nobody asks */
};
const char *fqdn_reconcile_text(enum fqdn_reconcile r);

struct fqdn_fact {
	struct snp_addr addr;
	uint64_t expiry_ns;  /* as the kernel learned it; 0: it did not */
	uint64_t granted_ns; /* as of another origin; 0: of none */
	uint64_t first_seen_ns, last_seen_ns;
	uint64_t cgroup_id; /* of the socket that first asked; 0: nobody here did */
	uint32_t ttl_s;	    /* of the last answer, clamped; a granted one's: reconcile_lifetime() */
	uint8_t origin;	    /* enum snp_origin: kernel if it learned it, else the granted one's */
	uint8_t reconcile;  /* enum fqdn_reconcile */
};

/* One name; borrowed, until the next call that changes the cache. */
struct fqdn_name {
	struct snp_name_key key;
	uint64_t changed;    /* when, in the sequence of changes */
	uint64_t asked_ns;   /* when a look-up was last answered, 0: never */
	uint64_t ask_ns;     /* when it is to be asked for, UINT64_MAX: not */
	uint32_t n_facts;    /* 0: it is gone */
	uint32_t n_pending;  /* of those, with an outcome of FQDN_PENDING */
	uint32_t lifetime_s; /* of what look-ups gave (reconcile_lifetime()), 0: nothing */
	uint8_t failures;    /* look-ups in a row that were not answered in full */
	bool asking;	     /* a look-up is under way */
	bool needed;
	bool partial; /* the kernel could not read all that was said of it */
	uint8_t wire_len;
	const uint8_t *wire;
	const struct fqdn_fact *facts;
};

struct fqdn_cache_counts {
	uint64_t evicted_names; /* for one that policy needs */
	uint64_t refused_names, refused_facts;
};

/* At most max_names names and max_facts facts. NULL when out of memory. */
struct fqdn_cache *fqdn_cache_new(size_t max_names, size_t max_facts);
void fqdn_cache_free(struct fqdn_cache *c);

/* Is the name known? *out (may be NULL) is it. */
bool fqdn_cache_find(const struct fqdn_cache *c, const struct snp_name_key *key,
		     struct fqdn_name *out);
/* Does it hold the address? */
bool fqdn_cache_has(const struct fqdn_cache *c, const struct snp_name_key *name,
		    const struct snp_addr *addr);

/*
 * Make the name known; needed: policy needs it; without a fact it is kept until
 * until_ns. 0; -ENOSPC: the cache is full (see above); -ENOMEM. Known already: 0, and
 * needed is noted, whatever it was.
 */
int fqdn_cache_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len, bool needed, uint64_t until_ns);

/*
 * Record a fact of the kernel (expiry_ns), of another origin (granted_ns), or
 * both; what is 0 is left as it is, and so is an outcome, unless asking was switched
 * on or off since. 0; 1: that was news; -ENOENT: no such name; -ENOSPC; -ENOMEM.
 */
int fqdn_cache_put(struct fqdn_cache *c, const struct snp_name_key *name,
		   const struct fqdn_fact *fact);

/* An address's outcome of reconciliation. Nothing, when the fact is gone. */
void fqdn_cache_judge(struct fqdn_cache *c, const struct snp_name_key *name,
		      const struct snp_addr *addr, enum fqdn_reconcile outcome);

/* Note whether the kernel could read all that was said of a name. */
void fqdn_cache_partial(struct fqdn_cache *c, const struct snp_name_key *name, bool partial);

/* Reconcile a name at at_ns, if it is known. */
void fqdn_cache_ask(struct fqdn_cache *c, const struct snp_name_key *name, uint64_t at_ns);

/* The name whose time it is: it waits no more, and is being asked for. False: none yet. */
bool fqdn_cache_next_ask(struct fqdn_cache *c, uint64_t now_ns, struct fqdn_name *out);

/* When the next one is to be asked; UINT64_MAX: none waits. */
uint64_t fqdn_cache_ask_due(const struct fqdn_cache *c);

/* It was asked for; answered_ns 0: nobody answered. failed: not in full. */
void fqdn_cache_asked(struct fqdn_cache *c, const struct snp_name_key *name, uint64_t answered_ns,
		      bool failed, uint32_t lifetime_s);

/* Forget a fact, and its name with the last one. */
void fqdn_cache_drop(struct fqdn_cache *c, const struct snp_fact_key *key);

/* What the maps say by now of a fact that seems to be over: *expiry_ns, *granted_ns, 0 for gone. */
typedef void (*fqdn_expiry_fn)(void *ctx, const struct snp_fact_key *key, uint64_t *expiry_ns,
			       uint64_t *granted_ns);

/*
 * Forget facts that were over before before_ns, also by expiry(), soonest first, and
 * names left without any; budget: how many facts to look at. Returns when the next one
 * is due (UINT64_MAX: none); before before_ns when the budget did not do.
 */
uint64_t fqdn_cache_expire(struct fqdn_cache *c, uint64_t before_ns, size_t budget,
			   fqdn_expiry_fn expiry, void *ctx);

/*
 * The next name at or after *cursor (0: the first), in one of its scopes. Returns false at the end;
 * else *out is set and *cursor points behind it. Names may come and go between calls; one that is
 * there all the time, in whatever scopes, comes once.
 */
bool fqdn_cache_next(const struct fqdn_cache *c, uint64_t *cursor, struct fqdn_name *out);

/* Visit a name that is known in each of its scopes, the one that changed last first. */
typedef void (*fqdn_scope_fn)(void *ctx, const struct fqdn_name *name);
void fqdn_cache_scopes(const struct fqdn_cache *c, const struct snp_name_key *key,
		       fqdn_scope_fn visit, void *ctx);

size_t fqdn_cache_names(const struct fqdn_cache *c);
size_t fqdn_cache_facts(const struct fqdn_cache *c);
uint64_t fqdn_cache_changes(const struct fqdn_cache *c); /* the number of the last one */
const struct fqdn_cache_counts *fqdn_cache_counts(const struct fqdn_cache *c);

#endif
