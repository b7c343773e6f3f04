/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resolver.c - questions and answers; resolver_loop.c has c-ares and its sockets. */
#include "snooper/io/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bpf/dns_load.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"
#include "snooper/io/resolver_loop.h"

#define UDP_SIZE  1232 /* what fits everywhere unfragmented */
#define OPT_LEN	  11
#define QUERY_MAX (DNS_HEADER_LEN + SNP_NAME_MAX + 4 + OPT_LEN)

struct resolver {
	struct resolver_loop *loop;
	size_t pending;
	struct dns_walk walk;
	struct snp_addr addrs[DNS_ADDRS_MAX];
};

struct question {
	struct resolver *resolver;
	resolver_fn fn;
	void *ctx;
	uint16_t type;
	size_t wire_len;
	uint8_t wire[];
};

static void put16(uint8_t *p, unsigned int x)
{
	p[0] = x >> 8;
	p[1] = x;
}

/* RFC 1035 4.1, with an OPT record (RFC 6891) at the end, where c-ares looks for it. */
static size_t make_query(uint8_t query[QUERY_MAX], const struct question *q)
{
	uint8_t *p = query + DNS_HEADER_LEN;
	uint16_t id = 0;

	memset(query, 0, QUERY_MAX);
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return 0;
	put16(query, id);
	query[2] = 1;  /* RD */
	query[5] = 1;  /* QDCOUNT */
	query[11] = 1; /* ARCOUNT */
	memcpy(p, q->wire, q->wire_len);
	p += q->wire_len;
	put16(p, q->type);
	put16(p + 2, DNS_CLASS_IN);
	p += 4;
	put16(p + 1, 41); /* OPT, of the root */
	put16(p + 3, UDP_SIZE);
	return (size_t)(p - query) + OPT_LEN;
}

/* The addresses of the family asked for; a mapped one in an AAAA record is none. */
static void take_addrs(struct resolver *r, uint16_t type, struct reconcile_found *found)
{
	const struct dns_walk *w = &r->walk;
	size_t len = type == DNS_TYPE_A ? 4 : 16;

	found->ttl_s = w->ttl_s;
	for (uint32_t i = 0; i < w->n_addrs; i++) {
		struct snp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

		if (w->addrs[i].len != len)
			continue;
		memcpy(a.b + 16 - len, w->msg + w->addrs[i].off, len);
		if (len == 16 && addr_is_v4(&a))
			continue;
		if (w->addrs[i].ttl_s < found->ttl_s)
			found->ttl_s = w->addrs[i].ttl_s;
		r->addrs[found->n++] = a;
	}
	found->addrs = r->addrs;
}

static void read_answer(struct resolver *r, const struct question *q, const uint8_t *answer,
			size_t len, struct reconcile_found *found)
{
	struct dns_walk *w = &r->walk;
	unsigned int rcode;

	if (len > DNS_MESSAGE_MAX)
		return;
	memcpy(w->msg, answer, len);
	w->len = len;
	w->svcb_hints = 0;
	if (dns_walk_question(w, DNS_FLAG_QR) || w->qtype != q->type ||
	    w->name_len[0] != q->wire_len || memcmp(w->names, q->wire, q->wire_len) != 0)
		return;
	rcode = w->flags & 0xf;
	if (rcode == 3)
		found->reply = RECONCILE_NO_NAME;
	if (rcode || dns_walk_records(w))
		return;
	found->reply = RECONCILE_ADDRESSES;
	take_addrs(r, q->type, found);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
	struct question *q = arg;
	struct resolver *r = q->resolver;
	struct reconcile_found found = {.reply = RECONCILE_NO_REPLY};

	if (status == ARES_SUCCESS && len > 0)
		read_answer(r, q, answer, (size_t)len, &found);
	r->pending--;
	q->fn(q->ctx, &found);
	free(q);
}

int resolver_ask(struct resolver *r, const uint8_t *wire, size_t wire_len, uint16_t type,
		 resolver_fn fn, void *ctx)
{
	uint8_t query[QUERY_MAX];
	struct question *q = malloc(sizeof(*q) + wire_len);
	size_t n;

	if (!q)
		return -ENOMEM;
	*q = (struct question){.resolver = r, .fn = fn, .ctx = ctx, .type = type};
	q->wire_len = wire_len;
	memcpy(q->wire, wire, wire_len);
	n = make_query(query, q);
	if (!n) {
		free(q);
		return -EIO;
	}
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
	e = resolver_loop_new(base, servers, n_servers, UDP_SIZE, &r->loop);
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
