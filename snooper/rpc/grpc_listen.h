/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_listen.h - a listening Unix socket that is never seen half made.
 *
 * rpc: no third-party header.
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

/* Close, and remove the file if it is still ours. */
void grpc_listen_close(struct grpc_listen *l, const char *path);

#endif
