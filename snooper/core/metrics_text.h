/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * metrics_text.h - metrics as Prometheus reads them: the text exposition format 0.0.4.
 *
 * core: pure. A family is begun, then its values follow, each with up to two labels.
 * Numbers come in our units and leave in Prometheus' base units (seconds, bytes).
 *
 * The text grows as needed. When memory is out, the writer stops and remembers it:
 * ask once, at the end, with metrics_text_error().
 */
#ifndef SNP_METRICS_TEXT_H
#define SNP_METRICS_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct metrics_text {
	char *text; /* malloc'd, NUL at [len]; metrics_text_fini() or whoever takes it frees it */
	size_t len, room;
	int error;	    /* 0 or -ENOMEM */
	const char *family; /* borrowed: the name of the family that was begun last */
};

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER };

/*
 * Begin a family. The whole name, with its prefix and its unit; a counter's ends in
 * _total, no other one does. name is borrowed until the next family.
 */
void metrics_family(struct metrics_text *t, const char *name, enum metrics_type type,
		    const char *help);

/* A value of the family that was begun. label NULL: none. value_of is UTF-8. */
void metrics_value(struct metrics_text *t, const char *label, const char *value_of, uint64_t value);

/* The same with two labels. */
struct metrics_label {
	const char *name, *value; /* UTF-8 */
};
void metrics_value_of(struct metrics_text *t, const struct metrics_label of[2], uint64_t value);

/* The same in seconds, with as many digits behind the point as ns has. */
void metrics_seconds(struct metrics_text *t, uint64_t ns);

/* A family of one value without a label, at once. */
void metrics_one(struct metrics_text *t, const char *name, enum metrics_type type, const char *help,
		 uint64_t value);

/* A line for people; Prometheus skips it. */
void metrics_remark(struct metrics_text *t, const char *subject, const char *text);

static inline int metrics_text_error(const struct metrics_text *t)
{
	return t->error;
}

void metrics_text_fini(struct metrics_text *t);

#endif
