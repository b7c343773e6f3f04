/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_rota.h"

#include <errno.h>
#include <event2/event.h>

/* By a timer: sockets are looked at between two turns. */
static void arm(struct grpc_rota *r)
{
	const struct timeval now = {0, 0};

	/* One that is about to run would be put off. */
	if (!TAILQ_EMPTY(&r->waiting) && !event_pending(r->turn, EV_TIMEOUT, NULL))
		event_add(r->turn, &now);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_rota *r = arg;
	struct grpc_rota_place *p = TAILQ_FIRST(&r->waiting);

	if (!p)
		return;
	grpc_rota_leave(r, p);
	p->work(p->ctx);
	arm(r);
}

int grpc_rota_init(struct grpc_rota *r, struct event_base *base)
{
	TAILQ_INIT(&r->waiting);
	r->turn = event_new(base, -1, 0, on_turn, r);
	return r->turn ? 0 : -ENOMEM;
}

void grpc_rota_fini(struct grpc_rota *r)
{
	if (r->turn)
		event_free(r->turn);
	r->turn = NULL;
}

void grpc_rota_wait(struct grpc_rota *r, struct grpc_rota_place *p)
{
	if (p->waits)
		return;
	p->waits = true;
	TAILQ_INSERT_TAIL(&r->waiting, p, link);
	arm(r);
}

void grpc_rota_leave(struct grpc_rota *r, struct grpc_rota_place *p)
{
	if (!p->waits)
		return;
	p->waits = false;
	TAILQ_REMOVE(&r->waiting, p, link);
}
