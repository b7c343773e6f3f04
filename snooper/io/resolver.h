/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * resolver.h - look names up for ourselves, with c-ares, on the daemon's loop.
 *
 * io: c-ares and libevent inside. Loop thread only. Queries are made here and
 * answers are read by the walker of bpf/dns_wire.h, so that both sides of a
 * comparison go by the same rules; c-ares has servers, sockets, retries and TCP
 * (when an answer is truncated). Our sockets carry SNP_PROBE_MARK: the kernel
 * neither learns from their answers nor reroutes them.
 */
#ifndef SNP_RESOLVER_H
#define SNP_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_kconf.h"
#include "snooper/core/reconcile.h"

struct event_base;
struct resolver; /* opaque; resolver.c */

/* Called once for each question asked, perhaps before resolver_ask() has returned. *found is borrowed. */
typedef void (*resolver_fn)(void *ctx, const struct reconcile_found *found);

/* Ask servers, in order. 0 and *out, or -errno. */
int resolver_new(struct event_base *base, const struct snp_endpoint *servers, size_t n_servers,
		 struct resolver **out);
/* What is not answered yet is answered with RECONCILE_NO_REPLY. */
void resolver_free(struct resolver *r);

/* The addresses of a name in wire form, of a type: A or AAAA. 0, or -ENOMEM. */
int resolver_ask(struct resolver *r, const uint8_t *wire, size_t wire_len, uint16_t type,
		 resolver_fn fn, void *ctx);

size_t resolver_pending(const struct resolver *r);

#endif
