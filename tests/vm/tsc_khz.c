/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tsc_khz.c - print how fast this host's time stamp counter runs, in kHz.
 *
 * A guest under software emulation reads the host's counter. Its own calibration
 * at boot goes wrong when the host is busy (a clock seven times too fast was seen).
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t tsc, ns;
};

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The pair read closest together of a hundred: nobody interrupted that one. */
static struct moment now(void)
{
	struct moment best = {0, 0};
	uint64_t closest = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t before = __rdtsc(), ns = monotonic_ns(), after = __rdtsc();

		if (after - before < closest) {
			closest = after - before;
			best = (struct moment){.tsc = before + closest / 2, .ns = ns};
		}
	}
	return best;
}

int main(void)
{
	struct moment from = now(), to;

	do {
		to = now();
	} while (to.ns - from.ns < 50000000);
	printf("%.0f\n", (double)(to.tsc - from.tsc) * 1e6 / (double)(to.ns - from.ns));
	return 0;
}
