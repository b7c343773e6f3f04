/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps_policy.h - the generation of policy in force, verdict rows, and what was counted of verdicts.
 *
 * io. Loop thread only, but for what says otherwise. Of verdict rows the daemon writes those given, and takes
 * away learned ones that are long over.
 */
#ifndef SNP_MAPS_POLICY_H
#define SNP_MAPS_POLICY_H

#include "bpf/snp_verdict.h"
#include "snooper/io/maps.h"

struct maps_bytes {
	const uint8_t *bytes;
	size_t len;
};

/* One generation: the regions of snp_policy.h. */
struct maps_generation {
	struct maps_bytes tables, kept;
	struct maps_bytes banks[SNP_MATCH_BANKS];
	size_t n_banks;
};

/* These two may be called by any thread: they take their time. */

/* A generation in the kernel, not in force yet: its descriptor; -E2BIG: a region does not fit; -errno. */
int maps_policy_make(const struct maps_generation *g);
/*
 * Put a generation in force, whole, in place of the one before. When it returns,
 * no packet is judged by that one any more, and what was learned under it is in the ring.
 * 0 or -errno. The descriptor stays the caller's, and is not needed any more.
 */
int maps_policy_publish(struct maps *m, int fd);

/* No policy is in force any more. 0 or -errno. By any thread, as are the next three; one at a time. */
int maps_policy_withdraw(struct maps *m);
/* What the generation in force was published with as `kept`: the caller's. -ENOENT: there is none. */
int maps_policy_kept(struct maps *m, uint8_t **bytes, size_t *len);
/* A region of the generation in force, SNP_REGION_BYTES: the caller's. -ENOENT: there is none. */
int maps_policy_region(struct maps *m, uint32_t region, uint8_t **bytes);
/* The number of the generation in force, or of the last that was; 0: there was none. */
uint32_t maps_policy_generation(struct maps *m);

/*
 * Make an address usable in a scope, under an identity, until end_ms (CLOCK_BOOTTIME), unless
 * the kernel did. 1: a row was written; 0: none was needed; -ENOSPC: no room; -errno.
 */
struct maps_grant_row {
	struct snp_addr addr;
	uint32_t scope, identity;
	uint64_t end_ms, now_ms;
};
int maps_row_give(struct maps *m, const struct maps_grant_row *g);

/* One chunk of an address's rows. -ENOENT: there is none. */
int maps_row(struct maps *m, enum maps_table table, const struct snp_row_key *key,
	     struct snp_row *row);

/* Take away rows that are over, a slice of a table at a time, as maps_walk_facts(). */
int maps_collect_rows(struct maps *m, enum maps_table table, struct maps_pos *pos, uint32_t budget,
		      uint64_t now_ns);
/* Verdict rows, and of their slots those in use, as of the last whole such reading. */
void maps_rows_held(const struct maps *m, uint64_t *rows, uint64_t *slots);
/* The same for flows that were idle for longer than idle_ns. */
int maps_collect_flows(struct maps *m, struct maps_pos *pos, uint32_t budget, uint64_t now_ns,
		       uint64_t idle_ns);

/* How often each verdict fell, by endpoint; how many flows each identity admitted. */
typedef void (*maps_verdict_fn)(void *ctx, const struct snp_verdict_key *key, uint64_t n);
int maps_verdicts(struct maps *m, maps_verdict_fn visit, void *ctx);
typedef void (*maps_hit_fn)(void *ctx, uint32_t identity, uint64_t n);
int maps_hits(struct maps *m, maps_hit_fn visit, void *ctx);

#endif
