/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf_diag_line {
	size_t file; /* files are told in the order in which they were read */
	struct conf_place at;
	size_t order; /* of equal places, the one noted first comes first */
	char *text;
};

struct conf_diag_mark {
	const char *path;
	int index;
	struct conf_place at;
};

/* Room for one more of size bytes behind n, grown by doubling. NULL when out of memory. */
static void *grown(void *array, size_t n, size_t size)
{
	if (n & (n - 1) || (n && n < 16))
		return array;
	return reallocarray(array, n ? 2 * n : 16, size);
}

void conf_diag_file(struct conf_diag *d, const char *name)
{
	if (d->file && !strcmp(d->file, name))
		return;
	free(d->file);
	d->file = strdup(name);
	d->n_files++;
	if (!d->file)
		d->no_memory = true;
}

static char *compose(const struct conf_diag *d, enum conf_severity severity, struct conf_place at,
		     const char *key, const char *problem)
{
	const char *word = severity == CONF_ERROR ? "error" : "warning";
	const char *file = d->file ? d->file : "configuration";
	char *line;
	int n;

	if (at.line)
		n = asprintf(&line, "%s:%u:%u: %s: %s: %s\n", file, at.line, at.column, word, key,
			     problem);
	else
		n = asprintf(&line, "%s: %s: %s: %s\n", file, word, key, problem);
	return n < 0 ? NULL : line;
}

void conf_diag_add(struct conf_diag *d, enum conf_severity severity, struct conf_place at,
		   const char *key, const char *format, ...)
{
	char problem[1024];
	void *lines;
	char *text;
	va_list ap;

	if (severity == CONF_ERROR)
		d->n_errors++;
	else
		d->n_warnings++;
	if (d->n_lines == CONF_DIAG_LINES ||
	    (severity == CONF_WARNING && d->n_warning_lines == CONF_DIAG_LINES / 2)) {
		d->n_hidden++;
		return;
	}
	va_start(ap, format);
	vsnprintf(problem, sizeof(problem), format, ap);
	va_end(ap);

	text = compose(d, severity, at, key, problem);
	lines = grown(d->lines, d->n_lines, sizeof(*d->lines));
	if (lines)
		d->lines = lines;
	if (!text || !lines) {
		free(text);
		d->no_memory = true;
		return;
	}
	d->lines[d->n_lines] = (struct conf_diag_line){d->n_files, at, d->n_lines, text};
	d->n_lines++;
	d->n_warning_lines += severity == CONF_WARNING;
}

void conf_diag_mark(struct conf_diag *d, const char *path, int index, struct conf_place at)
{
	void *marks = grown(d->marks, d->n_marks, sizeof(*d->marks));

	if (!marks) {
		d->no_memory = true;
		return;
	}
	d->marks = marks;
	d->marks[d->n_marks++] = (struct conf_diag_mark){path, index, at};
}

struct conf_place conf_diag_place(const struct conf_diag *d, const char *path, int index)
{
	for (size_t i = 0; i < d->n_marks; i++) {
		const struct conf_diag_mark *m = &d->marks[i];

		if (m->index == index && !strcmp(m->path, path))
			return m->at;
	}
	return (struct conf_place){0, 0};
}

bool conf_diag_was_set(const struct conf_diag *d, const char *path)
{
	return conf_diag_place(d, path, CONF_WHOLE).line != 0;
}

static int by_place(const void *a, const void *b)
{
	const struct conf_diag_line *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

int conf_diag_finish(struct conf_diag *d)
{
	static const struct conf_place nowhere;
	char *hidden = NULL, *end;
	char count[64];
	size_t size = 1;

	free(d->text);
	d->text = NULL;
	if (d->no_memory)
		return -ENOMEM;
	if (d->n_lines == 0)
		return 0;
	if (d->n_hidden) {
		snprintf(count, sizeof(count), "%zu more problems are not shown", d->n_hidden);
		hidden = compose(d, d->n_errors ? CONF_ERROR : CONF_WARNING, nowhere,
				 "configuration", count);
		if (!hidden)
			return -ENOMEM;
		size += strlen(hidden);
	}
	qsort(d->lines, d->n_lines, sizeof(*d->lines), by_place);
	for (size_t i = 0; i < d->n_lines; i++)
		size += strlen(d->lines[i].text);
	d->text = malloc(size);
	if (!d->text) {
		free(hidden);
		return -ENOMEM;
	}
	end = d->text;
	for (size_t i = 0; i < d->n_lines; i++)
		end = stpcpy(end, d->lines[i].text);
	stpcpy(end, hidden ? hidden : "");
	free(hidden);
	return d->n_errors ? -EINVAL : 0;
}

void conf_diag_fini(struct conf_diag *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		free(d->lines[i].text);
	free(d->lines);
	free(d->marks);
	free(d->file);
	free(d->text);
	memset(d, 0, sizeof(*d));
}

const char *conf_shown(const char *text, char buf[static CONF_SHOWN_MAX])
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (used + sizeof("\\xNN...") > CONF_SHOWN_MAX) {
			stpcpy(buf + used, "...");
			return buf;
		}
		if (c >= 0x20 && c < 0x7f)
			buf[used++] = (char)c;
		else
			used += (size_t)snprintf(buf + used, 5, "\\x%02x", c);
	}
	buf[used] = '\0';
	return buf;
}
