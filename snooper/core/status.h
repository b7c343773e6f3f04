/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * status.h - what `snooperctl status` and `proxy status` show, as plain data.
 *
 * core: pure. daemon.c fills it, rpc/export.c puts it on the wire. Strings and
 * arrays are borrowed from whoever filled it, for the length of the call.
 */
#ifndef SNP_STATUS_H
#define SNP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_stat.h"

struct snp_status_server {
	struct snp_addr addr;
	uint64_t answers;
};

struct snp_status {
	const char *version;
	const char *mode;	      /* observe | audit | enforce */
	uint64_t stats[SNP_STAT_MAX]; /* by enum snp_stat */
	struct {
		uint64_t names, addresses;
	} cache;
	struct {
		bool configured; /* proxy.addresses is not empty */
		bool bypassed;
		uint64_t since_ms; /* how long it has been in this state */
		uint64_t bypassed_queries;
	} proxy;
	const struct snp_status_server *untrusted;
	size_t n_untrusted;
	const char *const *degraded; /* reasons, most pressing first */
	size_t n_degraded;
};

#endif
