/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_peer.h - who is at the other end of a connection, and what that allows.
 *
 * rpc: no third-party header.
 */
#ifndef SNP_GRPC_PEER_H
#define SNP_GRPC_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define GRPC_PEER_NAME 64

struct grpc_peer {
	char name[GRPC_PEER_NAME]; /* "uid=1000 pid=77", "192.0.2.1:4711", "[2001:db8::1]:4711" */
	uint8_t key[16];	   /* the same for all connections of one user, or of one address */
	unsigned int rights;	   /* GRPC_MAY_* */
};

/*
 * Who connected the Unix socket fd (SO_PEERCRED, SO_PEERGROUPS). Root and our
 * own uid have both rights; members of group may read; others, or when the
 * kernel does not tell, have none.
 */
void grpc_peer_unix(int fd, gid_t group, struct grpc_peer *out);

/* Who connects from addr: no rights yet. An IPv6 host may use all of its /64. */
void grpc_peer_tcp(const struct sockaddr *addr, struct grpc_peer *out);

bool grpc_peer_same(const struct grpc_peer *a, const struct grpc_peer *b);

#endif
