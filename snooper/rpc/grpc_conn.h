/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_conn.h - one connected client: a socket, TLS where there is, its events, a session.
 *
 * rpc: for grpc_server.c only. With TLS there is no session, so nothing that
 * could parse HTTP/2, until the handshake has verified a certificate.
 */
#ifndef SNP_GRPC_CONN_H
#define SNP_GRPC_CONN_H

#include "snooper/rpc/grpc_guard.h"
#include "snooper/rpc/grpc_peer.h"
#include "snooper/rpc/grpc_server.h"

struct grpc_conn; /* opaque; grpc_conn.c */

struct grpc_conn_conf {
	struct event_base *base;
	const struct grpc_service *service;
	struct grpc_peer peer; /* with TLS the rights come by the certificate */
	struct grpc_tls *tls;  /* NULL: none. Borrowed, like guard */
	struct grpc_guard *guard;
	struct grpc_rota *rota; /* borrowed */
	unsigned int hello_ms, idle_ms, stall_ms;
	/* The connection has come to its end: the callee calls grpc_conn_free(). */
	void (*on_end)(void *ctx, struct grpc_conn *c);
	void *ctx;
};

/* fd is taken, in any case. conf is copied. 0 and *out, or -ENOMEM. */
int grpc_conn_new_take_fd(int fd, const struct grpc_conn_conf *conf, struct grpc_conn **out);
void grpc_conn_free(struct grpc_conn *c);

const struct grpc_peer *grpc_conn_peer(const struct grpc_conn *c);

#endif
