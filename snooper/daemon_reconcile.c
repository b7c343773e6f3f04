/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_reconcile.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bpf/dns_load.h"
#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"
#include "snooper/daemon.h"
#include "snooper/io/resolver.h"

#define AT_ONCE	     256		/* look-ups under way */
#define PAUSE_AFTER  5			/* that failed in a row */
#define TCP_RETRY_NS (1 * SNP_NS_PER_S) /* what a client gets to ask again by itself */

/* One name being asked for. */
struct lookup {
	struct daemon *d;
	struct snp_name_key name;
	unsigned int waiting; /* answers to come, and one for who asks */
	bool grant, failed;
};

static uint32_t random32(void)
{
	uint32_t x = 0;

	if (getrandom(&x, sizeof(x), 0) != sizeof(x))
		x = (uint32_t)clock_boot_ns();
	return x;
}

/* How many may be under way: while nobody answers, one name tells whether that has changed. */
static unsigned int at_once(const struct reconciler *r)
{
	return r->failures >= PAUSE_AFTER ? 1 : AT_ONCE;
}

static void wake(struct daemon *d)
{
	struct reconciler *r = &d->reconciler;
	uint64_t now_ns = clock_boot_ns(), at_ns = fqdn_cache_ask_due(d->cache);
	struct timeval wait;

	if (at_ns == UINT64_MAX || resolver_pending(r->resolver) >= at_once(r))
		return; /* news, or an answer, wakes us */
	if (r->paused_until_ns > at_ns)
		at_ns = r->paused_until_ns;
	at_ns = at_ns > now_ns + SNP_NS_PER_MS ? at_ns - now_ns : SNP_NS_PER_MS;
	wait.tv_sec = at_ns / SNP_NS_PER_S;
	wait.tv_usec = at_ns % SNP_NS_PER_S / 1000;
	event_add(r->asking, &wait);
}

static void note_outcome(struct reconciler *r, enum fqdn_reconcile outcome)
{
	switch (outcome) {
	case FQDN_CONFIRMED:
		r->counts.confirmed++;
		break;
	case FQDN_UNCONFIRMED:
		r->counts.unconfirmed++;
		break;
	case FQDN_CONFLICT:
		r->counts.conflict++;
		break;
	default:
		break;
	}
}

/* The addresses of one family, each with its outcome. */
static void judge(struct daemon *d, const struct snp_name_key *key,
		  const struct reconcile_found *found, bool v4)
{
	struct fqdn_name name;

	if (!fqdn_cache_find(d->cache, key, &name))
		return;
	/* Judging changes no place of a fact. */
	for (uint32_t i = 0; i < name.n_facts; i++) {
		const struct snp_addr *addr = &name.facts[i].addr;
		enum fqdn_reconcile outcome;

		if (addr_is_v4(addr) != v4)
			continue;
		outcome = reconcile_judge(d->conf, found, addr);
		note_outcome(&d->reconciler, outcome);
		fqdn_cache_judge(d->cache, key, addr, outcome);
	}
}

static uint32_t clamp_ttl(const struct snp_conf *conf, uint32_t ttl_s)
{
	uint32_t min_s = conf->policy.min_ttl_ns / SNP_NS_PER_S;
	uint32_t max_s = conf->policy.max_ttl_ns / SNP_NS_PER_S;

	if (ttl_s < min_s)
		ttl_s = min_s;
	return ttl_s > max_s ? max_s : ttl_s;
}

/* A fact of the resolver's own. 0, or -errno: it is not written. */
static int grant_one(struct daemon *d, const struct snp_name_key *name, const struct snp_addr *addr,
		     uint32_t ttl_s, uint64_t now_ns)
{
	struct snp_fact_key key = {.name = *name, .addr = *addr};
	struct snp_fact row = {.expiry_ns = now_ns + ttl_s * SNP_NS_PER_S,
			       .first_seen_ns = now_ns,
			       .last_seen_ns = now_ns,
			       .ttl_s = ttl_s,
			       .origin = SNP_ORIGIN_RESOLVER};
	struct fqdn_fact fact = {.addr = *addr,
				 .granted_ns = row.expiry_ns,
				 .first_seen_ns = now_ns,
				 .last_seen_ns = now_ns,
				 .ttl_s = ttl_s,
				 .origin = SNP_ORIGIN_RESOLVER,
				 .reconcile = FQDN_CONFIRMED};
	struct snp_fact had;
	int r;

	if (reconcile_refused(d->conf, addr))
		return -EPERM;
	if (!maps_fact(d->maps, MAPS_GRANTED, &key, &had)) {
		row.first_seen_ns = had.first_seen_ns;
		if (had.expiry_ns > row.expiry_ns)
			row.expiry_ns = had.expiry_ns;
	}
	r = maps_grant(d->maps, &key, &row);
	if (r == 0)
		r = fqdn_cache_put(d->cache, name, &fact);
	return r < 0 ? r : 0;
}

static void
grant(struct daemon *d, const struct snp_name_key *name, const struct reconcile_found *found)
{
	uint32_t ttl_s = clamp_ttl(d->conf, found->ttl_s);
	uint64_t now_ns = clock_boot_ns();
	size_t most = d->conf->limits.addresses_per_name;

	for (size_t i = 0; i < found->n; i++) {
		if (i < most && grant_one(d, name, &found->addrs[i], ttl_s, now_ns) == 0)
			d->reconciler.counts.granted++;
		else
			d->reconciler.counts.refused++;
	}
}

/* Nobody answers: stop asking for a while, longer each time. An answer ends that. */
static void note_reply(struct daemon *d, bool failed)
{
	struct reconciler *r = &d->reconciler;
	uint64_t now_ns = clock_boot_ns();

	if (!failed) {
		if (r->failures >= PAUSE_AFTER)
			log_info("event=reconcile-answered failures=%u", r->failures);
		r->failures = r->pauses = 0;
		r->paused_until_ns = 0;
		return;
	}
	r->counts.no_reply++;
	if (++r->failures < PAUSE_AFTER || now_ns < r->paused_until_ns)
		return;
	if (r->failures == PAUSE_AFTER)
		log_warn("event=reconcile-unreachable failures=%u", r->failures);
	r->counts.paused++;
	r->paused_until_ns = reconcile_at_failure(r->pauses++, now_ns, random32());
}

/* When next? */
static void ask_again(struct daemon *d, const struct lookup *l)
{
	uint64_t now_ns = clock_boot_ns(), at_ns = UINT64_MAX;
	struct fqdn_name name;

	fqdn_cache_asked(d->cache, &l->name, now_ns, l->failed);
	if (!fqdn_cache_find(d->cache, &l->name, &name))
		return;
	if (l->failed)
		at_ns = reconcile_at_failure(name.failures, now_ns, random32());
	else if (l->grant)
		at_ns = reconcile_at_refresh(&name, now_ns, random32());
	/* News that came meanwhile may want it sooner. */
	if (at_ns < name.ask_ns)
		fqdn_cache_ask(d->cache, &l->name, at_ns);
}

static void one_less(struct lookup *l)
{
	if (--l->waiting)
		return;
	ask_again(l->d, l);
	if (l->d->reconciler.resolver)
		wake(l->d);
	free(l);
}

static void on_found(struct lookup *l, const struct reconcile_found *found, bool v4)
{
	bool failed = found->reply == RECONCILE_NO_REPLY;

	l->failed |= failed;
	if (!l->d->reconciler.resolver) { /* it is being closed: that says nothing */
		one_less(l);
		return;
	}
	note_reply(l->d, failed);
	judge(l->d, &l->name, found, v4);
	if (l->grant && found->reply == RECONCILE_ADDRESSES)
		grant(l->d, &l->name, found);
	one_less(l);
}

static void on_found4(void *ctx, const struct reconcile_found *found)
{
	on_found(ctx, found, true);
}

static void on_found6(void *ctx, const struct reconcile_found *found)
{
	on_found(ctx, found, false);
}

static void ask_type(struct lookup *l, const struct fqdn_name *name, uint16_t type)
{
	struct reconciler *r = &l->d->reconciler;
	resolver_fn fn = type == DNS_TYPE_A ? on_found4 : on_found6;

	l->waiting++;
	r->counts.lookups++;
	reconcile_asked(&r->bucket, l->d->conf->reconcile.rate);
	if (resolver_ask(r->resolver, name->wire, name->wire_len, type, fn, l) < 0) {
		l->failed = true;
		l->waiting--;
	}
}

/* What is found for it is written: it has to be renewed, or the kernel could not read it whole. */
static bool is_granted(const struct daemon *d, const struct fqdn_name *name)
{
	return name->partial || d->conf->reconcile.mode == SNP_RECONCILE_REFRESH;
}

/* name is borrowed from the cache, and asking may change that: what is needed of it is copied first. */
static void ask_name(struct daemon *d, const struct fqdn_name *in_cache)
{
	struct lookup *l = malloc(sizeof(*l));
	uint8_t wire[SNP_NAME_ROOM];
	struct fqdn_name name = *in_cache;
	bool v4, v6;

	if (!l) {
		fqdn_cache_ask(d->cache, &in_cache->key, clock_boot_ns() + SNP_NS_PER_S);
		return;
	}
	memcpy(wire, name.wire, name.wire_len);
	name.wire = wire;
	*l = (struct lookup){.d = d, .name = name.key, .waiting = 1, .grant = is_granted(d, &name)};
	reconcile_types(&name, &v4, &v6);
	if (v4 || l->grant)
		ask_type(l, &name, DNS_TYPE_A);
	if (v6 || l->grant)
		ask_type(l, &name, DNS_TYPE_AAAA);
	one_less(l);
}

static void on_asking(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct reconciler *r = &d->reconciler;
	uint64_t now_ns = clock_boot_ns();
	unsigned int rate = d->conf->reconcile.rate;
	struct fqdn_name name;

	while (now_ns >= r->paused_until_ns && resolver_pending(r->resolver) < at_once(r) &&
	       fqdn_cache_ask_due(d->cache) <= now_ns) {
		if (!reconcile_may_ask(&r->bucket, rate, now_ns)) {
			struct timeval wait = {.tv_usec = 1000 + 900000 / rate};

			event_add(r->asking, &wait);
			return;
		}
		if (fqdn_cache_next_ask(d->cache, now_ns, &name))
			ask_name(d, &name);
	}
	wake(d);
}

enum fqdn_reconcile daemon_reconcile_first(const struct daemon *d)
{
	return d->reconciler.resolver ? FQDN_PENDING : FQDN_OFF;
}

void daemon_reconcile_news(struct daemon *d, const struct snp_name_key *key)
{
	uint64_t now_ns = clock_boot_ns(), at_ns;
	struct fqdn_name name;

	if (!d->reconciler.resolver || !fqdn_cache_find(d->cache, key, &name))
		return;
	at_ns = reconcile_at_news(&name, now_ns, random32());
	if (is_granted(d, &name) && name.asked_ns) {
		uint64_t renew_ns = reconcile_at_refresh(&name, now_ns, random32());

		if (renew_ns < at_ns)
			at_ns = renew_ns;
	}
	if (name.partial && at_ns < now_ns + TCP_RETRY_NS)
		at_ns = now_ns + TCP_RETRY_NS;
	if (at_ns >= name.ask_ns)
		return;
	fqdn_cache_ask(d->cache, key, at_ns);
	wake(d);
}

bool daemon_reconcile_is_unreachable(const struct daemon *d)
{
	return d->reconciler.failures >= PAUSE_AFTER;
}

int daemon_reconcile_start(struct daemon *d)
{
	struct reconciler *r = &d->reconciler;
	int e;

	daemon_reconcile_stop(d);
	/* What waits to be asked goes on waiting, for the day it is switched on again. */
	if (d->conf->reconcile.mode == SNP_RECONCILE_OFF || !d->conf->reconcile.n_servers)
		return 0;
	r->asking = event_new(d->base, -1, 0, on_asking, d);
	if (!r->asking)
		return -ENOMEM;
	e = resolver_new(d->base, d->conf->reconcile.servers, d->conf->reconcile.n_servers,
			 &r->resolver);
	if (e < 0) {
		event_free(r->asking);
		r->asking = NULL;
		return e;
	}
	wake(d);
	return 0;
}

int daemon_reconcile_changed(struct daemon *d, const struct snp_conf *was)
{
	const struct snp_conf *now = d->conf;
	size_t size = now->reconcile.n_servers * sizeof(*now->reconcile.servers);

	if (was->reconcile.mode == now->reconcile.mode &&
	    was->reconcile.n_servers == now->reconcile.n_servers &&
	    !memcmp(was->reconcile.servers, now->reconcile.servers, size))
		return 0;
	if (d->scan.stage == SCAN_IDLE)
		d->scan.started_ns =
			0; /* the next tick reads the maps: what was off is pending, or the other way */
	return daemon_reconcile_start(d);
}

void daemon_reconcile_stop(struct daemon *d)
{
	struct reconciler *r = &d->reconciler;
	struct resolver *resolver = r->resolver;

	r->resolver = NULL;
	resolver_free(resolver);
	if (r->asking)
		event_free(r->asking);
	r->asking = NULL;
	r->failures = r->pauses = 0;
	r->paused_until_ns = 0;
}
