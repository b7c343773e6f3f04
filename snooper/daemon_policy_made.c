/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_policy_made.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/policy_beside.h"
#include "snooper/daemon.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/host_addrs.h"
#include "snooper/io/maps_endpoints.h"
#include "snooper/io/maps_policy.h"

static int no_memory(struct maps_problem *why)
{
	strcpy(why->text, "policy: out of memory");
	return -ENOMEM;
}

static int numbers_of(const struct daemon *d, const struct snp_conf *conf, uint32_t *numbers,
		      struct maps_problem *why)
{
	if (conf != d->conf)
		return endpoints_give_numbers(d->maps, conf, daemon_policy_now(d).tables, numbers,
					      why);
	for (size_t i = 0; i < conf->n_endpoints; i++)
		numbers[i] = endpoints_number(d->endpoints, i);
	return 0;
}

void policy_ground_back(const struct daemon *d)
{
	SNP_CLEANUP(snp_freep)
	uint32_t *numbers = calloc(d->conf->n_endpoints + 1, sizeof(*numbers));
	struct maps_problem why = {.text = "out of memory"};

	if (!numbers ||
	    endpoints_give_numbers(d->maps, d->conf, daemon_policy_now(d).tables, numbers, &why))
		log_warn("event=endpoints-not-kept reason=\"%s\" hint=\"until the next reload "
			 "those in "
			 "force count as gone\"",
			 why.text);
}

int policy_ground_init(struct policy_ground *g, const struct daemon *d, const struct snp_conf *conf,
		       bool locked, struct maps_problem *why)
{
	size_t n = conf->n_endpoints;
	SNP_CLEANUP(snp_freep)
	uint32_t *numbers = calloc(n + 1, sizeof(*numbers));
	int r = numbers ? numbers_of(d, conf, numbers, why) : no_memory(why);

	*g = (struct policy_ground){
		.endpoints = r ? NULL : calloc(n + 1, sizeof(*g->endpoints)),
		.locked = locked,
	};
	if (r || !g->endpoints)
		return r ? r : no_memory(why);
	for (size_t i = 0; i < n; i++)
		g->endpoints[i] = (struct policy_endpoint){
			.number = numbers[i],
			.labels = conf->endpoints[i].labels,
			.n_labels = conf->endpoints[i].n_labels,
			.locked = locked,
		};
	g->in = (struct policy_input){
		.endpoints = g->endpoints,
		.n_endpoints = n,
		.mode = (enum snp_policy_mode_k)conf->policy.mode,
		.grace_ns = conf->policy.grace_ns,
		.idle_ns = conf->policy.live_flow_idle_ns,
		.matched_only = !conf->observe.names_all,
	};
	return 0;
}

int policy_ground_join(struct policy_ground *g, const struct policy_ground *other,
		       struct maps_problem *why)
{
	bool has[SNP_ENDPOINTS_MAX] = {false};
	struct policy_endpoint *all = reallocarray(
		g->endpoints, g->in.n_endpoints + other->in.n_endpoints + 1, sizeof(*all));

	if (!all)
		return no_memory(why);
	g->in.endpoints = g->endpoints = all;
	for (size_t i = 0; i < g->in.n_endpoints; i++)
		has[SNP_ENDPOINT_PLACE(all[i].number)] = true;
	for (size_t i = 0; i < other->in.n_endpoints; i++)
		if (!has[SNP_ENDPOINT_PLACE(other->endpoints[i].number)]) {
			all[g->in.n_endpoints] = other->endpoints[i];
			all[g->in.n_endpoints++].locked = g->locked;
		}
	return 0;
}

void policy_ground_fini(struct policy_ground *g)
{
	free(g->endpoints);
}

int policy_host_read(const struct daemon *d, struct snp_addr **host, size_t *n)
{
	size_t had = d->policy.n_host;
	int r;

	*host = calloc(had + 1, sizeof(**host));
	if (!*host)
		return -ENOMEM;
	if (had)
		memcpy(*host, d->policy.host, had * sizeof(**host));
	*n = had;
	r = host_addrs_read(host, n);
	return r < 0 ? 0 : r;
}

int policy_made_put(const struct policy_made *m, const uint8_t *tables, size_t n)
{
	const struct snp_policy_head *head = (const struct snp_policy_head *)tables;
	struct maps_generation g = {.tables = {tables, n}, .n_banks = head->n_banks};
	SNP_CLEANUP(snp_freep)
	uint8_t *kept = NULL;
	int r = policy_ids_save(m->ids, &kept, &g.kept.len);

	if (r)
		return r;
	g.kept.bytes = kept;
	for (size_t i = 0; i < g.n_banks; i++) {
		const struct match_bank *b = i < m->automata.n_banks
						     ? &m->automata.banks[i]
						     : &m->beside.banks[i - m->automata.n_banks];

		g.banks[i] = (struct maps_bytes){b->region, b->bytes};
	}
	return maps_policy_make(&g);
}

/* Those of conf's endpoints that have no glob in force, by number. */
static int
strangers_of(const struct daemon *d, const struct snp_conf *conf, uint32_t *numbers, size_t *n)
{
	bool is_in_force[SNP_ENDPOINTS_MAX] = {false};
	struct maps_problem why;
	int r = numbers_of(d, conf, numbers, &why);

	if (!r)
		r = maps_globs_in_force(d->maps, is_in_force);
	for (size_t i = 0; i < conf->n_endpoints && !r; i++)
		if (!is_in_force[SNP_ENDPOINT_PLACE(numbers[i])])
			numbers[(*n)++] = numbers[i];
	return r;
}

int policy_made_beside(const struct daemon *d, const struct snp_conf *conf, struct policy_change *c)
{
	SNP_CLEANUP(snp_freep)
	uint32_t *strangers = calloc(conf->n_endpoints + 1, sizeof(*strangers));
	SNP_CLEANUP(policy_earlier_fini)
	struct policy_earlier was = {.tables = daemon_policy_now(d).tables, .strangers = strangers};
	uint32_t n_banks = snp_policy_head(was.tables)->n_banks;
	int r = strangers ? strangers_of(d, conf, strangers, &was.n_strangers) : -ENOMEM;

	for (uint32_t i = 0; i < n_banks && i < SNP_MATCH_BANKS && !r; i++)
		r = maps_policy_region(d->maps, SNP_POLICY_BANK + i, &was.banks[i]);
	return r ? r : policy_beside(&c->made, &was, c->generation[POLICY_BEFORE]);
}
