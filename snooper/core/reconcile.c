/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/reconcile.h"

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

static bool has(const struct reconcile_found *f, const struct snp_addr *addr)
{
	for (size_t i = 0; i < f->n; i++)
		if (!memcmp(&f->addrs[i], addr, sizeof(*addr)))
			return true;
	return false;
}

static bool only_refused(const struct snp_conf *conf, const struct reconcile_found *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!reconcile_refused(conf, &f->addrs[i]))
			return false;
	return f->n > 0;
}

enum fqdn_reconcile reconcile_judge(const struct snp_conf *conf, const struct reconcile_found *f,
				    const struct snp_addr *addr)
{
	switch (f->reply) {
	case RECONCILE_NO_REPLY:
		return FQDN_UNREACHABLE;
	case RECONCILE_NO_NAME:
		return FQDN_CONFLICT;
	case RECONCILE_ADDRESSES:
		break;
	}
	if (has(f, addr))
		return FQDN_CONFIRMED;
	return only_refused(conf, f) ? FQDN_CONFLICT : FQDN_UNCONFIRMED;
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
	bool judged = name->asked_ns != 0;

	/* An address that was not there when it was last asked for wants to be judged now. */
	for (uint32_t i = 0; i < name->n_facts && judged; i++)
		judged = name->facts[i].reconcile != FQDN_PENDING;
	if (judged && name->asked_ns + RECONCILE_FRESH_NS > soon_ns)
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

uint64_t reconcile_at_refresh(const struct fqdn_name *name, uint64_t now_ns, uint32_t random)
{
	uint64_t end_ns = UINT64_MAX, seen_ns = 0, left_ns;
	uint32_t ttl_s = 0;

	for (uint32_t i = 0; i < name->n_facts; i++) {
		const struct fqdn_fact *f = &name->facts[i];
		uint64_t until_ns = f->expiry_ns > f->granted_ns ? f->expiry_ns : f->granted_ns;

		if (until_ns < end_ns)
			end_ns = until_ns;
		/* Asked by a client: what the kernel learned. */
		if (f->expiry_ns && f->last_seen_ns > seen_ns)
			seen_ns = f->last_seen_ns;
		if (f->ttl_s > ttl_s)
			ttl_s = f->ttl_s;
	}
	if (!seen_ns || seen_ns + RECONCILE_LIFETIMES * ttl_s * NS_PER_S <= now_ns)
		return UINT64_MAX;
	left_ns = end_ns > now_ns + NS_PER_S ? end_ns - now_ns : NS_PER_S;
	return now_ns + left_ns / 4 * 3 + part_of(left_ns / 20 * 3, random);
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
