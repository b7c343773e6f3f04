/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_reload.c - the steps of a reload, on the worker's thread and on the loop's. */
#include "snooper/daemon_reload.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon_learn.h"
#include "snooper/daemon_policy_made.h"
#include "snooper/daemon_systemd.h"
#include "snooper/io/conf_reload.h"
#include "snooper/io/endpoints.h"
#include "snooper/rpc/grpc_tls.h"

#define WAIT_US 1000

struct reload {
	struct worker_job job; /* first: it is what run() and done() get */
	struct daemon *d;
	uint64_t number;       /* callers up to it wait for this one */
	struct snp_conf *conf; /* the next; once that is in force, the one before */
	struct grpc_tls *tls;
	struct endpoints *endpoints; /* with conf */
	struct policy_change policy;
	int r;
	bool is_read;	   /* the files had no errors */
	bool is_published; /* the second step was taken */
	struct endpoints_seen *seen;
	int renumbered; /* policy_renumber() */
	bool went_back;
	char *errors;		 /* they had; NULL: why */
	struct maps_problem why; /* it failed then */
	size_t to_drain; /* records and facts in the ring that may be older than the first step */
};

static void begin(struct daemon *d);

/* --- on the worker's thread --- */

static int publish(struct reload *l, enum policy_side side)
{
	int r = policy_change_publish(l->d, &l->policy, side);

	if (r)
		snprintf(l->why.text, sizeof(l->why.text), "policy: the kernel did not take it: %s",
			 strerror(-r));
	return r;
}

/* The first step is what was in force, said in other words: nothing to be undone. */
static void run_making(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	l->r = daemon_read_files(l->d, &l->conf, &l->policy.take, &l->tls, &l->errors);
	if (l->r)
		return;
	l->is_read = true;
	l->r = policy_change_prepare(l->d, l->conf, &l->policy, &l->why);
	if (!l->r)
		l->r = endpoints_new(l->d->maps, l->conf, daemon_policy_now(l->d).tables,
				     &l->endpoints, &l->why);
	if (!l->r && l->policy.has_step)
		l->r = publish(l, POLICY_BEFORE);
	if (l->r)
		policy_ground_back(l->d);
}

/* While the first step is in force: it knows the endpoints of both, so who leaves one for another is judged. */
static void run_publishing(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	l->seen = daemon_settle_look(l->d);
	l->r = publish(l, POLICY_NEXT);
	if (!l->r)
		daemon_settle_audit(l->d, l->seen);
}

/* After going back. No other generation comes: what was judged for their endpoints before is judged again. */
static void run_settling(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	l->seen = daemon_settle_look(l->d);
	if (l->seen && endpoints_moved(l->seen))
		l->renumbered = policy_renumber(l->d);
	daemon_settle_audit(l->d, l->seen);
}

static void reload_free(struct reload *l)
{
	endpoints_free(l->endpoints);
	endpoints_seen_free(l->seen);
	snp_conf_free(l->conf);
	grpc_tls_free(l->tls);
	policy_change_fini(&l->policy);
	free(l->errors);
	free(l);
}

/* What was replaced may be large: 10,000 selectors are as many allocations, and more. */
static void run_freeing(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	if (l->went_back)
		policy_ground_back(l->d);
	policy_change_fini(&l->policy);
	endpoints_free(snp_take(&l->endpoints));
}

/* --- on the loop's --- */

static void on_freed(struct worker_job *job)
{
	reload_free((struct reload *)job);
}

static void on_dropped(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	if (l->d->reload == l)
		l->d->reload = NULL;
	reload_free(l);
}

/* What cannot change while we run keeps its running value, and is named. */
static void tell_kept(const char *key, enum conf_reload how)
{
	if (how == CONF_RELOAD_UNINSTALL)
		log_warn("event=reload-kept key=%s needs=uninstall hint=\"the running value stays "
			 "until snooperd --uninstall and a start\"",
			 key);
	else
		log_warn("event=reload-kept key=%s needs=restart hint=\"the running value stays "
			 "until a restart\"",
			 key);
}

static void tell(const struct reload *l)
{
	if (!l->r)
		log_info("event=reloaded file=%s", l->d->conf_path);
	else if (l->is_read)
		log_err("event=reload-failed reason=\"%s\" hint=\"the running configuration "
			"stays\"",
			l->why.text);
	else
		log_err("event=reload-refused file=%s hint=\"the running configuration stays\"",
			l->d->conf_path);
}

static void finish(struct reload *l)
{
	struct daemon *d = l->d;

	tell(l);
	export_reloaded(d->export, l->number, l->r && !l->is_read ? -EINVAL : l->r,
			l->is_read && l->r ? l->why.text : l->errors);
	systemd_ready();
	d->policy.next = NULL;
	d->reload = NULL;
	l->job.run = run_freeing;
	l->job.done = on_freed;
	worker_ask(d->worker, &l->job);
	if (d->reload_again)
		begin(d);
}

static void swap(struct reload *l)
{
	struct daemon *d = l->d;
	struct snp_conf *conf = d->conf;
	struct endpoints *endpoints = d->endpoints;

	d->conf = l->conf;
	l->conf = conf;
	d->endpoints = l->endpoints;
	l->endpoints = endpoints;
}

/* What was read comes in force, as far as it may fail: its values, endpoints and attachments. */
static int apply(struct reload *l)
{
	struct daemon *d = l->d;
	int r;

	conf_reload_keep(d->conf, l->conf, tell_kept);
	swap(l);
	r = daemon_endpoints_in_force(d, l->endpoints, &l->why);
	if (!r)
		r = daemon_apply(d, &l->why);
	if (r)
		return r;
	r = daemon_reconcile_changed(d, l->conf);
	if (r)
		snprintf(l->why.text, sizeof(l->why.text), "cannot ask reconcile.servers: %s",
			 strerror(-r));
	return r;
}

/* The configuration and its attachments go back; policy is what it was. */
static void go_back(struct reload *l)
{
	struct daemon *d = l->d;
	struct maps_problem why;

	conf_reload_keep(l->conf, d->conf, NULL);
	swap(l);
	l->went_back = true;
	d->policy.next = NULL;
	strcpy(why.text, "reconcile.servers");
	if (daemon_reconcile_changed(d, l->conf) < 0 ||
	    daemon_endpoints_in_force(d, NULL, &why) < 0 || daemon_apply(d, &why) < 0)
		log_err("event=reload-not-undone reason=\"%s\"", why.text);
}

static void go_on_looking(struct daemon *d, suseconds_t us)
{
	struct timeval wait = {.tv_usec = us};

	event_add(d->looking, &wait);
}

static void on_settled(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;

	policy_renumbered(l->d, l->renumbered);
	daemon_settle_taken(l->d, snp_take(&l->seen));
	finish(l);
}

static void settle(struct reload *l)
{
	l->job.run = run_settling;
	l->job.done = on_settled;
	worker_ask(l->d->worker, &l->job);
}

static void on_published(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;
	struct daemon *d = l->d;

	daemon_settle_taken(d, snp_take(&l->seen));
	if (l->r) {
		go_back(l);
		settle(l);
		return;
	}
	l->is_published = true;
	policy_change_taken(d, &l->policy, POLICY_NEXT);
	if (l->tls)
		export_set_tls_take(d->export, snp_take(&l->tls));
	log_set_level((enum log_level)d->conf->log.level);
	if (l->policy.has_step || l->policy.nobody) {
		finish(l);
		return;
	}
	/* What was learned while nothing knew the next one's names. */
	daemon_policy_look_start(d);
	l->to_drain = daemon_news_most(d);
	go_on_looking(d, 0);
}

static void on_looking(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	struct reload *l = d->reload;

	if (daemon_news_is_old(d, &l->to_drain)) {
		go_on_looking(d, l->to_drain ? 0 : WAIT_US);
	} else if (daemon_policy_look_step(d)) {
		go_on_looking(d, 0);
	} else if (l->is_published) {
		finish(l);
	} else {
		l->job.run = run_publishing;
		l->job.done = on_published;
		worker_ask(d->worker, &l->job);
	}
}

static void on_made(struct worker_job *job)
{
	struct reload *l = (struct reload *)job;
	struct daemon *d = l->d;

	if (l->r) {
		finish(l);
		return;
	}
	if (l->policy.has_step)
		policy_change_taken(d, &l->policy, POLICY_BEFORE);
	l->r = apply(l);
	if (l->r) {
		go_back(l);
		settle(l); /* cgroups that were made meanwhile */
		return;
	}
	if (!l->policy.nobody)
		d->policy.next = &l->policy;
	l->to_drain = daemon_news_most(d);
	daemon_policy_look_start(d);
	go_on_looking(d, 0);
}

static void begin(struct daemon *d)
{
	struct reload *l = calloc(1, sizeof(*l));

	systemd_reloading();
	d->reload_again = false;
	if (!l) {
		log_err("event=reload-failed reason=\"out of memory\"");
		export_reloaded(d->export, d->reload_number, -ENOMEM, NULL);
		systemd_ready();
		return;
	}
	l->d = d;
	l->number = d->reload_number;
	l->job.run = run_making;
	l->job.done = on_made;
	l->job.drop = on_dropped;
	d->reload = l;
	worker_ask(d->worker, &l->job);
}

void daemon_reload(void *ctx, uint64_t number)
{
	struct daemon *d = ctx;

	if (number > d->reload_number)
		d->reload_number = number;
	if (d->reload)
		d->reload_again = true;
	else
		begin(d);
}

int daemon_reload_init(struct daemon *d)
{
	d->looking = event_new(d->base, -1, 0, on_looking, d);
	return d->looking ? 0 : -ENOMEM;
}

void daemon_reload_fini(struct daemon *d)
{
	if (d->looking)
		event_free(d->looking);
	if (d->reload)
		reload_free(d->reload);
}
