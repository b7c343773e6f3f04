/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * resolver_loop.h - a c-ares channel on libevent: its sockets and its timer.
 *
 * io: for resolver.c only. Sockets carry SNP_PROBE_MARK.
 */
#ifndef SNP_RESOLVER_LOOP_H
#define SNP_RESOLVER_LOOP_H

#include <ares.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_kconf.h"

struct event_base;
struct resolver_loop; /* opaque; resolver_loop.c */

/* 0 and *out; -ENOMEM, or -EINVAL: c-ares did not take the servers. */
int resolver_loop_new(struct event_base *base, const struct snp_endpoint *servers, size_t n_servers,
		      int udp_size, struct resolver_loop **out);

/* Every callback still to come is called before it returns. */
void resolver_loop_free(struct resolver_loop *l);

/* done() is called once, perhaps before this returns. */
void resolver_loop_send(struct resolver_loop *l, const uint8_t *query, size_t n, ares_callback done,
			void *arg);

#endif
