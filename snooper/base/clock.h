/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * clock.h - the one clock of the project: CLOCK_BOOTTIME, as the kernel side has it. And what work takes.
 *
 * base. Nanoseconds. Counts time asleep, never jumps with the wall clock.
 */
#ifndef SNP_CLOCK_H
#define SNP_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SNP_NS_PER_S  1000000000ull
#define SNP_NS_PER_MS 1000000ull

static inline uint64_t clock_boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * SNP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Time that this thread had on a CPU: whoever else had it is not counted. */
static inline uint64_t clock_cpu_ns(void)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SNP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

#endif
