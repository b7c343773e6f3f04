/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_fact.h - what was learned, as it stands in pinned maps.
 *
 * Kernel and user space. A fact is {scope, name, address} -> expiry with its
 * provenance. Rows of snp_learned and snp_names are written by the kernel
 * only; snp_granted and snp_collected by the daemon only.
 *
 * A name is known by a 64-bit hash keyed with a secret drawn once per pinned
 * set; its row in snp_names holds the name in full, and is compared in full.
 */
#ifndef SNP_FACT_H
#define SNP_FACT_H

#include "bpf/snp_types.h"

/* Whom a fact serves. 0: an asker in no endpoint. */
#define SNP_SCOPE_NONE 0

enum snp_origin { SNP_ORIGIN_KERNEL, SNP_ORIGIN_PEER, SNP_ORIGIN_RESOLVER, SNP_ORIGIN_SNAPSHOT };

/* Key of snp_names. */
struct snp_name_key {
	__u64 id; /* keyed hash of the canonical wire name */
	__u32 scope;
	__u32 reserved; /* 0 */
};
SNP_ASSERT(sizeof(struct snp_name_key) == 16, "snp_name_key is a map key");

#define SNP_INHERITED 4

/* wire: canonical (lower case, uncompressed), wire_len bytes with the root's zero; what follows means nothing. */
struct snp_name_row {
	__u64 first_seen_ns;
	__u64 last_seen_ns;    /* as of the last news under it */
	__u64 expiry_ns;       /* no earlier than any of its facts', or its CNAME's */
	__u64 alias_id;	       /* id of its CNAME target in the same scope, 0: none */
	__u64 alias_expiry_ns; /* until when that CNAME holds */
	__u64 inherited
		[SNP_INHERITED]; /* identities of names whose CNAME it is: slots (snp_policy.h) */
	__u64 cgroup_id;	 /* whose quota of names it counts against: who first asked */
	__u32 added;		 /* facts ever written under it; less snp_collected = held */
	__u8 wire_len;
	__u8 truncated; /* 1: the last answer had TC=1, or could not be read whole */
	__u8 reserved[2];
	__u8 wire[SNP_NAME_ROOM - 56 - 8];
};
SNP_ASSERT(sizeof(struct snp_name_row) == 344, "snp_name_row is a map value");
SNP_ASSERT(sizeof(((struct snp_name_row *)0)->wire) >= SNP_NAME_MAX + 1, "a name must fit");

/* Key of snp_learned and snp_granted. */
struct snp_fact_key {
	struct snp_name_key name;
	struct snp_addr addr;
};
SNP_ASSERT(sizeof(struct snp_fact_key) == 32, "snp_fact_key is a map key");

struct snp_fact {
	__u64 expiry_ns;
	__u64 announced_ns; /* the expiry last told to the daemon */
	__u64 first_seen_ns;
	__u64 last_seen_ns;
	__u64 cgroup_id; /* cgroup v2 id of the socket that first asked */
	__u32 ttl_s;	 /* of the last answer, clamped */
	__u8 origin;	 /* enum snp_origin */
	__u8 reserved;
	__u16 chain; /* of the CNAME chain it was last learned by: tells a change */
	/* Under which policy its name was last matched, and the one identity that gave, or: */
	__u32 generation;
	__u32 identity; /* 0: none; SNP_IDENTITY_MANY */
};
#define SNP_IDENTITY_MANY 0xffffffffu
SNP_ASSERT(sizeof(struct snp_fact) == 56, "snp_fact is a map value");

/* A row is collected by the daemon no sooner than this after its expiry ... */
#define SNP_COLLECT_AFTER_NS (60ull * 1000000000ull)
/* ... and the kernel writes in place no later than this: between the two, rows are replaced whole. */
#define SNP_REVIVE_AFTER_NS (30ull * 1000000000ull)

/*
 * Tallies: how many facts something holds (SNP_TALLY_CGROUP_NAMES: how many
 * names) = snp_tally (written by the kernel) less snp_collected (written by
 * the daemon).
 */
enum snp_tally_kind { SNP_TALLY_NAME, SNP_TALLY_CGROUP, SNP_TALLY_ADDR, SNP_TALLY_CGROUP_NAMES };
struct snp_tally_key {
	union {
		struct snp_addr addr; /* SNP_TALLY_ADDR */
		__u64 id[2];	      /* of the cgroup, or of the name */
	};
	__u32 scope;
	__u32 kind; /* enum snp_tally_kind */
};
SNP_ASSERT(sizeof(struct snp_tally_key) == 24, "snp_tally_key is a map key");

#endif
