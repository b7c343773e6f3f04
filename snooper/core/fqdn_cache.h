/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_cache.h - which addresses each learned name stands for, as the daemon knows it.
 *
 * core: pure. No clock, no I/O; the caller passes the time in. Single-threaded.
 * Times are CLOCK_BOOTTIME nanoseconds. Names are canonical wire form (name.h).
 *
 * The maps are the truth and this is an index of them: it can be dropped and
 * filled again at any time. A fact is put as often as it is seen; a deadline
 * never moves earlier.
 */
#ifndef SNP_FQDN_CACHE_H
#define SNP_FQDN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_fact.h"

struct fqdn_cache; /* opaque; fqdn_cache.c */

/* One name; borrowed, until the next call that changes the cache. */
struct fqdn_name {
	struct snp_name_key key;
	uint32_t n_facts;
	uint8_t wire_len;
	const uint8_t *wire;
	const struct fqdn_fact {
		struct snp_addr addr;
		struct snp_fact fact;
	} * facts;
};

/* At most max_names names and max_facts facts. NULL when out of memory. */
struct fqdn_cache *fqdn_cache_new(size_t max_names, size_t max_facts);
void fqdn_cache_free(struct fqdn_cache *c);

/* Is the name known? */
bool fqdn_cache_has(const struct fqdn_cache *c, const struct snp_name_key *key);

/* Make the name known. 0; -ENOSPC at max_names; -ENOMEM. Known already: 0. */
int fqdn_cache_name(struct fqdn_cache *c, const struct snp_name_key *key, const uint8_t *wire,
		    size_t wire_len);

/*
 * Record a fact. 0; -ENOENT when the name is not known; -ENOSPC at max_facts
 * (nothing is evicted); -ENOMEM.
 */
int fqdn_cache_put(struct fqdn_cache *c, const struct snp_fact_key *key,
		   const struct snp_fact *fact);

/* Forget a fact. A name without facts is forgotten by fqdn_cache_sweep(). */
void fqdn_cache_drop(struct fqdn_cache *c, const struct snp_fact_key *key);

/* The expiry a fact has in the maps by now; 0 when it is gone. */
typedef uint64_t (*fqdn_expiry_fn)(void *ctx, const struct snp_fact_key *key);

/*
 * Look at up to budget places from where the last call stopped, and forget facts that
 * expired before before_ns, also by expiry(), and names left without any.
 */
void fqdn_cache_sweep(struct fqdn_cache *c, uint64_t before_ns, size_t budget,
		      fqdn_expiry_fn expiry, void *ctx);

/*
 * The next name at or after *cursor (0: the first). Returns false at the end;
 * else *out is set and *cursor points behind it. Names may come and go between calls.
 */
bool fqdn_cache_next(const struct fqdn_cache *c, uint64_t *cursor, struct fqdn_name *out);

size_t fqdn_cache_names(const struct fqdn_cache *c);
size_t fqdn_cache_facts(const struct fqdn_cache *c);

#endif
