/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/ctl/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int table_init(struct table *t, struct ctl *ctl, const char *const *headings, size_t n)
{
	memset(t, 0, sizeof(*t));
	t->ctl = ctl;
	t->n_columns = n < TABLE_COLUMNS ? n : TABLE_COLUMNS;
	t->cells = calloc(TABLE_BLOCK * t->n_columns, sizeof(char *));
	if (!t->cells)
		return -ENOMEM;
	return table_row(t, headings);
}

int table_row(struct table *t, const char *const *cells)
{
	char **row;

	if (t->n_rows == TABLE_BLOCK)
		table_flush(t);
	row = t->cells + t->n_rows++ * t->n_columns;
	for (size_t i = 0; i < t->n_columns; i++) {
		size_t n;

		row[i] = strdup(cells[i][0] ? cells[i] : "-");
		if (!row[i])
			return -ENOMEM;
		n = strlen(row[i]);
		if (n > t->width[i])
			t->width[i] = n;
	}
	return 0;
}

static void write_row(struct table *t, char *const *row)
{
	for (size_t i = 0; i + 1 < t->n_columns; i++)
		ctl_printf(t->ctl, "%-*s  ", (int)t->width[i], row[i]);
	ctl_printf(t->ctl, "%s\n", row[t->n_columns - 1]);
}

static void drop_rows(struct table *t)
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
		free(t->cells[i]);
		t->cells[i] = NULL;
	}
	t->n_rows = 0;
}

void table_flush(struct table *t)
{
	for (size_t i = 0; i < t->n_rows; i++)
		write_row(t, t->cells + i * t->n_columns);
	drop_rows(t);
}

void table_fini(struct table *t)
{
	if (t->cells)
		drop_rows(t);
	free(t->cells);
	t->cells = NULL;
}
