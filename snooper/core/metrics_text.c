/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/metrics_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16384 /* what a scrape takes, about */
#define NS_PER_S   UINT64_C(1000000000)

/* Room for n more bytes and the NUL, or false and the error is set. */
static bool make_room(struct metrics_text *t, size_t n)
{
	size_t room = t->room ? t->room : ROOM_FIRST;
	char *text;

	if (t->error)
		return false;
	if (t->len + n < t->room)
		return true;
	while (room <= t->len + n)
		room *= 2;
	text = realloc(t->text, room);
	if (!text) {
		t->error = -ENOMEM;
		return false;
	}
	t->text = text;
	t->room = room;
	return true;
}

static void put(struct metrics_text *t, const char *text, size_t n)
{
	if (!make_room(t, n))
		return;
	memcpy(t->text + t->len, text, n);
	t->len += n;
	t->text[t->len] = '\0';
}

static void put_text(struct metrics_text *t, const char *text)
{
	put(t, text, strlen(text));
}

/* What would end the line or, inside quotes, the value is written with a backslash. */
static void put_escaped(struct metrics_text *t, const char *text, bool quoted)
{
	while (*text) {
		size_t plain = strcspn(text, quoted ? "\\\n\"" : "\\\n");

		put(t, text, plain);
		text += plain;
		if (!*text)
			break;
		put(t, "\\", 1);
		put(t, *text == '\n' ? "n" : text, 1);
		text++;
	}
}

static bool is_total(const char *name)
{
	static const char end[] = "_total";
	size_t len = strlen(name), n = sizeof(end) - 1;

	return len > n && !strcmp(name + len - n, end);
}

void metrics_family(struct metrics_text *t, const char *name, enum metrics_type type,
		    const char *help)
{
	assert(is_total(name) == (type == METRICS_COUNTER));
	t->family = name;
	put_text(t, "# HELP ");
	put_text(t, name);
	put_text(t, " ");
	put_escaped(t, help, false);
	put_text(t, "\n# TYPE ");
	put_text(t, name);
	put_text(t, type == METRICS_COUNTER ? " counter\n" : " gauge\n");
}

static void put_label(struct metrics_text *t, const char *before, const struct metrics_label *l)
{
	put_text(t, before);
	put_text(t, l->name);
	put_text(t, "=\"");
	put_escaped(t, l->value, true);
	put_text(t, "\"");
}

static void
put_sample(struct metrics_text *t, const struct metrics_label *labels, size_t n, const char *number)
{
	put_text(t, t->family);
	for (size_t i = 0; i < n; i++)
		put_label(t, i ? "," : "{", &labels[i]);
	if (n)
		put_text(t, "}");
	put_text(t, " ");
	put_text(t, number);
	put_text(t, "\n");
}

void metrics_value(struct metrics_text *t, const char *label, const char *value_of, uint64_t value)
{
	const struct metrics_label of = {label, value_of};
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	put_sample(t, &of, label != NULL, number);
}

void metrics_value_of(struct metrics_text *t, const struct metrics_label of[2], uint64_t value)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	put_sample(t, of, 2, number);
}

void metrics_seconds(struct metrics_text *t, uint64_t ns)
{
	char number[40];
	int len = snprintf(number, sizeof(number), "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S,
			   ns % NS_PER_S);

	while (number[len - 1] == '0')
		number[--len] = '\0';
	if (number[len - 1] == '.')
		number[--len] = '\0';
	put_sample(t, NULL, 0, number);
}

void metrics_one(struct metrics_text *t, const char *name, enum metrics_type type, const char *help,
		 uint64_t value)
{
	metrics_family(t, name, type, help);
	metrics_value(t, NULL, NULL, value);
}

void metrics_remark(struct metrics_text *t, const char *subject, const char *text)
{
	put_text(t, "# ");
	put_escaped(t, subject, false);
	put_text(t, ": ");
	put_escaped(t, text, false);
	put_text(t, "\n");
}

void metrics_text_fini(struct metrics_text *t)
{
	free(t->text);
	*t = (struct metrics_text){0};
}
