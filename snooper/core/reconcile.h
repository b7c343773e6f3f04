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
	uint32_t ttl_s; /* the least along the chain and of all */
	const struct snp_addr *addrs;
	size_t n;
};

/* Is it an address that nobody learns (observe.never_learn, learn_private)? */
bool reconcile_refused(const struct snp_conf *conf, const struct snp_addr *addr);

/* The outcome for an address of that family that was learned. */
enum fqdn_reconcile reconcile_judge(const struct snp_conf *conf, const struct reconcile_found *f,
				    const struct snp_addr *addr);

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

/*
 * When to renew a name before its first address ends: after 75 to 90 % of what is
 * left. UINT64_MAX: not again, since no client asked for RECONCILE_LIFETIMES of its
 * lifetimes.
 */
#define RECONCILE_LIFETIMES 10
uint64_t reconcile_at_refresh(const struct fqdn_name *name, uint64_t now_ns, uint32_t random);

/* A bucket of questions: rate a second, and no more than a tenth of a second's at once. */
struct reconcile_bucket {
	uint64_t filled_ns;
	int64_t tokens_ns; /* a question takes a second over rate; two at once may overdraw it */
};
bool reconcile_may_ask(struct reconcile_bucket *b, uint32_t rate, uint64_t now_ns);
void reconcile_asked(struct reconcile_bucket *b, uint32_t rate);

#endif
