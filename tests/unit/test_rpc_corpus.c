/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the fuzzer of the gRPC face starts from, once each. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <cmocka.h>

#include "snooper/base/cleanup.h"
#include "tests/fuzz/fuzz_rpc.c"

#define CORPUS "tests/fuzz/corpus/rpc"

static void every_file_of_the_corpus_is_survived(void **state)
{
	static uint8_t buf[65536];
	DIR *dir = opendir(CORPUS);
	struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		SNP_CLEANUP(snp_fclosep)
		FILE *f = NULL;
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		print_message("%s\n", path);
		f = fopen(path, "r");
		assert_non_null(f);
		assert_int_equal(LLVMFuzzerTestOneInput(buf, fread(buf, 1, sizeof(buf), f)), 0);
		n++;
	}
	closedir(dir);
	assert_true(n >= 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_of_the_corpus_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
