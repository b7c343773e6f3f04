/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the fuzzer of policies starts from, once each. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/fuzz_policy.c"
#include "tests/unit/corpus.h"

static void test_3_1_every_file_of_the_corpus_keeps_the_promises(void **state)
{
	replay_corpus("tests/fuzz/corpus/policy", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_1_every_file_of_the_corpus_keeps_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
