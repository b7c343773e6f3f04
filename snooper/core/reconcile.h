/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * reconcile.h - what an independent look-up says of a name, and when to ask again.
 *
 * core: pure. The caller gives times (CLOCK_BOOTTIME, nanoseconds) and random
 * numbers. No verdict changes by an outcome: it is for people.
 */
#ifndef SNP_RECONCILE_H
#define SNP_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/core/conf.h"
#include "snooper/core/fqdn_cache.h"

enum reconcile_reply {
	RECONCILE_ADDRESSES, /* n of them; none: the name has no record of this type */
	RECONCILE_NO_NAME,   /* NXDOMAIN */
	RECONCILE_NO_REPLY,  /* an error, or nobody answered */
};

/* What was answered for one type, of one family. */
struct reconcile_found {
	enum reconcile_reply reply;
	uint32_t ttl_s;		      /* the least along the chain and of all */
	const struct snp_addr *addrs; /* by reconcile_order(), each once */
	size_t n;
};
int reconcile_order(const void *addr, const void *other); /* of two struct snp_addr, for qsort() */

/* Is it an address that nobody learns (observe.never_learn, learn_private)? */
bool reconcile_refused(const struct snp_conf *conf, const struct snp_addr *addr);

/*
 * The outcome for an address of that family that was learned. absent is the one for
 * those that were not found: reconcile_absent(), the same for all of them.
 */
enum fqdn_reconcile reconcile_absent(const struct snp_conf *conf, const struct reconcile_found *f);
enum fqdn_reconcile reconcile_judge(const struct reconcile_found *f, enum fqdn_reconcile absent,
				    const struct snp_addr *addr);

/*
 * The row of an address that a look-up gave, good until expiry_ns, lifetime_s by now.
 * had: the one that stands, or NULL. It keeps its origin, whatever that is, and what
 * else it knows.
 */
struct snp_fact reconcile_grant(const struct snp_fact *had, uint64_t expiry_ns, uint32_t lifetime_s,
				uint64_t now_ns);

/* Which types to ask for: of the families of its facts. Of a name without facts both. */
void reconcile_types(const struct fqdn_name *name, bool *v4, bool *v6);

/*
 * When to ask next. After news of a name: soon, some time later than others, but an
 * answer younger than RECONCILE_FRESH_NS does. After a failure: twice as long each
 * time, to RECONCILE_RETRY_MAX_NS. random: any 32 bits.
 */
#define RECONCILE_SOON_NS      (200ull * 1000000ull)
#define RECONCILE_FRESH_NS     (300ull * 1000000000ull)
#define RECONCILE_RETRY_NS     (1ull * 1000000000ull)
#define RECONCILE_RETRY_MAX_NS (60ull * 1000000000ull)
uint64_t reconcile_at_news(const struct fqdn_name *name, uint64_t now_ns, uint32_t random);
uint64_t reconcile_at_failure(unsigned int failures, uint64_t now_ns, uint32_t random);

/* Is there something about it that only a look-up tells? */
bool reconcile_is_open(const struct fqdn_name *name, uint64_t now_ns);

/*
 * When to renew what a look-up gave for ttl_s, which is not 0: after 75 to 90 % of that.
 * A TTL of 0 gives nothing that can be renewed, and is asked again like a failure.
 */
uint64_t reconcile_at_refresh(uint32_t ttl_s, uint64_t now_ns, uint32_t random);

/* There is news of a name that is to be renewed, and nothing was planned: soon, unless it was just asked for. */
#define RECONCILE_AGAIN_NS (5ull * 1000000000ull)
uint64_t reconcile_at_return(const struct fqdn_name *name, uint64_t now_ns, uint32_t random);

/*
 * The lifetime of a name after a look-up that gave ttl_s: the longest TTL of those
 * since a client last asked, for a server that has it in its cache gives what is left.
 * client_ns: when a client last asked.
 */
uint32_t reconcile_lifetime(const struct fqdn_name *name, uint32_t ttl_s, uint64_t client_ns);

/*
 * Is it to be renewed: did a client ask within RECONCILE_LIFETIMES of its lifetimes, of
 * a second at least? As long as look-ups gave none, its facts' longest counts. What the kernel could not read whole is as long as the kernel
 * does not tell of it again. row: the kernel's, of the name.
 */
#define RECONCILE_LIFETIMES 10
bool reconcile_is_wanted(const struct fqdn_name *name, const struct snp_name_row *row,
			 uint64_t now_ns);

/* A bucket of questions: rate a second, and no more than a tenth of a second's at once. */
struct reconcile_bucket {
	uint64_t filled_ns;
	int64_t tokens_ns; /* a question takes a second over rate; two at once may overdraw it */
};
bool reconcile_may_ask(struct reconcile_bucket *b, uint32_t rate, uint64_t now_ns);
void reconcile_asked(struct reconcile_bucket *b, uint32_t rate);

#endif
