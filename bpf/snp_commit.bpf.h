/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_commit.bpf.h - write what a walked message says: names, facts, news.
 *
 * Most messages repeat what is known, and only move expiries (renew_addr()). Otherwise: what policy makes of the
 * name, the chain's names, then each address; none of those that are never learned.
 */
#ifndef SNP_COMMIT_BPF_H
#define SNP_COMMIT_BPF_H

#include "bpf/snp_commit_fact.bpf.h"
#include "bpf/snp_commit_tell.bpf.h"
#include "bpf/snp_grant.bpf.h"
#include "bpf/snp_pkt.bpf.h"

#define SNP_UNREAD_NS (60 * NS_PER_S) /* how long a name without facts is kept for the daemon */

/*
 * Does any entry of never_learn hold the address? The first byte rules nearly
 * all out. The loops have no branch: the verifier multiplies those by the
 * caller's loop. Bit 63 of x | -x is set unless x is 0.
 */
static __always_inline int never_learned(const struct snp_kconf *conf, const struct snp_addr *a)
{
	__u64 none = ~0ull, x;
	__u32 i;

	if (addr_is_v4(a)) {
		if (!(conf->first4[a->b[12] >> 6] >> (a->b[12] & 63) & 1))
			return 0;
		for (i = 0; i < SNP_NEVER_MAX; i++) {
			x = (a->w[3] & conf->never4[i].mask) ^ conf->never4[i].addr;
			none &= x | -x;
		}
	} else {
		if (!(conf->first6[a->b[0] >> 6] >> (a->b[0] & 63) & 1))
			return 0;
		for (i = 0; i < SNP_NEVER_MAX; i++) {
			x = ((a->q[0] & conf->never6[i].mask[0]) ^ conf->never6[i].addr[0]) |
			    ((a->q[1] & conf->never6[i].mask[1]) ^ conf->never6[i].addr[1]);
			none &= x | -x;
		}
	}
	return !(none >> 63);
}

static __always_inline __u32 clamp_ttl(const struct snp_kconf *conf, __u32 ttl_s)
{
	if (ttl_s < conf->min_ttl_s)
		ttl_s = conf->min_ttl_s;
	return ttl_s > conf->max_ttl_s ? conf->max_ttl_s : ttl_s;
}

/* Address i of the message into the slot's key. 0, or -1: it is never learned. */
static __always_inline int take_addr(struct commit *c, __u32 i, __u32 *ttl_s)
{
	struct snp_scratch_slot *slot = c->slot;
	struct dns_walk *w = &slot->walk;
	const struct dns_addr *a = &w->addrs[i & (DNS_ADDRS_MAX - 1)];
	const __u8 *from = w->msg + (a->off & 0xffff);

	if (a->len == 4) {
		addr_from_v4(&slot->key.addr, *(const __be32 *)from);
	} else {
		slot->key.addr.q[0] = dns_word(from);
		slot->key.addr.q[1] = dns_word(from + 8);
		/* ::ffff:0:0/96 in an AAAA is its own forbidden range, not the IPv4 address. */
		if (addr_is_v4(&slot->key.addr))
			return -1;
	}
	*ttl_s = clamp_ttl(c->conf, a->ttl_s);
	return never_learned(c->conf, &slot->key.addr) ? -1 : 0;
}

/* One address of the message. Called by bpf_loop(). */
static long commit_addr(__u32 i, struct commit *c)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_event *e = &slot->event;
	__u32 ttl_s, n;
	__u64 expiry_ns;
	struct snp_fact *row;
	int news;

	if (take_addr(c, i, &ttl_s)) {
		snp_count(SNP_STAT_REBIND);
		return 0;
	}
	expiry_ns = slot->now_ns + ttl_s * NS_PER_S;
	row = bpf_map_lookup_elem(&snp_learned, &slot->key);
	if (row) {
		news = fact_renew(c, row, expiry_ns, ttl_s);
	} else {
		if (fact_new(c, expiry_ns, ttl_s))
			return 0;
		news = 1;
	}
	slot->kept++;
	if (slot->sole)
		grant_all(slot, expiry_ns);
	if (!news)
		return 0;
	n = e->nfacts;
	if (n >= SNP_EVENT_FACTS)
		return 0;
	e->facts[n].addr = slot->key.addr;
	e->facts[n].expiry_ns = expiry_ns;
	e->nfacts = n + 1;
	if (n + 1 == SNP_EVENT_FACTS)
		ring_tell(c);
	return 0;
}

/*
 * One address of a message that may bring nothing new: renew the row in place.
 * Returns 1, which ends the loop, at the first that is news of any kind; then
 * the whole message is committed. What was renewed by then stays as it is.
 */
static long renew_addr(__u32 i, struct commit *c)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_fact *row;
	__u64 expiry_ns;
	__u32 ttl_s;

	if (take_addr(c, i, &ttl_s))
		return 1;
	row = bpf_map_lookup_elem(&snp_learned, &slot->key);
	expiry_ns = slot->now_ns + ttl_s * NS_PER_S;
	if (!row || row->chain != (slot->chain & 0xffff) || row->generation != slot->generation ||
	    row->identity == SNP_IDENTITY_MANY ||
	    slot->now_ns >= row->expiry_ns + SNP_REVIVE_AFTER_NS ||
	    expiry_ns >= row->announced_ns + worth_telling(ttl_s))
		return 1;
	row->last_seen_ns = slot->now_ns;
	if (expiry_ns > row->expiry_ns) {
		later(&row->expiry_ns, expiry_ns);
		row->ttl_s = ttl_s;
		snp_count(SNP_STAT_FACTS_RENEWED);
	}
	/* Also where another CPU moved the expiry, and has not come to this yet. */
	if (row->identity)
		grant(slot, row->identity, grant_end_ms(slot, expiry_ns));
	slot->kept++;
	return 0;
}

/* The chain from the question: each name points at its CNAME target. */
static __attribute__((noinline)) int commit_chain(struct commit *c, __u64 expiry_ns)
{
	struct dns_walk *w = &c->slot->walk;
	struct snp_name_row *row, *next;
	__u32 i;

	row = name_row(c, 0, expiry_ns);
	if (!row)
		return -1;
	c->name = row;
	row->truncated = c->slot->partial;
	for (i = 1; i <= DNS_CHAIN_MAX && i <= w->depth; i++) {
		next = name_row(c, i, expiry_ns);
		if (!next)
			break;
		row->alias_id = w->hash[i & (DNS_NAMES - 1)];
		row->alias_expiry_ns = expiry_ns;
		row = next;
	}
	if (c->slot->sole && !w->n_addrs && row != c->name)
		inherit_all(c->slot, row,
			    c->slot->now_ns + clamp_ttl(c->conf, w->ttl_s) * NS_PER_S);
	return 0;
}

/* Tells one chain from another, and a truncated answer from a whole one, nearly always. */
static __always_inline __u32 chain_tag(const struct dns_walk *w, __u32 partial)
{
	__u64 end = w->depth ? w->hash[w->depth & (DNS_NAMES - 1)] : 0;

	return (end >> 17 ^ w->depth ^ partial << 8) & 0xffff;
}

/*
 * How long names hold that are written now: an eighth longer than the facts, for
 * renewals that are no news move a fact by up to a tenth, and leave its name alone.
 */
static __always_inline __u64 names_expiry(const struct snp_scratch_slot *slot,
					  const struct snp_kconf *conf)
{
	const struct dns_walk *w = &slot->walk;
	__u64 ttl_s = clamp_ttl(conf, w->n_addrs ? w->longest_s : w->ttl_s);

	return slot->now_ns + (ttl_s + ttl_s / 8 + 2) * NS_PER_S;
}

static __always_inline void commit_key(struct snp_scratch_slot *slot)
{
	slot->key.name.id = slot->walk.hash[0];
	slot->key.name.scope = slot->scope;
	slot->key.name.reserved = 0;
	slot->event.nfacts = 0;
	slot->unread = 0;
}

/* The question was ours, and its answer could not be read: note the name, and say so once. */
static __always_inline void commit_unread(struct snp_scratch_slot *slot, struct snp_kconf *conf)
{
	struct commit c = {.slot = slot, .conf = conf};
	struct snp_name_row *row;

	commit_key(slot);
	slot->partial = 1;
	row = name_row(&c, 0, slot->now_ns + SNP_UNREAD_NS);
	if (!row || row->truncated)
		return;
	row->truncated = 1;
	slot->unread = 1;
	ring_tell(&c);
}

/* Everything the walked message of the slot says. How many addresses stand in the maps now. */
static __always_inline __u32 commit_message(struct snp_scratch_slot *slot, struct snp_kconf *conf)
{
	struct dns_walk *w = &slot->walk;
	struct commit c = {.slot = slot, .conf = conf};
	__u32 n = w->n_addrs;

	slot->kept = 0;
	slot->partial = w->truncated || w->too_many;
	slot->chain = chain_tag(w, slot->partial);
	commit_key(slot);
	if (!n && !w->depth) {
		if (slot->partial) /* TC=1 and nothing in it */
			commit_unread(slot, conf);
		return 0;
	}
	if (n > DNS_ADDRS_MAX)
		n = DNS_ADDRS_MAX;
	/* A busy host repeats itself: most messages end here. */
	if (!grants_by_time(slot)) {
		bpf_loop(n, renew_addr, &c, 0);
		if (n && slot->kept == n)
			return n;
	}
	slot->kept = 0;
	if (commit_policy(slot))
		return 0;
	if (commit_chain(&c, names_expiry(slot, conf)))
		return 0;
	bpf_loop(n, commit_addr, &c, 0);
	slot->unread = !n && slot->partial;
	ring_tell(&c);
	return slot->kept;
}

#endif
