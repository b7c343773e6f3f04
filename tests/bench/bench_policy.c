/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bench_policy.c - what a policy costs: compiling it into tables, and the bytes of them.
 *
 * `one`: a single class of endpoints. `shared`: 50 classes, all of which have all selectors, and
 * a rule of their own. `apart`: 50 classes, each with its part of the selectors. Half of the
 * selectors are names, half are *.name; every tenth has ports of its own.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "snooper/core/match_compile.h"
#include "snooper/core/policy_compile.h"

#define CLASSES 50

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void *some(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		abort();
	return p;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct policy_selector selector(size_t i)
{
	struct policy_selector s = {.kind = i % 2 ? POLICY_MATCH_PATTERN : POLICY_MATCH_NAME};

	require(asprintf(&s.text, "%sservice-%zu.region-%zu.example.com", i % 2 ? "*." : "", i / 2,
			 i % 13) > 0);
	return s;
}

/* Selectors first, first + step ... below n. Those with ports of their own are a rule each. */
static void add_rules(struct policy_spec *s, size_t first, size_t step, size_t n)
{
	struct policy_rule *most;

	s->rules = some(n / 10 + 2, sizeof(*s->rules));
	s->n_rules = 1;
	most = &s->rules[0];
	most->fqdns = some(n, sizeof(*most->fqdns));
	for (size_t i = first; i < n; i += step) {
		struct policy_rule *r = &s->rules[s->n_rules];

		if (i % 10) {
			most->fqdns[most->n_fqdns++] = selector(i);
			continue;
		}
		s->n_rules++;
		r->fqdns = some(1, sizeof(*r->fqdns));
		r->fqdns[r->n_fqdns++] = selector(i);
		r->ports = some(1, sizeof(*r->ports));
		r->ports[r->n_ports++] = (struct policy_port){6, 8000 + i % 100, 8000 + i % 100};
	}
}

/* It selects the endpoint whose number it is; 0: all of them. */
static void add_spec(struct policy *p, size_t number)
{
	struct policy_spec *s = &p->specs[p->n_specs++];
	struct policy_expression *x;

	s->default_deny = true;
	if (!number)
		return;
	s->selects = x = some(1, sizeof(*x));
	s->n_selects = 1;
	x->key = strdup("number");
	x->op = POLICY_IN;
	x->values = some(1, sizeof(*x->values));
	x->n_values = 1;
	require(asprintf(&x->values[0], "%zu", number) > 0);
}

static struct policy *make_policy(const char *shape, size_t n, size_t classes)
{
	struct policy *p = some(1, sizeof(*p));
	bool apart = *shape == 'a';

	p->specs = some(classes + 1, sizeof(*p->specs));
	if (!apart) {
		add_spec(p, 0);
		add_rules(&p->specs[0], 0, 1, n);
	}
	for (size_t i = 0; i < classes && classes > 1; i++) {
		add_spec(p, i + 1);
		add_rules(&p->specs[p->n_specs - 1], apart ? i : i % n, apart ? classes : n, n);
	}
	return p;
}

static void match(const struct policy_names *names, struct match_tables *automata)
{
	struct match_selector *s = some(names->n, sizeof(*s));
	struct match_problems problems;

	for (size_t i = 0; i < names->n; i++)
		s[i] = (struct match_selector){names->at[i].kind, names->at[i].text};
	require(!match_compile(s, names->n, automata, &problems));
	match_problems_fini(&problems);
	free(s);
}

static void make_endpoints(struct policy_endpoint *e, struct snp_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		labels[i].key = (char *)"number";
		require(asprintf(&labels[i].value, "%zu", i + 1) > 0);
		e[i] = (struct policy_endpoint){
			.number = (uint32_t)i + 1, .labels = &labels[i], .n_labels = 1};
	}
}

static void run(const char *shape, size_t n, size_t classes)
{
	struct policy_endpoint endpoints[CLASSES];
	struct snp_label labels[CLASSES];
	struct policy_names names = {.n = 0};
	struct match_tables automata;
	struct policy_ids *ids = policy_ids_new();
	struct policy *p = make_policy(shape, n, classes);
	struct policy_input in = {.policy = p, .endpoints = endpoints, .n_endpoints = classes};
	uint8_t *tables = NULL, *kept = NULL;
	size_t len = 0, n_kept = 0;
	const char *why = "";
	uint64_t gathered, began, done;
	int e;

	make_endpoints(endpoints, labels, classes);
	began = now_ns();
	require(!policy_names_add(&names, ids, p, POLICY_NEXT));
	gathered = now_ns() - began;
	match(&names, &automata);
	in.names = &names;
	in.automata = &automata;
	began = now_ns();
	e = policy_compile(&in, ids, &tables, &len, &why);
	done = now_ns() - began;
	require(!policy_ids_save(ids, &kept, &n_kept));
	printf("{\"bench\":\"policy\",\"figure\":\"load\",\"selectors\":%zu,\"classes\":%zu,"
	       "\"shape\":\"%s\",\"gather_ms\":%.1f,\"compile_ms\":%.1f,\"bytes\":%zu,"
	       "\"kept_bytes\":%zu,\"refused\":\"%s\"}\n",
	       n, classes, shape, (double)gathered / 1e6, (double)done / 1e6, len, n_kept,
	       e ? why : "");
	free(tables);
	free(kept);
	for (size_t i = 0; i < classes; i++)
		free(labels[i].value);
	policy_names_fini(&names);
	match_tables_fini(&automata);
	policy_ids_free(ids);
	policy_free(p);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {10, 1000, 10000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		run("one", sizes[i], 1);
		run("shared", sizes[i], CLASSES);
		run("apart", sizes[i], CLASSES);
	}
	return 0;
}
