/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_match.h - a policy's selectors into tables, and what is wrong with one told where it is written.
 *
 * io. For the daemon and for `snooperctl match` alike.
 */
#ifndef SNP_POLICY_MATCH_H
#define SNP_POLICY_MATCH_H

#include "snooper/core/policy_names.h"
#include "snooper/io/conf_diag.h"

/* The policy is side POLICY_NEXT of names, whose indices the tables give out. */
struct policy_matched {
	struct policy_ids *ids;
	struct policy_names names;
	struct match_tables tables;
};

/*
 * Number the selectors and compile them. Returns 0 and *out; -EINVAL when one is
 * malformed or does not fit: noted in diag, and conf_diag_finish() called; or -ENOMEM.
 */
int policy_match(const struct policy *p, struct policy_matched *out, struct conf_diag *diag);
void policy_matched_fini(struct policy_matched *m);

#endif
