/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_verdict.h - what is remembered and told of flows that were judged.
 *
 * Kernel and user space. A flow is begun by an endpoint's socket: {address, port, protocol}.
 */
#ifndef SNP_VERDICT_H
#define SNP_VERDICT_H

#include "bpf/snp_policy.h"

/* A flow that was admitted. used_s: CLOCK_BOOTTIME in seconds when a packet last went. */
struct snp_flow {
	struct snp_addr addr;
	__u16 port;
	__u8 protocol;
	__u8 verdict; /* enum snp_verdict that admitted it; 0: none */
	__u32 generation;
	__u32 identity; /* that admitted it, 0: no name did */
	__u32 used_s;
};
SNP_ASSERT(sizeof(struct snp_flow) == 32, "two to a line of the cache");

/* Value of snp_flow, a socket's storage: all that a connected socket has. */
#define SNP_FLOW_WAYS 2
struct snp_flow_ways {
	struct snp_flow way[SNP_FLOW_WAYS];
	struct snp_flow told; /* refused last, and counted: its packets do not count again */
};

/* Key of snp_flows (more flows of a socket) and of snp_heard (who sent a datagram to an endpoint). */
struct snp_flow_key {
	struct snp_flow_to to;
	__u64 cookie; /* SNP_FLOW_OF(); snp_heard: heard_by() */
};
SNP_ASSERT(sizeof(struct snp_flow_key) == 32, "snp_flow_key is a map key");

/* Of a socket, by its cookie (they are given out in turn), of the endpoint at a place. */
#define SNP_FLOW_PLACE_SHIFT	   52
#define SNP_FLOW_OF(cookie, place) ((cookie) | (__u64)(place) << SNP_FLOW_PLACE_SHIFT)
#define SNP_FLOW_PLACE(cookie)	   ((__u32)((cookie) >> SNP_FLOW_PLACE_SHIFT))

/*
 * Rows of snp_flows, and how many of them one endpoint may have: what it fills is not all. It has as many as
 * snp_flows_made says less snp_flows_gone.
 */
#define SNP_FLOWS_MAX	16384
#define SNP_FLOWS_SHARE (SNP_FLOWS_MAX / 4)

/* Key of snp_verdicts: how often each verdict fell, by endpoint. */
struct snp_verdict_key {
	__u32 endpoint;
	__u32 verdict; /* enum snp_verdict */
};

/* A refusal, told in the ring buffer (snp_event.h's version field stands where its does). */
#define SNP_EVENT_VERDICT 0x56 /* in place of SNP_EVENT_VERSION */
struct snp_event_verdict {
	__u64 ts_ns;
	__u64 cgroup_id;
	struct snp_addr addr;
	__u16 version; /* SNP_EVENT_VERDICT */
	__u16 port;    /* host order */
	__u8 protocol;
	__u8 verdict; /* enum snp_verdict */
	__u8 mode;    /* enum snp_policy_mode_k: SNP_MODE_AUDIT let it pass */
	__u8 reserved;
	__u32 endpoint;
	__u32 generation;
};
SNP_ASSERT(sizeof(struct snp_event_verdict) == 48, "told in the ring");

/*
 * A connection that cannot go on: it asked for a name that may not be asked, or policy withdrew
 * it. The daemon ends it (SOCK_DESTROY), so that its owner knows at once.
 */
#define SNP_EVENT_CUT 0x43 /* in place of SNP_EVENT_VERSION */
struct snp_event_cut {
	__u64 ts_ns;
	__u64 cookie; /* of the socket */
	struct snp_addr local;
	__u16 version;		       /* SNP_EVENT_CUT */
	__u16 local_port, remote_port; /* host order */
	__u16 reserved[5];
	struct snp_addr remote;
};
SNP_ASSERT(sizeof(struct snp_event_cut) == 64, "told in the ring");

#endif
