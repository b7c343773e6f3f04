/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_grant.h - what a look-up found, written as facts of its own origin. */
#ifndef SNP_DAEMON_GRANT_H
#define SNP_DAEMON_GRANT_H

#include <stdint.h>

#include "snooper/core/reconcile.h"

struct daemon;

/* One name's look-up: what is granted of its answers. */
struct granting {
	struct snp_name_key name;
	uint64_t client_ns;  /* when a client last asked */
	uint32_t ttl_s;	     /* the least that was written with, 0: nothing was */
	uint32_t lifetime_s; /* 0: nothing was found */
};

/*
 * The addresses of one answer. Those in refused ranges, and new ones of a name that holds
 * limits.addresses_per_name, are counted and not written. False: its TTL is 0, and
 * nothing was.
 */
bool daemon_grant(struct daemon *d, struct granting *g, const struct reconcile_found *found);

#endif
