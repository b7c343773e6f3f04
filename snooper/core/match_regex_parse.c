/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* match_regex_parse.c - the text of a regular expression into a tree, or where it is wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_regex.h"

#define GROUPS_MAX 32 /* one within the other */

struct reading {
	struct regex *r;
	const char *text, *at;
	unsigned int groups;
	int err;
	struct match_problem *problem;
};

static bool wrong(struct reading *in, const char *at, const char *why)
{
	if (in->err)
		return false;
	in->err = -EINVAL;
	in->problem->position = (uint32_t)(at - in->text) + 1;
	snprintf(in->problem->text, sizeof(in->problem->text), "%s", why);
	return false;
}

static uint32_t add(struct reading *in, struct regex_part part)
{
	struct regex *r = in->r;
	struct regex_part *parts = match_room(r->parts, sizeof(*parts), r->n + 1, &r->room);

	if (!parts) {
		in->err = -ENOMEM;
		return 0;
	}
	r->parts = parts;
	parts[r->n] = part;
	return (uint32_t)r->n++;
}

/* What a byte stands for as itself; none: no name has it. */
static uint64_t symbols_of(char c)
{
	unsigned int s = c == '.' ? MATCH_DOT : match_symbol((uint8_t)c);

	return s ? MATCH_ON(s) : 0;
}

static uint64_t between(char first, char last)
{
	uint64_t on = 0;

	for (int c = (unsigned char)first; c <= (unsigned char)last; c++)
		on |= symbols_of((char)c);
	return on;
}

static bool is_punctuation(char c)
{
	return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c);
}

/*
 * After a backslash, at in->at: a class, or a character that stands for itself; *itself tells
 * which, 0 for a class.
 */
static bool read_escape(struct reading *in, uint64_t *on, char *itself)
{
	const char *began = in->at - 1;
	uint64_t digits = between('0', '9'), words = digits | between('a', 'z') | symbols_of('_');
	char c = *in->at;

	*itself = 0;
	switch (c) {
	case 'd':
		*on = digits;
		break;
	case 'D':
		*on = MATCH_ANY & ~digits;
		break;
	case 'w':
		*on = words;
		break;
	case 'W':
		*on = MATCH_ANY & ~words;
		break;
	default:
		if (!is_punctuation(c))
			return wrong(in, began,
				     c >= '0' && c <= '9' ? "no back-references"
				     : c		  ? "unknown escape"
							  : "nothing after the backslash");
		*itself = c;
		*on = symbols_of(c);
	}
	in->at++;
	return true;
}

/* One member of a class, or the end of a range. */
static bool read_member(struct reading *in, uint64_t *on, char *itself)
{
	if (!*in->at)
		return wrong(in, in->at, "a class without its ]");
	if (in->at[0] == '[' && (in->at[1] == ':' || in->at[1] == '.' || in->at[1] == '='))
		return wrong(in, in->at, "named classes are not known here");
	*itself = *in->at++;
	if (*itself == '\\')
		return read_escape(in, on, itself);
	*on = symbols_of(*itself);
	return true;
}

static bool read_class(struct reading *in, uint64_t *on)
{
	const char *began = in->at - 1, *member;
	bool negated = *in->at == '^';
	uint64_t more;
	char first, last;

	in->at += negated;
	*on = 0;
	member = in->at;
	/* A ] that comes first is one of the members. */
	while (in->at == member || *in->at != ']') {
		const char *range = in->at;

		if (!read_member(in, &more, &first))
			return false;
		if (first && in->at[0] == '-' && in->at[1] != ']') {
			in->at++;
			if (!read_member(in, &more, &last))
				return false;
			if (!last || (unsigned char)last < (unsigned char)first)
				return wrong(in, range, "a range that ends before it begins");
			more = between(first, last);
		}
		*on |= more;
	}
	in->at++;
	if (negated)
		*on = MATCH_ANY & ~*on;
	return *on ? true : wrong(in, began, "no name has any of these characters");
}

static bool read_number(struct reading *in, unsigned int *n)
{
	const char *began = in->at;

	*n = 0;
	while (*in->at >= '0' && *in->at <= '9' && *n <= MATCH_REPEAT_MAX)
		*n = *n * 10 + (unsigned int)(*in->at++ - '0');
	if (*n > MATCH_REPEAT_MAX)
		return wrong(in, began, "repeated more than 255 times");
	return in->at > began;
}

/* {m}, {m,} or {m,n}, behind its brace. */
static bool read_times(struct reading *in, unsigned int *min, unsigned int *max)
{
	const char *began = in->at - 1;

	if (!read_number(in, min))
		return wrong(in, began, "not {m}, {m,} or {m,n}");
	*max = *min;
	if (*in->at == ',') {
		in->at++;
		if (*in->at == '}')
			*max = REGEX_ENDLESS;
		else if (!read_number(in, max))
			return wrong(in, began, "not {m}, {m,} or {m,n}");
	}
	if (*in->at++ != '}')
		return wrong(in, began, "not {m}, {m,} or {m,n}");
	return *min <= *max ? true : wrong(in, began, "fewer times at most than at least");
}

static bool read_either(struct reading *in, uint32_t *part);

/* Behind its parenthesis. */
static bool read_group(struct reading *in, uint32_t *part)
{
	const char *began = in->at - 1;

	if (in->at[0] == '?' && in->at[1] == ':')
		in->at += 2;
	else if (in->at[0] == '?')
		return wrong(in, began, "of the groups with a ?, only (?:) is known here");
	if (++in->groups > GROUPS_MAX)
		return wrong(in, began, "more than 32 groups within each other");
	if (!read_either(in, part))
		return false;
	if (*in->at != ')')
		return wrong(in, began, "a group without its )");
	in->at++;
	in->groups--;
	return true;
}

static bool read_atom(struct reading *in, uint32_t *part)
{
	const char *began = in->at;
	uint64_t on;
	char c = *in->at++, itself;

	if (c == '(')
		return read_group(in, part);
	if (strchr("*+?{", c))
		return wrong(in, began, "nothing to repeat");
	if (c == '^' || c == '$')
		return wrong(in, began, "^ begins and $ ends the whole expression only");
	if (c == '.')
		on = MATCH_ANY;
	else if (c == '[' ? !read_class(in, &on) : c == '\\' && !read_escape(in, &on, &itself))
		return false;
	else if (c != '[' && c != '\\')
		on = symbols_of(c);
	if (!on)
		return wrong(in, began, "no name has this character");
	*part = add(in, (struct regex_part){.op = REGEX_SYMBOL, .on = on});
	return !in->err;
}

static bool read_repeated(struct reading *in, uint32_t *part)
{
	unsigned int min, max;

	if (!read_atom(in, part))
		return false;
	if (!*in->at || !strchr("*+?{", *in->at))
		return true;
	min = *in->at == '+';
	max = *in->at == '?' ? 1 : REGEX_ENDLESS;
	if (*in->at++ == '{' && !read_times(in, &min, &max))
		return false;
	/* Whether as few as may be or as many makes no difference to what matches. */
	in->at += *in->at == '?';
	if (*in->at && strchr("*+?{", *in->at))
		return wrong(in, in->at, "repeated twice");
	*part = add(in,
		    (struct regex_part){.op = REGEX_REPEAT, .a = *part, .min = min, .max = max});
	return !in->err;
}

static bool at_end(const struct reading *in)
{
	return !*in->at || *in->at == '|' || *in->at == ')';
}

static bool read_then(struct reading *in, uint32_t *part)
{
	uint32_t next;

	if (!in->groups && *in->at == '^')
		in->at++;
	*part = add(in, (struct regex_part){.op = REGEX_NOTHING});
	while (!in->err && !at_end(in)) {
		if (!in->groups && *in->at == '$' && (!in->at[1] || in->at[1] == '|')) {
			in->at++;
			break;
		}
		if (!read_repeated(in, &next))
			return false;
		*part = add(in, (struct regex_part){.op = REGEX_THEN, .a = *part, .b = next});
	}
	return !in->err;
}

static bool read_either(struct reading *in, uint32_t *part)
{
	uint32_t other;

	if (!read_then(in, part))
		return false;
	while (*in->at == '|') {
		in->at++;
		if (!read_then(in, &other))
			return false;
		*part = add(in, (struct regex_part){.op = REGEX_EITHER, .a = *part, .b = other});
	}
	return !in->err;
}

int regex_parse(const char *text, struct regex *r, struct match_problem *problem)
{
	struct reading in = {.r = r, .text = text, .at = text, .problem = problem};

	*r = (struct regex){.n = 0};
	if (!*text)
		wrong(&in, text, "an empty expression");
	else if (strlen(text) > MATCH_REGEX_MAX)
		wrong(&in, text + MATCH_REGEX_MAX, "longer than 1024 characters");
	else if (read_either(&in, &r->whole) && *in.at)
		wrong(&in, in.at, "a ) without its group");
	if (in.err)
		regex_fini(r);
	return in.err;
}

void regex_fini(struct regex *r)
{
	free(r->parts);
	*r = (struct regex){.n = 0};
}
