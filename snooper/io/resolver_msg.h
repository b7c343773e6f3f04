/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * resolver_msg.h - the messages of resolver.c: a question made, an answer read.
 *
 * io: no socket and no library; tests and the fuzzer use it as it is.
 */
#ifndef SNP_RESOLVER_MSG_H
#define SNP_RESOLVER_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/dns_load.h"
#include "snooper/core/reconcile.h"

#define RESOLVER_UDP_SIZE  1232 /* what fits everywhere unfragmented */
#define RESOLVER_OPT_LEN   11
#define RESOLVER_QUERY_MAX (DNS_HEADER_LEN + SNP_NAME_MAX + 4 + RESOLVER_OPT_LEN)

/* Where an answer is read: some 180 KB. */
struct resolver_msg {
	struct dns_walk walk;
	struct snp_addr addrs[DNS_ADDRS_MAX];
};

/* A query for name and type (A or AAAA) under an id (RFC 1035 4.1), with an OPT record last. Its length. */
size_t resolver_query(uint8_t query[RESOLVER_QUERY_MAX], uint16_t id, const uint8_t *wire,
		      size_t wire_len, uint16_t type);

/*
 * What a message of len bytes answers to such a query. *found points into m, and is
 * RECONCILE_NO_REPLY for whatever is no answer to it.
 */
void resolver_answer(struct resolver_msg *m, const uint8_t *wire, size_t wire_len, uint16_t type,
		     const uint8_t *answer, size_t len, struct reconcile_found *found);

#endif
