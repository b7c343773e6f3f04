/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_follow.c - this host's own addresses as they change; connections that policy ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"
#include "snooper/daemon_policy_made.h"
#include "snooper/io/maps_policy.h"
#include "snooper/io/sock_destroy.h"

#define FOLLOW_EVERY_NS (5 * SNP_NS_PER_S)

/* The policy in force, for other addresses of ours: names and automata stay. */
struct following {
	struct worker_job job;
	struct daemon *d;
	struct snp_addr *host;
	size_t n_host;
	uint32_t generation;
	uint8_t *tables;
	size_t n_tables;
	int changed; /* 1; 0; -errno, with why */
	struct policy_refusal why;
};

static int compile(struct following *f)
{
	struct daemon *d = f->d;
	struct daemon_policy *p = &d->policy;
	SNP_CLEANUP(policy_ground_fini)
	struct policy_ground ground;
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	struct maps_problem why = {.text = ""};
	int r = policy_ground_init(&ground, d, d->conf, p->locked, &why);

	if (r) {
		snprintf(f->why.text, sizeof(f->why.text), "%.200s", why.text);
		return r;
	}
	ground.in.policy = p->policy;
	ground.in.host = f->host;
	ground.in.n_host = f->n_host;
	ground.in.generation = f->generation;
	/* What names give out is numbered already: nothing is added to the numbers. */
	r = policy_change_tables(&p->made, &ground.in, &f->tables, &f->n_tables, &f->why);
	if (r)
		return r;
	strcpy(f->why.text, "the kernel did not take it");
	fd = policy_made_put(&p->made, f->tables, f->n_tables);
	return fd < 0 ? fd : maps_policy_publish(d->maps, fd);
}

static void run(struct worker_job *job)
{
	struct following *f = (struct following *)job;
	int r;

	strcpy(f->why.text, "this host's addresses");
	f->changed = policy_host_read(f->d, &f->host, &f->n_host);
	if (f->changed <= 0)
		return;
	r = compile(f);
	if (r)
		f->changed = r;
}

static void drop(struct worker_job *job)
{
	struct following *f = (struct following *)job;

	free(f->host);
	free(f->tables);
	free(f);
}

/* The addresses are those that were, so that they have changed the next time, too. */
static void not_followed(struct daemon_policy *p, const struct following *f)
{
	p->not_followed++;
	if (f->changed != p->follow_error)
		log_err("event=policy-not-followed reason=\"%s: %s\" hint=\"it is tried again\"",
			f->why.text, strerror(-f->changed));
}

static void done(struct worker_job *job)
{
	struct following *f = (struct following *)job;
	struct daemon_policy *p = &f->d->policy;
	struct snp_addr *host = p->host;
	uint8_t *tables = p->made.tables[p->side];

	if (f->changed > 0) {
		p->host = f->host;
		p->n_host = f->n_host;
		p->made.tables[p->side] = f->tables;
		p->made.n_tables[p->side] = f->n_tables;
		p->in_force = p->generation = f->generation;
		f->host = host;
		f->tables = tables;
		log_info("event=policy generation=%u reason=addresses n=%zu", p->generation,
			 p->n_host);
	} else if (f->changed < 0) {
		not_followed(p, f);
	}
	p->follow_error = f->changed < 0 ? f->changed : 0;
	p->is_following = false;
	drop(job);
}

void daemon_policy_follow(struct daemon *d, uint64_t now_ns)
{
	struct daemon_policy *p = &d->policy;
	struct following *f;

	/* A reload reads them itself. */
	if (!p->policy || d->reload || p->is_following || now_ns - p->followed_ns < FOLLOW_EVERY_NS)
		return;
	p->followed_ns = now_ns;
	f = calloc(1, sizeof(*f));
	if (!f)
		return;
	f->job.run = run;
	f->job.done = done;
	f->job.drop = drop;
	f->d = d;
	f->generation = p->generation + 1;
	p->is_following = true;
	worker_ask(d->worker, &f->job);
}

void daemon_policy_cut(void *ctx, const struct snp_event_cut *cut)
{
	struct daemon *d = ctx;
	struct daemon_policy *p = &d->policy;

	if (p->destroy_fd > 0 && !sock_destroy(p->destroy_fd, cut))
		p->cut++;
	else
		p->not_cut++;
}
