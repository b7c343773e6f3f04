/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sock_destroy.h - end a TCP connection of another process, as `ss -K` does (sock_diag(7), SOCK_DESTROY).
 *
 * io. Its owner gets ECONNABORTED at once. In our own network namespace only; needs CAP_NET_ADMIN.
 */
#ifndef SNP_SOCK_DESTROY_H
#define SNP_SOCK_DESTROY_H

#include "bpf/snp_verdict.h"

/* The descriptor to use, open for good: before seccomp forbids such sockets. Or -errno. */
int sock_destroy_open(void);

/*
 * Ask the kernel to end it. The socket is known by its addresses and its cookie together, so that no
 * other one is ever hit. 0; -ENOENT: it is gone, or of another network namespace; -errno.
 */
int sock_destroy(int fd, const struct snp_event_cut *cut);

#endif
