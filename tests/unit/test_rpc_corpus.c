/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the fuzzer of the gRPC face starts from, once each. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/fuzz_rpc.c"
#include "tests/unit/corpus.h"

static void every_file_of_the_corpus_is_survived(void **state)
{
	replay_corpus("tests/fuzz/corpus/rpc", 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_of_the_corpus_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
