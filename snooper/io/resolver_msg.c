/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/resolver_msg.h"

#include <stdlib.h>
#include <string.h>

#include "snooper/core/text.h"

static void put16(uint8_t *p, unsigned int x)
{
	p[0] = x >> 8;
	p[1] = x;
}

size_t resolver_query(uint8_t query[RESOLVER_QUERY_MAX], uint16_t id, const uint8_t *wire,
		      size_t wire_len, uint16_t type)
{
	uint8_t *p = query + DNS_HEADER_LEN;

	memset(query, 0, RESOLVER_QUERY_MAX);
	put16(query, id);
	query[2] = 1;  /* RD */
	query[5] = 1;  /* QDCOUNT */
	query[11] = 1; /* ARCOUNT */
	memcpy(p, wire, wire_len);
	p += wire_len;
	put16(p, type);
	put16(p + 2, DNS_CLASS_IN);
	p += 4;
	put16(p + 1, 41); /* OPT, of the root (RFC 6891), where c-ares looks for it */
	put16(p + 3, RESOLVER_UDP_SIZE);
	return (size_t)(p - query) + RESOLVER_OPT_LEN;
}

/* In order, each once. How many are left. */
static size_t sort_addrs(struct snp_addr *addrs, size_t n)
{
	size_t kept = 0;

	qsort(addrs, n, sizeof(*addrs), reconcile_order);
	for (size_t i = 0; i < n; i++)
		if (!kept || reconcile_order(&addrs[kept - 1], &addrs[i]) != 0)
			addrs[kept++] = addrs[i];
	return kept;
}

/* The addresses of the family asked for; a mapped one in an AAAA record is none. */
static void take_addrs(struct resolver_msg *m, uint16_t type, struct reconcile_found *found)
{
	const struct dns_walk *w = &m->walk;
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
		m->addrs[found->n++] = a;
	}
	found->addrs = m->addrs;
	found->n = sort_addrs(m->addrs, found->n);
}

void resolver_answer(struct resolver_msg *m, const uint8_t *wire, size_t wire_len, uint16_t type,
		     const uint8_t *answer, size_t len, struct reconcile_found *found)
{
	struct dns_walk *w = &m->walk;
	unsigned int rcode;

	*found = (struct reconcile_found){.reply = RECONCILE_NO_REPLY};
	if (len > DNS_MESSAGE_MAX)
		return;
	memcpy(w->msg, answer, len);
	w->len = len;
	w->svcb_hints = 0;
	if (dns_walk_question(w, DNS_FLAG_QR) || w->qtype != type || w->name_len[0] != wire_len ||
	    memcmp(w->names, wire, wire_len) != 0)
		return;
	rcode = w->flags & 0xf;
	if (rcode == 3)
		found->reply = RECONCILE_NO_NAME;
	if (rcode || dns_walk_records(w))
		return;
	found->reply = RECONCILE_ADDRESSES;
	take_addrs(m, type, found);
}
