/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * untrusted.h - who answers here without being trusted: the kernel's rows, made to age.
 *
 * core: pure. The kernel counts answers by server, in UNTRUSTED_ROWS rows that hold no time.
 * So whoever reads them now and then notes who has grown since. A row that did not for
 * UNTRUSTED_AGE_NS is over; while all rows are taken, UNTRUSTED_FULL_AGE_NS will do, or one
 * burst of strangers would hide those that come later for an hour.
 *
 * What found no row is known by the difference: the kernel counts every such answer, too.
 * Times are CLOCK_BOOTTIME nanoseconds; ages begin with the daemon.
 */
#ifndef SNP_UNTRUSTED_H
#define SNP_UNTRUSTED_H

#include "snooper/core/status.h"

#define UNTRUSTED_ROWS	      256 /* as snp_maps.bpf.h has it */
#define UNTRUSTED_AGE_NS      (3600ull * 1000000000)
#define UNTRUSTED_FULL_AGE_NS (60ull * 1000000000)

/* Zero-initialised, then untrusted_begin(). */
struct untrusted {
	struct untrusted_seen {
		struct snp_addr addr;
		uint64_t answers, grew_ns;
	} seen[UNTRUSTED_ROWS];
	size_t n;
	uint64_t before;	/* answers that were in no row when we began */
	uint64_t taken;		/* answers of rows that were taken away */
	uint64_t aged;		/* such rows */
	uint64_t unlisted;	/* answers since the beginning that found no row, at least */
	uint64_t unlisted_grew; /* when that grew last, 0: never */
};

/* rows were read, and then all: how many such answers the kernel counted in all. */
void untrusted_begin(struct untrusted *u, const struct snp_status_server *rows, size_t n,
		     uint64_t all);

/*
 * all was read, and then rows (n, UNTRUSTED_ROWS at most). Returns how many of them are
 * over: they are the first in over[], which has room for n.
 */
size_t untrusted_look(struct untrusted *u, const struct snp_status_server *rows, size_t n,
		      uint64_t all, uint64_t now_ns, struct snp_status_server *over);

/* A row that was over is gone, with so many answers. */
void untrusted_gone(struct untrusted *u, uint64_t answers);

#endif
