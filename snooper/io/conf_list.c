/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The half of conf_store.h that stores lists. */
#include "snooper/io/conf_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_value.h"

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

static void refuse_cidr(const struct conf_store *s, const struct conf_node *n, const char *why,
			const struct snp_cidr *meant)
{
	char addr[CONF_ADDR_TEXT], hint[192];

	if (meant->prefix == 0 && !meant->ipv6) { /* untouched: not even readable */
		conf_refuse(s, n, why);
		return;
	}
	snprintf(hint, sizeof(hint), "%s (did you mean '%s/%u'?)", why,
		 conf_addr_text(&meant->addr, addr),
		 meant->ipv6 ? meant->prefix : meant->prefix - 96u);
	conf_refuse(s, n, hint);
}

/* Read n into *e. Returns 1; 0 when it was refused; -ENOMEM. */
static int read_entry(const struct conf_store *s, const struct conf_node *n, union entry *e)
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
		conf_refuse(s, n, why);
	return why ? 0 : 1;
}

static bool is_among(const struct conf_store *s, const char *array, size_t n, const union entry *e)
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

static void free_list(const struct conf_store *s, char *array, size_t n)
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
read_entries(const struct conf_store *s, const struct conf_node *n, char *array, size_t *filled)
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

int conf_store_list(const struct conf_store *s, const struct conf_node *n)
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
	conf_taken(s, n);
	return 0;
}
