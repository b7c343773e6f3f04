/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_maps.bpf.h - every map, once. snp_maps.bpf.c defines them; the others see extern.
 *
 * The sizes here are the smallest ones; io/maps_open.c sets what limits says.
 */
#ifndef SNP_MAPS_BPF_H
#define SNP_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/snp_endpoint.h"
#include "bpf/snp_event.h"
#include "bpf/snp_fact.h"
#include "bpf/snp_glob.h"
#include "bpf/snp_kconf.h"
#include "bpf/snp_proxy.h"
#include "bpf/snp_question.h"
#include "bpf/snp_stat.h"
#include "bpf/snp_stream.h"
#include "bpf/snp_verdict.h"

#ifdef SNP_DEFINE_MAPS
#define SNP_MAP
#else
#define SNP_MAP extern
#endif

/* May the kernel's own structs be read? 0 where it has no BTF, or is locked down: then there are no endpoints. */
extern const volatile __u32 snp_reads_kernel;

/* Configuration: written by the daemon. */
struct snp_meta_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_meta);
};
SNP_MAP struct snp_meta_map snp_meta SEC(".maps");

struct snp_ctl_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_ctl);
};
SNP_MAP struct snp_ctl_map snp_ctl SEC(".maps");

struct snp_conf_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct snp_kconf);
};
SNP_MAP struct snp_conf_map snp_conf SEC(".maps");

/* State: learned and named by the kernel, granted and collected by the daemon. */
struct snp_names_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct snp_name_key);
	__type(value, struct snp_name_row);
};
SNP_MAP struct snp_names_map snp_names SEC(".maps");

struct snp_facts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct snp_fact_key);
	__type(value, struct snp_fact);
};
SNP_MAP struct snp_facts_map snp_learned SEC(".maps");

struct snp_granted_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct snp_fact_key);
	__type(value, struct snp_fact);
};
SNP_MAP struct snp_granted_map snp_granted SEC(".maps");

struct snp_tally_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct snp_tally_key);
	__type(value, __u64);
};
SNP_MAP struct snp_tally_map snp_tally SEC(".maps");

struct snp_collected_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct snp_tally_key);
	__type(value, __u64);
};
SNP_MAP struct snp_collected_map snp_collected SEC(".maps");

/* News, and when the reader was last woken. */
struct snp_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};
SNP_MAP struct snp_ring_map snp_ring SEC(".maps");

struct snp_wake_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* [1]: when a refusal was last told */
	__type(key, __u32);
	__type(value, __u64);
};
SNP_MAP struct snp_wake_map snp_wake SEC(".maps");

/* Policy: one generation in force, a map of regions (snp_policy.h). */
struct snp_regions_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE); /* as many automata as it needs */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[SNP_REGION_BYTES]);
};
struct snp_policy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct snp_regions_map);
};
SNP_MAP struct snp_policy_map snp_policy SEC(".maps");

/* Verdict rows: learned by the kernel, granted by the daemon. */
struct snp_rows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct snp_row_key);
	__type(value, struct snp_row);
};
SNP_MAP struct snp_rows_map snp_rows SEC(".maps");

struct snp_rows_given_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct snp_row_key);
	__type(value, struct snp_row);
};
SNP_MAP struct snp_rows_given_map snp_rows_given SEC(".maps");

/* Flows: of a connected socket in its storage; a socket's others; who sent to it. */
struct snp_flow_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_flow_ways);
};
SNP_MAP struct snp_flow_map snp_flow SEC(".maps");

struct snp_stream_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_stream);
};
SNP_MAP struct snp_stream_map snp_stream SEC(".maps");

struct snp_flows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SNP_FLOWS_MAX);
	__type(key, struct snp_flow_key);
	__type(value, struct snp_flow);
};
SNP_MAP struct snp_flows_map snp_flows SEC(".maps");

/* By an endpoint's place, how many rows of snp_flows were ever made, and taken away: by the kernel, by the daemon. */
struct snp_flows_count_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_ENDPOINTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
};
SNP_MAP struct snp_flows_count_map snp_flows_made SEC(".maps");
SNP_MAP struct snp_flows_count_map snp_flows_gone SEC(".maps");

struct snp_heard_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct snp_flow_key);
	__type(value, __u64);
};
SNP_MAP struct snp_heard_map snp_heard SEC(".maps");

struct snp_verdicts_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct snp_verdict_key);
	__type(value, __u64);
};
SNP_MAP struct snp_verdicts_map snp_verdicts SEC(".maps");

struct snp_hits_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);   /* an identity */
	__type(value, __u64); /* flows that it admitted */
};
SNP_MAP struct snp_hits_map snp_hits SEC(".maps");

/* Counters. */
struct snp_stats_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SNP_STAT_MAX);
	__type(key, __u32);
	__type(value, __u64);
};
SNP_MAP struct snp_stats_map snp_stats SEC(".maps");

struct snp_untrusted_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct snp_addr);
	__type(value, __u64);
};
SNP_MAP struct snp_untrusted_map snp_untrusted SEC(".maps");

/*
 * Questions, and what sockets remember. Of arrays only one that user space may
 * map starts at a page, so that a line is one line of the cache; nobody maps it.
 */
struct snp_questions_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SNP_Q_LINES);
	__type(key, __u32);
	__type(value, struct snp_question_line);
};
SNP_MAP struct snp_questions_map snp_questions SEC(".maps");

struct snp_backlog_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_backlog);
};
SNP_MAP struct snp_backlog_map snp_backlog SEC(".maps");

struct snp_asker_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_asker);
};
SNP_MAP struct snp_asker_map snp_asker SEC(".maps");

/* The proxy. */
struct snp_proxy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_PROXIES_MAX);
	__type(key, __u32);
	__type(value, struct snp_proxy_row);
};
SNP_MAP struct snp_proxy_map snp_proxy SEC(".maps");

struct snp_proxy_seed_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_PROXIES_MAX);
	__type(key, __u32);
	__type(value, struct snp_proxy_seed);
};
SNP_MAP struct snp_proxy_seed_map snp_proxy_seed SEC(".maps");

struct snp_proxy_mark_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_proxy_mark);
};
SNP_MAP struct snp_proxy_mark_map snp_proxy_mark SEC(".maps");

struct snp_detour_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct snp_detour);
};
SNP_MAP struct snp_detour_map snp_detour SEC(".maps");

static __always_inline void snp_count_n(__u32 stat, __u64 n)
{
	__u64 *slot = bpf_map_lookup_elem(&snp_stats, &stat);

	if (slot)
		__sync_fetch_and_add(slot, n); /* per CPU, yet runs nest on a CPU */
}

static __always_inline void snp_count(__u32 stat)
{
	snp_count_n(stat, 1);
}

/* A region of the generation in force, or NULL; the tables name what belongs together. */
static __always_inline const __u8 *snp_policy_region(void *generation, __u32 region)
{
	return bpf_map_lookup_elem(generation, &region);
}

/* The generation in force: read once a packet. NULL: no policy. */
static __always_inline void *snp_policy_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&snp_policy, &zero);
}

/* The configuration in force, and which of the two copies that is. NULL before the first. */
static __always_inline struct snp_kconf *snp_conf_pick(__u32 *which)
{
	__u32 zero = 0;
	struct snp_ctl *ctl = bpf_map_lookup_elem(&snp_ctl, &zero);

	if (!ctl || !ctl->attached)
		return NULL;
	*which = *(volatile __u32 *)&ctl->active & 1;
	return bpf_map_lookup_elem(&snp_conf, which);
}

static __always_inline struct snp_kconf *snp_conf_now(void)
{
	__u32 which;

	return snp_conf_pick(&which);
}

/* Endpoints: which cgroup, and which socket, is whose. */
struct snp_members_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SNP_MEMBERS_MAX);
	__type(key, __u64);
	__type(value, struct snp_member);
};
SNP_MAP struct snp_members_map snp_members SEC(".maps");

/* What takes no room until it is used. */
struct snp_spare_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SNP_SPARE_MAX);
	__type(key, __u64);
	__type(value, struct snp_member);
};
SNP_MAP struct snp_spare_map snp_spare SEC(".maps");

struct snp_endpoints_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SNP_ENDPOINTS_MAX);
	__type(key, __u32);
	__type(value, struct snp_endpoint_row);
};
SNP_MAP struct snp_endpoints_map snp_endpoints SEC(".maps");

struct snp_globs_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * SNP_GLOBS_MAX);
	__type(key, __u32);
	__type(value, struct snp_glob);
};
SNP_MAP struct snp_globs_map snp_globs SEC(".maps");

struct snp_endctl_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_endctl);
};
SNP_MAP struct snp_endctl_map snp_endctl SEC(".maps");

/* How many new cgroups should have had a row in snp_members, and have none. */
struct snp_missed_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};
SNP_MAP struct snp_missed_map snp_missed SEC(".maps");

/* Where a new cgroup's path is matched. One is enough: they are made one at a time. Not pinned. */
struct snp_newcgroup {
	__u64 id;
	__u32 level, path_len;
	__u32 bank, n_globs;
	__u32 at; /* the glob we are in */
	__u32 endpoint, scope;
	__u32 decided;
	struct glob_walk walk;
	char path[SNP_GLOB_PATH_BYTES];
};
struct snp_newcgroup_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snp_newcgroup);
};
SNP_MAP struct snp_newcgroup_map snp_newcgroup SEC(".maps");

#endif
