/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bench_match.c - what matching costs: selectors into tables, and names through them, in user space.
 *
 * `realistic` are the shapes that people write, as write_selector() mixes them;
 * of `two-stars` a third are labels with two stars right under a TLD. The smaller
 * sets are the first of the largest one. Names: half are made from selectors. `of_ten`:
 * from the first ten, the same names for all sets; `of_all`: from all of the set.
 * "cold" is a name after everything was pushed out of the caches.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/selectors.h"

#define ROUNDS 200
#define FLUSH  (64u << 20)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Nanoseconds a name, of the best round. */
static double walk(const struct match_tables *t, const struct names *names, size_t *matched)
{
	uint32_t index[SNP_MATCH_BANKS];
	uint64_t best = ~0ull;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t began = now_ns(CLOCK_MONOTONIC), took;

		*matched = 0;
		for (size_t i = 0; i < NAMES; i++) {
			match_name(t, names->wire[i], names->len[i], index);
			*matched += (index[0] | index[1] | index[2] | index[3]) != 0;
		}
		took = now_ns(CLOCK_MONOTONIC) - began;
		if (took < best)
			best = took;
	}
	return (double)best / NAMES;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median of a hundred. */
static double walk_cold(const struct match_tables *t, const struct names *names)
{
	volatile uint8_t *other = malloc(FLUSH);
	uint32_t index[SNP_MATCH_BANKS];
	uint64_t took[100];

	if (!other)
		abort();
	for (size_t i = 0; i < 100; i++) {
		uint64_t began;

		for (size_t k = 0; k < FLUSH; k += 64)
			other[k]++;
		began = now_ns(CLOCK_MONOTONIC);
		match_name(t, names->wire[i], names->len[i], index);
		took[i] = now_ns(CLOCK_MONOTONIC) - began;
	}
	free((void *)other);
	qsort(took, 100, sizeof(took[0]), by_size);
	return (double)took[50];
}

static void say_load(const char *what, const struct set *s, const struct match_tables *t,
		     const struct match_problems *problems, int err, uint64_t took_ns)
{
	size_t bytes = 0, states = 0, entries = 0, sets = 0;

	for (size_t i = 0; i < t->n_banks; i++) {
		bytes += t->banks[i].bytes;
		states += t->banks[i].n_states;
		entries += t->banks[i].n_entries;
		sets += t->banks[i].n_sets;
	}
	printf("{\"bench\":\"match\",\"figure\":\"load\",\"selectors\":%zu,\"shape\":\"%s\",\"ms\":"
	       "%.1f,"
	       "\"limit_ms\":2000,\"met\":%s,\"refused\":%zu,\"banks\":%zu,\"bytes\":%zu,"
	       "\"states\":%zu,"
	       "\"entries\":%zu,\"sets\":%zu}\n",
	       s->n, what, (double)took_ns / 1e6, took_ns <= 2000000000ull ? "true" : "false",
	       problems->n, t->n_banks, bytes, states, entries, sets);
	if (err)
		printf("{\"bench\":\"match\",\"figure\":\"refusal\",\"selectors\":%zu,\"shape\":\"%"
		       "s\",\"bound\":\"%s\"}\n",
		       s->n, what, problems->n ? problems->list[0].text : strerror(-err));
}

/* Returns nanoseconds a name, warm. */
static double say_names(const char *what, const char *which, const struct match_tables *t,
			const struct set *s, size_t from, double with_ten)
{
	static struct names names;
	size_t matched;
	double warm;

	make_names(&names, s, from);
	warm = walk(t, &names, &matched);
	printf("{\"bench\":\"match\",\"figure\":\"ns_a_name\",\"selectors\":%zu,\"shape\":\"%s\","
	       "\"names\":\"%s\",\"warm\":%.1f,\"cold\":%.0f,\"bytes_a_name\":%.1f,"
	       "\"matched\":%.2f",
	       s->n, what, which, warm, walk_cold(t, &names), (double)names.bytes / NAMES,
	       (double)matched / NAMES);
	if (with_ten > 0)
		printf(",\"to_ten\":%.2f,\"limit\":1.2,\"met\":%s", warm / with_ten,
		       warm <= 1.2 * with_ten ? "true" : "false");
	puts("}");
	return warm;
}

/* Returns nanoseconds a name, of those made from the first ten selectors. */
static double run(const char *what, size_t n, double with_ten)
{
	struct set s = make_set(n, *what == 't');
	struct match_tables t = {.n_banks = 0};
	struct match_problems problems;
	uint64_t began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	int err = match_compile(s.s, s.n, &t, &problems);
	double warm = 0;

	say_load(what, &s, &t, &problems, err, now_ns(CLOCK_PROCESS_CPUTIME_ID) - began);
	if (!err) {
		warm = say_names(what, "of_ten", &t, &s, 10, with_ten);
		say_names(what, "of_all", &t, &s, n, 0);
		match_tables_fini(&t);
	}
	match_problems_fini(&problems);
	free_set(&s);
	return warm;
}

int main(int argc, char **argv)
{
	double ten = run("realistic", 10, 0);

	run("realistic", 1000, ten);
	run("realistic", 10000, ten);
	run("two-stars", 40, 0);
	run("two-stars", 1000, 0);
	return 0;
}
