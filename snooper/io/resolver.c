/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resolver.c - questions and answers; resolver_loop.c has c-ares and its sockets. */
#include "snooper/io/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "snooper/io/resolver_loop.h"
#include "snooper/io/resolver_msg.h"

struct resolver {
	struct resolver_loop *loop;
	size_t pending;
	struct resolver_msg msg;
};

struct question {
	struct resolver *resolver;
	resolver_fn fn;
	void *ctx;
	uint16_t type;
	size_t wire_len;
	uint8_t wire[];
};

static void on_answer(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
	struct question *q = arg;
	struct resolver *r = q->resolver;
	struct reconcile_found found = {.reply = RECONCILE_NO_REPLY};

	if (status == ARES_SUCCESS && len > 0)
		resolver_answer(&r->msg, q->wire, q->wire_len, q->type, answer, (size_t)len,
				&found);
	r->pending--;
	q->fn(q->ctx, &found);
	free(q);
}

int resolver_ask(struct resolver *r, const uint8_t *wire, size_t wire_len, uint16_t type,
		 resolver_fn fn, void *ctx)
{
	uint8_t query[RESOLVER_QUERY_MAX];
	struct question *q = malloc(sizeof(*q) + wire_len);
	uint16_t id;
	size_t n;

	if (!q)
		return -ENOMEM;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
		free(q);
		return -EIO;
	}
	*q = (struct question){.resolver = r, .fn = fn, .ctx = ctx, .type = type};
	q->wire_len = wire_len;
	memcpy(q->wire, wire, wire_len);
	n = resolver_query(query, id, wire, wire_len, type);
	r->pending++;
	resolver_loop_send(r->loop, query, n, on_answer, q);
	return 0;
}

size_t resolver_pending(const struct resolver *r)
{
	return r->pending;
}

int resolver_new(struct event_base *base, const struct snp_endpoint *servers, size_t n_servers,
		 struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	e = resolver_loop_new(base, servers, n_servers, RESOLVER_UDP_SIZE, &r->loop);
	if (e < 0) {
		free(r);
		return e;
	}
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	resolver_loop_free(r->loop); /* answers what is pending */
	free(r);
}
