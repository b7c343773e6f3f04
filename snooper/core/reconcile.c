/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "snooper/core/text.h"

#define NS_PER_S 1000000000ull

static bool in_cidr(const struct snp_cidr *c, const struct snp_addr *a)
{
	unsigned int whole = c->prefix / 8, rest = c->prefix % 8;

	if (c->ipv6 == addr_is_v4(a) || memcmp(c->addr.b, a->b, whole) != 0)
		return false;
	return !rest || !((c->addr.b[whole] ^ a->b[whole]) >> (8 - rest));
}

bool reconcile_refused(const struct snp_conf *conf, const struct snp_addr *addr)
{
	for (size_t i = 0; i < conf->observe.n_never_learn; i++)
		if (in_cidr(&conf->observe.never_learn[i], addr))
			return true;
	for (size_t i = 0; !conf->observe.learn_private && i < SNP_PRIVATE_RANGES; i++)
		if (in_cidr(&snp_private_ranges[i], addr))
			return true;
	return false;
}

int reconcile_order(const void *addr, const void *other)
{
	return memcmp(addr, other, sizeof(struct snp_addr));
}

static bool only_refused(const struct snp_conf *conf, const struct reconcile_found *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!reconcile_refused(conf, &f->addrs[i]))
			return false;
	return f->n > 0;
}

enum fqdn_reconcile reconcile_absent(const struct snp_conf *conf, const struct reconcile_found *f)
{
	switch (f->reply) {
	case RECONCILE_NO_REPLY:
		return FQDN_UNREACHABLE;
	case RECONCILE_NO_NAME:
		return FQDN_CONFLICT;
	case RECONCILE_ADDRESSES:
		break;
	}
	return only_refused(conf, f) ? FQDN_CONFLICT : FQDN_UNCONFIRMED;
}

enum fqdn_reconcile reconcile_judge(const struct reconcile_found *f, enum fqdn_reconcile absent,
				    const struct snp_addr *addr)
{
	if (f->n && bsearch(addr, f->addrs, f->n, sizeof(*addr), reconcile_order))
		return FQDN_CONFIRMED;
	return absent;
}

struct snp_fact reconcile_grant(const struct snp_fact *had, uint64_t expiry_ns, uint32_t lifetime_s,
				uint64_t now_ns)
{
	struct snp_fact row = {.first_seen_ns = now_ns, .origin = SNP_ORIGIN_RESOLVER};

	if (had)
		row = *had;
	if (expiry_ns > row.expiry_ns)
		row.expiry_ns = expiry_ns;
	row.last_seen_ns = now_ns;
	row.ttl_s = lifetime_s;
	return row;
}

void reconcile_types(const struct fqdn_name *name, bool *v4, bool *v6)
{
	*v4 = *v6 = !name->n_facts;
	for (uint32_t i = 0; i < name->n_facts; i++)
		*(addr_is_v4(&name->facts[i].addr) ? v4 : v6) = true;
}

/* Somewhere from 0 to most, as random has it. */
static uint64_t part_of(uint64_t most, uint32_t random)
{
	return (most >> 16) * (random >> 16) + ((most & 0xffff) * (random >> 16) >> 16);
}

uint64_t reconcile_at_news(const struct fqdn_name *name, uint64_t now_ns, uint32_t random)
{
	uint64_t soon_ns = now_ns + part_of(RECONCILE_SOON_NS, random);

	/* An address that was not there when it was last asked for wants to be judged now. */
	if (name->asked_ns && !name->n_pending && name->asked_ns + RECONCILE_FRESH_NS > soon_ns)
		return name->asked_ns + RECONCILE_FRESH_NS + part_of(RECONCILE_SOON_NS, random);
	return soon_ns;
}

uint64_t reconcile_at_failure(unsigned int failures, uint64_t now_ns, uint32_t random)
{
	uint64_t wait_ns = RECONCILE_RETRY_MAX_NS;

	if (failures < 7 && RECONCILE_RETRY_NS << failures < wait_ns)
		wait_ns = RECONCILE_RETRY_NS << failures;
	return now_ns + wait_ns / 2 + part_of(wait_ns, random);
}

bool reconcile_is_open(const struct fqdn_name *name, uint64_t now_ns)
{
	return !name->asked_ns || name->failures || name->n_pending ||
	       name->asked_ns + RECONCILE_FRESH_NS <= now_ns;
}

uint64_t reconcile_at_refresh(uint32_t ttl_s, uint64_t now_ns, uint32_t random)
{
	uint64_t left_ns = ttl_s * NS_PER_S;

	return now_ns + left_ns / 4 * 3 + part_of(left_ns / 20 * 3, random);
}

uint64_t reconcile_at_return(const struct fqdn_name *name, uint64_t now_ns, uint32_t random)
{
	uint64_t least_ns = name->asked_ns + RECONCILE_AGAIN_NS;

	return (least_ns > now_ns ? least_ns : now_ns) + part_of(RECONCILE_SOON_NS, random);
}

/* The longest of its facts, or of those that are not the kernel's. */
static uint32_t longest_of(const struct fqdn_name *name, bool but_kernel)
{
	uint32_t ttl_s = 0;

	for (uint32_t i = 0; i < name->n_facts; i++)
		if (name->facts[i].ttl_s > ttl_s &&
		    !(but_kernel && name->facts[i].origin == SNP_ORIGIN_KERNEL))
			ttl_s = name->facts[i].ttl_s;
	return ttl_s;
}

uint32_t reconcile_lifetime(const struct fqdn_name *name, uint32_t ttl_s, uint64_t client_ns)
{
	uint32_t had_s = 0;

	if (!name->asked_ns)
		had_s = longest_of(name, true); /* of a daemon before us: reconcile_grant() */
	else if (client_ns <= name->asked_ns)
		had_s = name->lifetime_s;
	return ttl_s > had_s ? ttl_s : had_s;
}

bool reconcile_is_wanted(const struct fqdn_name *name, const struct snp_name_row *row,
			 uint64_t now_ns)
{
	uint64_t lifetime_s = name->lifetime_s ? name->lifetime_s : longest_of(name, false);
	uint64_t until_ns =
		row->last_seen_ns + RECONCILE_LIFETIMES * (lifetime_s ? lifetime_s : 1) * NS_PER_S;

	if (name->partial && until_ns < row->expiry_ns + SNP_REVIVE_AFTER_NS)
		until_ns = row->expiry_ns + SNP_REVIVE_AFTER_NS;
	return now_ns < until_ns;
}

bool reconcile_may_ask(struct reconcile_bucket *b, uint32_t rate, uint64_t now_ns)
{
	int64_t each_ns = NS_PER_S / rate;
	int64_t most_ns = each_ns < (int64_t)NS_PER_S / 10 ? (int64_t)NS_PER_S / 10 : each_ns;
	uint64_t passed_ns = now_ns - b->filled_ns;

	if (!b->filled_ns || passed_ns > 10 * NS_PER_S ||
	    b->tokens_ns + (int64_t)passed_ns > most_ns)
		b->tokens_ns = most_ns;
	else
		b->tokens_ns += (int64_t)passed_ns;
	b->filled_ns = now_ns;
	return b->tokens_ns >= each_ns;
}

void reconcile_asked(struct reconcile_bucket *b, uint32_t rate)
{
	b->tokens_ns -= NS_PER_S / rate;
}
