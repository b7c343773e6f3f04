/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_fields.h - every field that a Cilium policy can have, and what becomes of it.
 *
 * io. The readers walk by these tables; a test compares them with snooper-policy(5).
 */
#ifndef SNP_POLICY_FIELDS_H
#define SNP_POLICY_FIELDS_H

#include <stddef.h>

#include "snooper/io/conf_tree.h"

struct policy_reader;

enum policy_use {
	POLICY_READ,
	POLICY_REFUSED, /* left out, the policy would mean something else */
	POLICY_WARNED,	/* left out, it means the same for what snooper does */
	POLICY_PASSED,	/* says nothing of traffic: kept by whoever wrote the file */
};

struct policy_field {
	const char *name;
	enum policy_use use;
	const char *why; /* of what is not read */
	/* Take n into `into`. 0, also when n was refused; -ENOMEM. NULL: taken by who walks. */
	int (*read)(struct policy_reader *r, const struct conf_node *n, void *into);
};

/* A table ends with a nameless field. */
extern const struct policy_field policy_list_fields[];
extern const struct policy_field policy_object_fields[];
extern const struct policy_field policy_metadata_fields[];
extern const struct policy_field policy_spec_fields[];
extern const struct policy_field policy_default_fields[];
extern const struct policy_field policy_label_fields[];
extern const struct policy_field policy_expression_fields[];
extern const struct policy_field policy_egress_fields[];
extern const struct policy_field policy_deny_fields[];
extern const struct policy_field policy_fqdn_fields[];
extern const struct policy_field policy_cidr_fields[];
extern const struct policy_field policy_ports_fields[];
extern const struct policy_field policy_deny_ports_fields[];
extern const struct policy_field policy_port_fields[];
extern const struct policy_field policy_rules_fields[];

/* All of them, by the path that the manual names. */
struct policy_section {
	const char *path;
	const struct policy_field *fields;
};
const struct policy_section *policy_sections(size_t *n);

#endif
