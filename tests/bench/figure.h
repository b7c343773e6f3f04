/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * figure.h - a figure of several rounds: its median, and the standard error of that.
 */
#ifndef SNP_BENCH_FIGURE_H
#define SNP_BENCH_FIGURE_H

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 64

struct figure {
	double at[ROUNDS_MAX];
	int rounds;
};

/* What does not hold ends the program: figures of something else are worth nothing. */
static inline void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(1);
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static inline void figure_add(struct figure *f, double value)
{
	require(f->rounds < ROUNDS_MAX, "rounds");
	f->at[f->rounds++] = value;
}

static inline int figure_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double figure_median(const struct figure *f)
{
	struct figure sorted = *f;
	int n = f->rounds;

	qsort(sorted.at, n, sizeof(sorted.at[0]), figure_by_value);
	return n & 1 ? sorted.at[n / 2] : (sorted.at[n / 2 - 1] + sorted.at[n / 2]) / 2;
}

/* By the median deviation: a few bad rounds do not move it. As arms.py has it. */
static inline double figure_error(const struct figure *f)
{
	struct figure off = {.rounds = f->rounds};
	double middle = figure_median(f);

	for (int i = 0; i < f->rounds; i++)
		off.at[i] = f->at[i] > middle ? f->at[i] - middle : middle - f->at[i];
	return 1.2533 * 1.4826 * figure_median(&off) / sqrt(f->rounds);
}

#endif
