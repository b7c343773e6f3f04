/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trie.h - selectors as keys of an LPM trie of names backwards (names.h), and what it must find.
 */
#ifndef SNP_BENCH_TRIE_H
#define SNP_BENCH_TRIE_H

#include "tests/bench/names.h"
#include "tests/bench/selectors.h"

struct trie {
	struct trie_key *keys;
	size_t n; /* of the selectors, those that it holds */
	uint64_t load_ns;
};

/* A selector as a key. False: no trie of names backwards can hold it. */
bool trie_key_of(const struct match_selector *s, struct trie_key *key);
/* Fill the map, and t, whose keys are the caller's to free. */
void trie_fill(struct trie *t, int fd, const struct set *s);
/* The bits of the longest key that the name begins with, backwards; 0: none. */
__u32 trie_longest(const struct trie *t, const uint8_t *wire, size_t len);

#endif
