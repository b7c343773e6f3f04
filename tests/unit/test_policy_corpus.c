/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the fuzzer of policies starts from, once each. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/fuzz/fuzz_policy.c"

#define CORPUS "tests/fuzz/corpus/policy"

static void test_3_1_every_file_of_the_corpus_keeps_the_promises(void **state)
{
	static uint8_t buf[65536];
	DIR *dir = opendir(CORPUS);
	struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[512];
		size_t len;
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		print_message("%s\n", path);
		f = fopen(path, "r");
		assert_non_null(f);
		len = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		assert_int_equal(LLVMFuzzerTestOneInput(buf, len), 0);
		n++;
	}
	closedir(dir);
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_every_file_of_the_corpus_keeps_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
