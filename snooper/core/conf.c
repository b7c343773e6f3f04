/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/conf.h"

#include <stdlib.h>
#include <string.h>

const struct snp_cidr snp_private_ranges[SNP_PRIVATE_RANGES] = {
	{{.b = {[10] = 0xff, [11] = 0xff, [12] = 10}}, 104, false},
	{{.b = {[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}}, 108, false},
	{{.b = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168}}, 112, false},
	{{.b = {[0] = 0xfc}}, 7, true},
};

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

#define V4(a, b_, c, d, len)                                                                       \
	{                                                                                          \
		.addr = {.b = {[10] = 0xff, [11] = 0xff, a, b_, c, d}}, .prefix = 96 + (len)       \
	}
#define V6(len, ...)                                                                               \
	{                                                                                          \
		.addr = {.b = {__VA_ARGS__}}, .prefix = (len), .ipv6 = true                        \
	}

/* Nobody's public name stands for one of these: an answer that says so is a rebinding attempt. */
static const struct snp_cidr never_learn[] = {
	V4(0, 0, 0, 0, 8),
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(224, 0, 0, 0, 4),
	V4(255, 255, 255, 255, 32),
	V6(128, 0),
	V6(128, [15] = 1),
	V6(10, 0xfe, 0x80),
	V6(8, 0xff),
	V6(128, 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54),
	V6(96, [10] = 0xff, [11] = 0xff),
	V6(96, 0x00, 0x64, 0xff, 0x9b),
};

static void set_fixed(struct snp_conf *c)
{
	c->observe.port = 53;
	c->observe.tcp = SNP_TCP_SEGMENTS;
	c->observe.query_timeout_ns = 10 * NS_PER_S;
	c->observe.learn_private = true;
	c->observe.svcb_hints = true;
	c->observe.names_all = true;
	c->policy.mode = SNP_POLICY_OBSERVE;
	c->policy.max_ttl_ns = 24 * 3600 * NS_PER_S;
	c->policy.live_flow_idle_ns = 3600 * NS_PER_S;
	c->proxy.mute_queries = 3;
	c->proxy.mute_time_ns = 500 * NS_PER_MS;
	c->proxy.probe_interval_ns = 250 * NS_PER_MS;
	c->proxy.dwell_ns = 5 * NS_PER_S;
	c->reconcile.mode = SNP_RECONCILE_VERIFY;
	c->reconcile.rate = 200;
	c->state.snapshot_interval_ns = 30 * NS_PER_S;
	c->state.keep_on_stop = true;
	c->limits.names = 262144;
	c->limits.addresses_per_name = 1000;
	c->limits.names_per_address = 1000;
	c->limits.rows = 262144;
	c->limits.facts = 524288;
	c->limits.per_endpoint = 65536;
	c->limits.ring_bytes = 16 << 20;
	c->log.level = SNP_LOG_INFO;
}

/* False when out of memory. */
static bool set_allocated(struct snp_conf *c)
{
	c->observe.never_learn = malloc(sizeof(never_learn));
	if (!c->observe.never_learn)
		return false;
	memcpy(c->observe.never_learn, never_learn, sizeof(never_learn));
	c->observe.n_never_learn = sizeof(never_learn) / sizeof(never_learn[0]);

	c->policy.directory = strdup("/etc/snooper/policy.d");
	c->proxy.probe_name = strdup(".");
	c->ha.cluster = strdup("default");
	c->state.directory = strdup("/var/lib/snooper");
	c->state.bpffs = strdup("/sys/fs/bpf/snooper");
	c->export.socket = strdup("/run/snooper/snooper.sock");
	return c->policy.directory && c->proxy.probe_name && c->ha.cluster && c->state.directory &&
	       c->state.bpffs && c->export.socket;
}

struct snp_conf *snp_conf_new(void)
{
	struct snp_conf *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	set_fixed(c);
	if (!set_allocated(c)) {
		snp_conf_free(c);
		return NULL;
	}
	return c;
}

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void free_endpoints(struct snp_endpoint_conf *endpoints, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct snp_endpoint_conf *e = &endpoints[i];

		for (size_t j = 0; j < e->n_labels; j++) {
			free(e->labels[j].key);
			free(e->labels[j].value);
		}
		free(e->labels);
		free(e->name);
		free(e->cgroup);
	}
	free(endpoints);
}

void snp_conf_free(struct snp_conf *c)
{
	if (!c)
		return;
	free_strings(c->observe.cgroups, c->observe.n_cgroups);
	free(c->observe.resolvers);
	free(c->observe.never_learn);
	free(c->policy.directory);
	free_endpoints(c->endpoints, c->n_endpoints);
	free(c->proxy.addresses);
	free(c->proxy.cgroup);
	free(c->proxy.fallback);
	free(c->proxy.probe_name);
	free(c->reconcile.servers);
	free(c->ha.node);
	free(c->ha.cluster);
	free(c->ha.listen);
	free_strings(c->ha.peers, c->ha.n_peers);
	free(c->ha.tls_ca);
	free(c->ha.tls_certificate);
	free(c->ha.tls_key);
	free(c->state.directory);
	free(c->state.bpffs);
	free(c->export.socket);
	free(c->export.socket_group);
	free(c->export.metrics);
	free(c->export.listen);
	free(c->export.tls_ca);
	free(c->export.tls_certificate);
	free(c->export.tls_key);
	free_strings(c->export.tls_admins, c->export.n_tls_admins);
	free(c);
}

bool snp_conf_metrics_off(const char *metrics)
{
	return !metrics || !*metrics || !strcmp(metrics, "off");
}
