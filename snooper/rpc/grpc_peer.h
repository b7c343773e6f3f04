/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_peer.h - who is at the other end of a Unix socket, and what that allows.
 *
 * rpc: no third-party header.
 */
#ifndef SNP_GRPC_PEER_H
#define SNP_GRPC_PEER_H

#include <sys/types.h>

/*
 * GRPC_MAY_* of the process that connected fd (SO_PEERCRED, SO_PEERGROUPS).
 * Root and our own uid: both; members of group: read; others, or when the
 * kernel does not tell: 0.
 */
unsigned int grpc_peer_rights(int fd, gid_t group);

#endif
