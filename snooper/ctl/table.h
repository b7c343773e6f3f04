/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * table.h - aligned columns for a list of any length.
 *
 * ctl. Rows are held back until there are enough to know the widths, then
 * written block by block; a later, wider cell moves its own row only.
 */
#ifndef SNP_CTL_TABLE_H
#define SNP_CTL_TABLE_H

#include "snooper/ctl/ctl.h"

#define TABLE_COLUMNS 8
#define TABLE_BLOCK   500 /* rows */

struct table {
	struct ctl *ctl;
	size_t n_columns, n_rows;
	size_t width[TABLE_COLUMNS];
	char **cells; /* owned: n_rows times n_columns, each owned */
};

/* The headings are the first row. 0 or -ENOMEM. */
int table_init(struct table *t, struct ctl *ctl, const char *const *headings, size_t n);
/* cells: n_columns of them, copied; "" is shown as "-". 0 or -ENOMEM. */
int table_row(struct table *t, const char *const *cells);
/* Write what is held back. */
void table_flush(struct table *t);
void table_fini(struct table *t);

#endif
