/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_commit.bpf.h - write what a walked message says: names, facts, news.
 *
 * Rows are written in place only until SNP_REVIVE_AFTER_NS past their expiry;
 * later they are replaced whole. The daemon collects them no sooner than
 * SNP_COLLECT_AFTER_NS, so no write ever lands in a row that was collected and
 * given to another key.
 */
#ifndef SNP_COMMIT_BPF_H
#define SNP_COMMIT_BPF_H

#include "bpf/snp_grant.bpf.h"
#include "bpf/snp_pkt.bpf.h"
#include "bpf/snp_scratch.bpf.h"
#include "bpf/snp_tally.bpf.h"

#define SNP_UNREAD_NS (60 * NS_PER_S) /* how long a name without facts is kept for the daemon */

/*
 * What a commit works with: pointers only. All that changes is in the slot, in
 * map memory, or the verifier would follow each address as a state of its own.
 */
struct commit {
	struct snp_scratch_slot *slot;
	struct snp_kconf *conf;
	struct snp_name_row *name; /* row of the question's name */
};

/* Move *to forward to at; another CPU may be at it as well. */
static __always_inline void later(__u64 *to, __u64 at)
{
	__u64 seen = *to, had;
	__u32 i;

	for (i = 0; i < 3; i++) {
		if (seen >= at)
			return;
		had = __sync_val_compare_and_swap(to, seen, at);
		if (had == seen)
			return;
		seen = had;
	}
}

/* A name seen for the first time counts against its asker's quota. 0, or -1: refused. */
static __always_inline int name_add(struct commit *c, const struct snp_name_key *key)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_tally_key *t = &slot->names_of;
	__u64 *names;
	long r;

	t->id[0] = slot->cgroup_id;
	t->id[1] = 0;
	t->scope = 0;
	t->kind = SNP_TALLY_CGROUP_NAMES;
	if (tally_room(t, c->conf->per_endpoint, SNP_STAT_QUOTA, &names))
		return -1;
	r = bpf_map_update_elem(&snp_names, key, &slot->name, BPF_NOEXIST);
	if (r == -17 /* EEXIST: another CPU was first */)
		return 0;
	if (!r && !tally_add(t, names))
		return 0;
	if (!r)
		bpf_map_delete_elem(&snp_names, key);
	snp_count(SNP_STAT_NAMES_FULL);
	return -1;
}

/* What a new row says of names[i] of the walk; had: the row that it replaces, or NULL. */
static __always_inline struct snp_name_row *
name_fresh(struct commit *c, __u32 i, __u64 expiry_ns, const struct snp_name_row *had)
{
	struct dns_walk *w = &c->slot->walk;
	struct snp_name_row *fresh = &c->slot->name;
	const __u8 *wire = dns_name(w, i);
	__u32 j;

	fresh->first_seen_ns = had ? had->first_seen_ns : c->slot->now_ns;
	fresh->last_seen_ns = c->slot->now_ns;
	fresh->expiry_ns = expiry_ns;
	fresh->alias_id = 0;
	fresh->alias_expiry_ns = 0;
	for (j = 0; j < SNP_INHERITED; j++)
		fresh->inherited[j] = had ? had->inherited[j] : 0;
	fresh->cgroup_id = had ? had->cgroup_id : c->slot->cgroup_id;
	fresh->added = had ? had->added : 0;
	fresh->wire_len = w->name_len[i & (DNS_NAMES - 1)];
	fresh->truncated = 0;
	for (j = 0; j < sizeof(fresh->wire); j += 8)
		dns_put_word(fresh->wire + j, dns_word(wire + j));
	return fresh;
}

/*
 * The row of names[i] of the walk, made if need be, good until expiry_ns at
 * least. NULL: refused, and counted. Not inlined: called for a name and its targets.
 */
static __attribute__((noinline)) struct snp_name_row *
name_row(struct commit *c, __u32 i, __u64 expiry_ns)
{
	struct snp_scratch_slot *slot = c->slot;
	struct dns_walk *w = &slot->walk;
	struct snp_name_key key = {.scope = slot->key.name.scope};
	__u32 len = w->name_len[i & (DNS_NAMES - 1)] & 0xff;
	struct snp_name_row *row;

	key.id = w->hash[i & (DNS_NAMES - 1)];
	row = bpf_map_lookup_elem(&snp_names, &key);
	if (row) {
		if (row->wire_len != len || !dns_same_name(row->wire, dns_name(w, i), len)) {
			snp_count(SNP_STAT_COLLISION);
			return NULL;
		}
		if (slot->now_ns < row->expiry_ns + SNP_REVIVE_AFTER_NS) {
			row->last_seen_ns = slot->now_ns;
			later(&row->expiry_ns, expiry_ns);
			return row;
		}
	}
	name_fresh(c, i, expiry_ns, row);
	/* One that the daemon collects at this very moment is a new one. */
	if (!row || bpf_map_update_elem(&snp_names, &key, &slot->name, BPF_EXIST)) {
		slot->name.cgroup_id = slot->cgroup_id;
		slot->name.added = 0;
		if (name_add(c, &key))
			return NULL;
	}
	return bpf_map_lookup_elem(&snp_names, &key);
}

/* The three tallies of the fact at hand, in the slot: the stack is short. */
static __always_inline void tallies_of(struct snp_scratch_slot *slot)
{
	struct snp_tally_key *t = &slot->by_name;

	t->id[0] = slot->key.name.id;
	t->id[1] = 0;
	t->scope = slot->key.name.scope;
	t->kind = SNP_TALLY_NAME;
	t = &slot->by_addr;
	t->addr = slot->key.addr;
	t->scope = slot->key.name.scope;
	t->kind = SNP_TALLY_ADDR;
	t = &slot->by_cgroup;
	t->id[0] = slot->cgroup_id;
	t->id[1] = 0;
	t->scope = 0;
	t->kind = SNP_TALLY_CGROUP;
}

/* A fact seen for the first time: caps, then the row. 0 when it stands. */
static __attribute__((noinline)) int fact_new(struct commit *c, __u64 expiry_ns, __u32 ttl_s)
{
	struct snp_scratch_slot *slot = c->slot;
	struct snp_kconf *conf = c->conf;
	struct snp_name_row *name = c->name;
	struct snp_fact *fact = &slot->fact;
	__u64 *by_cgroup, *by_addr;
	long r;

	tallies_of(slot);
	fact->expiry_ns = expiry_ns;
	fact->announced_ns = expiry_ns;
	fact->first_seen_ns = slot->now_ns;
	fact->last_seen_ns = slot->now_ns;
	fact->cgroup_id = slot->cgroup_id;
	fact->ttl_s = ttl_s;
	fact->origin = SNP_ORIGIN_KERNEL;
	fact->chain = slot->chain;
	fact->generation = slot->generation;
	fact->identity = slot->sole;
	if (tally_held(&slot->by_name, name->added, conf->addresses_per_name) >=
	    conf->addresses_per_name) {
		snp_count(SNP_STAT_NAME_CAP);
		return -1;
	}
	if (tally_room(&slot->by_cgroup, conf->per_endpoint, SNP_STAT_QUOTA, &by_cgroup) ||
	    tally_room(&slot->by_addr, conf->names_per_address, SNP_STAT_ADDR_CAP, &by_addr))
		return -1;
	r = bpf_map_update_elem(&snp_learned, &slot->key, fact, BPF_NOEXIST);
	if (r == -17 /* EEXIST: another CPU was first */)
		return 0;
	if (r)
		goto full;
	if (tally_add(&slot->by_cgroup, by_cgroup))
		goto uncounted;
	if (tally_add(&slot->by_addr, by_addr)) {
		tally_take_back(&slot->by_cgroup);
		goto uncounted;
	}
	__sync_fetch_and_add(&name->added, 1);
	snp_count(SNP_STAT_FACTS_NEW);
	return 0;
uncounted:
	bpf_map_delete_elem(&snp_learned, &slot->key);
full:
	snp_count(SNP_STAT_MAP_FULL);
	return -1;
}

/* By how much an expiry must have moved since it was last told, to be told again. */
static __always_inline __u64 worth_telling(__u32 ttl_s)
{
	__u64 tenth = (__u64)ttl_s * (NS_PER_S / 10);

	return tenth < NS_PER_S ? NS_PER_S : tenth;
}

/* A fact that is there: move its expiry. Returns 1 when that is news. */
static __always_inline int
fact_renew(struct commit *c, struct snp_fact *row, __u64 expiry_ns, __u32 ttl_s)
{
	__u64 announced = row->announced_ns;

	if (c->slot->now_ns >= row->expiry_ns + SNP_REVIVE_AFTER_NS) {
		struct snp_fact *whole = &c->slot->fact;

		*whole = *row;
		whole->expiry_ns = expiry_ns;
		whole->announced_ns = expiry_ns;
		whole->last_seen_ns = c->slot->now_ns;
		whole->ttl_s = ttl_s;
		whole->chain = c->slot->chain;
		whole->generation = c->slot->generation;
		whole->identity = c->slot->sole;
		if (bpf_map_update_elem(&snp_learned, &c->slot->key, whole, BPF_EXIST))
			return fact_new(c, expiry_ns, ttl_s) ? 0 : 1;
		snp_count(SNP_STAT_FACTS_RENEWED);
		return 1;
	}
	row->last_seen_ns = c->slot->now_ns;
	row->chain = c->slot->chain;
	row->identity = c->slot->sole;
	row->generation = c->slot->generation;
	if (expiry_ns <= row->expiry_ns)
		return 0;
	later(&row->expiry_ns, expiry_ns);
	row->ttl_s = ttl_s;
	snp_count(SNP_STAT_FACTS_RENEWED);
	if (expiry_ns < announced + worth_telling(ttl_s))
		return 0;
	/* Of two CPUs that find it worth telling, one tells. */
	return __sync_val_compare_and_swap(&row->announced_ns, announced, expiry_ns) == announced;
}

/* Wake the reader when it has slept long, or much waits; in between it looks by a timer of its own. */
static __always_inline __u64 ring_wake(const struct commit *c)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&snp_wake, &zero);

	if (!last)
		return BPF_RB_FORCE_WAKEUP;
	if (c->slot->now_ns - *last < 50000000ull &&
	    bpf_ringbuf_query(&snp_ring, BPF_RB_AVAIL_DATA) < c->conf->ring_wake_bytes)
		return BPF_RB_NO_WAKEUP;
	*last = c->slot->now_ns;
	return BPF_RB_FORCE_WAKEUP;
}

/* Tell the facts in the slot's event; with unread, though there are none. */
static __attribute__((noinline)) int ring_tell(struct commit *c)
{
	struct snp_event *e = &c->slot->event;
	__u32 n = e->nfacts;

	if ((!n && !c->slot->unread) || n > SNP_EVENT_FACTS)
		return 0;
	e->ts_ns = c->slot->now_ns;
	e->name = c->slot->key.name;
	e->cgroup_id = c->slot->cgroup_id;
	e->version = SNP_EVENT_VERSION;
	e->flags = c->slot->partial ? SNP_EVENT_PARTIAL : 0;
	e->nfacts = n;
	if (bpf_ringbuf_output(&snp_ring, e, SNP_EVENT_BYTES(n), ring_wake(c)))
		snp_count(SNP_STAT_RING_LOST);
	else
		snp_count(SNP_STAT_RING_RECORDS);
	e->nfacts = 0;
	return 0;
}

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
		if (row->identity)
			grant(slot, row->identity, grant_end_ms(slot, expiry_ns));
	}
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
