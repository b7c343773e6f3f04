/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy.h - egress policy as plain data: what was written, where, and nothing else.
 *
 * core: pure. io/policy_yaml.c fills it from files; policy_compile.c and
 * match_compile.c make of it what the kernel reads. Words are Cilium's.
 * Every pointer is owned by the struct it stands in; `file` strings by struct policy.
 */
#ifndef SNP_POLICY_H
#define SNP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snooper/core/conf.h"

/* Where something was written; lines and columns from 1. */
struct policy_place {
	const char *file;
	unsigned int line, column;
};

/* An FQDN selector, of toFQDNs or of rules.dns. */
enum policy_selector_kind { POLICY_MATCH_NAME, POLICY_MATCH_PATTERN, POLICY_MATCH_REGEX };
struct policy_selector {
	enum policy_selector_kind kind;
	char *text; /* as written */
	struct policy_place at;
};

/* toPorts: a protocol (IPPROTO_TCP, _UDP, _SCTP, or 0: ANY of these) and ports first..last. 0..65535: all. */
struct policy_port {
	uint8_t protocol;
	uint16_t first, last;
};

struct policy_cidr {
	struct snp_cidr in;
	struct snp_cidr *except;
	size_t n_except;
	struct policy_place at;
};

enum policy_entity { POLICY_WORLD = 1, POLICY_ALL = 2, POLICY_HOST = 4 };

/*
 * One entry of egress or egressDeny: traffic to any destination that it names,
 * on any port that it names. An entry may name several kinds of destination
 * only where Cilium allows it.
 */
struct policy_rule {
	bool deny;
	bool anywhere; /* no destination was written: all of them */
	struct policy_selector *fqdns;
	size_t n_fqdns;
	struct policy_cidr *cidrs;
	size_t n_cidrs;
	unsigned int entities; /* enum policy_entity, or-ed */
	bool resolvers;	       /* toEndpoints on port 53: the endpoint's resolvers */
	struct policy_port *ports;
	size_t n_ports; /* 0: every port of every protocol, ICMP too */
	bool has_dns;	/* rules.dns was written, be it empty */
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
	struct policy_expression *selects; /* all must hold; none: every endpoint */
	size_t n_selects;
	bool default_deny; /* it has an egress section, and enableDefaultDeny.egress is not false */
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

void policy_free(struct policy *p);

/* Does the spec select an endpoint with these labels? */
bool policy_selects(const struct policy_spec *s, const struct snp_label *labels, size_t n);

#endif
