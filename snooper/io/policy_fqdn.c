/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* toFQDNs and rules.dns: lists of selectors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"
#include "snooper/io/policy_reader.h"

#define NAME_MAX_TEXT	255
#define REGEX_MAX_TEXT	1024
#define REGEX_BACKSLASH '\\'

const struct policy_field policy_fqdn_fields[] = {
	{"matchName", POLICY_READ, NULL, NULL},
	{"matchPattern", POLICY_READ, NULL, NULL},
	{"matchRegex", POLICY_READ, NULL, NULL},
	{0},
};

/* What a selector has instead of labels of letters, digits, - and _ (and stars), or NULL. */
static const char *wrong_with_labels(const char *text, bool stars)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > NAME_MAX_TEXT)
		return "is longer than 255 characters";
	if (!strcmp(text, "."))
		return "is the root, which no selector stands for";
	if (!stars && strchr(text, '*'))
		return "has a star: that is a matchPattern";
	if (match_pattern_valid(text))
		return NULL;
	if (*text == '.' || strstr(text, ".."))
		return "has an empty label";
	return stars ? "has other characters than letters, digits, '-', '_', '.' and '*'"
		     : "has other characters than letters, digits, '-', '_' and '.'";
}

/* The form only: what the expression means, and whether it fits, is for the compiler of matches. */
static const char *wrong_with_regex(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > REGEX_MAX_TEXT)
		return "is longer than 1024 characters";
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return "has other characters than printable ASCII";
		if (*p != REGEX_BACKSLASH)
			continue;
		p++;
		if (*p >= '1' && *p <= '9')
			return "has a back-reference, which no automaton can follow";
		if (!*p)
			return "ends in a backslash";
	}
	return NULL;
}

static const char *wrong_with(enum policy_selector_kind kind, const char *text)
{
	if (kind == POLICY_MATCH_REGEX)
		return wrong_with_regex(text);
	return wrong_with_labels(text, kind == POLICY_MATCH_PATTERN);
}

/* The one entry that says what is matched; what is wrong about that is noted. */
static const struct conf_node *
the_one(struct policy_reader *r, const struct conf_node *map, enum policy_selector_kind *kind)
{
	const struct conf_node *found = NULL;
	unsigned int n = 0;

	for (enum policy_selector_kind k = POLICY_MATCH_NAME; k <= POLICY_MATCH_REGEX; k++) {
		const struct conf_node *entry = policy_entry(map, policy_fqdn_fields[k].name);

		if (!entry)
			continue;
		found = entry;
		*kind = k;
		n++;
	}
	if (n == 1)
		return policy_is_value(r, found) ? found : NULL;
	policy_error(r, map, "%s of matchName, matchPattern and matchRegex is wanted",
		     n ? "only one" : "one");
	return NULL;
}

/* 1: taken into *s; 0: refused. */
static int
take_fqdn(struct policy_reader *r, const struct conf_node *map, struct policy_selector *s)
{
	char shown[CONF_SHOWN_MAX];
	const struct conf_node *n;
	const char *why;
	int res;

	if (!policy_is_map(r, map))
		return 0;
	res = policy_walk(r, map, policy_fqdn_fields, NULL);
	n = res < 0 ? NULL : the_one(r, map, &s->kind);
	if (!n)
		return res;
	why = wrong_with(s->kind, n->text);
	if (why) {
		policy_error(r, n, "'%s' %s", conf_shown(n->text, shown), why);
		return 0;
	}
	s->at = policy_place(r, n);
	s->text = strdup(n->text);
	return s->text ? 1 : -ENOMEM;
}

int policy_take_fqdns(struct policy_reader *r, const struct conf_node *list,
		      struct policy_selector **out, size_t *n_out)
{
	if (!policy_is_list(r, list))
		return 0;
	if (!list->n_entries) {
		policy_error(r, list,
			     "an empty list, which Cilium takes for no limit: leave the %s out",
			     strcmp(list->key, "dns") ? "rule" : "key");
		return 0;
	}
	if (!policy_room_for_selectors(r, list, list->n_entries))
		return 0;
	*out = calloc(list->n_entries, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (const struct conf_node *n = list->first; n; n = n->next) {
		int res = take_fqdn(r, n, &(*out)[*n_out]);

		if (res < 0)
			return res;
		*n_out += (size_t)res;
	}
	return 0;
}
