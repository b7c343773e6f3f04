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

#include "snooper/core/match_compile.h"
#include "snooper/core/name.h"

#define NAMES	 4096
#define TEXT_MAX 128
#define ROUNDS	 200
#define FLUSH	 (64u << 20)

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Labels as people make them: words, some with a number behind. */
static const char *word(char text[static 32])
{
	static const char *const part[] = {"api",  "cdn",   "data", "mail", "edge", "shop",
					   "auth", "log",   "img",  "news", "pay",  "sync",
					   "map",  "video", "bot",  "test", "doc",  "ad"};
	size_t n = sizeof(part) / sizeof(part[0]);

	if (any(4))
		snprintf(text, 32, "%s%s", part[any(n)], part[any(n)]);
	else
		snprintf(text, 32, "%s-%u", part[any(n)], any(100));
	return text;
}

/* The i-th domain. */
static const char *domain(uint32_t i, char text[static 64])
{
	static const char *const tld[] = {"com", "net", "org", "io", "de", "co.uk", "dev", "cloud"};
	char a[32];
	uint64_t saved = seed;

	seed = (i + 1) * 0x9e3779b97f4a7c15ull;
	any(2);
	word(a);
	snprintf(text, 64, "%s%u.%s", a, i % 977, tld[any(8) & any(8)]);
	seed = saved;
	return text;
}

struct set {
	size_t n;
	struct match_selector *s;
	char (*text)[TEXT_MAX];
};

static void write_selector(struct set *s, uint32_t i)
{
	char a[32], b[32], d[64];
	char *t = s->text[i];

	domain(any(i / 4 + 1), d); /* four selectors to a domain */
	word(a);
	word(b);
	s->s[i] = (struct match_selector){.kind = POLICY_MATCH_PATTERN, .text = t};
	switch (any(20)) {
	case 0 ... 8:
		s->s[i].kind = POLICY_MATCH_NAME;
		snprintf(t, TEXT_MAX, "%s.%s", a, d);
		break;
	case 9 ... 12:
		snprintf(t, TEXT_MAX, "*.%s", d);
		break;
	case 13 ... 14:
		snprintf(t, TEXT_MAX, "**.%s", d);
		break;
	case 15 ... 16:
		snprintf(t, TEXT_MAX, "%s*.%s", a, d);
		break;
	case 17:
		snprintf(t, TEXT_MAX, "*%s*.%s", a, d);
		break;
	case 18:
		snprintf(t, TEXT_MAX, "*.%s.*.%s", a, d);
		break;
	default:
		snprintf(t, TEXT_MAX, "%s.%s.%s", b, a, d);
	}
}

static struct set make_set(size_t n, bool two_stars)
{
	struct set s = {.n = n, .s = calloc(n, sizeof(*s.s)), .text = calloc(n, TEXT_MAX)};
	char a[32], b[32];

	if (!s.s || !s.text)
		abort();
	seed = 1;
	for (uint32_t i = 0; i < n; i++) {
		write_selector(&s, i);
		if (two_stars && i % 3 == 0) {
			word(a);
			snprintf(s.text[i], TEXT_MAX, any(2) ? "*%s*.com" : "%s*%s*.com", a,
				 word(b));
			s.s[i].kind = POLICY_MATCH_PATTERN;
		}
	}
	return s;
}

static void free_set(struct set *s)
{
	free(s->s);
	free(s->text);
}

struct names {
	uint8_t wire[NAMES][SNP_NAME_ROOM];
	size_t len[NAMES], bytes;
};

/* Half of them are made of one of the first n selectors, its stars filled in. */
static void make_names(struct names *names, const struct set *s, size_t from)
{
	names->bytes = 0;
	seed = 2;
	for (size_t i = 0; i < NAMES; i++) {
		const char *p = s->text[any((uint32_t)from)];
		char a[32], d[64], text[256];
		size_t n = 0;

		for (; *p; p++)
			if (*p != '*')
				text[n++] = *p;
			else if (p[1] != '*')
				n += (size_t)sprintf(text + n, "%s", word(a));
		text[n] = '\0';
		if (i & 1)
			snprintf(text, sizeof(text), "%s.%s", word(a), domain(any(1u << 20), d));
		names->len[i] = (size_t)name_from_text(text, names->wire[i]);
		names->bytes += names->len[i];
	}
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
