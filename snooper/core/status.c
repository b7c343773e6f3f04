/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/status.h"

const char *snp_degraded_text(enum snp_degraded reason)
{
#define TEXT(name, text, help) [SNP_DEGRADED_##name] = (text),
	static const char *const texts[] = {SNP_DEGRADATIONS(TEXT)};

	return texts[reason];
}
