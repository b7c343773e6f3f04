/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* By any thread. */
static _Atomic enum log_level threshold = LOG_LEVEL_INFO;
static _Atomic uint64_t lost;

static const struct {
	const char *word;
	int priority; /* sd-daemon(3): what "<N>" at the start of a line means */
} levels[] = {
	[LOG_LEVEL_ERR] = {"err", 3},
	[LOG_LEVEL_WARN] = {"warn", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

uint64_t log_lost(void)
{
	return lost;
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[1024], priority[8] = "";
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (getenv("JOURNAL_STREAM"))
		snprintf(priority, sizeof(priority), "<%d>", levels[level].priority);
	if (fprintf(stderr, "%slevel=%s %s\n", priority, levels[level].word, line) < 0)
		lost++;
	errno = saved;
}
