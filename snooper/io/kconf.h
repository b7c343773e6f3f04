/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * kconf.h - from the configuration to what the kernel side reads.
 *
 * io: looks at cgroups and the network namespace; the rest is arithmetic.
 */
#ifndef SNP_IO_KCONF_H
#define SNP_IO_KCONF_H

#include "bpf/snp_kconf.h"
#include "snooper/core/conf.h"

/*
 * Fill *out from *conf. Returns 0; -E2BIG with *what naming the list that has
 * more entries than the kernel side keeps. out->key is left to maps_configure().
 */
int kconf_build(const struct snp_conf *conf, struct snp_kconf *out, const char **what);

#endif
