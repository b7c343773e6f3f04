/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * proxy_seed.h - the proxy's sockets that were bound before we came.
 *
 * io. Looks at the sockets of the processes in proxy.cgroup and counts those
 * bound to proxy.addresses, each once, by the mark that the kernel side uses too.
 */
#ifndef SNP_PROXY_SEED_H
#define SNP_PROXY_SEED_H

#include "snooper/io/maps.h"

/* Returns how many sockets were counted anew, or -errno. No proxy.cgroup: 0. */
int proxy_seed(struct maps *m, const struct snp_conf *conf, uint32_t generation);

#endif
