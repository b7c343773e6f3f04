/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/io/conf_keys.h"
#include "snooper/io/conf_store.h"
#include "snooper/io/conf_value.h"

/* "endpoints[4095].labels" and an unknown key's name behind it */
#define PATH_ROOM (64 + CONF_SHOWN_MAX)

/* Where the walk is: a mapping of the table, and how messages name it. */
struct spot {
	const char *path; /* of the mapping in the table, "" for the outermost */
	const char *shown;
	void *base; /* what the offsets of its keys are from */
};

static int walk_map(struct conf_diag *d, const struct spot *spot, const struct conf_node *map);

static void join(const char *path, const char *name, char buf[static PATH_ROOM])
{
	char shown[CONF_SHOWN_MAX];

	snprintf(buf, PATH_ROOM, "%s%s%s", path, *path ? "." : "", conf_shown(name, shown));
}

/* A key that was pasted where a file name belongs must not come back in a message. */
static bool may_be_shown(const char *path, const char *name)
{
	return (strcmp(path, "ha.tls") != 0 && strcmp(path, "export.tls") != 0) ||
	       strlen(name) <= 16;
}

static void refuse_unknown(struct conf_diag *d, const struct spot *spot, const struct conf_node *n)
{
	const char *elsewhere, *near = conf_key_nearest(spot->path, n->key, &elsewhere);
	char name[PATH_ROOM];

	join(spot->shown, may_be_shown(spot->path, n->key) ? n->key : "...", name);
	if (near)
		conf_diag_error(d, n->key_at, name, "unknown key (did you mean '%s'?)", near);
	else if (elsewhere)
		conf_diag_error(d, n->key_at, name, "unknown key here (did you mean '%s'?)",
				elsewhere);
	else
		conf_diag_error(d, n->key_at, name, "unknown key");
}

static int
walk_section(struct conf_diag *d, const struct conf_key *key, void *base, const struct conf_node *n)
{
	struct spot inside = {key->path, key->path, base};

	if (conf_node_is_null(n)) /* all its keys are commented out */
		return 0;
	if (n->kind != CONF_MAP) {
		conf_refuse_kind(d, key->path, n, "a mapping");
		return 0;
	}
	conf_diag_mark(d, key->path, CONF_WHOLE, n->key_at);
	return walk_map(d, &inside, n);
}

static bool has_entry(const struct conf_node *map, const char *key)
{
	for (const struct conf_node *n = map->first; n; n = n->next) {
		if (!strcmp(n->key, key))
			return true;
	}
	return false;
}

static int walk_tls(struct conf_diag *d, const struct conf_key *key, struct snp_conf *c,
		    const struct conf_node *n)
{
	static const char *const parts[] = {"ca", "certificate", "key"};

	if (n->kind == CONF_MAP) {
		for (size_t i = 0; i < 3; i++) {
			if (!has_entry(n, parts[i]))
				conf_diag_error(d, n->key_at, key->path, "has no %s", parts[i]);
		}
		return walk_section(d, key, c, n);
	}
	if (key->kind == CONF_KEY_TLS || n->kind != CONF_SCALAR ||
	    strcmp(n->text, "insecure") != 0) {
		conf_diag_error(d, n->at, key->path,
				"a mapping of ca, certificate and key is wanted here%s",
				key->kind == CONF_KEY_TLS ? "" : ", or the word insecure");
		return 0;
	}
	conf_diag_mark(d, key->path, CONF_WHOLE, n->key_at);
	c->ha.insecure = true;
	return 0;
}

/* The sources a label may name; selectors are stripped of them likewise. */
static const char *without_source(const char *label)
{
	if (!strncmp(label, "k8s:", 4) || !strncmp(label, "any:", 4))
		return label + 4;
	return label;
}

/* Is n a label that can be taken? What is wrong with it is noted. */
static bool check_label(struct conf_diag *d, const struct snp_endpoint_conf *e, const char *shown,
			const struct conf_node *n)
{
	const char *name = without_source(n->key), *why;
	char text[CONF_SHOWN_MAX];

	why = *name ? conf_value_label(name) : "is empty";
	if (why) {
		conf_diag_error(d, n->key_at, shown, "'%s' %s", conf_shown(n->key, text), why);
		return false;
	}
	for (size_t i = 0; i < e->n_labels; i++) {
		if (strcmp(e->labels[i].key, name))
			continue;
		conf_diag_error(d, n->key_at, shown, "'%s' stands here twice",
				conf_shown(name, text));
		return false;
	}
	if (n->kind != CONF_SCALAR || conf_node_is_null(n)) {
		conf_refuse_kind(d, shown, n, "a single value");
		return false;
	}
	why = conf_value_label(n->text);
	if (why)
		conf_diag_error(d, n->at, shown, "'%s' %s", conf_shown(n->text, text), why);
	return !why;
}

static int walk_labels(struct conf_diag *d, const struct conf_key *key, const char *shown,
		       struct snp_endpoint_conf *e, const struct conf_node *map)
{
	if (map->kind != CONF_MAP) {
		conf_refuse_kind(d, shown, map, "a mapping");
		return 0;
	}
	if (map->n_entries > key->max) {
		conf_diag_error(d, map->key_at, shown, "%zu labels: at most %llu are possible",
				map->n_entries, (unsigned long long)key->max);
		return 0;
	}
	if (!map->n_entries)
		return 0;
	e->labels = calloc(map->n_entries, sizeof(*e->labels));
	if (!e->labels)
		return -ENOMEM;
	for (const struct conf_node *n = map->first; n; n = n->next) {
		struct snp_label *label = &e->labels[e->n_labels];

		if (n->bad || !check_label(d, e, shown, n))
			continue;
		e->n_labels++;
		label->key = strdup(without_source(n->key));
		label->value = strdup(n->text);
		if (!label->key || !label->value)
			return -ENOMEM;
	}
	return 0;
}

/* What an endpoint must have, and have alone. */
static void check_endpoint(struct conf_diag *d, const struct snp_conf *c, const char *shown,
			   const struct conf_node *n)
{
	const struct snp_endpoint_conf *e = &c->endpoints[c->n_endpoints - 1];

	if (!has_entry(n, "name"))
		conf_diag_error(d, n->at, shown, "has no name");
	if (!has_entry(n, "cgroup"))
		conf_diag_error(d, n->at, shown, "has no cgroup");
	for (size_t i = 0; e->name && i + 1 < c->n_endpoints; i++) {
		if (!c->endpoints[i].name || strcmp(c->endpoints[i].name, e->name))
			continue;
		conf_diag_error(d, n->at, shown, "its name '%s' is that of endpoints[%zu] already",
				e->name, i);
		return;
	}
}

static int walk_endpoints(struct conf_diag *d, const struct conf_key *key, struct snp_conf *c,
			  const struct conf_node *list)
{
	char shown[PATH_ROOM];
	int r = 0;

	if (list->kind != CONF_LIST) {
		conf_refuse_kind(d, key->path, list, "a list");
		return 0;
	}
	if (list->n_entries > key->max) {
		conf_diag_error(d, list->key_at, key->path,
				"%zu endpoints: at most %llu are possible", list->n_entries,
				(unsigned long long)key->max);
		return 0;
	}
	if (!list->n_entries)
		return 0;
	conf_diag_mark(d, key->path, CONF_WHOLE, list->key_at);
	c->endpoints = calloc(list->n_entries, sizeof(*c->endpoints));
	if (!c->endpoints)
		return -ENOMEM;
	for (const struct conf_node *n = list->first; n && r == 0; n = n->next) {
		struct spot inside = {key->path, shown, &c->endpoints[c->n_endpoints]};

		snprintf(shown, sizeof(shown), "%s[%zu]", key->path, c->n_endpoints);
		c->n_endpoints++; /* a refused entry counts too: messages number as the file does */
		if (n->bad)
			continue;
		if (n->kind != CONF_MAP) {
			conf_refuse_kind(d, shown, n, "a mapping");
			continue;
		}
		r = walk_map(d, &inside, n);
		check_endpoint(d, c, shown, n);
	}
	return r;
}

static int walk_key(struct conf_diag *d, const struct spot *spot, const struct conf_key *key,
		    const struct conf_node *n)
{
	char shown[PATH_ROOM];

	join(spot->shown, n->key, shown);
	switch (key->kind) {
	case CONF_KEY_SECTION:
		return walk_section(d, key, spot->base, n);
	case CONF_KEY_TLS:
	case CONF_KEY_MAY_TLS:
		return walk_tls(d, key, spot->base, n);
	case CONF_KEY_ENDPOINTS:
		return walk_endpoints(d, key, spot->base, n);
	case CONF_KEY_LABELS:
		return walk_labels(d, key, shown, spot->base, n);
	default:
		return conf_store(d, key, shown, spot->base, n);
	}
}

static int walk_map(struct conf_diag *d, const struct spot *spot, const struct conf_node *map)
{
	for (const struct conf_node *n = map->first; n; n = n->next) {
		const struct conf_key *key;
		int r;

		key = conf_key_find(spot->path, n->key);
		if (!key)
			refuse_unknown(d, spot, n);
		if (!key || n->bad)
			continue;
		r = walk_key(d, spot, key, n);
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_walk(struct conf_diag *d, const struct conf_node *root, struct snp_conf *c)
{
	struct spot outermost = {"", "", c};

	if (!root || root->bad || conf_node_is_null(root))
		return 0;
	if (root->kind != CONF_MAP) {
		conf_refuse_kind(d, "yaml", root, "a mapping of sections");
		return 0;
	}
	return walk_map(d, &outermost, root);
}
