/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_tree.h - a YAML file as a tree in which everything knows its place.
 *
 * io: the only file that sees libyaml. Takes the plain part of YAML: mappings
 * with scalar keys, lists, scalars. Anchors, aliases, tags and duplicate keys
 * are errors, noted in the diagnosis. Text is UTF-8 without NUL.
 *
 * The configuration is one document of at most CONF_DEPTH_MAX levels,
 * CONF_MAP_MAX keys in a mapping, CONF_LIST_MAX entries in a list. Readers of
 * larger files bring bounds of their own.
 */
#ifndef SNP_CONF_TREE_H
#define SNP_CONF_TREE_H

#include "snooper/io/conf_diag.h"

#define CONF_DEPTH_MAX 16
#define CONF_MAP_MAX   128
#define CONF_LIST_MAX  4096

enum conf_node_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };

struct conf_node {
	enum conf_node_kind kind;
	bool bad;   /* its error is noted already: to be passed over */
	bool plain; /* a scalar without quotes */
	struct conf_place at;
	struct conf_place key_at; /* of an entry of a mapping */
	char *key;		  /* of an entry of a mapping, else NULL */
	char *text;		  /* of a scalar, else NULL */
	struct conf_node *parent;
	struct conf_node *next; /* the entry behind it in its mapping or list */
	struct conf_node *first, *last;
	size_t n_entries;
	size_t index; /* of an entry: its place in its mapping or list, from 0 */
};

/* The work that one file may ask for. A duplicate key is looked for among all before it. */
struct conf_tree_bounds {
	size_t depth; /* at most CONF_TREE_DEPTH */
	size_t map;   /* keys in a mapping */
	size_t list;  /* entries in a list */
	size_t nodes; /* in the whole file */
};
#define CONF_TREE_DEPTH 32

/*
 * Read buf. Returns 0 and *out, the caller's (NULL for an empty document);
 * what was wrong but can be passed over is noted in d all the same. -EINVAL
 * when nothing can be made of it (noted), -ENOMEM; then *out is untouched.
 */
int conf_tree_read(const char *buf, size_t len, struct conf_diag *d, struct conf_node **out);

/*
 * Read buf as any number of documents, and hand each to fn as soon as it is
 * whole; root is fn's for the call, and freed after it. What fn returns below 0
 * ends the reading and is returned. Else as conf_tree_read(): documents before
 * the one that is no YAML have been handed over.
 */
typedef int (*conf_tree_fn)(void *arg, const struct conf_node *root);
int conf_tree_read_each(const char *buf, size_t len, const struct conf_tree_bounds *bounds,
			struct conf_diag *d, conf_tree_fn fn, void *arg);
void conf_tree_free(struct conf_node *root);

/* No value: nothing at all, ~ or null. */
bool conf_node_is_null(const struct conf_node *n);

#endif
