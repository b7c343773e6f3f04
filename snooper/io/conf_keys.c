/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_keys.h"

#include <string.h>

#include "bpf/snp_endpoint.h"
#include "bpf/snp_kconf.h"
#include "snooper/io/conf_resolv.h"
#include "snooper/io/conf_value.h"

#define MS  1000000ull
#define S   1000000000ull
#define MIN (60 * S)
#define H   (60 * MIN)
#define DAY (24 * H)

#define AT(f)  .field = offsetof(struct snp_conf, f)
#define N(f)   .count = offsetof(struct snp_conf, f)
#define ATE(f) .field = offsetof(struct snp_endpoint_conf, f)
#define NE(f)  .count = offsetof(struct snp_endpoint_conf, f)

/* Rows of a map that are possible at all; the host's memory ends sooner. */
#define ROWS_MAX (1 << 24)

/* All that may be trusted, less what proxy.addresses and proxy.fallback take of it. */
#define FALLBACKS_MAX (2 * SNP_FALLBACKS_MAX)
#define RESOLVERS_MAX (SNP_SERVERS_MAX - SNP_PROXIES_MAX - FALLBACKS_MAX)
/* The default list has the proxy's addresses twice: at its own ports, and at observe.port. */
SNP_ASSERT(CONF_RESOLV_MAX + 2 * (SNP_PROXIES_MAX + FALLBACKS_MAX) <= SNP_SERVERS_MAX,
	   "what conf_host.c makes of resolv.conf must fit too");

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define YES_NO	   WORDS("false", "true")
#define SECTION(p)                                                                                 \
	{                                                                                          \
		.path = (p), .kind = CONF_KEY_SECTION                                              \
	}

static const struct conf_key keys[] = {
	SECTION("observe"),
	{"observe.cgroups", CONF_KEY_PATHS, AT(observe.cgroups), N(observe.n_cgroups), 1, 64,
	 .check = conf_value_path},
	{"observe.resolvers", CONF_KEY_ADDRS, AT(observe.resolvers), N(observe.n_resolvers), 1,
	 RESOLVERS_MAX},
	{"observe.port", CONF_KEY_PORT, AT(observe.port), .min = 1, .max = 65535},
	{"observe.tcp", CONF_KEY_WORD, AT(observe.tcp),
	 .words = WORDS("segments", "verdict", "parser", "off")},
	{"observe.query_timeout", CONF_KEY_DURATION, AT(observe.query_timeout_ns), .min = 100 * MS,
	 .max = 10 * MIN},
	{"observe.never_learn", CONF_KEY_CIDRS, AT(observe.never_learn), N(observe.n_never_learn),
	 0, 256},
	{"observe.learn_private", CONF_KEY_SWITCH, AT(observe.learn_private), .words = YES_NO},
	{"observe.svcb_hints", CONF_KEY_SWITCH, AT(observe.svcb_hints), .words = YES_NO},
	{"observe.names", CONF_KEY_SWITCH, AT(observe.names_all), .words = WORDS("matched", "all")},

	SECTION("policy"),
	{"policy.mode", CONF_KEY_WORD, AT(policy.mode),
	 .words = WORDS("observe", "audit", "enforce")},
	{"policy.scope", CONF_KEY_SWITCH, AT(policy.scope_node),
	 .words = WORDS("endpoint", "node")},
	{"policy.directory", CONF_KEY_PATH, AT(policy.directory), .check = conf_value_path},
	{"policy.min_ttl", CONF_KEY_DURATION, AT(policy.min_ttl_ns), .max = 365 * DAY},
	{"policy.max_ttl", CONF_KEY_DURATION, AT(policy.max_ttl_ns), .min = S, .max = 365 * DAY},
	{"policy.grace", CONF_KEY_DURATION, AT(policy.grace_ns), .max = 365 * DAY},
	{"policy.live_flow_idle", CONF_KEY_DURATION, AT(policy.live_flow_idle_ns), .min = S,
	 .max = 365 * DAY},
	{"policy.on_error", CONF_KEY_SWITCH, AT(policy.on_error_allow),
	 .words = WORDS("deny", "allow")},

	{"endpoints", CONF_KEY_ENDPOINTS, AT(endpoints), N(n_endpoints), 0, SNP_ENDPOINTS_MAX - 1},
	{"endpoints.name", CONF_KEY_TEXT, ATE(name), .check = conf_value_id},
	{"endpoints.labels", CONF_KEY_LABELS, ATE(labels), NE(n_labels), 0, 64},
	{"endpoints.cgroup", CONF_KEY_PATH, ATE(cgroup), .check = conf_value_glob},

	SECTION("proxy"),
	{"proxy.addresses", CONF_KEY_SERVERS, AT(proxy.addresses), N(proxy.n_addresses), 0,
	 SNP_PROXIES_MAX},
	{"proxy.cgroup", CONF_KEY_PATH, AT(proxy.cgroup), .check = conf_value_path},
	{"proxy.fallback", CONF_KEY_SERVERS, AT(proxy.fallback), N(proxy.n_fallback), 0,
	 FALLBACKS_MAX},
	SECTION("proxy.mute_after"),
	{"proxy.mute_after.queries", CONF_KEY_NUMBER, AT(proxy.mute_queries), .min = 1,
	 .max = 1000000},
	{"proxy.mute_after.time", CONF_KEY_DURATION, AT(proxy.mute_time_ns), .min = 10 * MS,
	 .max = 10 * MIN},
	SECTION("proxy.probe"),
	{"proxy.probe.name", CONF_KEY_TEXT, AT(proxy.probe_name), .check = conf_value_dns_name},
	{"proxy.probe.interval", CONF_KEY_DURATION, AT(proxy.probe_interval_ns), .min = 10 * MS,
	 .max = H},
	{"proxy.dwell", CONF_KEY_DURATION, AT(proxy.dwell_ns), .max = DAY},

	SECTION("reconcile"),
	{"reconcile.mode", CONF_KEY_WORD, AT(reconcile.mode),
	 .words = WORDS("off", "verify", "refresh")},
	{"reconcile.servers", CONF_KEY_SERVERS, AT(reconcile.servers), N(reconcile.n_servers), 1,
	 16},
	{"reconcile.rate", CONF_KEY_NUMBER, AT(reconcile.rate), .min = 1, .max = 1000000},

	SECTION("ha"),
	{"ha.node", CONF_KEY_TEXT, AT(ha.node), .check = conf_value_id},
	{"ha.cluster", CONF_KEY_TEXT, AT(ha.cluster), .check = conf_value_id},
	{"ha.listen", CONF_KEY_TEXT, AT(ha.listen), .check = conf_value_listen},
	{"ha.peers", CONF_KEY_TEXTS, AT(ha.peers), N(ha.n_peers), 0, 16,
	 .check = conf_value_listen},
	{"ha.tls", CONF_KEY_MAY_TLS, AT(ha.insecure), .secret = true},
	{"ha.tls.ca", CONF_KEY_PATH, AT(ha.tls_ca), .check = conf_value_path, .secret = true},
	{"ha.tls.certificate", CONF_KEY_PATH, AT(ha.tls_certificate), .check = conf_value_path,
	 .secret = true},
	{"ha.tls.key", CONF_KEY_PATH, AT(ha.tls_key), .check = conf_value_path, .secret = true},
	{"ha.insecure", CONF_KEY_SWITCH, AT(ha.insecure), .words = YES_NO},

	SECTION("state"),
	{"state.directory", CONF_KEY_PATH, AT(state.directory), .check = conf_value_path},
	{"state.bpffs", CONF_KEY_PATH, AT(state.bpffs), .check = conf_value_path},
	{"state.snapshot_interval", CONF_KEY_DURATION, AT(state.snapshot_interval_ns), .min = S,
	 .max = 365 * DAY},
	{"state.keep_on_stop", CONF_KEY_SWITCH, AT(state.keep_on_stop), .words = YES_NO},

	SECTION("export"),
	{"export.socket", CONF_KEY_PATH, AT(export.socket), .check = conf_value_socket},
	{"export.socket_group", CONF_KEY_TEXT, AT(export.socket_group), .check = conf_value_group},
	{"export.metrics", CONF_KEY_TEXT, AT(export.metrics), .check = conf_value_metrics},

	{"export.listen", CONF_KEY_TEXT, AT(export.listen), .check = conf_value_metrics},
	{"export.tls", CONF_KEY_TLS, .secret = true},
	{"export.tls.ca", CONF_KEY_PATH, AT(export.tls_ca), .check = conf_value_path,
	 .secret = true},
	{"export.tls.certificate", CONF_KEY_PATH, AT(export.tls_certificate),
	 .check = conf_value_path, .secret = true},
	{"export.tls.key", CONF_KEY_PATH, AT(export.tls_key), .check = conf_value_path,
	 .secret = true},
	{"export.tls.admins", CONF_KEY_TEXTS, AT(export.tls_admins), N(export.n_tls_admins), 0, 64,
	 .check = conf_value_common_name},

	SECTION("limits"),
	{"limits.names", CONF_KEY_NUMBER, AT(limits.names), .min = 1, .max = ROWS_MAX},
	{"limits.addresses_per_name", CONF_KEY_NUMBER, AT(limits.addresses_per_name), .min = 1,
	 .max = 65535},
	{"limits.names_per_address", CONF_KEY_NUMBER, AT(limits.names_per_address), .min = 1,
	 .max = ROWS_MAX},
	{"limits.rows", CONF_KEY_NUMBER, AT(limits.rows), .min = 1, .max = ROWS_MAX},
	{"limits.facts", CONF_KEY_NUMBER, AT(limits.facts), .min = 1, .max = ROWS_MAX},
	{"limits.per_endpoint", CONF_KEY_NUMBER, AT(limits.per_endpoint), .min = 1,
	 .max = ROWS_MAX},
	{"limits.ring", CONF_KEY_SIZE, AT(limits.ring_bytes), .min = 4096, .max = 1 << 30},

	SECTION("log"),
	{"log.level", CONF_KEY_WORD, AT(log.level), .words = WORDS("err", "warn", "info", "debug")},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

const struct conf_key *conf_key_all(size_t *n)
{
	*n = N_KEYS;
	return keys;
}

/* The name a key has in the mapping at path, or NULL when it is of another one. */
static const char *name_in(const struct conf_key *key, const char *path)
{
	size_t len = strlen(path);
	const char *name = key->path;

	if (len) {
		if (strncmp(name, path, len) || name[len] != '.')
			return NULL;
		name += len + 1;
	}
	return strchr(name, '.') ? NULL : name;
}

const struct conf_key *conf_key_find(const char *path, const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		const char *known = name_in(&keys[i], path);

		if (known && !strcmp(known, name))
			return &keys[i];
	}
	return NULL;
}

/* Levenshtein's distance; what is longer than any of our words is just far. */
#define WORD_MAX 32
static unsigned int distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned int row[WORD_MAX + 1];

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned int change = diagonal + (a[i - 1] != b[j - 1]);
			unsigned int least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[nb];
}

/* Keeps in *best whichever of known and *best is nearer to text, if near at all. */
static void nearer(const char *known, const char *text, const char **best)
{
	unsigned int d = distance(known, text);
	size_t near = strlen(known) / 2;

	if (d <= (near < 3 ? near : 3) && d < strlen(known) &&
	    (!*best || d < distance(*best, text)))
		*best = known;
}

const char *conf_key_nearest(const char *path, const char *name, const char **elsewhere)
{
	const char *best = NULL;

	*elsewhere = NULL;
	for (size_t i = 0; i < N_KEYS; i++) {
		const char *known = name_in(&keys[i], path);
		const char *last = strrchr(keys[i].path, '.');

		if (known)
			nearer(known, name, &best);
		else if (!*elsewhere && !strcmp(last ? last + 1 : keys[i].path, name))
			*elsewhere = keys[i].path;
	}
	return best;
}

const char *conf_word_nearest(const char *const *words, const char *text)
{
	const char *best = NULL;

	for (; *words; words++)
		nearer(*words, text, &best);
	return best;
}
