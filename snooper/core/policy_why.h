/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_why.h - what the kernel says of a new flow, from the tables and rows that it reads.
 *
 * core: pure. The same steps as snp_judge.bpf.h, by the same functions (snp_policy_look.h);
 * verdict rows come from the caller. Of no socket: no flow was admitted before.
 */
#ifndef SNP_POLICY_WHY_H
#define SNP_POLICY_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_policy.h"

struct policy_question {
	uint32_t endpoint; /* its number, 0: of none */
	uint32_t scope;
	struct snp_flow_to to;
	bool any; /* on whatever port: to has an address only */
	/* Ports on which the address is a resolver that this host trusts. */
	const uint16_t *resolver_ports;
	size_t n_resolver_ports;
	uint64_t now_ns;
};

/* A chunk of the address's rows, learned or given: 0 and *row, or an error: there is none. */
typedef int (*policy_row_fn)(void *ctx, bool given, const struct snp_row_key *key,
			     struct snp_row *row);

/* Ports first..last of TCP, UDP or SCTP; of ICMP (1): everything that has no ports. */
struct policy_run {
	uint8_t protocol;
	uint16_t first, last;
};

#define POLICY_ANSWER_IDENTITIES (2 * SNP_ROW_CHUNKS * SNP_SLOTS)
#define POLICY_ANSWER_RUNS	 64

struct policy_answer {
	enum snp_verdict verdict; /* `any`: allowed when some port is */
	uint32_t generation;
	enum snp_policy_mode_k mode;
	/* That allow it; of DENY_PORT and DENY_EXPIRED: that would on other ports, or did. */
	uint32_t identities[POLICY_ANSWER_IDENTITIES];
	size_t n_identities;
	uint64_t end_ms; /* of NAME: when the last of them ends, grace included */
	/* `any`, and it is allowed on some ports only: these, or the first of these. */
	struct policy_run runs[POLICY_ANSWER_RUNS];
	size_t n_runs;
};

/*
 * tables: region SNP_POLICY_TABLES, all SNP_REGION_BYTES of it; NULL: no policy is in force. 0 and
 * *out, or -ENOMEM.
 */
int policy_why(const uint8_t *tables, const struct policy_question *q, policy_row_fn row, void *ctx,
	       struct policy_answer *out);

/* As in SNP_VERDICTS. */
const char *policy_verdict_name(enum snp_verdict v);
const char *policy_verdict_text(enum snp_verdict v);

#endif
