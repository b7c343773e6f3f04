/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy.h - egress policy as plain data: what was written, where, and nothing else.
 *
 * core: pure. io/policy_yaml.c fills it from files; policy_compile.c and
 * match_compile.c make of it what the kernel reads. Words are Cilium's.
 * Every pointer is owned by the struct it stands in; `file` strings by struct policy.
 *
 * Bounded by the reader: POLICY_SELECTORS_MAX selectors, POLICY_PARTS_MAX of
 * everything else, over all files.
 */
#ifndef SNP_POLICY_H
#define SNP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/core/conf.h"

#define POLICY_SELECTORS_MAX 100000
#define POLICY_PARTS_MAX     200000

/* Where something was written; lines and columns from 1. */
struct policy_place {
	const char *file;
	unsigned int line, column;
};

/* An FQDN selector, of toFQDNs or of rules.dns. Names and patterns are well-formed (match_pattern.h). */
enum policy_selector_kind { POLICY_MATCH_NAME, POLICY_MATCH_PATTERN, POLICY_MATCH_REGEX };
struct policy_selector {
	enum policy_selector_kind kind;
	char *text; /* as written */
	struct policy_place at;
};

/*
 * toPorts: a protocol (IPPROTO_TCP, _UDP, _SCTP, or 0: ANY of these three, not
 * ICMP) and ports first..last. 0..65535: all.
 */
struct policy_port {
	uint8_t protocol;
	uint16_t first, last;
};

/* Prefixes are masked, never v4-mapped IPv6, and `except` lies inside `in`. With .ipv6, ::/0 is IPv6 only. */
struct policy_cidr {
	struct snp_cidr in;
	struct snp_cidr *except;
	size_t n_except;
	struct policy_place at;
};

enum policy_entity { POLICY_WORLD = 1, POLICY_ALL = 2, POLICY_HOST = 4 };

/*
 * One entry of egress or egressDeny: traffic to any destination that it names,
 * on any port that it names. There is one kind of destination in a rule. An
 * entry whose toPorts differ in rules.dns becomes a rule for each of them.
 *
 * A rule with neither `anywhere` nor a destination grants and denies nothing:
 * the entry {} with which a policy says default deny, or an empty toCIDR.
 */
struct policy_rule {
	bool deny;
	bool anywhere; /* ports were written, and no destination: all of them */
	struct policy_selector *fqdns;
	size_t n_fqdns;
	struct policy_cidr *cidrs;
	size_t n_cidrs;
	unsigned int entities; /* enum policy_entity, or-ed */
	bool resolvers;	       /* toEndpoints on port 53: the endpoint's resolvers */
	struct policy_port *ports;
	size_t n_ports; /* 0: every port of every protocol, ICMP too */
	bool has_dns;	/* rules.dns was written; all ports are 53 then, and n_dns is not 0 */
	struct policy_selector *dns;
	size_t n_dns;
	struct policy_place at;
};

enum policy_operator { POLICY_IN, POLICY_NOT_IN, POLICY_EXISTS, POLICY_DOES_NOT_EXIST };
struct policy_expression {
	char *key; /* without k8s: or any: */
	enum policy_operator op;
	char **values;
	size_t n_values;
};

/* One spec: whom it selects, and what they may begin. matchLabels are expressions with IN of one value. */
struct policy_spec {
	char *name; /* metadata.name, with the namespace before it where one was written: ns/name */
	char *namespace;		   /* of a CiliumNetworkPolicy that writes one, else NULL */
	struct policy_expression *selects; /* all must hold; none: every endpoint */
	size_t n_selects;
	bool default_deny; /* as enableDefaultDeny.egress says, else: it has rules */
	struct policy_rule *rules;
	size_t n_rules;
	struct policy_place at;
};

struct policy {
	char **files;
	size_t n_files;
	struct policy_spec *specs;
	size_t n_specs;
};

/* NULL is fine. */
void policy_free(struct policy *p);
/* What the rule owns, not the rule itself. */
void policy_rule_fini(struct policy_rule *rule);

/* The label that says which namespace an endpoint belongs to. */
#define POLICY_NAMESPACE_LABEL "io.kubernetes.pod.namespace"

/*
 * Does the spec select an endpoint with these labels (without k8s: or any:)?
 * A spec with a namespace selects no endpoint that is labelled with another
 * one; an endpoint without that label is in every namespace.
 */
bool policy_selects(const struct policy_spec *s, const struct snp_label *labels, size_t n);

#endif
