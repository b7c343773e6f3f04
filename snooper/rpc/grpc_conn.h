/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_conn.h - one connected client: a socket, its events, a session.
 *
 * rpc: for grpc_server.c only.
 */
#ifndef SNP_GRPC_CONN_H
#define SNP_GRPC_CONN_H

#include "snooper/rpc/grpc_server.h"

struct grpc_conn; /* opaque; grpc_conn.c */

struct grpc_conn_conf {
	struct event_base *base;
	const struct grpc_service *service;
	unsigned int rights;
	unsigned int hello_ms, idle_ms;
	/* The connection has come to its end: the callee calls grpc_conn_free(). */
	void (*on_end)(void *ctx, struct grpc_conn *c);
	void *ctx;
};

/* fd is taken, in any case. conf is copied. 0 and *out, or -ENOMEM. */
int grpc_conn_new_take_fd(int fd, const struct grpc_conn_conf *conf, struct grpc_conn **out);
void grpc_conn_free(struct grpc_conn *c);

#endif
