/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_store.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "snooper/io/conf_value.h"

void conf_refuse_kind(struct conf_diag *d, const char *shown, const struct conf_node *n,
		      const char *wanted)
{
	static const char *const kinds[] = {
		[CONF_SCALAR] = "a single value", [CONF_LIST] = "a list", [CONF_MAP] = "a mapping"};

	conf_diag_error(d, n->at, shown, "%s is wanted here, not %s", wanted,
			conf_node_is_null(n) ? "nothing" : kinds[n->kind]);
}

void conf_refuse(const struct conf_store *s, const struct conf_node *n, const char *why)
{
	char shown[CONF_SHOWN_MAX];

	if (s->key->secret)
		conf_diag_error(s->d, n->at, s->shown, "the value (not shown here) %s", why);
	else
		conf_diag_error(s->d, n->at, s->shown, "'%s' %s", conf_shown(n->text, shown), why);
}

void conf_taken(const struct conf_store *s, const struct conf_node *n)
{
	conf_diag_mark(s->d, s->key->path, CONF_WHOLE, n->kind == CONF_SCALAR ? n->at : n->key_at);
}

/* "segments, verdict, parser, off" */
static void list_words(const char *const *words, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; words[i]; i++) {
		int n = snprintf(buf + used, size - used, "%s%s", i ? ", " : "", words[i]);

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

static void store_word(const struct conf_store *s, const struct conf_node *n)
{
	const char *const *words = s->key->words;
	char all[128], why[256];
	const char *near;

	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(words[i], n->text))
			continue;
		if (s->key->kind == CONF_KEY_SWITCH) {
			bool on = i == 1;

			memcpy(s->field, &on, sizeof(on));
		} else { /* every enum of conf.h starts at 0 and has the size of an int */
			memcpy(s->field, &i, sizeof(i));
		}
		conf_taken(s, n);
		return;
	}
	list_words(words, all, sizeof(all));
	near = conf_word_nearest(words, n->text);
	if (near)
		snprintf(why, sizeof(why), "is not one of %s (did you mean '%s'?)", all, near);
	else
		snprintf(why, sizeof(why), "is not one of %s", all);
	conf_refuse(s, n, why);
}

static const char *size_text(uint64_t bytes, char buf[static CONF_DURATION_TEXT])
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB"};
	unsigned int u = 0;

	while (u < 3 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(buf, CONF_DURATION_TEXT, "%llu%s", (unsigned long long)bytes, units[u]);
	return buf;
}

static const char *
quantity_text(enum conf_kind kind, uint64_t value, char buf[static CONF_DURATION_TEXT])
{
	if (kind == CONF_KEY_DURATION)
		return conf_duration_text(value, buf);
	if (kind == CONF_KEY_SIZE)
		return size_text(value, buf);
	snprintf(buf, CONF_DURATION_TEXT, "%llu", (unsigned long long)value);
	return buf;
}

static const char *parse_quantity(enum conf_kind kind, const struct conf_node *n, uint64_t *value)
{
	switch (kind) {
	case CONF_KEY_DURATION:
		return conf_value_duration(n->text, value);
	case CONF_KEY_SIZE:
		return conf_value_size(n->text, value);
	default:
		if (!n->plain)
			return "in quotes is text, and a number is wanted";
		return conf_value_number(n->text, value);
	}
}

static void store_quantity(const struct conf_store *s, const struct conf_node *n)
{
	char from[CONF_DURATION_TEXT], to[CONF_DURATION_TEXT], why_range[128];
	const struct conf_key *key = s->key;
	const char *why;
	uint64_t value;

	why = parse_quantity(key->kind, n, &value);
	if (!why && (value < key->min || value > key->max)) {
		snprintf(why_range, sizeof(why_range), "is outside %s to %s",
			 quantity_text(key->kind, key->min, from),
			 quantity_text(key->kind, key->max, to));
		why = why_range;
	}
	if (why) {
		conf_refuse(s, n, why);
		return;
	}
	if (key->kind == CONF_KEY_DURATION) {
		memcpy(s->field, &value, sizeof(value));
	} else if (key->kind == CONF_KEY_PORT) {
		uint16_t v = (uint16_t)value;

		memcpy(s->field, &v, sizeof(v));
	} else {
		uint32_t v = (uint32_t)value;

		memcpy(s->field, &v, sizeof(v));
	}
	conf_taken(s, n);
}

static int store_text(const struct conf_store *s, const struct conf_node *n)
{
	const char *why = s->key->check(n->text);
	char *old, *text;

	if (why) {
		conf_refuse(s, n, why);
		return 0;
	}
	text = strdup(n->text);
	if (!text)
		return -ENOMEM;
	if (s->key->kind == CONF_KEY_PATH)
		conf_value_clean_path(text);
	memcpy(&old, s->field, sizeof(old));
	free(old);
	memcpy(s->field, &text, sizeof(text));
	conf_taken(s, n);
	return 0;
}

int conf_store(struct conf_diag *d, const struct conf_key *key, const char *shown, void *base,
	       const struct conf_node *n)
{
	struct conf_store s = {d, key, shown, (char *)base + key->field,
			       (size_t *)((char *)base + key->count)};

	if (key->kind >= CONF_KEY_TEXTS) {
		if (n->kind == CONF_LIST)
			return conf_store_list(&s, n);
		conf_refuse_kind(d, shown, n, "a list");
		return 0;
	}
	if (n->kind != CONF_SCALAR || conf_node_is_null(n)) {
		conf_refuse_kind(d, shown, n, "a single value");
		return 0;
	}
	switch (key->kind) {
	case CONF_KEY_WORD:
	case CONF_KEY_SWITCH:
		store_word(&s, n);
		return 0;
	case CONF_KEY_TEXT:
	case CONF_KEY_PATH:
		return store_text(&s, n);
	default:
		store_quantity(&s, n);
		return 0;
	}
}
