/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_resolv.h - the name servers of resolv.conf(5).
 *
 * io. All of them, not only the three that glibc asks: other resolvers ask more.
 */
#ifndef SNP_CONF_RESOLV_H
#define SNP_CONF_RESOLV_H

#include <stddef.h>

#include "snooper/core/conf.h"
#include "snooper/io/conf_diag.h"

#define CONF_RESOLV_MAX 16

struct conf_resolv {
	struct snp_addr addrs[CONF_RESOLV_MAX];
	size_t n; /* never 0: without a name server the host asks 127.0.0.1 (resolv.conf(5)) */
};

/*
 * Read path. A line that cannot be used is passed over with a warning in d, and
 * so is a missing file. Returns 0; -errno when path exists and cannot be read
 * (told in d).
 */
int conf_resolv_read(const char *path, struct conf_resolv *out, struct conf_diag *d);

#endif
