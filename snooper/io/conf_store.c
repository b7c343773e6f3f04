/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_store.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "snooper/io/conf_value.h"

/* One call's worth of arguments. */
struct store {
	struct conf_diag *d;
	const struct conf_key *key;
	const char *shown;
	void *field;
	size_t *count; /* of a list */
};

void conf_refuse_kind(struct conf_diag *d, const char *shown, const struct conf_node *n,
		      const char *wanted)
{
	static const char *const kinds[] = {
		[CONF_SCALAR] = "a single value", [CONF_LIST] = "a list", [CONF_MAP] = "a mapping"};

	conf_diag_error(d, n->at, shown, "%s is wanted here, not %s", wanted,
			conf_node_is_null(n) ? "nothing" : kinds[n->kind]);
}

static void refuse(const struct store *s, const struct conf_node *n, const char *why)
{
	char shown[CONF_SHOWN_MAX];

	if (s->key->secret)
		conf_diag_error(s->d, n->at, s->shown, "the value (not shown here) %s", why);
	else
		conf_diag_error(s->d, n->at, s->shown, "'%s' %s", conf_shown(n->text, shown), why);
}

static void taken(const struct store *s, const struct conf_node *n)
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

static void store_word(const struct store *s, const struct conf_node *n)
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
		taken(s, n);
		return;
	}
	list_words(words, all, sizeof(all));
	near = conf_word_nearest(words, n->text);
	if (near)
		snprintf(why, sizeof(why), "is not one of %s (did you mean '%s'?)", all, near);
	else
		snprintf(why, sizeof(why), "is not one of %s", all);
	refuse(s, n, why);
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

static void store_quantity(const struct store *s, const struct conf_node *n)
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
		refuse(s, n, why);
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
	taken(s, n);
}

static int store_text(const struct store *s, const struct conf_node *n)
{
	const char *why = s->key->check(n->text);
	char *old, *text;

	if (why) {
		refuse(s, n, why);
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
	taken(s, n);
	return 0;
}

/* An entry of a list; the text is owned by it. */
union entry {
	struct snp_addr addr;
	struct snp_cidr cidr;
	struct snp_endpoint server;
	char *text;
};

static size_t entry_size(enum conf_kind kind)
{
	switch (kind) {
	case CONF_KEY_ADDRS:
		return sizeof(struct snp_addr);
	case CONF_KEY_CIDRS:
		return sizeof(struct snp_cidr);
	case CONF_KEY_SERVERS:
		return sizeof(struct snp_endpoint);
	default:
		return sizeof(char *);
	}
}

static bool is_text(enum conf_kind kind)
{
	return kind == CONF_KEY_TEXTS || kind == CONF_KEY_PATHS;
}

static void refuse_cidr(const struct store *s, const struct conf_node *n, const char *why,
			const struct snp_cidr *meant)
{
	char addr[CONF_ADDR_TEXT], hint[192];

	if (meant->prefix == 0 && !meant->ipv6) { /* untouched: not even readable */
		refuse(s, n, why);
		return;
	}
	snprintf(hint, sizeof(hint), "%s (did you mean '%s/%u'?)", why,
		 conf_addr_text(&meant->addr, addr),
		 meant->ipv6 ? meant->prefix : meant->prefix - 96u);
	refuse(s, n, hint);
}

/* Read n into *e. Returns 1; 0 when it was refused; -ENOMEM. */
static int read_entry(const struct store *s, const struct conf_node *n, union entry *e)
{
	const char *why;

	memset(e, 0, sizeof(*e));
	switch (s->key->kind) {
	case CONF_KEY_ADDRS:
		why = conf_value_addr(n->text, &e->addr);
		if (!why && !conf_addr_is_host(&e->addr))
			why = "is not the address of a host";
		break;
	case CONF_KEY_SERVERS:
		why = conf_value_endpoint(n->text, &e->server);
		if (!why && !conf_addr_is_host(&e->server.addr))
			why = "is not the address of a host: write the one that clients send to";
		break;
	case CONF_KEY_CIDRS:
		why = conf_value_cidr(n->text, &e->cidr);
		if (why) {
			refuse_cidr(s, n, why, &e->cidr);
			return 0;
		}
		break;
	default:
		why = s->key->check(n->text);
		if (why)
			break;
		e->text = strdup(n->text);
		if (!e->text)
			return -ENOMEM;
		if (s->key->kind == CONF_KEY_PATHS)
			conf_value_clean_path(e->text);
	}
	if (why)
		refuse(s, n, why);
	return why ? 0 : 1;
}

static bool is_among(const struct store *s, const char *array, size_t n, const union entry *e)
{
	size_t size = entry_size(s->key->kind);

	for (size_t i = 0; i < n; i++) {
		char *text;

		if (!is_text(s->key->kind)) {
			if (!memcmp(array + i * size, e, size))
				return true;
			continue;
		}
		memcpy(&text, array + i * size, sizeof(text));
		if (!strcmp(text, e->text))
			return true;
	}
	return false;
}

static void free_list(const struct store *s, char *array, size_t n)
{
	for (size_t i = 0; i < n && is_text(s->key->kind); i++) {
		char *text;

		memcpy(&text, array + i * sizeof(text), sizeof(text));
		free(text);
	}
	free(array);
}

/* Fill array from the entries of n; *filled is how many it holds, also on failure. */
static int
read_entries(const struct store *s, const struct conf_node *n, char *array, size_t *filled)
{
	size_t size = entry_size(s->key->kind);

	for (const struct conf_node *item = n->first; item; item = item->next) {
		char shown[CONF_SHOWN_MAX];
		union entry e;
		int r;

		if (item->bad)
			continue;
		if (item->kind != CONF_SCALAR || conf_node_is_null(item)) {
			conf_refuse_kind(s->d, s->shown, item, "a single value");
			continue;
		}
		r = read_entry(s, item, &e);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (is_among(s, array, *filled, &e)) {
			conf_diag_warning(s->d, item->at, s->shown, "'%s' stands here twice",
					  conf_shown(item->text, shown));
			if (is_text(s->key->kind))
				free(e.text);
			continue;
		}
		memcpy(array + *filled * size, &e, size);
		conf_diag_mark(s->d, s->key->path, (int)*filled, item->at);
		++*filled;
	}
	return 0;
}

static int store_list(const struct store *s, const struct conf_node *n)
{
	char *array = NULL, *old;
	size_t filled = 0;
	int r;

	if (n->n_entries < s->key->min) {
		conf_diag_error(s->d, n->at, s->shown,
				"an empty list: leave the key out to have its default");
		return 0;
	}
	if (n->n_entries > s->key->max) {
		conf_diag_error(s->d, n->at, s->shown, "%zu entries: at most %llu are possible",
				n->n_entries, (unsigned long long)s->key->max);
		return 0;
	}
	if (n->n_entries) {
		array = calloc(n->n_entries, entry_size(s->key->kind));
		if (!array)
			return -ENOMEM;
	}
	r = read_entries(s, n, array, &filled);
	if (r < 0) {
		free_list(s, array, filled);
		return r;
	}
	memcpy(&old, s->field, sizeof(old));
	free_list(s, old, *s->count);
	memcpy(s->field, &array, sizeof(array));
	*s->count = filled;
	taken(s, n);
	return 0;
}

int conf_store(struct conf_diag *d, const struct conf_key *key, const char *shown, void *base,
	       const struct conf_node *n)
{
	struct store s = {d, key, shown, (char *)base + key->field,
			  (size_t *)((char *)base + key->count)};

	if (key->kind >= CONF_KEY_TEXTS) {
		if (n->kind == CONF_LIST)
			return store_list(&s, n);
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
