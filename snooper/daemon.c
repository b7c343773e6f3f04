/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon.c - builds the pipeline in data order, owns the loop, logs what the others return. */
#include "snooper/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"
#include "snooper/daemon_learn.h"
#include "snooper/daemon_lines.h"
#include "snooper/daemon_metrics.h"
#include "snooper/daemon_reload.h"
#include "snooper/daemon_systemd.h"
#include "snooper/io/confine.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/host_addrs.h"
#include "snooper/io/links.h"
#include "snooper/io/metrics_http.h"
#include "snooper/io/sock_destroy.h"

#define RING_TURN     256 /* records and their facts, taken in one turn of the loop */
#define DRAIN_MS      50
#define TICK_MS	      250
#define SCAN_EVERY_NS (15 * SNP_NS_PER_S)
#define RETRY_NS      (10 * SNP_NS_PER_S) /* attachments that failed */
#define TURN_MAX_NS   (10 * SNP_NS_PER_MS)
#define STOP_WAIT_MS  3000 /* for what the worker is at */

/* After a reading that found something, look again soon: the kernel wakes us rarely. */
static void take_news(struct daemon *d)
{
	struct timeval soon = {.tv_usec = DRAIN_MS * 1000};
	int r;

	r = maps_ring_consume(d->maps, RING_TURN);
	if (r < 0 && r != -EAGAIN)
		log_warn("event=ring-read-failed errno=%d", -r);
	if (r == -EAGAIN)
		soon.tv_usec = 0;
	if (r || verdict_log_is_watched(d->verdicts))
		event_add(d->drain, &soon);
}

static void on_ring(evutil_socket_t fd, short what, void *ctx)
{
	take_news(ctx);
}

static void on_scanning(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct timeval now = {0};

	if (daemon_scan_step(d))
		event_add(d->scanning, &now);
	else
		log_debug("event=scan-done names=%zu addresses=%zu collected=%" PRIu64
			  " put_back=%" PRIu64,
			  fqdn_cache_names(d->cache), fqdn_cache_facts(d->cache), d->scan.collected,
			  d->scan.put_back);
}

static void start_scan(struct daemon *d)
{
	struct timeval now = {0};

	daemon_scan_start(d);
	event_add(d->scanning, &now);
}

void daemon_scan_for_lost(struct daemon *d)
{
	d->scan.for_lost = true;
	start_scan(d);
}

/* Note which counters grew. Returns how many news records the ring lost since the last look. */
static uint64_t note_growth(struct daemon *d, uint64_t now_ns)
{
	uint64_t stats[SNP_STAT_MAX], lost;

	if (maps_stats(d->maps, stats))
		return 0;
	for (unsigned int i = 0; i < SNP_STAT_MAX; i++)
		if (stats[i] != d->stats[i])
			d->grew_ns[i] = now_ns;
	lost = stats[SNP_STAT_RING_LOST] - d->stats[SNP_STAT_RING_LOST];
	memcpy(d->stats, stats, sizeof(stats));
	return lost;
}

/*
 * Have the kernel side look for the proxy as a client would: connecting a UDP
 * socket sends nothing, and runs the program that keeps the proxy's state.
 */
static int look_at(const struct snp_endpoint *p)
{
	bool v4 = addr_is_v4(&p->addr);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(p->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(p->port)};
	SNP_CLEANUP(snp_closep)
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int mark = SNP_PROBE_MARK;

	/* Without its mark it would count as a client's question, and be sent past a dead proxy. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return -errno;
	in.sin_addr.s_addr = p->addr.w[3];
	memcpy(&in6.sin6_addr, &p->addr, sizeof(in6.sin6_addr));
	/* Unreachable from here: clients' own looks count. */
	(void)!connect(fd, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof(in) : sizeof(in6));
	return 0;
}

/* Each failure is counted, and the first of a row logged; want of descriptors is told elsewhere. */
static void look_at_proxies(struct daemon *d)
{
	int r = 0;

	for (size_t i = 0; i < d->conf->proxy.n_addresses; i++) {
		int e = look_at(&d->conf->proxy.addresses[i]);

		if (e < 0)
			d->proxy_looks.failed++;
		if (e == -EMFILE || e == -ENFILE)
			d->not_looked++;
		else if (e < 0)
			r = e;
	}
	if (r < 0 && !d->proxy_looks.fails)
		log_warn("event=proxy-look-failed errno=%d hint=\"that a proxy died is seen when "
			 "the next client asks\"",
			 -r);
	d->proxy_looks.fails = r < 0;
}

/* The proxy's cgroup is made anew when its service restarts: follow it. */
static void follow_proxy_cgroup(struct daemon *d, uint64_t now_ns)
{
	struct maps_problem why;
	uint64_t id = 0;
	uint32_t level;

	if (!d->conf->proxy.cgroup || links_cgroup(d->conf->proxy.cgroup, &id, &level) < 0 ||
	    id == d->proxy_cgroup_id || now_ns < d->attach_again_ns)
		return;
	/* A reload attaches, too. */
	if (d->reload)
		return;
	log_info("event=proxy-cgroup path=%s id=%" PRIu64, d->conf->proxy.cgroup, id);
	d->attach_again_ns = 0;
	if (daemon_apply(d, &why) < 0) {
		log_err("event=attach-failed reason=\"%s\"", why.text);
		d->attach_again_ns = clock_boot_ns() + RETRY_NS;
	}
}

/* On time: no later than a tick, and no sooner than a turn of the loop. */
static void on_expiring(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	uint64_t next_ns = daemon_expire(d), now_ns = clock_boot_ns();
	struct timeval wait = {.tv_usec = TICK_MS * 1000};

	if (next_ns < now_ns + TICK_MS * SNP_NS_PER_MS)
		wait.tv_usec = next_ns > now_ns ? (next_ns - now_ns) / 1000 + 1000 : 1000;
	event_add(d->expiring, &wait);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	uint64_t now_ns = clock_boot_ns(), lost = note_growth(d, now_ns);
	bool scan = lost || now_ns - d->scan.started_ns > SCAN_EVERY_NS;

	/* Nobody is woken for refusals, and they must not fill the ring. */
	take_news(d);
	endpoints_count(d->endpoints, d->maps, scan);
	if (lost)
		log_warn("event=ring-lost lost=%" PRIu64
			 " hint=\"state is kept, reading the maps again; raise limits.ring\"",
			 lost);
	if (scan) {
		daemon_untrusted_look(d, d->stats, now_ns);
		if (lost)
			daemon_scan_for_lost(d);
		else
			start_scan(d);
	}
	follow_proxy_cgroup(d, now_ns);
	daemon_settle_missed(d, now_ns);
	daemon_policy_follow(d, now_ns);
	look_at_proxies(d);
	daemon_note_shortages(d, now_ns);
}

static void on_reload(evutil_socket_t fd, short what, void *ctx)
{
	daemon_reload(ctx, 0);
}

static void on_stop(evutil_socket_t sig, short what, void *ctx)
{
	struct daemon *d = ctx;

	log_info("event=stopping signal=%d", (int)sig);
	event_base_loopbreak(d->base);
}

/* A loop that turns comes here in time; nothing else may say that we are alive. */
static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	systemd_alive();
}

static int add_event(struct daemon *d, struct event **ev, evutil_socket_t fd, short what,
		     event_callback_fn fn, unsigned int period_ms)
{
	struct timeval period = {.tv_sec = period_ms / 1000, .tv_usec = period_ms % 1000 * 1000};

	*ev = event_new(d->base, fd, what, fn, d);
	if (!*ev)
		return -ENOMEM;
	/* Timers without a period are armed when there is something to wait for. */
	if (fd < 0 && !period_ms)
		return 0;
	return event_add(*ev, period_ms ? &period : NULL) ? -ENOMEM : 0;
}

/* What seccomp forbids to open later. */
static void open_netlink(struct daemon *d)
{
	int r = host_addrs_open();

	if (r < 0)
		log_warn("event=host-addresses-missing errno=%d hint=\"toEntities knows none of "
			 "this host\"",
			 -r);
	d->policy.destroy_fd = sock_destroy_open();
	if (d->policy.destroy_fd < 0)
		log_warn("event=sock-destroy-missing errno=%d hint=\"a connection that policy ends "
			 "is left to its own time-out\"",
			 -d->policy.destroy_fd);
}

static int start_loop(struct daemon *d)
{
	unsigned int watchdog_ms = (unsigned int)(systemd_watchdog_us() / 1000);
	int r = maps_ring_start(d->maps, daemon_news, daemon_verdict, d);

	maps_ring_cuts(d->maps, daemon_policy_cut);
	open_netlink(d);
	if (!r)
		r = add_event(d, &d->drain, -1, 0, on_ring, 0);
	if (!r)
		r = add_event(d, &d->scanning, -1, 0, on_scanning, 0);
	if (!r)
		r = add_event(d, &d->expiring, -1, 0, on_expiring, 0);
	if (!r)
		r = daemon_reload_init(d);
	if (!r)
		r = add_event(d, &d->ring, maps_ring_fd(d->maps), EV_READ | EV_PERSIST, on_ring, 0);
	if (!r)
		r = add_event(d, &d->tick, -1, EV_PERSIST, on_tick, TICK_MS);
	if (!r)
		r = add_event(d, &d->watchdog, -1, EV_PERSIST, on_watchdog, watchdog_ms);
	if (!r)
		r = add_event(d, &d->sighup, SIGHUP, EV_SIGNAL | EV_PERSIST, on_reload, 0);
	if (!r)
		r = add_event(d, &d->sigterm, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop, 0);
	if (!r)
		r = add_event(d, &d->sigint, SIGINT, EV_SIGNAL | EV_PERSIST, on_stop, 0);
	return r;
}

/* The directory of the socket, when it is not there: /run is empty after a boot. */
static void make_socket_dir(const char *path)
{
	SNP_CLEANUP(snp_freep)
	char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (slash && slash != dir) {
		*slash = 0;
		if (mkdir(dir, 0755) && errno != EEXIST)
			log_warn("event=mkdir-failed path=%s errno=%d", dir, errno);
	}
}

static int start_export(struct daemon *d)
{
	const struct export_source source = {
		.list = daemon_list,
		.watch_open = daemon_watch_open,
		.watch_next = daemon_watch_next,
		.watch_close = daemon_watch_close,
		.why = daemon_why,
		.policy = daemon_policy_show,
		.verdicts = daemon_verdicts,
		.status = daemon_status,
		.reload = daemon_reload,
		.ctx = d,
	};
	int r;

	make_socket_dir(d->conf->export.socket);
	r = export_new(d->base, d->conf->export.socket, d->conf->export.socket_group, &source,
		       &d->export);
	if (r == -ESRCH)
		log_err("event=export-failed key=export.socket_group reason=\"no such group: %s\"",
			d->conf->export.socket_group);
	else if (r < 0)
		log_err("event=export-failed key=export.socket path=%s reason=\"%s\"",
			d->conf->export.socket, strerror(-r));
	if (r < 0)
		return r;
	export_audit(d->export, daemon_audit, d);
	return daemon_listen(d);
}

static void uninstall(const struct daemon *d)
{
	struct maps_problem why;

	if (d->maps && !d->conf->state.keep_on_stop &&
	    maps_uninstall(maps_directory(d->maps), &why) < 0)
		log_warn("event=uninstall-failed reason=\"%s\"", why.text);
}

static void fini(struct daemon *d)
{
	struct event **events[] = {&d->ring,   &d->drain,   &d->tick,	&d->scanning, &d->expiring,
				   &d->sighup, &d->sigterm, &d->sigint, &d->watchdog};
	int r;

	metrics_http_free(d->metrics);
	export_free(d->export);
	r = worker_free(d->worker, STOP_WAIT_MS);
	uninstall(d);
	if (r) {
		log_warn("event=stopped-within-reload waited_ms=%d hint=\"a file is being read "
			 "still, or a policy compiled\"",
			 STOP_WAIT_MS);
		return; /* with all that it looks at */
	}
	daemon_reconcile_stop(d);
	daemon_reload_fini(d);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (*events[i])
			event_free(*events[i]);
	daemon_policy_fini(d);
	verdict_log_free(d->verdicts);
	free(d->verdict_rows);
	endpoints_free(d->endpoints);
	maps_close(d->maps);
	fqdn_cache_free(d->cache);
	if (d->base)
		event_base_free(d->base);
	snp_conf_free(d->conf);
	free(d);
	libevent_global_shutdown();
}

static int start(struct daemon *d, struct policy_change *c, struct maps_problem *why)
{
	int r = maps_open(d->conf, &d->maps, why);

	if (r < 0)
		return r;
	/* Twice the facts: what the maps hold, learned and granted. */
	d->cache = fqdn_cache_new(d->conf->limits.names, 2 * (size_t)d->conf->limits.facts);
	d->base = event_base_new();
	d->verdicts = verdict_log_new();
	if (!d->cache || !d->base || !d->verdicts || start_loop(d) < 0) {
		strcpy(why->text, "cannot start the loop");
		return -ENOMEM;
	}
	r = daemon_apply_first(d, c, why);
	if (r < 0)
		return r;
	r = daemon_reconcile_start(d);
	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "cannot ask reconcile.servers: %s",
			 strerror(-r));
		return r;
	}
	daemon_untrusted_start(d);
	note_growth(d, clock_boot_ns());
	memset(d->grew_ns, 0, sizeof(d->grew_ns));
	/* Whole before we say that we are ready: every name learned meanwhile. */
	daemon_scan_start(d);
	while (daemon_scan_step(d))
		;
	daemon_policy_look_start(d);
	while (daemon_policy_look_step(d))
		;
	r = daemon_applied(d, c, why);
	if (r < 0)
		return r;
	while (endpoints_count(d->endpoints, d->maps, true))
		;
	on_expiring(-1, 0, d);
	why->text[0] = 0;
	r = start_export(d);
	return r < 0 ? r : daemon_metrics_start(d);
}

/*
 * Turn by turn, each with the time on the CPU that it took: whatever waits for its turn
 * waits as long as the longest.
 */
static void run_loop(struct daemon *d)
{
	uint64_t began_ns = clock_cpu_ns(), now_ns;

	while (!event_base_got_break(d->base) && event_base_loop(d->base, EVLOOP_ONCE) == 0) {
		daemon_tell_changes(d);
		now_ns = clock_cpu_ns();
		if (now_ns - began_ns > d->turns.longest_ns)
			d->turns.longest_ns = now_ns - began_ns;
		if (now_ns - began_ns > TURN_MAX_NS) {
			d->turns.slow++;
			log_debug("event=slow-turn took_us=%" PRIu64, (now_ns - began_ns) / 1000);
		}
		began_ns = now_ns;
		d->turns.n++;
	}
}

int daemon_run(const char *conf_path, struct snp_conf *conf_take, struct policy *policy_take)
{
	/* Not of this function: the worker's thread may outlive it. */
	struct daemon *d = calloc(1, sizeof(*d));
	struct maps_problem why = {.text = ""};
	SNP_CLEANUP(policy_change_fini)
	struct policy_change policy = {.take = policy_take};
	int r;

	if (!d) {
		snp_conf_free(conf_take);
		log_err("event=start-failed reason=\"out of memory\"");
		return 1;
	}
	d->conf_path = conf_path;
	d->conf = conf_take;
	signal(SIGPIPE, SIG_IGN);
	/* Tables as large as limits.names allow are used a page here and there: of huge ones all would be resident. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	log_set_level((enum log_level)conf_take->log.level);
	d->started_ns = clock_boot_ns();
	r = start(d, &policy, &why);
	policy_change_fini(&policy);
	if (!r)
		r = confine_privileges();
	/* Between the two: it has no more rights than we, and making threads is no call of the list. */
	if (!r)
		r = worker_new(d->base, &d->worker);
	if (!r)
		confine_calls();
	if (r < 0) {
		if (why.text[0])
			log_err("event=start-failed reason=\"%s\"", why.text);
		fini(d);
		return why.kernel ? 6 : 1;
	}
	log_info("event=ready version=%s adopted=%s names=%zu addresses=%zu took_ms=%" PRIu64,
		 SNP_VERSION, maps_adopted(d->maps) ? "yes" : "no", fqdn_cache_names(d->cache),
		 fqdn_cache_facts(d->cache),
		 (uint64_t)((clock_boot_ns() - d->started_ns) / SNP_NS_PER_MS));
	systemd_ready();
	run_loop(d);
	systemd_stopping();
	fini(d);
	return 0;
}
