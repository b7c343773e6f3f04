/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/bench/generation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tests/bench/figure.h"

static struct policy *policy_of(const struct set *s)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct policy_spec *spec = calloc(1, sizeof(*spec));
	struct policy_rule *rule = calloc(1, sizeof(*rule));

	require(p && spec && rule, "memory");
	rule->fqdns = calloc(s->n, sizeof(*rule->fqdns));
	require(rule->fqdns, "memory");
	rule->n_fqdns = s->n;
	for (size_t i = 0; i < s->n; i++)
		rule->fqdns[i] = (struct policy_selector){.kind = s->s[i].kind,
							  .text = strdup(s->s[i].text)};
	spec->default_deny = true;
	spec->rules = rule;
	spec->n_rules = 1;
	p->specs = spec;
	p->n_specs = 1;
	return p;
}

/* As maps_policy.c does it. */
static int fill(const struct generation *g)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	size_t bytes = (SNP_POLICY_BANK + g->automata.n_banks) * (size_t)SNP_REGION_BYTES;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bench_regions", sizeof(__u32),
				SNP_REGION_BYTES, SNP_POLICY_BANK + g->automata.n_banks, &opts);
	uint8_t *regions;

	require(fd >= 0, "map of regions");
	regions = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	require(regions != MAP_FAILED, "map of regions");
	memcpy(regions + SNP_POLICY_TABLES * SNP_REGION_BYTES, g->tables, g->table_bytes);
	for (size_t i = 0; i < g->automata.n_banks; i++)
		memcpy(regions + (SNP_POLICY_BANK + i) * SNP_REGION_BYTES,
		       g->automata.banks[i].region, g->automata.banks[i].bytes);
	munmap(regions, bytes);
	return fd;
}

static void compile(struct generation *g, struct policy *p, uint32_t number)
{
	struct policy_endpoint endpoint = {.number = GENERATION_ENDPOINT};
	struct policy_ids *ids = policy_ids_new();
	struct policy_names names = {.n = 0};
	struct match_problems problems = {.n = 0};
	struct match_selector *list;
	const char *why = "";
	struct policy_input in = {.policy = p,
				  .endpoints = &endpoint,
				  .n_endpoints = 1,
				  .names = &names,
				  .automata = &g->automata,
				  .generation = number,
				  .mode = SNP_MODE_ENFORCE};

	require(ids && !policy_names_add(&names, ids, p, POLICY_NEXT), "names");
	list = calloc(names.n, sizeof(*list));
	require(list, "memory");
	for (size_t i = 0; i < names.n; i++)
		list[i] = (struct match_selector){names.at[i].kind, names.at[i].text};
	require(!match_compile(list, names.n, &g->automata, &problems), "selectors do not fit");
	require(!policy_compile(&in, ids, &g->tables, &g->table_bytes, &why), why);
	free(list);
	match_problems_fini(&problems);
	policy_names_fini(&names);
	policy_ids_free(ids);
}

void generation_make(struct generation *g, const struct set *s, uint32_t number)
{
	struct policy *p = policy_of(s);
	uint64_t began = now_ns();
	uint8_t *whole;

	*g = (struct generation){.map_fd = -1};
	compile(g, p, number);
	g->compile_ns = now_ns() - began;
	began = now_ns();
	g->map_fd = fill(g);
	g->fill_ns = now_ns() - began;
	policy_free(p);
	for (size_t i = 0; i < g->automata.n_banks; i++)
		g->automata_bytes += g->automata.banks[i].bytes;
	/* What is looked up in it is masked to a region. */
	whole = realloc(g->tables, SNP_REGION_BYTES);
	require(whole, "memory");
	memset(whole + g->table_bytes, 0, SNP_REGION_BYTES - g->table_bytes);
	g->tables = whole;
}

void generation_publish(const struct generation *g, int policy_fd)
{
	__u32 zero = 0;

	require(!bpf_map_update_elem(policy_fd, &zero, &g->map_fd, BPF_ANY), "publish");
}

void generation_fini(struct generation *g)
{
	match_tables_fini(&g->automata);
	free(g->tables);
	close(g->map_fd);
}
