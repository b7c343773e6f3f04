/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_classes.h - which specs apply to an endpoint, and what they come to.
 *
 * core: pure; for policy_compile.c. Endpoints that the same specs select are of one class.
 * Class 0 is of those that none selects.
 */
#ifndef SNP_POLICY_CLASSES_H
#define SNP_POLICY_CLASSES_H

#include "snooper/core/policy_compile.h"
#include "snooper/core/policy_ranges.h"

/* What a selector allows: its index in names, and a port set. */
struct policy_grant {
	uint32_t name, ports;
};

/* What the specs of one class come to. */
struct policy_class {
	uint32_t flags;		     /* SNP_CLASS_* */
	struct policy_grant *grants; /* of toFQDNs, each selector once */
	struct policy_grant *dns;    /* of rules.dns; ports is 1 */
	size_t n_grants, n_dns;
	struct policy_range *v4, *v6;
	size_t n_v4, n_v6;
};

/* A class, once each: from 1 upwards, borrowed for the call. 0 or -errno, which ends it. */
typedef int (*policy_class_fn)(void *ctx, uint32_t class, const struct policy_class *c);

/*
 * of: by endpoint number, SNP_ENDPOINTS_MAX of them; *n: numbers of classes are below.
 * 0; -ENOMEM; what fn() returns; else as policy_ports_of().
 */
int policy_classes_make(const struct policy_input *in, const struct policy_ids *ids,
			struct policy_ports *ports, policy_class_fn fn, void *ctx, uint32_t *of,
			size_t *n);

#endif
