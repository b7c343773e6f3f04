/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpointSelector: matchLabels and matchExpressions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_value.h"
#include "snooper/io/policy_reader.h"

static int take_labels(struct policy_reader *r, const struct conf_node *map, void *spec);
static int take_expressions(struct policy_reader *r, const struct conf_node *list, void *spec);

const struct policy_field policy_label_fields[] = {
	{"matchLabels", POLICY_READ, NULL, take_labels},
	{"matchExpressions", POLICY_READ, NULL, take_expressions},
	{0},
};

const struct policy_field policy_expression_fields[] = {
	{"key", POLICY_READ, NULL, NULL},
	{"operator", POLICY_READ, NULL, NULL},
	{"values", POLICY_READ, NULL, NULL},
	{0},
};

static const struct {
	const char *word;
	enum policy_operator op;
	bool has_values;
} operators[] = {
	{"In", POLICY_IN, true},
	{"NotIn", POLICY_NOT_IN, true},
	{"Exists", POLICY_EXISTS, false},
	{"DoesNotExist", POLICY_DOES_NOT_EXIST, false},
};

/* A label without k8s: or any:, as endpoints have them; NULL when no endpoint can have it, which is noted. */
static const char *
take_label(struct policy_reader *r, const struct conf_node *n, const char *written)
{
	const char *label = written, *why;
	char shown[CONF_SHOWN_MAX];

	if (!strncmp(label, "k8s:", 4) || !strncmp(label, "any:", 4))
		label += 4;
	if (strchr(label, ':'))
		why = "has a source that endpoints' labels do not have: k8s: and any: only";
	else
		why = *label ? conf_value_label(label) : "is empty";
	if (!why)
		return label;
	if (written == n->key)
		policy_error_key(r, n, "'%s' %s", conf_shown(written, shown), why);
	else
		policy_error(r, n, "'%s' %s", conf_shown(written, shown), why);
	return NULL;
}

static bool is_label_value(struct policy_reader *r, const struct conf_node *n)
{
	char shown[CONF_SHOWN_MAX];
	const char *why;

	if (!policy_is_value(r, n))
		return false;
	why = conf_value_label(n->text);
	if (why)
		policy_error(r, n, "'%s' %s", conf_shown(n->text, shown), why);
	return !why;
}

/* One more, owned by spec at once. NULL when out of memory. */
static struct policy_expression *
add_expression(struct policy_spec *spec, const char *key, enum policy_operator op, size_t n_values)
{
	struct policy_expression *more =
		policy_grown(spec->selects, spec->n_selects, sizeof(*more));
	struct policy_expression *e;

	if (!more)
		return NULL;
	spec->selects = more;
	e = &more[spec->n_selects++];
	*e = (struct policy_expression){.key = strdup(key), .op = op};
	if (n_values)
		e->values = calloc(n_values, sizeof(*e->values));
	return e->key && (e->values || !n_values) ? e : NULL;
}

static int add_value(struct policy_expression *e, const char *text)
{
	e->values[e->n_values] = strdup(text);
	if (!e->values[e->n_values])
		return -ENOMEM;
	e->n_values++;
	return 0;
}

/* A policy of one namespace cannot select in another: Cilium would take that word out. */
static bool is_elsewhere(struct policy_reader *r, const struct policy_spec *spec, const char *label,
			 const struct conf_node *value)
{
	if (!spec->namespace || strcmp(label, POLICY_NAMESPACE_LABEL) != 0 ||
	    !strcmp(spec->namespace, value->text))
		return false;
	policy_error(r, value, "this policy is in namespace '%s', and selects nothing in another",
		     spec->namespace);
	return true;
}

static int take_labels(struct policy_reader *r, const struct conf_node *map, void *into)
{
	struct policy_spec *spec = into;

	if (!policy_is_map(r, map) || !spec || !policy_room_for_parts(r, map, map->n_entries))
		return 0;
	for (const struct conf_node *n = map->first; n; n = n->next) {
		struct policy_expression *e;
		const char *label;

		if (n->bad)
			continue;
		label = take_label(r, n, n->key);
		if (!is_label_value(r, n) || !label || is_elsewhere(r, spec, label, n))
			continue;
		e = add_expression(spec, label, POLICY_IN, 1);
		if (!e || add_value(e, n->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The operator's index, or -1 when it is none, which is noted. */
static int take_operator(struct policy_reader *r, const struct conf_node *n)
{
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_value(r, n))
		return -1;
	for (int i = 0; i < (int)(sizeof(operators) / sizeof(operators[0])); i++) {
		if (!strcmp(operators[i].word, n->text))
			return i;
	}
	policy_error(r, n, "'%s' is none of In, NotIn, Exists and DoesNotExist",
		     conf_shown(n->text, shown));
	return -1;
}

/* How many values there are; -1 when they do not suit the operator, which is noted. */
static int count_values(struct policy_reader *r, const struct conf_node *map,
			const struct conf_node *values, int op)
{
	if (values && !policy_is_list(r, values))
		return -1;
	if (values && !policy_room_for_parts(r, values, values->n_entries))
		return -1;
	if (operators[op].has_values == (values && values->n_entries))
		return values ? (int)values->n_entries : 0;
	policy_error(r, values ? values : map, "%s goes with %s values", operators[op].word,
		     operators[op].has_values ? "one or more" : "no");
	return -1;
}

static int add_values(struct policy_reader *r, const struct conf_node *list,
		      const struct policy_spec *spec, struct policy_expression *e)
{
	for (const struct conf_node *n = list->first; n; n = n->next) {
		if (!is_label_value(r, n))
			continue;
		if (e->op == POLICY_IN && list->n_entries == 1 && is_elsewhere(r, spec, e->key, n))
			continue;
		if (add_value(e, n->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int
take_expression(struct policy_reader *r, const struct conf_node *map, struct policy_spec *spec)
{
	const struct conf_node *key, *op, *values;
	struct policy_expression *e;
	const char *label;
	int which, n, res;

	if (!policy_is_map(r, map))
		return 0;
	res = policy_walk(r, map, policy_expression_fields, NULL);
	key = policy_entry(map, "key");
	op = policy_entry(map, "operator");
	values = policy_entry(map, "values");
	if (!key || !op)
		policy_error(r, map, "has no %s", key ? "operator" : "key");
	if (res < 0 || !key || !op || !policy_is_value(r, key))
		return res;
	label = take_label(r, key, key->text);
	which = take_operator(r, op);
	n = which < 0 ? -1 : count_values(r, map, values, which);
	if (!label || n < 0)
		return 0;
	e = add_expression(spec, label, operators[which].op, (size_t)n);
	if (!e)
		return -ENOMEM;
	return values ? add_values(r, values, spec, e) : 0;
}

static int take_expressions(struct policy_reader *r, const struct conf_node *list, void *spec)
{
	if (!policy_is_list(r, list) || !spec || !policy_room_for_parts(r, list, list->n_entries))
		return 0;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = take_expression(r, n, spec);

		if (res < 0)
			return res;
	}
	return 0;
}

int policy_take_endpoints(struct policy_reader *r, const struct conf_node *map,
			  struct policy_spec *spec)
{
	return policy_walk(r, map, policy_label_fields, spec);
}
