/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_server.h - a gRPC service on a Unix socket, and on TCP with certificates.
 *
 * rpc: libevent inside; everything runs on the loop thread.
 *
 * Life cycle: grpc_server_new() listens; grpc_server_free() stops every call,
 * closes every connection and removes the socket file, before it returns.
 *
 * What a client can cost: a user, or an address, has so many connections and
 * no more; each of them holds at most GRPC_MAX_STREAMS calls, is read no
 * faster than it takes its answers, makes no more of any frame than
 * grpc_limit.h allows, and is closed when it does not speak HTTP/2 soon, takes
 * nothing of what it asked for, or has been silent for long. The two doors
 * have places of their own: a crowd at one leaves the other open.
 */
#ifndef SNP_GRPC_SERVER_H
#define SNP_GRPC_SERVER_H

#include <stdint.h>

#include "snooper/rpc/grpc_guard.h"
#include "snooper/rpc/grpc_method.h"

struct event_base;
struct grpc_tls;
struct grpc_server; /* opaque; grpc_server.c */

struct grpc_server_conf {
	const char *path;
	const char *group;	/* owns the socket file; NULL: leave */
	unsigned int max_conns; /* through each door, */
	unsigned int max_peer;	/* and of one user or address; GRPC_SERVER_SPARE more of
				 * both for local users who may change things */
	unsigned int hello_ms;	/* until when a client has spoken HTTP/2, handshake included */
	unsigned int idle_ms; /* silence after which a connection is closed, unless a call sleeps */
	unsigned int stall_ms; /* how long a client may take nothing of what waits for it */
};
#define GRPC_SERVER_DEFAULTS                                                                       \
	.max_conns = 64, .max_peer = 32, .hello_ms = 5000, .idle_ms = 300000, .stall_ms = 60000
#define GRPC_SERVER_SPARE 4

/*
 * Listen on conf->path, mode 0660; an old socket file there is replaced, any
 * other file is not (-EEXIST). conf is copied, service borrowed until free.
 * 0 and *out; -ENAMETOOLONG; -ESRCH for a group that does not exist; or
 * what socket(2), bind(2), chown(2) and rename(2) said.
 */
int grpc_server_new(struct event_base *base, const struct grpc_server_conf *conf,
		    const struct grpc_service *service, struct grpc_server **out);
void grpc_server_free(struct grpc_server *server);

/*
 * Serve on TCP as well, once: address as grpc_listen_tcp() has it. tls is
 * taken when that succeeds. 0, or what grpc_listen_tcp() said; -ENOMEM.
 */
int grpc_server_listen_take(struct grpc_server *server, const char *address, struct grpc_tls *tls);

/* Other certificates for that from now on. tls is taken. */
void grpc_server_set_tls_take(struct grpc_server *server, struct grpc_tls *tls);

/* Have refusals said, at a bounded rate. They are counted in any case. */
void grpc_server_audit(struct grpc_server *server, grpc_audit_fn audit, void *ctx);
const struct grpc_counts *grpc_server_counts(const struct grpc_server *server);

#endif
