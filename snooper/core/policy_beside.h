/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_beside.h - the first of the two steps to a policy (policy_change.h), from one that nobody can say again.
 *
 * core: pure. What an earlier snooperd put in force is there as tables; the files that
 * they were made from may say something else by now. So the tables stay as they are, with the automata
 * of the next policy beside their own: a name learned from then on has the identities of
 * both, and is allowed what it was.
 */
#ifndef SNP_POLICY_BESIDE_H
#define SNP_POLICY_BESIDE_H

#include "snooper/core/policy_change.h"

struct policy_earlier {
	const uint8_t *tables;		 /* region SNP_POLICY_TABLES, all of it; borrowed */
	uint8_t *banks[SNP_MATCH_BANKS]; /* its automata, SNP_REGION_BYTES each; malloc'd */
	/* Numbers of endpoints that it does not know: those that the next one selects are shut out till then. */
	const uint32_t *strangers;
	size_t n_strangers;
};

/*
 * m has tables for POLICY_NEXT, or nothing but ids: there is no next one, and all strangers are shut
 * out. Makes the tables for POLICY_BEFORE, of that generation, and takes from `was` the banks that
 * they need. 0; -ENOMEM; -E2BIG: both do not fit together, and m is as it was.
 */
int policy_beside(struct policy_made *m, struct policy_earlier *was, uint32_t generation);
void policy_earlier_fini(struct policy_earlier *was);

#endif
