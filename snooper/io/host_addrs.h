/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * host_addrs.h - this host's own addresses, as the kernel lists them in our network namespace.
 *
 * io. By rtnetlink(7): what it takes grows with the addresses, not with the host's routes.
 */
#ifndef SNP_HOST_ADDRS_H
#define SNP_HOST_ADDRS_H

#include <stddef.h>

#include "bpf/snp_types.h"

/*
 * Open the socket that the kernel is asked by, for good: before seccomp forbids such sockets. 0,
 * or -errno. host_addrs_read() does so too, where nobody has.
 */
int host_addrs_open(void);

/* Loopback's left out. Replaces *out, sorted; what could not be read stays. 1: they changed; 0; -errno. */
int host_addrs_read(struct snp_addr **out, size_t *n);

#endif
