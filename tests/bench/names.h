/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * names.h - what bench_names.c and names.bpf.c share: the names, what was found, the trie's keys.
 *
 * A key holds a wire name backwards. What stands for a name of its own ends in a byte that no
 * label has; a suffix ends one bit into the byte behind it, and so matches only if a label follows.
 */
#ifndef SNP_BENCH_NAMES_H
#define SNP_BENCH_NAMES_H

#include "bpf/snp_match.h"

#define NAMES_MAX 4096
#define TRIE_END  0x80

struct names_row {
	__u32 found[SNP_MATCH_BANKS]; /* identities; the trie: bits of the longest prefix */
	__u32 len;
	__u32 reserved;
	__u8 before[8]; /* read along with the name, a word at a time */
	__u8 wire[264];
};
SNP_ASSERT(sizeof(struct names_row) % 8 == 0, "names are copied by words");

struct trie_key {
	__u32 bits;
	__u8 name[256];
};
SNP_ASSERT(sizeof(struct trie_key) == 260, "the key of a trie has no padding");

#endif
