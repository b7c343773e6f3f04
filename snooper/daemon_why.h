/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_why.h - may one endpoint begin a flow to an address now, by which rule, and by which names?
 *
 * For daemon_why.c, which goes through names and endpoints, and daemon_why_case.c, which decides.
 */
#ifndef SNP_DAEMON_WHY_H
#define SNP_DAEMON_WHY_H

#include "snooper/core/name.h"
#include "snooper/core/policy_why.h"
#include "snooper/daemon.h"

#define WHY_NAMES     1000
#define WHY_SELECTORS 64
#define WHY_RUN_TEXT  20

/* A name that holds the address. */
struct why_holder {
	struct snp_name_key key;
	uint8_t wire[SNP_NAME_MAX + 1];
	uint8_t wire_len;
	char text[NAME_TEXT_MAX];
};

struct why_case {
	/* What is asked; all of it borrowed. */
	struct daemon *d;
	const struct snp_policy_asked *asked;
	const struct why_holder *holders;
	size_t n_holders;
	const struct snp_endpoint_conf *endpoint;
	uint32_t number, scope; /* the endpoint's */

	/* The answer. */
	struct policy_answer answer;
	const struct policy_place *place; /* NULL: in no file that we have read */
	const char *selectors[WHY_SELECTORS];
	size_t n_selectors;
	uint64_t selectors_more; /* than these */
	const char *names[WHY_NAMES];
	size_t n_names;
	uint64_t unlisted; /* names beyond these */
	char runs[POLICY_ANSWER_RUNS][WHY_RUN_TEXT];
	const char *ports[POLICY_ANSWER_RUNS];

	/* The selectors that the identities stand for, by number, sorted; daemon_why_case.c's. */
	uint32_t *numbers;
	bool *told; /* of each, whether it was come by */
	size_t n_numbers;
};

/* 0 or -ENOMEM. The texts are the policy's, and good for this turn. For why_case_fini() in any case. */
int why_case_judge(struct why_case *c);
void why_case_fini(struct why_case *c);

#endif
