/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_event.h - news from the kernel to the daemon, by the ring buffer.
 *
 * Kernel and user space. News only: every fact named here stands in the maps
 * already, and a record that the ring did not take loses nothing (snp_stats
 * counts ring_lost, and the daemon reads the maps again).
 *
 * One record is at most SNP_EVENT_FACTS facts of one name; a message with more
 * makes several. Length on the ring: SNP_EVENT_BYTES(nfacts).
 */
#ifndef SNP_EVENT_H
#define SNP_EVENT_H

#include "bpf/snp_fact.h"

#define SNP_EVENT_VERSION 1
#define SNP_EVENT_FACTS	  32
/* Flags: not all of the answer could be read; with no facts, nothing of it. */
#define SNP_EVENT_PARTIAL 1

struct snp_event_fact {
	struct snp_addr addr;
	__u64 expiry_ns;
};

struct snp_event {
	__u64 ts_ns;
	struct snp_name_key name; /* its row in snp_names has the name itself */
	__u64 cgroup_id;
	__u16 version; /* SNP_EVENT_VERSION */
	__u16 nfacts;
	__u32 flags;
	struct snp_event_fact facts[SNP_EVENT_FACTS];
};
#define SNP_EVENT_HEADER   40
#define SNP_EVENT_BYTES(n) (SNP_EVENT_HEADER + (n) * sizeof(struct snp_event_fact))
SNP_ASSERT(sizeof(struct snp_event) == SNP_EVENT_BYTES(SNP_EVENT_FACTS),
	   "snp_event is wire format");

#endif
