/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Policies at random: the tables say what the policy says (tests/policy_model.h).
 *
 * The tables are asked as the kernel asks them, by snp_policy_look.h, about names that the
 * automata were walked with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/policy_model.h"
#include "tests/policy_tables.h"

#define NAMES 40  /* asked about, a policy */
#define FLOWS 200 /* a name, spread over the endpoints */

static uint64_t told[SNP_VERDICT_MAX], asked[2];

static void check_flow(const struct tables *g, const struct reference *ref,
		       const struct policy_endpoint *e, const struct tables_outs *o,
		       const struct snp_flow_to *to)
{
	enum snp_verdict got = tables_judge(g->tables, e->number, o->identities, o->n, to);
	enum snp_verdict want = reference_judge(ref, e, to);

	told[want]++;
	if (got == want)
		return;
	for (size_t i = 0; i < 16; i++)
		print_message("%02x%s", to->addr.b[i], i % 2 ? ":" : "");
	fail_msg(" protocol %u port %u%s, endpoint %u: %d, not %d", to->protocol, to->port,
		 to->no_ports ? " (none)" : "", e->number, got, want);
}

static void
check_name(struct rng *r, const struct tables *g, struct reference *ref, const char *name)
{
	const struct model_world *w = ref->world;
	struct tables_outs o = {.n = 0};

	if (name)
		o = tables_outs_of(g, name);
	reference_name(ref, name);
	for (size_t i = 0; name && i < MODEL_ENDPOINTS; i++) {
		bool want = reference_may_ask(ref, &w->endpoints[i]);

		asked[want]++;
		assert_int_equal(tables_may_ask(g->tables, w->endpoints[i].number, o.dns, o.n),
				 want);
	}
	for (size_t i = 0; i < FLOWS; i++) {
		struct snp_flow_to to;

		model_flow(r, ref->policy, w, &to);
		check_flow(g, ref, &w->endpoints[i % MODEL_ENDPOINTS], &o, &to);
	}
}

/* The tables of g are p's. Names: of p, and of another policy that the automata know. */
static void check_policy(struct rng *r, const struct tables *g, const struct policy *p,
			 const struct policy *other, const struct model_world *w)
{
	struct reference ref;
	char name[MODEL_NAME];

	reference_init(&ref, p, w);
	check_name(r, g, &ref, NULL);
	check_name(r, g, &ref, ".");
	for (size_t i = 0; i < NAMES; i++) {
		model_name(r, i % 4 ? p : other, name);
		check_name(r, g, &ref, name);
	}
	reference_fini(&ref);
}

static const struct model_size small = {.specs = 3, .rules = 3, .selectors = 2};
static const struct model_size large = {.specs = 8, .rules = 6, .selectors = 5};

static void test_3_1_the_tables_say_what_the_policy_says(void **state)
{
	memset(told, 0, sizeof(told));
	memset(asked, 0, sizeof(asked));
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct rng r = {seed * 0x9e3779b97f4a7c15u};
		struct policy *p = model_policy(&r, seed % 2 ? &small : &large);
		struct policy_ids *ids = policy_ids_new();
		struct tables g = {.tables = NULL};
		struct model_world w;

		model_world(&r, &w);
		assert_int_equal(policy_names_add(&g.names, ids, p, POLICY_NEXT), 0);
		tables_match(&g);
		tables_make(&g, p, ids, &w);
		check_policy(&r, &g, p, p, &w);
		tables_fini(&g);
		policy_ids_free(ids);
		policy_free(p);
	}
	/* Not all the same answer. */
	for (size_t i = SNP_VERDICT_NONE; i <= SNP_VERDICT_CIDR; i++)
		assert_true(told[i] > 1000);
	assert_true(told[SNP_VERDICT_DENY_CIDR] > 1000 && told[SNP_VERDICT_DENY_PORT] > 1000 &&
		    told[SNP_VERDICT_DENY_NO_NAME] > 1000 && asked[0] > 1000 && asked[1] > 1000);
}

/* Every identity there ever was means the same selectors, and allows what p allows them. */
static void check_identities(struct rng *r, const struct tables *g, const struct policy_ids *ids,
			     const struct policy *p, const struct model_world *w)
{
	struct reference ref;

	reference_init(&ref, p, w);
	for (uint32_t i = 1; i < policy_ids_end(ids) + 2; i++) {
		struct tables_outs o = {.identities = {i}, .n = 1};

		reference_identity(&ref, ids, i);
		for (size_t k = 0; k < 3 * MODEL_ENDPOINTS; k++) {
			struct snp_flow_to to;

			model_flow(r, p, w, &to);
			check_flow(g, &ref, &w->endpoints[k % MODEL_ENDPOINTS], &o, &to);
		}
	}
	reference_fini(&ref);
}

/* What is learned between the two steps is worth the same after the second. */
static void check_same_identities(struct rng *r, const struct tables *g, const uint8_t *before,
				  const struct policy *p)
{
	struct tables was = *g;
	char name[MODEL_NAME];

	was.tables = (uint8_t *)before;
	for (size_t i = 0; i < NAMES; i++) {
		struct tables_outs a, b;

		model_name(r, p, name);
		a = tables_outs_of(&was, name);
		b = tables_outs_of(g, name);
		assert_memory_equal(a.identities, b.identities, sizeof(a.identities));
	}
}

/* From policy a to policy b, as policy_compile.h says. */
static void reload(struct rng *r, struct policy_ids *ids, const struct policy *a,
		   const struct policy *b, const struct model_world *w)
{
	struct tables g = {.tables = NULL};
	uint8_t *before;

	assert_int_equal(policy_names_add(&g.names, ids, a, POLICY_BEFORE), 0);
	assert_int_equal(policy_names_add(&g.names, ids, b, POLICY_NEXT), 0);
	tables_match(&g);
	tables_make(&g, a, ids, w);
	check_policy(r, &g, a, b, w);
	check_identities(r, &g, ids, a, w);
	before = g.tables;
	g.tables = NULL;
	tables_make(&g, b, ids, w);
	check_policy(r, &g, b, a, w);
	check_identities(r, &g, ids, b, w);
	check_same_identities(r, &g, before, a);
	check_same_identities(r, &g, before, b);
	free(before);
	tables_fini(&g);
}

static bool keep_some(void *ctx, uint32_t selector)
{
	return selector % 3 != *(uint32_t *)ctx;
}

/* Now and then the daemon is another one, or has forgotten what nobody wants. */
static struct policy_ids *restarted(struct rng *r, struct policy_ids *ids)
{
	struct policy_ids *back = policy_ids_new();
	uint8_t *bytes = NULL;
	uint32_t which = rng_any(r, 5), end = policy_ids_end(ids);
	size_t len;

	policy_ids_trim(ids, keep_some, &which);
	assert_int_equal(policy_ids_save(ids, &bytes, &len), 0);
	assert_int_equal(policy_ids_load(back, bytes, len), 0);
	assert_int_equal(policy_ids_end(back), end);
	free(bytes);
	policy_ids_free(ids);
	return back;
}

static void test_3_3_a_reload_goes_from_one_policy_to_the_next(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rng r = {seed * 0x9e3779b97f4a7c15u};
		struct policy_ids *ids = policy_ids_new();
		struct policy *a = model_policy(&r, &small), *b;
		struct model_world w;

		model_world(&r, &w);
		for (size_t i = 0; i < 4; i++) {
			b = model_policy(&r, i % 2 ? &small : &large);
			reload(&r, ids, a, b, &w);
			policy_free(a);
			a = b;
			if (!rng_any(&r, 3))
				ids = restarted(&r, ids);
		}
		policy_free(a);
		policy_ids_free(ids);
	}
}

/* --- by hand --- */

static struct policy *policy_of(const struct policy_rule *rules, size_t n)
{
	struct policy *p = calloc(1, sizeof(*p));

	p->specs = calloc(1, sizeof(*p->specs));
	p->n_specs = 1;
	p->specs[0].rules = calloc(n, sizeof(*rules));
	memcpy(p->specs[0].rules, rules, n * sizeof(*rules));
	p->specs[0].n_rules = n;
	p->specs[0].default_deny = true;
	return p;
}

static void test_3_3_a_selector_that_is_withdrawn_allows_nothing(void **state)
{
	struct policy_selector *s = calloc(1, sizeof(*s));
	struct policy_rule rule = {.fqdns = s, .n_fqdns = 1};
	struct policy *a, *b = policy_of(&(struct policy_rule){.n_ports = 0}, 1);
	struct policy_ids *ids = policy_ids_new();
	struct snp_flow_to to = {.protocol = 6, .port = 443, .addr.b = {1}};
	struct model_world w = {.endpoints = {{.number = 1}}};
	struct tables g = {.tables = NULL};
	uint32_t identity;

	for (uint32_t i = 1; i < MODEL_ENDPOINTS; i++)
		w.endpoints[i].number = 1 + i;
	s->text = strdup("a.example");
	a = policy_of(&rule, 1);
	assert_int_equal(policy_names_add(&g.names, ids, a, POLICY_NEXT), 0);
	tables_match(&g);
	tables_make(&g, a, ids, &w);
	identity = tables_outs_of(&g, "a.example").identities[0];
	assert_int_not_equal(identity, 0);
	assert_int_equal(tables_judge(g.tables, 1, &identity, 1, &to), SNP_VERDICT_NAME);
	tables_make(&g, b, ids, &w);
	assert_int_equal(tables_judge(g.tables, 1, &identity, 1, &to), SNP_VERDICT_DENY_NO_NAME);
	tables_fini(&g);
	/* Also by tables that never heard of it; and written again, it is allowed again. */
	g = (struct tables){.tables = NULL};
	tables_match(&g);
	tables_make(&g, b, ids, &w);
	assert_int_equal(tables_judge(g.tables, 1, &identity, 1, &to), SNP_VERDICT_DENY_NO_NAME);
	tables_make(&g, NULL, ids, &w);
	assert_int_equal(tables_judge(g.tables, 1, &identity, 1, &to), SNP_VERDICT_NONE);
	tables_fini(&g);
	g = (struct tables){.tables = NULL};
	assert_int_equal(policy_names_add(&g.names, ids, a, POLICY_NEXT), 0);
	tables_match(&g);
	tables_make(&g, a, ids, &w);
	assert_int_equal(tables_judge(g.tables, 1, &identity, 1, &to), SNP_VERDICT_NAME);
	tables_fini(&g);
	policy_ids_free(ids);
	policy_free(a);
	policy_free(b);
}

#define TWO_STARS 30

/* So many labels of two stars below one suffix that they take several automata. */
static void test_3_6_selectors_of_several_automata(void **state)
{
	static const struct policy_port web = {6, 80, 80};
	struct policy_selector *s = calloc(TWO_STARS, sizeof(*s));
	struct policy_selector *dns = calloc(TWO_STARS / 2, sizeof(*dns));
	struct policy_rule rules[2] = {{.fqdns = s, .n_fqdns = TWO_STARS, .n_ports = 1},
				       {.dns = dns, .n_dns = TWO_STARS / 2, .has_dns = true}};
	struct policy_ids *ids = policy_ids_new();
	struct rng r = {4};
	struct tables g = {.tables = NULL};
	struct model_world w;
	struct policy *p;
	char text[64];

	for (size_t i = 0; i < TWO_STARS; i++) {
		snprintf(text, sizeof(text), "*%c%zu*%c*.com", 'a' + (int)i % 26, i,
			 'z' - (int)i % 26);
		s[i] = (struct policy_selector){.kind = POLICY_MATCH_PATTERN, .text = strdup(text)};
		if (i % 2)
			dns[i / 2] = (struct policy_selector){.kind = POLICY_MATCH_PATTERN,
							      .text = strdup(text)};
	}
	rules[0].ports = malloc(sizeof(web));
	*rules[0].ports = web;
	p = policy_of(rules, 2);
	model_world(&r, &w);
	assert_int_equal(policy_names_add(&g.names, ids, p, POLICY_NEXT), 0);
	assert_int_equal(g.names.n, TWO_STARS);
	tables_match(&g);
	assert_true(g.automata.n_banks > 1);
	tables_make(&g, p, ids, &w);
	check_policy(&r, &g, p, p, &w);
	check_identities(&r, &g, ids, p, &w);
	tables_fini(&g);
	policy_ids_free(ids);
	policy_free(p);
}

static void test_3_3_the_head_says_which_generation(void **state)
{
	struct policy_ids *ids = policy_ids_new();
	struct tables g = {.tables = NULL};
	struct model_world w;
	struct rng r = {5};
	const struct snp_policy_head *h;

	model_world(&r, &w);
	tables_match(&g);
	tables_make(&g, NULL, ids, &w);
	h = (const struct snp_policy_head *)g.tables;
	assert_int_equal(h->magic, SNP_POLICY_MAGIC);
	assert_int_equal(h->generation, 7);
	assert_int_equal(h->mode, SNP_MODE_AUDIT);
	assert_int_equal(h->n_banks, g.automata.n_banks);
	assert_int_equal(h->grace_ns, 8);
	assert_int_equal(h->idle_ns, 9);
	assert_int_equal(h->matched_only, 1);
	tables_fini(&g);
	policy_ids_free(ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_the_tables_say_what_the_policy_says),
		cmocka_unit_test(test_3_3_a_reload_goes_from_one_policy_to_the_next),
		cmocka_unit_test(test_3_3_a_selector_that_is_withdrawn_allows_nothing),
		cmocka_unit_test(test_3_6_selectors_of_several_automata),
		cmocka_unit_test(test_3_3_the_head_says_which_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
