/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_lines.h - what `why`, `policy` and `watch --verdicts` print, a line each, as plain data.
 *
 * core: pure. Everything is borrowed for the call. Places are file:line, NULL: not known.
 */
#ifndef SNP_POLICY_LINES_H
#define SNP_POLICY_LINES_H

#include "bpf/snp_policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is asked for. */
struct snp_policy_asked {
	struct snp_addr addr;
	const char *endpoint;  /* NULL: each of them */
	bool any;	       /* on whatever port */
	struct snp_flow_to to; /* else; its address is not looked at */
};

struct snp_why_line {
	const char *endpoint;
	struct snp_addr addr;
	enum snp_verdict verdict;
	const char *mode; /* "observe": nothing is judged; "audit": refusals pass */
	uint32_t generation;
	const char *const *names; /* the address's, behind the verdict */
	size_t n_names;
	uint64_t unlisted; /* more names than are listed */
	const char *const *selectors;
	size_t n_selectors;
	uint64_t selectors_more; /* than are listed */
	const char *policy;	 /* place */
	bool ends;
	uint64_t expires_in_ms;	  /* ends: it is allowed by names only */
	const char *const *ports; /* allowed on these only; none: as asked */
	size_t n_ports;
};

struct snp_policy_summary {
	uint32_t generation; /* 0: no policy is in force */
	const char *mode;
	bool unread, locked;
	uint64_t specs, selectors, identities;
	uint64_t rows, slots; /* as of the last whole reading */
	uint64_t loaded_ms_ago;
};

struct snp_policy_endpoint {
	const char *name, *mode;
	bool default_deny, dns;
	const char *const *specs, *const *places; /* that select it */
	size_t n_specs;
};

struct snp_policy_selector {
	const char *text, *kind;
	const char *policy; /* place */
	bool fqdn, dns;	    /* it stands in toFQDNs, in rules.dns */
	uint64_t names;	    /* known now that it matches */
	uint64_t hits;	    /* flows admitted under an identity that it is part of */
};

struct snp_verdict_line {
	const char *endpoint; /* "": one that is not configured any more */
	struct snp_addr addr;
	uint16_t port;
	uint8_t protocol;
	enum snp_verdict verdict;
	const char *mode;
	uint64_t ago_ms;
};

enum snp_policy_line_kind {
	SNP_LINE_WHY,
	SNP_LINE_SUMMARY,
	SNP_LINE_ENDPOINT,
	SNP_LINE_SELECTOR,
	SNP_LINE_VERDICT,
	SNP_LINE_LOST, /* verdicts were missed, and the watch is over */
};
struct snp_policy_line {
	enum snp_policy_line_kind kind;
	union {
		struct snp_why_line why;
		struct snp_policy_summary summary;
		struct snp_policy_endpoint endpoint;
		struct snp_policy_selector selector;
		struct snp_verdict_line verdict;
	};
};

#endif
