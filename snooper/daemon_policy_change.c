/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_change.c - another policy comes in force: prepared on any thread, taken note of on the loop's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/snp_endpoint.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/daemon_policy_made.h"
#include "snooper/io/maps_policy.h"

int policy_change_refuse(struct maps_problem *why, int r, const char *text)
{
	snprintf(why->text, sizeof(why->text), "policy: %s: %s", text, strerror(-r));
	return r;
}

/* --- preparing --- */

/* That we know, and can say again in other words. */
static bool has_policy(const struct daemon_policy *p)
{
	return p->policy || p->locked;
}

/* The one in force as it was, and the endpoints that only the next configuration has. */
static int inputs(const struct daemon *d, const struct snp_conf *conf, struct policy_change *c,
		  struct policy_ground ground[static POLICY_SIDES], struct maps_problem *why)
{
	const struct daemon_policy *p = &d->policy;
	int r = policy_ground_init(&ground[POLICY_NEXT], d, conf, c->locked, why);

	if (!r)
		r = policy_ground_init(&ground[POLICY_BEFORE], d, d->conf, p->locked, why);
	if (!r)
		r = policy_ground_join(&ground[POLICY_BEFORE], &ground[POLICY_NEXT], why);
	if (r)
		return r;
	c->generation[POLICY_BEFORE] = p->generation + 1;
	c->generation[POLICY_NEXT] = p->generation + (has_policy(p) || p->in_force ? 2 : 1);
	ground[POLICY_BEFORE].in.policy = p->policy;
	ground[POLICY_NEXT].in.policy = c->take;
	for (size_t i = 0; i < POLICY_SIDES; i++) {
		ground[i].in.generation = c->generation[i];
		ground[i].in.host = c->host;
		ground[i].in.n_host = c->n_host;
	}
	return 0;
}

static int put_into_kernel(struct policy_change *c, enum policy_side side, struct maps_problem *why)
{
	int fd = policy_made_put(&c->made, c->made.tables[side], c->made.n_tables[side]);

	if (fd < 0)
		return policy_change_refuse(why, fd, "the kernel did not take it");
	c->fd[side] = fd;
	return 0;
}

static int make(const struct daemon *d, const struct snp_conf *conf,
		struct policy_ground ground[static POLICY_SIDES], struct policy_change *c,
		struct maps_problem *why)
{
	const struct daemon_policy *p = &d->policy;
	bool had_one = has_policy(p);
	struct policy_refusal refusal;
	int r = policy_change_make(p->made.ids, had_one ? &ground[POLICY_BEFORE].in : NULL,
				   &ground[POLICY_NEXT].in, &c->made, &refusal);

	if (r)
		return policy_change_refuse(why, r, refusal.text);
	/* There is one that we do not know, an earlier snooperd's. */
	if (!had_one && p->in_force) {
		r = policy_made_beside(d, conf, c);
		if (r && r != -E2BIG)
			return policy_change_refuse(why, r, "what was in force before");
	}
	c->has_step = c->made.tables[POLICY_BEFORE] != NULL;
	if (p->in_force && !c->has_step)
		log_warn("event=policy-swapped-at-once reason=\"both policies do not fit "
			 "together\"");
	if (c->has_step)
		r = put_into_kernel(c, POLICY_BEFORE, why);
	return r ? r : put_into_kernel(c, POLICY_NEXT, why);
}

int policy_change_prepare(const struct daemon *d, const struct snp_conf *conf,
			  struct policy_change *c, struct maps_problem *why)
{
	struct policy_ground ground[POLICY_SIDES] = {{.endpoints = NULL}};
	int r;

	c->began_ns = clock_boot_ns();
	/* Nobody is judged, nothing is left out: no generation, no cost. */
	c->nobody = !conf->n_endpoints && conf->observe.names_all && !d->policy.policy;
	if (c->nobody)
		return 0;
	r = policy_host_read(d, &c->host, &c->n_host);
	r = r < 0 ? policy_change_refuse(why, r, "this host's addresses")
		  : inputs(d, conf, c, ground, why);
	if (!r)
		r = make(d, conf, ground, c, why);
	for (size_t i = 0; i < POLICY_SIDES; i++)
		policy_ground_fini(&ground[i]);
	return r;
}

int policy_change_publish(const struct daemon *d, const struct policy_change *c,
			  enum policy_side side)
{
	if (c->nobody)
		return maps_policy_withdraw(d->maps);
	return maps_policy_publish(d->maps, c->fd[side]);
}

void policy_change_fini(struct policy_change *c)
{
	policy_free(c->take);
	policy_free(c->old);
	policy_made_fini(&c->made);
	policy_made_fini(&c->old_made);
	free(c->host);
	for (size_t i = 0; i < POLICY_SIDES; i++)
		if (c->fd[i] > 0)
			close(c->fd[i]);
	*c = (struct policy_change){.take = NULL};
}

/* --- taking note --- */

static void take_made(struct daemon_policy *p, struct policy_change *c)
{
	struct snp_addr *host = p->host;

	if (!c->made.ids)
		return; /* with the first step */
	c->old_made = p->made;
	p->made = c->made;
	c->made = (struct policy_made){.ids = NULL};
	p->host = c->host;
	p->n_host = c->n_host;
	c->host = host;
}

static void is_replaced(struct daemon_policy *p, struct policy_change *c)
{
	c->old = p->policy;
	p->policy = snp_take(&c->take);
	p->locked = c->locked;
	p->unread = false;
	p->loaded_ns = clock_boot_ns();
	p->load_took_ns = p->loaded_ns - c->began_ns;
}

void policy_change_taken(struct daemon *d, struct policy_change *c, enum policy_side side)
{
	struct daemon_policy *p = &d->policy;

	if (c->nobody) {
		p->in_force = 0;
		p->unread = p->locked = false;
		return;
	}
	take_made(p, c);
	p->side = side;
	p->in_force = p->generation = c->generation[side];
	if (side == POLICY_BEFORE)
		return;
	match_tables_fini(&p->made.beside);
	is_replaced(p, c);
	log_info("event=policy generation=%u specs=%zu selectors=%zu mode=%s locked=%s",
		 p->generation, p->policy ? p->policy->n_specs : 0, p->made.names.of[POLICY_NEXT],
		 daemon_mode_names[d->conf->policy.mode], p->locked ? "yes" : "no");
}

int policy_renumber(const struct daemon *d)
{
	const struct daemon_policy *p = &d->policy;
	size_t n = p->made.n_tables[p->side];
	SNP_CLEANUP(snp_freep)
	uint8_t *tables = NULL;
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	int r;

	if (!p->in_force || p->unread)
		return 0;
	tables = malloc(n);
	if (!tables)
		return -ENOMEM;
	memcpy(tables, p->made.tables[p->side], n);
	((struct snp_policy_head *)tables)->generation = p->generation + 1;
	fd = policy_made_put(&p->made, tables, n);
	if (fd < 0)
		return fd;
	r = maps_policy_publish(d->maps, fd);
	return r ? r : 1;
}

void policy_renumbered(struct daemon *d, int r)
{
	struct daemon_policy *p = &d->policy;

	if (r < 0)
		log_err("event=policy-not-renumbered reason=\"%s\" hint=\"cgroups have come to "
			"other endpoints: what their sockets began before goes on\"",
			strerror(-r));
	if (r <= 0)
		return;
	p->in_force = ++p->generation;
	((struct snp_policy_head *)p->made.tables[p->side])->generation = p->generation;
	log_info("event=policy generation=%u reason=endpoints", p->generation);
}
