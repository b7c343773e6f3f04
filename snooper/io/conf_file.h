/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_file.h - a whole file in memory, up to a bound.
 *
 * io.
 */
#ifndef SNP_CONF_FILE_H
#define SNP_CONF_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Read path; a pipe is as good as a file. Returns the length and *out, the
 * caller's; max + 1 when there is more than max. -errno; then *out is untouched.
 */
ssize_t conf_file_read(const char *path, size_t max, char **out);

#endif
