/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/snp_endpoint.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/match_compile.h"
#include "snooper/daemon.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/host_addrs.h"
#include "snooper/io/maps_policy.h"
#include "snooper/io/policy_match.h"
#include "snooper/io/policy_yaml.h"
#include "snooper/io/sock_destroy.h"

#define FOLLOW_EVERY_NS (5 * SNP_NS_PER_S)

int daemon_policy_read(const struct snp_conf *conf, struct policy **out, struct conf_diag *diag)
{
	struct policy_selectors selectors = {.n = 0};
	struct match_tables tables = {.n_banks = 0};
	struct policy *p = NULL;
	int r = policy_read_configured(conf, &p, diag);

	if (!r)
		r = policy_match(p, &selectors, &tables, diag);
	match_tables_fini(&tables);
	policy_selectors_fini(&selectors);
	if (r) {
		policy_free(p);
		return r;
	}
	*out = p;
	return 0;
}

/* --- a generation --- */

/* What a policy is compiled for, besides itself. */
static int
endpoints_of(const struct daemon *d, bool locked, struct policy_endpoint **out, size_t *n)
{
	struct policy_endpoint *e = calloc(d->conf->n_endpoints + 1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < d->conf->n_endpoints; i++)
		e[i] = (struct policy_endpoint){
			.number = endpoints_number(d->endpoints, i),
			.labels = d->conf->endpoints[i].labels,
			.n_labels = d->conf->endpoints[i].n_labels,
			.locked = locked,
		};
	*out = e;
	*n = d->conf->n_endpoints;
	return 0;
}

static int publish(struct daemon *d, const uint8_t *tables, size_t len)
{
	struct daemon_policy *p = &d->policy;
	struct maps_generation g = {.tables = {tables, len}, .n_banks = p->automata.n_banks};
	SNP_CLEANUP(snp_freep)
	uint8_t *kept = NULL;
	int r = policy_ids_save(p->ids, &kept, &g.kept.len);

	if (r)
		return r;
	g.kept.bytes = kept;
	for (size_t i = 0; i < g.n_banks; i++)
		g.banks[i] = (struct maps_bytes){p->automata.banks[i].region,
						 p->automata.banks[i].bytes};
	return maps_policy_publish(d->maps, &g);
}

/* As the kernel has them: a look-up may end anywhere in the region. What is not written costs nothing. */
static int copy_of(const uint8_t *tables, size_t len, uint8_t **out)
{
	*out = calloc(1, SNP_REGION_BYTES);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, tables, len);
	return 0;
}

static void is_in_force(struct daemon_policy *p, uint32_t generation, uint8_t *tables_take)
{
	free(p->tables);
	p->tables = tables_take;
	p->in_force = generation;
}

/* The tables of a policy, for the names gathered, put in force. */
static int
put_in_force(struct daemon *d, const struct policy *policy, bool locked, const char **why)
{
	struct daemon_policy *p = &d->policy;
	SNP_CLEANUP(snp_freep)
	struct policy_endpoint *endpoints = NULL;
	SNP_CLEANUP(snp_freep)
	uint8_t *tables = NULL;
	SNP_CLEANUP(snp_freep)
	uint8_t *copy = NULL;
	struct policy_input in = {
		.policy = policy,
		.host = p->host,
		.n_host = p->n_host,
		.names = &p->names,
		.automata = &p->automata,
		.generation = p->generation + 1,
		.mode = (enum snp_policy_mode_k)d->conf->policy.mode,
		.grace_ns = d->conf->policy.grace_ns,
		.idle_ns = d->conf->policy.live_flow_idle_ns,
		.matched_only = !d->conf->observe.names_all,
	};
	size_t len;
	int r = endpoints_of(d, locked, &endpoints, &in.n_endpoints);

	in.endpoints = endpoints;
	*why = "out of memory";
	if (!r)
		r = policy_compile(&in, p->ids, &tables, &len, why);
	if (!r)
		r = copy_of(tables, len, &copy);
	if (!r) {
		*why = "the kernel did not take it";
		r = publish(d, tables, len);
	}
	if (!r)
		is_in_force(p, ++p->generation, snp_take(&copy));
	return r;
}

/* The selectors of both policies, and one automaton of them all. */
static int gather(struct daemon_policy *p, const struct policy *next, struct policy_names *names,
		  struct match_tables *automata)
{
	SNP_CLEANUP(match_problems_fini)
	struct match_problems problems = {.n = 0};
	SNP_CLEANUP(snp_freep)
	struct match_selector *list = NULL;
	int r = policy_names_add(names, p->ids, p->policy);

	if (!r)
		r = policy_names_add(names, p->ids, next);
	if (r)
		return r;
	list = calloc(names->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++)
		list[i] = (struct match_selector){names->at[i].kind, names->at[i].text};
	return match_compile(list, names->n, automata, &problems);
}

static bool is_in_names(void *ctx, uint32_t selector)
{
	const struct policy_names *names = ctx;

	return selector < names->n_selectors && names->by_selector[selector];
}

/* What was numbered by a daemon before us. */
static int recall(struct daemon *d)
{
	struct daemon_policy *p = &d->policy;
	SNP_CLEANUP(snp_freep)
	uint8_t *kept = NULL;
	size_t len;
	int r;

	if (p->ids)
		return 0;
	p->ids = policy_ids_new();
	if (!p->ids)
		return -ENOMEM;
	r = maps_policy_kept(d->maps, &kept, &len);
	if (r == -ENOENT)
		return 0;
	p->generation = maps_policy_generation(d->maps);
	if (!r)
		r = policy_ids_load(p->ids, kept, len);
	if (r == -EPROTO) {
		/* Numbers mean nothing to us: rows that hold some must not meet ours. */
		log_err("event=policy-forgotten reason=\"what is pinned is not ours\"");
		return maps_policy_withdraw(d->maps);
	}
	return r;
}

static void
take_automata(struct daemon_policy *p, struct policy_names *names, struct match_tables *automata)
{
	policy_names_fini(&p->names);
	match_tables_fini(&p->automata);
	p->names = *names;
	p->automata = *automata;
	policy_ids_trim(p->ids, is_in_names, &p->names);
}

static int replace(struct daemon *d, struct policy *next, bool locked, const char **why)
{
	struct daemon_policy *p = &d->policy;
	struct policy_names names = {.n = 0};
	struct match_tables automata = {.n_banks = 0};
	int r = gather(p, next, &names, &automata);

	if (r == -E2BIG && p->policy) {
		/* The two do not fit together: without the step between, some addresses wait for a moment. */
		log_warn("event=policy-swapped-at-once reason=\"both policies do not fit one "
			 "automaton\"");
		policy_names_fini(&names);
		match_tables_fini(&automata);
		policy_free(p->before);
		p->before = p->policy;
		p->policy = NULL;
		r = gather(p, next, &names, &automata);
	}
	*why = "selectors do not fit";
	if (r) {
		policy_names_fini(&names);
		match_tables_fini(&automata);
		return r;
	}
	take_automata(p, &names, &automata);
	if (p->policy || p->locked)
		r = put_in_force(d, p->policy, p->locked, why);
	if (r)
		return r;
	daemon_policy_look_again(d);
	return put_in_force(d, next, locked, why);
}

int daemon_policy_apply(struct daemon *d, struct policy *take, struct maps_problem *why)
{
	struct daemon_policy *p = &d->policy;
	bool locked = !take && !d->conf->policy.on_error_allow;
	uint64_t began_ns = clock_boot_ns();
	const char *reason = "";
	int r = recall(d), n;

	p->unread = !r && !take && p->generation;
	if (p->unread) {
		uint8_t *tables = NULL;

		maps_policy_tables(d->maps, &tables);
		is_in_force(p, p->generation, tables);
		log_err("event=policy-unread hint=\"what was in force before stays: generation "
			"%u\"",
			p->generation);
		return 0;
	}
	if (!r && !d->conf->n_endpoints && d->conf->observe.names_all && !p->policy) {
		/* Nobody is judged, nothing is left out: no generation, no cost. */
		policy_free(take);
		is_in_force(p, 0, NULL);
		return maps_policy_withdraw(d->maps);
	}
	host_addrs_read(&p->host, &p->n_host);
	if (!r)
		r = replace(d, take, locked, &reason);
	if (r) {
		snprintf(why->text, sizeof(why->text), "policy: %s: %s", reason, strerror(-r));
		policy_free(take);
		return r;
	}
	policy_free(p->before);
	p->before = p->policy;
	p->policy = take;
	p->locked = locked;
	p->loaded_ns = clock_boot_ns();
	p->load_took_ns = p->loaded_ns - began_ns;
	n = policy_names_mark(&p->names, p->ids, take);
	p->n_selectors = n > 0 ? n : 0;
	log_info("event=policy generation=%u specs=%zu selectors=%zu mode=%d locked=%s",
		 p->generation, take ? take->n_specs : 0, p->n_selectors, (int)d->conf->policy.mode,
		 locked ? "yes" : "no");
	return 0;
}

void daemon_policy_undo(struct daemon *d)
{
	struct daemon_policy *p = &d->policy;
	struct policy *was = p->before;
	struct maps_problem why;

	p->before = NULL;
	if (daemon_policy_apply(d, was, &why))
		log_err("event=policy-not-undone reason=\"%s\"", why.text);
}

void daemon_policy_follow(struct daemon *d, uint64_t now_ns)
{
	struct daemon_policy *p = &d->policy;
	const char *why = "";
	int r;

	if (!p->policy || now_ns - p->followed_ns < FOLLOW_EVERY_NS)
		return;
	p->followed_ns = now_ns;
	if (host_addrs_read(&p->host, &p->n_host) <= 0)
		return;
	r = put_in_force(d, p->policy, p->locked, &why);
	if (r)
		log_err("event=policy-not-followed reason=\"%s: %s\"", why, strerror(-r));
	else
		log_info("event=policy generation=%u reason=addresses n=%zu", p->generation,
			 p->n_host);
}

void daemon_policy_fini(struct daemon *d)
{
	struct daemon_policy *p = &d->policy;

	policy_free(p->before);
	policy_free(p->policy);
	policy_names_fini(&p->names);
	match_tables_fini(&p->automata);
	policy_ids_free(p->ids);
	free(p->host);
	free(p->tables);
	if (p->destroy_fd > 0)
		close(p->destroy_fd);
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

/* --- what it says of a name --- */

/* The identity of a name's toFQDNs selectors in one bank, 0: it has none. */
static uint32_t identity_of(struct daemon_policy *p, size_t bank, uint32_t index)
{
	uint32_t room[512];
	size_t n, got = 0;
	const uint32_t *set = match_set(&p->automata.banks[bank], index, &n);

	for (size_t i = 0; i < n && got < sizeof(room) / sizeof(room[0]); i++)
		if (p->names.at[set[i]].fqdn)
			room[got++] = p->names.at[set[i]].selector;
	for (size_t i = 1; i < got; i++)
		for (size_t j = i; j && room[j - 1] > room[j]; j--) {
			uint32_t t = room[j];

			room[j] = room[j - 1];
			room[j - 1] = t;
		}
	return got ? policy_ids_identity(p->ids, room, got) : 0;
}

static void give(struct daemon *d, const struct snp_name_key *key, const struct snp_addr *addr,
		 uint32_t identity, uint64_t expiry_ns, uint64_t now_ns)
{
	struct maps_grant_row g = {
		.addr = *addr,
		.scope = key->scope,
		.identity = identity,
		.end_ms = expiry_ns / SNP_NS_PER_MS,
		.now_ms = now_ns / SNP_NS_PER_MS,
	};
	int r = maps_row_give(d->maps, &g);

	if (r > 0)
		d->policy.given++;
	else if (r < 0)
		d->policy.not_given++;
}

static void look_at_name(struct daemon *d, const struct fqdn_name *name, uint64_t now_ns)
{
	struct daemon_policy *p = &d->policy;
	uint32_t index[SNP_MATCH_BANKS];

	if (name->key.scope == SNP_SCOPE_NONE ||
	    match_name(&p->automata, name->wire, name->wire_len, index))
		return;
	for (size_t b = 0; b < p->automata.n_banks; b++) {
		uint32_t identity = index[b] ? identity_of(p, b, index[b]) : 0;

		for (uint32_t i = 0; identity && i < name->n_facts; i++) {
			const struct fqdn_fact *f = &name->facts[i];
			uint64_t until_ns =
				f->expiry_ns > f->granted_ns ? f->expiry_ns : f->granted_ns;

			if (until_ns > now_ns)
				give(d, &name->key, &f->addr, identity, until_ns, now_ns);
		}
	}
}

static void look_at_scope(void *ctx, const struct fqdn_name *name)
{
	struct daemon *d = ctx;
	bool needed = daemon_policy_needs(d, &name->key, name->wire, name->wire_len);

	look_at_name(d, name, clock_boot_ns());
	if (needed != name->needed)
		fqdn_cache_name(d->cache, &name->key, name->wire, name->wire_len, needed, 0);
}

void daemon_policy_look_again(struct daemon *d)
{
	struct fqdn_name name;

	if (!d->policy.names.n)
		return;
	for (uint64_t at = 0; fqdn_cache_next(d->cache, &at, &name);)
		fqdn_cache_scopes(d->cache, &name.key, look_at_scope, d);
}

void daemon_policy_grant(struct daemon *d, const struct snp_name_key *key,
			 const struct snp_addr *addr, uint64_t expiry_ns)
{
	struct daemon_policy *p = &d->policy;
	uint32_t index[SNP_MATCH_BANKS], identity;
	struct fqdn_name name;

	if (key->scope == SNP_SCOPE_NONE || !fqdn_cache_find(d->cache, key, &name) ||
	    match_name(&p->automata, name.wire, name.wire_len, index))
		return;
	for (size_t b = 0; b < p->automata.n_banks; b++) {
		identity = index[b] ? identity_of(p, b, index[b]) : 0;
		if (identity)
			give(d, key, addr, identity, expiry_ns, clock_boot_ns());
	}
}

const uint32_t *daemon_policy_matched(const struct daemon *d, const uint8_t *wire, size_t len,
				      size_t bank, size_t *n)
{
	const struct daemon_policy *p = &d->policy;
	uint32_t index[SNP_MATCH_BANKS];

	if (!p->names.n || bank >= p->automata.n_banks ||
	    match_name(&p->automata, wire, len, index) || !index[bank])
		return NULL;
	return match_set(&p->automata.banks[bank], index[bank], n);
}

size_t daemon_policy_selectors(const struct daemon *d, const uint8_t *wire, size_t len,
			       const char **out, size_t room)
{
	const struct daemon_policy *p = &d->policy;
	size_t got = 0;

	for (size_t b = 0; b < p->automata.n_banks; b++) {
		size_t n = 0;
		const uint32_t *set = daemon_policy_matched(d, wire, len, b, &n);

		for (size_t i = 0; set && i < n && got < room; i++)
			if (p->names.at[set[i]].fqdn_now)
				out[got++] = p->names.at[set[i]].text;
	}
	return got;
}

bool daemon_policy_exists(const struct daemon *d)
{
	return d->policy.policy && d->policy.names.n;
}

bool daemon_policy_needs(const struct daemon *d, const struct snp_name_key *key,
			 const uint8_t *wire, size_t len)
{
	const char *one;

	return key->scope != SNP_SCOPE_NONE && daemon_policy_selectors(d, wire, len, &one, 1);
}

const char *daemon_policy_endpoint(const struct daemon *d, uint32_t scope)
{
	for (size_t i = 0; scope != SNP_SCOPE_NONE && i < d->conf->n_endpoints; i++)
		if (endpoints_number(d->endpoints, i) == scope)
			return d->conf->endpoints[i].name;
	return NULL;
}

const struct snp_endpoint_conf *daemon_endpoint_of(const struct daemon *d, uint32_t number)
{
	for (size_t i = 0; i < d->conf->n_endpoints; i++)
		if (endpoints_number(d->endpoints, i) == number)
			return &d->conf->endpoints[i];
	return NULL;
}

uint32_t daemon_endpoint_scope(const struct daemon *d, size_t i)
{
	return d->conf->policy.scope_node ? SNP_SCOPE_NODE : endpoints_number(d->endpoints, i);
}
