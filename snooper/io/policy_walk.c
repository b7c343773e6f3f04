/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What all readers of policies share: places, problems, kinds, bounds. */
#include "snooper/io/policy_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_keys.h"

#define PATH_ROOM 256
#define WORDS_MAX 40

struct policy_place policy_place(const struct policy_reader *r, const struct conf_node *n)
{
	return (struct policy_place){r->file, n->at.line, n->at.column};
}

/* As messages name it: spec.egress[2].toFQDNs[0].matchName */
static const char *path_of(const struct conf_node *n, char buf[static PATH_ROOM])
{
	const struct conf_node *way[CONF_TREE_DEPTH + 1];
	char shown[CONF_SHOWN_MAX];
	size_t depth = 0, used = 0;

	for (; n->parent && depth <= CONF_TREE_DEPTH; n = n->parent)
		way[depth++] = n;
	if (!depth)
		return "yaml";
	while (depth-- > 0 && used < PATH_ROOM) {
		if (way[depth]->key)
			used += (size_t)snprintf(buf + used, PATH_ROOM - used, "%s%s",
						 used ? "." : "",
						 conf_shown(way[depth]->key, shown));
		else
			used += (size_t)snprintf(buf + used, PATH_ROOM - used, "[%zu]",
						 way[depth]->index);
	}
	return buf;
}

static void note(struct policy_reader *r, enum conf_severity severity, const struct conf_node *n,
		 bool key, const char *format, va_list ap)
{
	char path[PATH_ROOM], problem[512];

	vsnprintf(problem, sizeof(problem), format, ap);
	conf_diag_add(r->diag, severity, key && n->key ? n->key_at : n->at, path_of(n, path), "%s",
		      problem);
}

void policy_error(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, CONF_ERROR, n, false, format, ap);
	va_end(ap);
}

void policy_error_key(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, CONF_ERROR, n, true, format, ap);
	va_end(ap);
}

void policy_warning(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, CONF_WARNING, n, false, format, ap);
	va_end(ap);
}

void policy_warning_key(struct policy_reader *r, const struct conf_node *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, CONF_WARNING, n, true, format, ap);
	va_end(ap);
}

static bool is_kind(struct policy_reader *r, const struct conf_node *n, enum conf_node_kind kind,
		    const char *wanted)
{
	static const char *const kinds[] = {
		[CONF_SCALAR] = "a single value", [CONF_LIST] = "a list", [CONF_MAP] = "a mapping"};

	if (n->bad)
		return false;
	if (n->kind == kind && !conf_node_is_null(n))
		return true;
	policy_error(r, n, "%s is wanted here, not %s", wanted,
		     conf_node_is_null(n) ? "nothing" : kinds[n->kind]);
	return false;
}

bool policy_is_map(struct policy_reader *r, const struct conf_node *n)
{
	return is_kind(r, n, CONF_MAP, "a mapping");
}

bool policy_is_list(struct policy_reader *r, const struct conf_node *n)
{
	return is_kind(r, n, CONF_LIST, "a list");
}

bool policy_is_value(struct policy_reader *r, const struct conf_node *n)
{
	return is_kind(r, n, CONF_SCALAR, "a single value");
}

bool policy_is_switch(struct policy_reader *r, const struct conf_node *n, bool *on)
{
	char shown[CONF_SHOWN_MAX];

	if (!policy_is_value(r, n))
		return false;
	*on = !strcmp(n->text, "true");
	if (n->plain && (*on || !strcmp(n->text, "false")))
		return true;
	policy_error(r, n, "'%s' is neither true nor false", conf_shown(n->text, shown));
	return false;
}

const struct conf_node *policy_entry(const struct conf_node *map, const char *key)
{
	if (map->kind != CONF_MAP)
		return NULL;
	for (const struct conf_node *n = map->first; n; n = n->next) {
		if (!strcmp(n->key, key))
			return n;
	}
	return NULL;
}

static void refuse_unknown(struct policy_reader *r, const struct conf_node *n,
			   const struct policy_field *fields)
{
	const char *words[WORDS_MAX + 1], *near;
	size_t count = 0;

	for (; fields->name; fields++) {
		assert(count < WORDS_MAX);
		words[count++] = fields->name;
	}
	words[count] = NULL;
	near = conf_word_nearest(words, n->key);
	if (near)
		policy_error_key(r, n, "unknown field (did you mean '%s'?)", near);
	else
		policy_error_key(r, n, "unknown field");
}

static int take_field(struct policy_reader *r, const struct conf_node *n,
		      const struct policy_field *field, void *into)
{
	if (field->use == POLICY_READ)
		return field->read ? field->read(r, n, into) : 0;
	if (conf_node_is_null(n))
		return 0;
	if (field->use == POLICY_REFUSED)
		policy_error_key(r, n, "%s", field->why);
	else if (field->use == POLICY_WARNED)
		policy_warning_key(r, n, "%s", field->why);
	return 0;
}

int policy_walk(struct policy_reader *r, const struct conf_node *map,
		const struct policy_field *fields, void *into)
{
	if (!policy_is_map(r, map))
		return 0;
	for (const struct conf_node *n = map->first; n; n = n->next) {
		const struct policy_field *field = fields;
		int res;

		if (n->bad)
			continue;
		while (field->name && strcmp(field->name, n->key) != 0)
			field++;
		if (!field->name) {
			refuse_unknown(r, n, fields);
			continue;
		}
		res = take_field(r, n, field, into);
		if (res < 0)
			return res;
	}
	return 0;
}

static bool has_room(struct policy_reader *r, const struct conf_node *at, size_t *have, size_t n,
		     size_t max, const char *what)
{
	if (n <= max - *have) {
		*have += n;
		return true;
	}
	if (!r->full)
		policy_error_key(r, at, "more than %zu %s in all", max, what);
	r->full = true;
	return false;
}

bool policy_room_for_selectors(struct policy_reader *r, const struct conf_node *at, size_t n)
{
	return has_room(r, at, &r->n_selectors, n, POLICY_SELECTORS_MAX, "names and patterns");
}

bool policy_room_for_parts(struct policy_reader *r, const struct conf_node *at, size_t n)
{
	return has_room(r, at, &r->n_parts, n, POLICY_PARTS_MAX,
			"policies, rules, prefixes, ports and labels");
}

void *policy_grown(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? 2 * n : 1, size);
}
