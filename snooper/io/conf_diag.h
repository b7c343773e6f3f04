/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_diag.h - what is wrong with a configuration, for a person: all of it, file by file in line order.
 *
 * io. One struct per reading; zero-initialise it, hand it to conf_read() and
 * then to conf_fill_from_host(), print .text, conf_diag_fini(). Not thread-safe.
 *
 * A line is FILE:LINE:COL: error: KEY: problem (or warning), lines and columns
 * from 1, columns in characters; without LINE:COL when no place in the file is
 * to blame. A problem never holds a control character, nor a secret.
 */
#ifndef SNP_CONF_DIAG_H
#define SNP_CONF_DIAG_H

#include <stdbool.h>
#include <stddef.h>

/* From 1; line 0: no place. */
struct conf_place {
	unsigned int line, column;
};

struct conf_diag_line; /* conf_diag.c */
struct conf_diag_mark;

struct conf_diag {
	char *text; /* NULL: nothing to say; valid until the next call or _fini */
	size_t n_errors, n_warnings;

	/* conf_diag.c's own */
	char *file;
	size_t n_files;
	struct conf_diag_line *lines;
	size_t n_lines, n_warning_lines, n_hidden;
	struct conf_diag_mark *marks;
	size_t n_marks;
	bool no_memory; /* something could not be noted: the reading must fail */
};

enum conf_severity { CONF_ERROR, CONF_WARNING };

/* The name that lines begin with from now on: another file, told behind those before it. Copied. */
void conf_diag_file(struct conf_diag *d, const char *name);

/* Note a problem with key. After CONF_DIAG_LINES of them, half of them warnings, they are only counted. */
#define CONF_DIAG_LINES 1000
void conf_diag_add(struct conf_diag *d, enum conf_severity severity, struct conf_place at,
		   const char *key, const char *format, ...) __attribute__((format(printf, 5, 6)));

#define conf_diag_error(d, at, key, ...)   conf_diag_add(d, CONF_ERROR, at, key, __VA_ARGS__)
#define conf_diag_warning(d, at, key, ...) conf_diag_add(d, CONF_WARNING, at, key, __VA_ARGS__)

/*
 * Where a key's value was read, for checks that come later. path is borrowed
 * for the life of d (a string of the table of keys); index is the entry of a
 * list, CONF_WHOLE for the value itself.
 */
#define CONF_WHOLE (-1)
void conf_diag_mark(struct conf_diag *d, const char *path, int index, struct conf_place at);

/* Line 0 when the key is not in the file (its default holds) or was refused. */
struct conf_place conf_diag_place(const struct conf_diag *d, const char *path, int index);
bool conf_diag_was_set(const struct conf_diag *d, const char *path);

/*
 * Make .text anew from everything noted. Returns 0; -EINVAL when there is an
 * error among it; -ENOMEM when out of memory, now or while noting.
 */
int conf_diag_finish(struct conf_diag *d);

/* Leaves d as zero-initialised. */
void conf_diag_fini(struct conf_diag *d);

/*
 * What of text may be shown: at most CONF_SHOWN_MAX - 1 bytes, everything but
 * printable ASCII as \xNN, "..." where it was cut. Returns buf.
 */
#define CONF_SHOWN_MAX 80
const char *conf_shown(const char *text, char buf[static CONF_SHOWN_MAX]);

#endif
