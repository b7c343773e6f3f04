/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fuzz.h - what the fuzzers share: a promise that is broken ends the run. Include in one file of a program. */
#ifndef SNP_FUZZ_H
#define SNP_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(int holds)
{
	if (!holds)
		abort();
}

#endif
