/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_server.h - a gRPC service on a Unix socket.
 *
 * rpc: libevent inside; everything runs on the loop thread.
 *
 * Life cycle: grpc_server_new() listens; grpc_server_free() stops every call,
 * closes every connection and removes the socket file, before it returns.
 *
 * What a client can cost: a connection holds at most GRPC_MAX_STREAMS calls,
 * is read no faster than it takes its answers, and is closed when it does not
 * speak HTTP/2 soon or has been silent for long.
 */
#ifndef SNP_GRPC_SERVER_H
#define SNP_GRPC_SERVER_H

#include <stdint.h>

#include "snooper/rpc/grpc_method.h"

struct event_base;
struct grpc_server; /* opaque; grpc_server.c */

struct grpc_server_conf {
	const char *path;
	const char *group;	/* owns the socket file; NULL: leave */
	unsigned int max_conns; /* and GRPC_SERVER_SPARE more for who may change things */
	unsigned int hello_ms;	/* until when a client has spoken HTTP/2 */
	unsigned int idle_ms;	/* silence after which a connection is closed */
};
#define GRPC_SERVER_DEFAULTS .max_conns = 64, .hello_ms = 5000, .idle_ms = 300000
#define GRPC_SERVER_SPARE    4

/*
 * Listen on conf->path, mode 0660; an old socket file there is replaced, any
 * other file is not (-EEXIST). conf is copied, service borrowed until free.
 * 0 and *out; -ENAMETOOLONG; -ESRCH for a group that does not exist; or
 * what socket(2), bind(2), chown(2) and rename(2) said.
 */
int grpc_server_new(struct event_base *base, const struct grpc_server_conf *conf,
		    const struct grpc_service *service, struct grpc_server **out);
void grpc_server_free(struct grpc_server *server);

#endif
