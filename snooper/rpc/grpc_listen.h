/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_listen.h - listening: on a Unix socket that is never seen half made, and on TCP.
 *
 * rpc: no third-party header here.
 */
#ifndef SNP_GRPC_LISTEN_H
#define SNP_GRPC_LISTEN_H

#include <sys/types.h>

struct grpc_listen {
	int fd;	   /* non-blocking, close on exec */
	gid_t gid; /* of the socket file */
	dev_t dev;
	ino_t ino;
};

/* As grpc_server_new() says of path and group. *out is untouched on failure. */
int grpc_listen_open(const char *path, const char *group, struct grpc_listen *out);

/*
 * Listen on "192.0.2.1:9954" or "[2001:db8::1]:9954"; [::] is all of IPv4 too.
 * 0 and *out, -EINVAL for other text, or what socket(2) and bind(2) said.
 */
int grpc_listen_tcp(const char *address, struct grpc_listen *out);

/*
 * A connection that such a listener gave: sent at once, and asked for a sign of life while
 * nothing is said. Its peer's host is found dead after GRPC_TCP_DEAD_S seconds at most.
 */
#define GRPC_TCP_IDLE_S	 60
#define GRPC_TCP_PROBE_S 15
#define GRPC_TCP_PROBES	 4
#define GRPC_TCP_DEAD_S	 (GRPC_TCP_IDLE_S + GRPC_TCP_PROBES * GRPC_TCP_PROBE_S)
void grpc_listen_tcp_accepted(int fd);

/* Close, and remove the file if it is still ours. path: NULL for TCP. */
void grpc_listen_close(struct grpc_listen *l, const char *path);

#endif
