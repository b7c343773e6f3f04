/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * log.h - one line per fact, key=value, to stderr; with priority when the journal reads it.
 *
 * base: no domain knowledge. Only daemon.c, main.c and io/ log.
 * err: someone must act. warn: degraded but serving. info: state changes. debug: the rest.
 * errno is untouched by a call.
 */
#ifndef SNP_LOG_H
#define SNP_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);

/* format starts with "event=..." and has no final newline. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lines that could not be written: a full disk, a reader that is gone. */
uint64_t log_lost(void);

#define log_err(...)   log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
