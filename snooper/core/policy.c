/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy.h"

#include <stdlib.h>
#include <string.h>

static void free_selectors(struct policy_selector *selectors, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(selectors[i].text);
	free(selectors);
}

void policy_rule_fini(struct policy_rule *rule)
{
	free_selectors(rule->fqdns, rule->n_fqdns);
	free_selectors(rule->dns, rule->n_dns);
	for (size_t i = 0; i < rule->n_cidrs; i++)
		free(rule->cidrs[i].except);
	free(rule->cidrs);
	free(rule->ports);
	memset(rule, 0, sizeof(*rule));
}

static void free_expression(struct policy_expression *e)
{
	for (size_t i = 0; i < e->n_values; i++)
		free(e->values[i]);
	free(e->values);
	free(e->key);
}

static void free_spec(struct policy_spec *s)
{
	for (size_t i = 0; i < s->n_selects; i++)
		free_expression(&s->selects[i]);
	for (size_t i = 0; i < s->n_rules; i++)
		policy_rule_fini(&s->rules[i]);
	free(s->selects);
	free(s->rules);
	free(s->namespace);
	free(s->name);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_specs; i++)
		free_spec(&p->specs[i]);
	for (size_t i = 0; i < p->n_files; i++)
		free(p->files[i]);
	free(p->specs);
	free(p->files);
	free(p);
}

/* The label's value, or NULL. */
static const char *value_of(const struct snp_label *labels, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(labels[i].key, key))
			return labels[i].value;
	}
	return NULL;
}

static bool is_among(const struct policy_expression *e, const char *value)
{
	for (size_t i = 0; i < e->n_values; i++) {
		if (!strcmp(e->values[i], value))
			return true;
	}
	return false;
}

static bool holds(const struct policy_expression *e, const struct snp_label *labels, size_t n)
{
	const char *value = value_of(labels, n, e->key);

	switch (e->op) {
	case POLICY_IN:
		return value && is_among(e, value);
	case POLICY_NOT_IN:
		return !value || !is_among(e, value);
	case POLICY_EXISTS:
		return value;
	case POLICY_DOES_NOT_EXIST:
		return !value;
	}
	return false;
}

bool policy_selects(const struct policy_spec *s, const struct snp_label *labels, size_t n)
{
	const char *namespace = value_of(labels, n, POLICY_NAMESPACE_LABEL);

	if (s->namespace && namespace && strcmp(s->namespace, namespace) != 0)
		return false;
	for (size_t i = 0; i < s->n_selects; i++) {
		if (!holds(&s->selects[i], labels, n))
			return false;
	}
	return true;
}
