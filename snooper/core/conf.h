/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf.h - the configuration as plain data, one field per key of snooper.yaml.
 *
 * core: pure. io/conf_yaml.c fills it from a file; everybody else reads it.
 * Every pointer is owned by the struct. Durations are in the unit of the name,
 * sizes in bytes. Section and key names follow the YAML.
 */
#ifndef SNP_CONF_H
#define SNP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_types.h"

struct snp_cidr {
	struct snp_addr addr; /* IPv4 as v4-mapped; host bits are zero */
	uint8_t prefix;	      /* of 128: an IPv4 /8 is 104 */
	bool ipv6; /* written as IPv6: ::ffff:0:0/96 means AAAA records, not all of IPv4 */
};

/* RFC 1918 and RFC 4193: what learn_private is about. */
#define SNP_PRIVATE_RANGES 4
extern const struct snp_cidr snp_private_ranges[SNP_PRIVATE_RANGES];

struct snp_label {
	char *key, *value;
};

struct snp_endpoint_conf {
	char *name;
	char *cgroup; /* a path, globs allowed */
	struct snp_label *labels;
	size_t n_labels;
};

enum snp_tcp_mode { SNP_TCP_SEGMENTS, SNP_TCP_VERDICT, SNP_TCP_PARSER, SNP_TCP_OFF };
enum snp_policy_mode { SNP_POLICY_OBSERVE, SNP_POLICY_AUDIT, SNP_POLICY_ENFORCE };
enum snp_reconcile_mode { SNP_RECONCILE_OFF, SNP_RECONCILE_VERIFY, SNP_RECONCILE_REFRESH };
enum snp_log_level { SNP_LOG_ERR, SNP_LOG_WARN, SNP_LOG_INFO, SNP_LOG_DEBUG };

struct snp_conf {
	struct {
		char **cgroups; /* directories; default: the cgroup v2 mount */
		size_t n_cgroups;
		struct snp_addr *resolvers; /* default: resolv.conf */
		size_t n_resolvers;
		uint16_t port;
		enum snp_tcp_mode tcp;
		uint64_t query_timeout_ns;
		struct snp_cidr *never_learn;
		size_t n_never_learn;
		bool learn_private;
		bool svcb_hints;
		bool names_all; /* false: names: matched */
	} observe;
	struct {
		enum snp_policy_mode mode;
		bool scope_node; /* false: scope: endpoint */
		char *directory;
		uint64_t min_ttl_ns, max_ttl_ns, grace_ns, live_flow_idle_ns;
		bool on_error_allow; /* false: on_error: deny */
	} policy;
	struct snp_endpoint_conf *endpoints;
	size_t n_endpoints;
	struct {
		struct snp_endpoint *addresses;
		size_t n_addresses;
		char *cgroup; /* NULL: not set */
		struct snp_endpoint *fallback;
		size_t n_fallback;
		uint32_t mute_queries;
		uint64_t mute_time_ns;
		char *probe_name;
		uint64_t probe_interval_ns;
		uint64_t dwell_ns;
	} proxy;
	struct {
		enum snp_reconcile_mode mode;
		struct snp_endpoint *servers;
		size_t n_servers;
		uint32_t rate;
	} reconcile;
	struct {
		char *node, *cluster, *listen; /* NULL: not set */
		char **peers;
		size_t n_peers;
		char *tls_ca, *tls_certificate, *tls_key;
		bool insecure;
	} ha;
	struct {
		char *directory, *bpffs;
		uint64_t snapshot_interval_ns;
		bool keep_on_stop;
	} state;
	struct {
		char *socket, *socket_group; /* socket_group NULL: the daemon's own */
		char *metrics;		     /* see snp_conf_metrics_off() */
		char *listen;		     /* NULL: the socket only */
		char *tls_ca, *tls_certificate, *tls_key;
		char **tls_admins; /* common names */
		size_t n_tls_admins;
	} export;
	struct {
		uint32_t names, addresses_per_name, names_per_address;
		uint32_t rows, facts, per_endpoint;
		uint32_t ring_bytes; /* a power of two, a multiple of the page */
	} limits;
	struct {
		enum snp_log_level level;
	} log;
};

/*
 * A configuration with the fixed defaults of every key. What must be looked up
 * on the host (cgroup v2 mount, resolv.conf) is left empty: io/conf_host.c
 * fills it. NULL when out of memory.
 */
struct snp_conf *snp_conf_new(void);
void snp_conf_free(struct snp_conf *c);

/* Does export.metrics say that there are none? So do NULL, "" and "off". */
bool snp_conf_metrics_off(const char *metrics);

#endif
