/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define PATH_ROOM 256
#define YAML_KEY  "yaml" /* stands where a line names the key, when none is to blame */

static const struct conf_tree_bounds conf_bounds = {
	.depth = CONF_DEPTH_MAX, .map = CONF_MAP_MAX, .list = CONF_LIST_MAX, .nodes = SIZE_MAX};

struct builder {
	const struct conf_tree_bounds *bounds;
	struct conf_diag *d;
	struct conf_node *root;
	struct conf_node *open; /* the mapping or list that takes what comes next */
	char *key;		/* read, its value not yet */
	struct conf_place key_at;
	bool key_bad;
	size_t depth, n_nodes;
	unsigned int n_documents;
	conf_tree_fn fn; /* takes each document; NULL: there may be one, and it stays */
	void *arg;
};

static struct conf_place place_of(yaml_mark_t mark)
{
	return (struct conf_place){(unsigned int)mark.line + 1, (unsigned int)mark.column + 1};
}

/* The keys above what comes next, and its own, as messages name it. */
static const char *key_of(const struct builder *b, char path[static PATH_ROOM])
{
	const char *keys[CONF_TREE_DEPTH + 1];
	char shown[CONF_SHOWN_MAX];
	size_t n = 0, used = 0;

	if (b->key)
		keys[n++] = b->key;
	for (const struct conf_node *up = b->open; up; up = up->parent) {
		if (up->key)
			keys[n++] = up->key;
	}
	if (n == 0)
		return YAML_KEY;
	while (n-- > 0 && used < PATH_ROOM)
		used += (size_t)snprintf(path + used, PATH_ROOM - used, "%s%s", used ? "." : "",
					 conf_shown(keys[n], shown));
	return path;
}

void conf_tree_free(struct conf_node *root)
{
	struct conf_node *n = root, *next;

	while (n) {
		if (n->first) { /* children first; their parent is met again behind them */
			next = n->first;
			n->first = NULL;
		} else {
			next = n->next ? n->next : n->parent;
			free(n->key);
			free(n->text);
			free(n);
		}
		n = next;
	}
}

bool conf_node_is_null(const struct conf_node *n)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (n->kind != CONF_SCALAR || !n->plain)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(n->text, words[i]))
			return true;
	}
	return false;
}

/* Hang a new node where the document has come to; the pending key becomes its. */
static struct conf_node *add_node(struct builder *b, enum conf_node_kind kind, struct conf_place at)
{
	struct conf_node *n = calloc(1, sizeof(*n));
	struct conf_node *parent = b->open;

	if (!n)
		return NULL;
	n->kind = kind;
	n->at = at;
	n->key = b->key;
	n->key_at = b->key_at;
	n->bad = b->key_bad;
	b->key = NULL;
	b->key_bad = false;
	n->parent = parent;
	b->n_nodes++;
	if (!parent) {
		b->root = n;
		return n;
	}
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	n->index = parent->n_entries++;
	return n;
}

static int check_room(struct builder *b, struct conf_place at)
{
	size_t max;

	if (!b->open)
		return 0;
	if (b->n_nodes >= b->bounds->nodes) {
		conf_diag_error(b->d, at, YAML_KEY, "more than %zu values in one file",
				b->bounds->nodes);
		return -EINVAL;
	}
	max = b->open->kind == CONF_MAP ? b->bounds->map : b->bounds->list;
	if (b->open->n_entries < max)
		return 0;
	conf_diag_error(b->d, at, YAML_KEY, "more than %zu entries in one %s", max,
			b->open->kind == CONF_MAP ? "mapping" : "list");
	return -EINVAL;
}

static bool key_expected(const struct builder *b)
{
	return b->open && b->open->kind == CONF_MAP && !b->key;
}

/* What we do not take, but can read past. Values are not shown: they may be secret. */
static void
refuse_extras(struct builder *b, const void *anchor, const void *tag, struct conf_place at)
{
	char path[PATH_ROOM];

	if (anchor)
		conf_diag_error(b->d, at, key_of(b, path),
				"anchors (&name) are not supported: write the value out");
	if (tag)
		conf_diag_error(b->d, at, key_of(b, path),
				"tags (!name) are not supported: leave it out");
}

static int take_key(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	struct conf_place at = place_of(e->start_mark);
	char path[PATH_ROOM];

	if (check_room(b, at) < 0)
		return -EINVAL;
	b->key = strdup(text);
	if (!b->key)
		return -ENOMEM;
	b->key_at = at;
	if (strlen(text) != e->data.scalar.length) {
		conf_diag_error(b->d, at, key_of(b, path), "a NUL character in a key");
		b->key_bad = true;
	}
	refuse_extras(b, e->data.scalar.anchor, e->data.scalar.tag, at);
	for (const struct conf_node *n = b->open->first; n; n = n->next) {
		if (strcmp(n->key, text))
			continue;
		conf_diag_error(b->d, at, key_of(b, path),
				"duplicate key (it was given at %u:%u already)", n->key_at.line,
				n->key_at.column);
		b->key_bad = true;
		break;
	}
	return 0;
}

static int take_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	struct conf_place at = place_of(e->start_mark);
	char path[PATH_ROOM];
	struct conf_node *n;
	bool has_nul;

	if (key_expected(b))
		return take_key(b, e);
	if (check_room(b, at) < 0)
		return -EINVAL;
	refuse_extras(b, e->data.scalar.anchor, e->data.scalar.tag, at);
	has_nul = strlen(text) != e->data.scalar.length;
	if (has_nul)
		conf_diag_error(b->d, at, key_of(b, path), "a NUL character in a value");
	n = add_node(b, CONF_SCALAR, at);
	if (!n)
		return -ENOMEM;
	n->text = strdup(text);
	if (!n->text)
		return -ENOMEM;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (has_nul)
		n->bad = true;
	return 0;
}

static int refuse_complex_key(struct builder *b, struct conf_place at)
{
	conf_diag_error(b->d, at, YAML_KEY, "a key must be plain text");
	return -EINVAL;
}

static int take_start(struct builder *b, const yaml_event_t *e, enum conf_node_kind kind)
{
	struct conf_place at = place_of(e->start_mark);
	struct conf_node *n;

	if (key_expected(b))
		return refuse_complex_key(b, at);
	if (b->depth == b->bounds->depth) {
		conf_diag_error(b->d, at, YAML_KEY, "nested deeper than %zu levels",
				b->bounds->depth);
		return -EINVAL;
	}
	if (check_room(b, at) < 0)
		return -EINVAL;
	if (kind == CONF_MAP)
		refuse_extras(b, e->data.mapping_start.anchor, e->data.mapping_start.tag, at);
	else
		refuse_extras(b, e->data.sequence_start.anchor, e->data.sequence_start.tag, at);
	n = add_node(b, kind, at);
	if (!n)
		return -ENOMEM;
	b->open = n;
	b->depth++;
	return 0;
}

static void take_end(struct builder *b)
{
	assert(b->open && !b->key);
	b->open = b->open->parent;
	b->depth--;
}

static int take_alias(struct builder *b, const yaml_event_t *e)
{
	struct conf_place at = place_of(e->start_mark);
	char path[PATH_ROOM];
	struct conf_node *n;

	if (key_expected(b))
		return refuse_complex_key(b, at);
	if (check_room(b, at) < 0)
		return -EINVAL;
	conf_diag_error(b->d, at, key_of(b, path),
			"aliases (*name) are not supported: write the value out");
	n = add_node(b, CONF_SCALAR, at);
	if (!n)
		return -ENOMEM;
	n->bad = true;
	n->text = strdup("");
	return n->text ? 0 : -ENOMEM;
}

static int refuse_document(struct builder *b, const yaml_event_t *e)
{
	conf_diag_error(b->d, place_of(e->start_mark), YAML_KEY,
			"a second document begins here: one is all a file may have");
	return 0;
}

/* A document is whole. */
static int hand_over(struct builder *b)
{
	int r = 0;

	if (!b->fn)
		return 1;
	if (b->root)
		r = b->fn(b->arg, b->root);
	conf_tree_free(b->root);
	b->root = NULL;
	return r < 0 ? r : 1;
}

/* One event. 1: go on; 0: the end; -EINVAL: nothing can be made of it; -ENOMEM. */
static int take_event(struct builder *b, const yaml_event_t *e)
{
	int r = 0;

	switch (e->type) {
	case YAML_STREAM_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		return b->n_documents++ == 0 || b->fn ? 1 : refuse_document(b, e);
	case YAML_DOCUMENT_END_EVENT:
		return hand_over(b);
	case YAML_ALIAS_EVENT:
		r = take_alias(b, e);
		break;
	case YAML_SCALAR_EVENT:
		r = take_scalar(b, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		r = take_start(b, e, CONF_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		r = take_start(b, e, CONF_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		take_end(b);
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
		break;
	}
	return r < 0 ? r : 1;
}

/* For bytes that are no characters libyaml names an offset, not a line. */
static struct conf_place place_of_offset(const char *buf, size_t len, size_t offset)
{
	struct conf_place at = {1, 1};

	for (size_t i = 0; i < offset && i < len; i++) {
		if (buf[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if (((unsigned char)buf[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

static int refuse_syntax(struct conf_diag *d, const yaml_parser_t *p, const char *buf, size_t len)
{
	const char *problem = p->problem ? p->problem : "not YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		conf_diag_error(d, place_of_offset(buf, len, p->problem_offset), YAML_KEY, "%s",
				problem);
	else if (p->context)
		conf_diag_error(d, place_of(p->problem_mark), YAML_KEY, "%s (%s, begun at %zu:%zu)",
				problem, p->context, p->context_mark.line + 1,
				p->context_mark.column + 1);
	else
		conf_diag_error(d, place_of(p->problem_mark), YAML_KEY, "%s", problem);
	return -EINVAL;
}

/* All of buf through b; on failure what was built is freed. */
static int build(struct builder *b, const char *buf, size_t len)
{
	yaml_parser_t parser;
	yaml_event_t event;
	int r;

	assert(b->bounds->depth <= CONF_TREE_DEPTH);
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf, len);
	do {
		if (!yaml_parser_parse(&parser, &event)) {
			r = refuse_syntax(b->d, &parser, buf, len);
			break;
		}
		r = take_event(b, &event);
		yaml_event_delete(&event);
	} while (r > 0);
	yaml_parser_delete(&parser);
	free(b->key);
	if (r < 0)
		conf_tree_free(b->root);
	return r;
}

int conf_tree_read(const char *buf, size_t len, struct conf_diag *d, struct conf_node **out)
{
	struct builder b = {.bounds = &conf_bounds, .d = d};
	int r = build(&b, buf, len);

	if (r == 0)
		*out = b.root;
	return r;
}

int conf_tree_read_each(const char *buf, size_t len, const struct conf_tree_bounds *bounds,
			struct conf_diag *d, conf_tree_fn fn, void *arg)
{
	struct builder b = {.bounds = bounds, .d = d, .fn = fn, .arg = arg};

	return build(&b, buf, len);
}
