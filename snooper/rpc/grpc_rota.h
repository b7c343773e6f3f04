/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * grpc_rota.h - whose turn it is: of all connections that have work, one does a slice in a turn of the loop.
 *
 * rpc: for grpc_server.c and grpc_conn.c only. A slice is a millisecond or two. Each
 * connection with a timer of its own would do them all in the same turn, and whatever else
 * waits for the loop would wait for sixty-four of them.
 */
#ifndef SNP_GRPC_ROTA_H
#define SNP_GRPC_ROTA_H

#include <stdbool.h>
#include <sys/queue.h>

struct event;
struct event_base;

struct grpc_rota_place {
	TAILQ_ENTRY(grpc_rota_place) link;
	bool waits;
	void (*work)(void *ctx); /* may end its owner, and so the place */
	void *ctx;
};

struct grpc_rota {
	TAILQ_HEAD(, grpc_rota_place) waiting;
	struct event *turn;
};

/* 0, or -ENOMEM. */
int grpc_rota_init(struct grpc_rota *r, struct event_base *base);
void grpc_rota_fini(struct grpc_rota *r);

/* There is work: p->work() will be called once, in turn. Also when it waits already. */
void grpc_rota_wait(struct grpc_rota *r, struct grpc_rota_place *p);
/* Not any more. Also when it does not wait. */
void grpc_rota_leave(struct grpc_rota *r, struct grpc_rota_place *p);

#endif
