/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fuzz_diag.h - what every reading of a hostile file keeps (conf_diag.h). */
#ifndef SNP_FUZZ_DIAG_H
#define SNP_FUZZ_DIAG_H

#include <errno.h>

#include "snooper/io/conf_diag.h"
#include "tests/fuzz/fuzz.h"

/* r: what it returned; result: it gave something. A terminal is safe from what is said. */
static inline void require_diag(int r, int result, const struct conf_diag *diag)
{
	require(r == 0 || r == -EINVAL);
	require((r == 0) == result && (r == 0) == (diag->n_errors == 0));
	require((diag->n_errors + diag->n_warnings > 0) == (diag->text != NULL));
	for (const char *t = diag->text; t && *t; t++)
		require(*t == '\n' || (*t >= 0x20 && *t < 0x7f));
}

#endif
