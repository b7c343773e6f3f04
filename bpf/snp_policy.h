/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_policy.h - one generation of policy, as the kernel reads it.
 *
 * Kernel and user space compile this very file. snp_policy (an array of one map)
 * holds the generation in force: a map of regions of SNP_REGION_BYTES. One look-up
 * of that map a packet, so that a packet never meets half a policy.
 *
 *   region SNP_POLICY_TABLES   struct snp_policy_head and what it points at
 *   region SNP_POLICY_KEPT     what snooperd must know again after a restart; not read here
 *   region SNP_POLICY_BANK + i the automata (snp_match.h)
 *
 * `_at` is an offset in bytes from the region's start, a multiple of SNP_TABLE_ALIGN; what tables hold
 * has a power of two as its size, so that one mask keeps a read whole and within. Numbers in host order.
 * Addresses are compared as numbers: the first byte is the most significant one.
 */
#ifndef SNP_POLICY_BPF_H
#define SNP_POLICY_BPF_H

#include "bpf/snp_match.h"

#define SNP_POLICY_TABLES 0
#define SNP_POLICY_KEPT	  1
#define SNP_POLICY_BANK	  2
#define SNP_POLICY_MAGIC  0x706f6c32u

#define SNP_TABLE_ALIGN	 64
#define SNP_RANGES_BITS	 17 /* fewer than 2^17 ranges a table */
#define SNP_TOGGLES_BITS 9  /* fewer than 512 port limits a set and protocol */
#define SNP_ALLOW_PROBES 16 /* entries looked at for one key, at most */

enum snp_policy_mode_k { SNP_MODE_OBSERVE, SNP_MODE_AUDIT, SNP_MODE_ENFORCE };

struct snp_policy_head {
	__u32 magic;
	__u32 generation;
	__u32 mode; /* enum snp_policy_mode_k */
	__u32 n_banks;
	__u64 grace_ns;			/* added when a new flow is judged */
	__u64 idle_ns;			/* a live flow without packets for this long is a new one */
	__u32 class_of_at;		/* __u32 by endpoint's place, SNP_ENDPOINTS_MAX of them */
	__u32 classes_at;		/* struct snp_class; class 0: selected by no policy */
	__u32 allow_at;			/* struct snp_allow, open addressing */
	__u32 allow_mask;		/* number of entries less one */
	__u32 ports_at;			/* struct snp_ports; number 0 holds nothing */
	__u32 outs_at[SNP_MATCH_BANKS]; /* struct snp_out, by what an automaton gives out */
	__u32 matched_only;		/* observe.names: matched */
	__u32 bytes;			/* of the tables, the head's own included */
	__u32 reserved;
};
SNP_ASSERT(sizeof(struct snp_policy_head) % 8 == 0, "tables follow");

#define SNP_CLASS_DEFAULT_DENY 1 /* what nothing allows is refused */
#define SNP_CLASS_DNS	       2 /* it has rules.dns: only names that they allow may be asked */

/* What applies to an endpoint. Ranges are sorted; each ends where the next begins; the first begins at 0. */
struct snp_class {
	__u32 flags;
	__u32 n4, n6; /* ranges */
	__u32 at4;    /* struct snp_range4 */
	__u32 at6;    /* struct snp_range6 */
	__u32 reserved[3];
};

/* Numbers of port sets that destinations in the range are denied, and allowed without a name. */
struct snp_range4 {
	__u32 from;
	__u16 deny, allow;
};
struct snp_range6 {
	__u64 from[2];
	__u16 deny, allow;
	__u32 reserved[3];
};

/* Limits of runs of ports, sorted: a port is in when an odd number of them is no greater. */
enum { SNP_PORTS_TCP, SNP_PORTS_UDP, SNP_PORTS_SCTP, SNP_PORTS_PROTOCOLS };
struct snp_ports {
	__u32 all; /* every port of every protocol, ICMP and what has no ports too */
	__u32 n[SNP_PORTS_PROTOCOLS];
	__u32 at[SNP_PORTS_PROTOCOLS]; /* __u32 each */
	__u32 reserved;
};

/*
 * What an identity allows a class, in two steps: identities that each class allows the same are
 * one group, and a group allows a class a port set. A set of rules.dns selectors is known by its group.
 */
#define SNP_ALLOW_GROUP 0xffffffffu /* in place of a class: `ports` is the identity's group */
#define SNP_ALLOW_DNS	0x80000000u /* or-ed to the class: of rules.dns, `ports` is 1 */
struct snp_allow {
	__u32 class, identity; /* class 0: a free entry. identity: or a group */
	__u32 ports;
	__u32 reserved;
};

/* What an automaton gives out: 0 is none. */
struct snp_out {
	__u32 identity; /* of the toFQDNs selectors matched */
	__u32 dns;	/* group of the set of rules.dns selectors matched */
};

/* How a flow was judged; the numbers are shown and stored: append only. */
#define SNP_VERDICTS(X)                                                                            \
	X(NONE, "none", "not judged: of no endpoint, or no policy")                                \
	X(UNSELECTED, "unselected", "allowed: no policy selects the endpoint for egress")          \
	X(NAME, "name", "allowed: by a name that the endpoint has learned")                        \
	X(CIDR, "cidr", "allowed: by toCIDR, toCIDRSet, toEntities, or ports alone")               \
	X(LIVE, "live", "allowed: the flow was admitted before")                                   \
	X(REPLY, "reply", "allowed: an answer to who began")                                       \
	X(LOOPBACK, "loopback", "allowed: loopback")                                               \
	X(RESOLVER, "resolver", "allowed: to a resolver, names judged apart")                      \
	X(DENY_CIDR, "deny-cidr", "refused: by egressDeny")                                        \
	X(DENY_NO_NAME, "deny-no-name", "refused: nothing allows the address")                     \
	X(DENY_PORT, "deny-port", "refused: a name allows the address, on other ports")            \
	X(DENY_EXPIRED, "deny-expired", "refused: the names that allowed the address ran out")     \
	X(DENY_DNS, "deny-dns", "refused: rules.dns does not allow the name asked for")            \
	X(DENY_WITHDRAWN, "deny-withdrawn",                                                        \
	  "refused: policy withdrew what the flow was admitted by")

enum snp_verdict {
#define X(name, text, help) SNP_VERDICT_##name,
	SNP_VERDICTS(X)
#undef X
		SNP_VERDICT_MAX
};
#define SNP_VERDICT_IS_DENY(v) ((v) >= SNP_VERDICT_DENY_CIDR)

/* Where a flow goes. port in host order; no_ports: of a protocol or a packet without any. */
struct snp_flow_to {
	struct snp_addr addr;
	__u16 port;
	__u8 protocol; /* IPPROTO_* */
	__u8 no_ports;
	__u32 reserved;
};

/*
 * A verdict row: under which identities an address is usable in a scope, until when. A slot is one word,
 * so that it changes as a whole: the identity, and the end in milliseconds of CLOCK_BOOTTIME. 0: free.
 */
#define SNP_SLOTS		   8
#define SNP_ROW_CHUNKS		   16 /* rows of one address in one scope, at most */
#define SNP_SLOT_IDENTITY_BITS	   22
#define SNP_IDENTITY_MAX	   ((1u << SNP_SLOT_IDENTITY_BITS) - 1)
#define SNP_SLOT(identity, end_ms) ((__u64)(end_ms) << SNP_SLOT_IDENTITY_BITS | (identity))
#define SNP_SLOT_IDENTITY(slot)	   ((__u32)(slot)&SNP_IDENTITY_MAX)
#define SNP_SLOT_END_MS(slot)	   ((slot) >> SNP_SLOT_IDENTITY_BITS)

struct snp_row_key {
	struct snp_addr addr;
	__u32 scope;
	__u32 chunk;
};
struct snp_row {
	__u64 slot[SNP_SLOTS];
};
SNP_ASSERT(sizeof(struct snp_row_key) == 24 && sizeof(struct snp_row) == 64, "map material");

#endif
