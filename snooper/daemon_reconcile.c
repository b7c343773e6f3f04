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
#include "snooper/daemon_grant.h"
#include "snooper/io/resolver.h"

#define AT_ONCE	     256		/* look-ups under way */
#define PAUSE_AFTER  5			/* that failed in a row */
#define TCP_RETRY_NS (1 * SNP_NS_PER_S) /* what a client gets to ask again by itself */

/* One name being asked for. */
struct lookup {
	struct daemon *d;
	struct snp_name_key name;
	unsigned int waiting;  /* answers to come, and one for who asks */
	bool answered, failed; /* for one type it was; for one, not, or with a TTL of 0 */
	bool grant;	       /* what is found is written */
	struct granting granting;
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

/* Asked, or answered and not written yet. */
static unsigned int under_way(const struct reconciler *r)
{
	return resolver_pending(r->resolver) + (unsigned int)r->grants.n;
}

/* Not put off by what comes later: there may be no end of that. */
static void ask_in(struct reconciler *r, uint64_t now_ns, uint64_t wait_ns)
{
	const struct timeval wait = {.tv_sec = wait_ns / SNP_NS_PER_S,
				     .tv_usec = wait_ns % SNP_NS_PER_S / 1000};

	if (event_pending(r->asking, EV_TIMEOUT, NULL) && r->asking_at_ns <= now_ns + wait_ns)
		return;
	r->asking_at_ns = now_ns + wait_ns;
	event_add(r->asking, &wait);
}

static void wake(struct daemon *d)
{
	struct reconciler *r = &d->reconciler;
	uint64_t now_ns = clock_boot_ns(), at_ns = fqdn_cache_ask_due(d->cache);

	if (at_ns == UINT64_MAX || under_way(r) >= at_once(r))
		return; /* news, or an answer, wakes us */
	if (r->paused_until_ns > at_ns)
		at_ns = r->paused_until_ns;
	ask_in(r, now_ns, at_ns > now_ns + SNP_NS_PER_MS ? at_ns - now_ns : SNP_NS_PER_MS);
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

/* The addresses of one family, each with its outcome. A name may have thousands. */
static void judge(struct daemon *d, const struct snp_name_key *key,
		  const struct reconcile_found *found, bool v4)
{
	enum fqdn_reconcile absent = reconcile_absent(d->conf, found);
	struct fqdn_name name;

	if (!fqdn_cache_find(d->cache, key, &name))
		return;
	/* Judging changes no place of a fact. */
	for (uint32_t i = 0; i < name.n_facts; i++) {
		const struct snp_addr *addr = &name.facts[i].addr;
		enum fqdn_reconcile outcome;

		if (addr_is_v4(addr) != v4)
			continue;
		outcome = reconcile_judge(found, absent, addr);
		note_outcome(&d->reconciler, outcome);
		fqdn_cache_judge(d->cache, key, addr, outcome);
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

/* May what is found for it be written: has it to be renewed, or could the kernel not read it whole? */
static bool may_grant(const struct daemon *d, const struct fqdn_name *name)
{
	return name->partial || (d->conf->reconcile.mode == SNP_RECONCILE_REFRESH &&
				 (name->needed || !daemon_policy_exists(d)));
}

static uint64_t sooner(uint64_t at_ns, uint64_t other_ns)
{
	return at_ns < other_ns ? at_ns : other_ns;
}

/* When next? */
static void ask_again(struct daemon *d, const struct lookup *l)
{
	uint64_t now_ns = clock_boot_ns(), at_ns = UINT64_MAX;
	struct fqdn_name name;

	if (!fqdn_cache_find(d->cache, &l->name, &name))
		return;
	fqdn_cache_asked(d->cache, &l->name, l->answered ? now_ns : 0, l->failed,
			 l->granting.lifetime_s ? l->granting.lifetime_s : name.lifetime_s);
	fqdn_cache_find(d->cache, &l->name, &name);
	if (l->failed)
		at_ns = reconcile_at_failure(name.failures, now_ns, random32());
	if (l->granting.ttl_s) {
		uint64_t refresh_ns =
			reconcile_at_refresh(l->granting.ttl_s, l->granting.since_ns, random32());

		/* Writing took longer than it would have lasted: not again at once. */
		if (!l->failed || refresh_ns > now_ns)
			at_ns = sooner(at_ns, refresh_ns);
	}
	/* It came to be wanted while it was only compared. */
	if (!l->grant && may_grant(d, &name))
		at_ns = sooner(at_ns, reconcile_at_return(&name, now_ns, random32()));
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

static void on_granted(void *ctx, bool all)
{
	struct lookup *l = ctx;

	l->failed |= !all;
	one_less(l);
}

static void on_found(struct lookup *l, const struct reconcile_found *found, bool v4)
{
	bool failed = found->reply == RECONCILE_NO_REPLY;

	l->failed |= failed;
	l->answered |= !failed;
	if (!l->d->reconciler.resolver) { /* it is being closed: that says nothing */
		one_less(l);
		return;
	}
	note_reply(l->d, failed);
	judge(l->d, &l->name, found, v4);
	if (l->grant)
		daemon_grant(l->d, &l->granting, found, on_granted, l);
	else
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

/* And do clients want it still? *client_ns: when one last asked. */
static bool is_granted(const struct daemon *d, const struct fqdn_name *name, uint64_t *client_ns)
{
	struct snp_name_row row;

	if (!may_grant(d, name) || maps_name(d->maps, &name->key, &row))
		return false;
	*client_ns = row.last_seen_ns;
	return reconcile_is_wanted(name, &row, clock_boot_ns());
}

/* Nothing is asked now: at_ns, or UINT64_MAX. */
static void ask_later(struct daemon *d, const struct fqdn_name *name, uint64_t at_ns)
{
	fqdn_cache_asked(d->cache, &name->key, 0, false, name->lifetime_s);
	if (at_ns < UINT64_MAX)
		fqdn_cache_ask(d->cache, &name->key, at_ns);
}

/* name is borrowed from the cache, and asking may change that: what is needed of it is copied first. */
static void ask_name(struct daemon *d, const struct fqdn_name *in_cache)
{
	uint8_t wire[SNP_NAME_ROOM];
	struct fqdn_name name = *in_cache;
	struct lookup *l;
	uint64_t client_ns = 0, now_ns = clock_boot_ns();
	bool v4, v6, grant = is_granted(d, &name, &client_ns);

	/* It was to be renewed, and nobody wants that any more. */
	if (!grant && !reconcile_is_open(&name, now_ns)) {
		ask_later(d, &name, UINT64_MAX);
		return;
	}
	l = malloc(sizeof(*l));
	if (!l) {
		ask_later(d, &name, now_ns + SNP_NS_PER_S);
		return;
	}
	memcpy(wire, name.wire, name.wire_len);
	name.wire = wire;
	*l = (struct lookup){.d = d,
			     .name = name.key,
			     .waiting = 1,
			     .grant = grant,
			     .granting = {.name = name.key, .client_ns = client_ns}};
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
	unsigned int left = AT_ONCE; /* some are not asked after all */
	struct fqdn_name name;

	while (left-- && now_ns >= r->paused_until_ns && under_way(r) < at_once(r) &&
	       fqdn_cache_ask_due(d->cache) <= now_ns) {
		if (!reconcile_may_ask(&r->bucket, rate, now_ns)) {
			ask_in(r, now_ns, SNP_NS_PER_MS + SNP_NS_PER_S / 10 * 9 / rate);
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
	if (may_grant(d, &name) && name.ask_ns == UINT64_MAX && !name.asking)
		at_ns = sooner(at_ns, reconcile_at_return(&name, now_ns, random32()));
	if (name.partial && at_ns < now_ns + TCP_RETRY_NS)
		at_ns = now_ns + TCP_RETRY_NS;
	if (at_ns >= name.ask_ns)
		return;
	fqdn_cache_ask(d->cache, key, at_ns);
	wake(d);
}

void daemon_reconcile_seen(struct daemon *d, const struct fqdn_name *name)
{
	struct reconciler *r = &d->reconciler;

	if (!r->resolver || !may_grant(d, name) || name->asking || name->ask_ns < UINT64_MAX ||
	    name->asked_ns > r->refresh_since_ns)
		return;
	fqdn_cache_ask(d->cache, &name->key, clock_boot_ns());
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
	if (!r->asking || daemon_grants_init(d) < 0) {
		daemon_reconcile_stop(d);
		return -ENOMEM;
	}
	e = resolver_new(d->base, d->conf->reconcile.servers, d->conf->reconcile.n_servers,
			 &r->resolver);
	if (e < 0) {
		daemon_reconcile_stop(d);
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
	if (was->reconcile.mode != now->reconcile.mode)
		d->reconciler.refresh_since_ns = clock_boot_ns();
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
	daemon_grants_fini(d);
	if (r->asking)
		event_free(r->asking);
	r->asking = NULL;
	r->failures = r->pauses = 0;
	r->paused_until_ns = 0;
}
