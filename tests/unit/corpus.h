/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* corpus.h - what a fuzzer starts from, each file once. Behind cmocka.h and the fuzzer; run from the top of the tree. */
#ifndef SNP_TEST_CORPUS_H
#define SNP_TEST_CORPUS_H

#include <dirent.h>
#include <stdio.h>

#include "snooper/base/cleanup.h"

static inline void replay_corpus(const char *directory, unsigned int least)
{
	static uint8_t buf[65536];
	DIR *dir = opendir(directory);
	struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		SNP_CLEANUP(snp_fclosep)
		FILE *f = NULL;
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		print_message("%s\n", path);
		f = fopen(path, "r");
		assert_non_null(f);
		assert_int_equal(LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof(buf), f)), 0);
		n++;
	}
	closedir(dir);
	assert_true(n >= least);
}

#endif
