/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/policy_tables.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/core/match_compile.h"
#include "snooper/core/name.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

void tables_match(struct tables *g)
{
	struct match_selector *s = calloc(g->names.n + 1, sizeof(*s));
	struct match_problems problems;

	for (size_t i = 0; i < g->names.n; i++)
		s[i] = (struct match_selector){g->names.at[i].kind, g->names.at[i].text};
	require(!match_compile(s, g->names.n, &g->automata, &problems));
	match_problems_fini(&problems);
	free(s);
}

void tables_make(struct tables *g, const struct policy *p, struct policy_ids *ids,
		 const struct model_world *w)
{
	struct policy_input in = {
		.policy = p,
		.endpoints = w->endpoints,
		.n_endpoints = MODEL_ENDPOINTS,
		.host = w->hosts,
		.n_host = w->n_hosts,
		.names = &g->names,
		.automata = &g->automata,
		.generation = 7,
		.mode = SNP_MODE_AUDIT,
		.grace_ns = 8,
		.idle_ns = 9,
		.matched_only = true,
	};
	const char *why = NULL;
	uint8_t *tables = NULL;
	size_t len = 0;

	require(!policy_compile(&in, ids, &tables, &len, &why) && len <= SNP_REGION_BYTES);
	free(g->tables);
	g->tables = calloc(1, SNP_REGION_BYTES);
	memcpy(g->tables, tables, len);
	free(tables);
}

void tables_fini(struct tables *g)
{
	policy_names_fini(&g->names);
	match_tables_fini(&g->automata);
	free(g->tables);
}

/* --- as the kernel asks --- */

static const struct snp_class *class_of(const uint8_t *tables, uint32_t endpoint)
{
	return snp_class_at(tables, snp_policy_class(tables, endpoint));
}

enum snp_verdict tables_judge(const uint8_t *tables, uint32_t endpoint, const uint32_t *identities,
			      size_t n, const struct snp_flow_to *to)
{
	uint32_t class = snp_policy_class(tables, endpoint), sets, ports;
	const struct snp_class *c = class_of(tables, endpoint);
	bool other_port = false;

	if (!class)
		return SNP_VERDICT_NONE;
	sets = snp_class_sets(tables, c, &to->addr);
	if (snp_ports_hold(tables, sets & 0xffff, to))
		return SNP_VERDICT_DENY_CIDR;
	for (size_t i = 0; i < n; i++) {
		ports = identities[i] ? snp_allowed(tables, class, identities[i]) : 0;
		if (ports && snp_ports_hold(tables, ports, to))
			return SNP_VERDICT_NAME;
		other_port |= ports != 0;
	}
	if (snp_ports_hold(tables, sets >> 16, to))
		return SNP_VERDICT_CIDR;
	if (!(c->flags & SNP_CLASS_DEFAULT_DENY))
		return SNP_VERDICT_UNSELECTED;
	return other_port ? SNP_VERDICT_DENY_PORT : SNP_VERDICT_DENY_NO_NAME;
}

bool tables_may_ask(const uint8_t *tables, uint32_t endpoint, const uint32_t *dns, size_t n)
{
	uint32_t class = snp_policy_class(tables, endpoint);

	if (!class || !(class_of(tables, endpoint)->flags & SNP_CLASS_DNS))
		return true;
	for (size_t i = 0; i < n; i++)
		if (dns[i] && snp_allowed(tables, class | SNP_ALLOW_DNS, dns[i]))
			return true;
	return false;
}

struct tables_outs tables_outs_of(const struct tables *g, const char *name)
{
	uint32_t index[SNP_MATCH_BANKS];
	uint8_t wire[256] = {0};
	struct tables_outs o = {.n = snp_policy_head(g->tables)->n_banks};
	int len = name_from_text(name, wire);

	require(len > 0 && !match_name(&g->automata, wire, (size_t)len, index));
	for (size_t i = 0; i < o.n; i++) {
		const struct snp_out *out = snp_out_at(g->tables, i, index[i]);

		o.identities[i] = index[i] ? out->identity : 0;
		o.dns[i] = index[i] ? out->dns : 0;
	}
	return o;
}
