/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_check.h"

#include <string.h>

#include "bpf/snp_kconf.h"
#include "snooper/base/clock.h"
#include "snooper/io/conf_value.h"

/* A family's prefixes; observe.learn_private takes some of the kernel side's room too. */
#define NEVER_MAX (SNP_NEVER_MAX - 8)

static struct conf_place place(const struct conf_diag *d, const char *path)
{
	return conf_diag_place(d, path, CONF_WHOLE);
}

static void check_ttl(const struct snp_conf *c, struct conf_diag *d)
{
	char min[CONF_DURATION_TEXT], max[CONF_DURATION_TEXT];

	if (c->policy.min_ttl_ns % SNP_NS_PER_S)
		conf_diag_error(d, place(d, "policy.min_ttl"), "policy.min_ttl",
				"not a whole number of seconds, as every TTL is");
	if (c->policy.max_ttl_ns % SNP_NS_PER_S)
		conf_diag_error(d, place(d, "policy.max_ttl"), "policy.max_ttl",
				"not a whole number of seconds, as every TTL is");
	if (c->policy.min_ttl_ns <= c->policy.max_ttl_ns)
		return;
	conf_diag_error(d, place(d, "policy.min_ttl"), "policy.min_ttl",
			"'%s' is above policy.max_ttl (%s)",
			conf_duration_text(c->policy.min_ttl_ns, min),
			conf_duration_text(c->policy.max_ttl_ns, max));
}

/* a is b, or below it. Both are clean paths. */
static bool is_within(const char *a, const char *b)
{
	size_t len = strlen(b);

	return !strcmp(b, "/") || (!strncmp(a, b, len) && (a[len] == '/' || !a[len]));
}

/* A program attached to a cgroup and to one above it runs twice for every packet. */
static void check_cgroups(const struct snp_conf *c, struct conf_diag *d)
{
	char inner[CONF_SHOWN_MAX], outer[CONF_SHOWN_MAX];

	for (size_t i = 0; i < c->observe.n_cgroups; i++) {
		for (size_t j = 0; j < c->observe.n_cgroups; j++) {
			if (i == j || !is_within(c->observe.cgroups[i], c->observe.cgroups[j]))
				continue;
			conf_diag_error(d, conf_diag_place(d, "observe.cgroups", (int)i),
					"observe.cgroups",
					"'%s' is inside '%s': its packets would be seen twice",
					conf_shown(c->observe.cgroups[i], inner),
					conf_shown(c->observe.cgroups[j], outer));
			break;
		}
	}
}

static bool has_server(const struct snp_endpoint *servers, size_t n, const struct snp_endpoint *s)
{
	for (size_t i = 0; i < n; i++) {
		if (servers[i].port == s->port && !memcmp(&servers[i].addr, &s->addr, 16))
			return true;
	}
	return false;
}

static size_t count_family(const struct snp_endpoint *servers, size_t n, bool v4)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += conf_addr_is_v4(&servers[i].addr) == v4;
	return found;
}

/* What falls back on itself, and what has nothing to fall back on. */
static void check_fallback(const struct snp_conf *c, struct conf_diag *d)
{
	const struct snp_endpoint *proxies = c->proxy.addresses, *fallback = c->proxy.fallback;
	char addr[CONF_ADDR_TEXT];

	for (size_t i = 0; i < c->proxy.n_fallback; i++) {
		if (has_server(proxies, c->proxy.n_addresses, &fallback[i]))
			conf_diag_error(d, conf_diag_place(d, "proxy.fallback", (int)i),
					"proxy.fallback",
					"%s port %u is one of proxy.addresses: it is gone when the "
					"proxy is",
					conf_addr_text(&fallback[i].addr, addr), fallback[i].port);
	}
	for (size_t i = 0; i < c->proxy.n_addresses && c->proxy.n_fallback; i++) {
		bool v4 = conf_addr_is_v4(&proxies[i].addr);

		if (!count_family(fallback, c->proxy.n_fallback, v4))
			conf_diag_warning(
				d, conf_diag_place(d, "proxy.addresses", (int)i), "proxy.addresses",
				"%s has no %s address in proxy.fallback: names stop "
				"resolving there when the proxy dies",
				conf_addr_text(&proxies[i].addr, addr), v4 ? "IPv4" : "IPv6");
	}
}

/* Lists that the kernel side keeps apart by family. */
static void check_room(const struct snp_conf *c, struct conf_diag *d)
{
	for (int v4 = 0; v4 < 2; v4++) {
		const char *family = v4 ? "IPv4" : "IPv6";
		size_t fallback = count_family(c->proxy.fallback, c->proxy.n_fallback, v4);
		size_t never = 0;

		for (size_t i = 0; i < c->observe.n_never_learn; i++)
			never += c->observe.never_learn[i].ipv6 != v4;
		if (fallback > SNP_FALLBACKS_MAX)
			conf_diag_error(d, place(d, "proxy.fallback"), "proxy.fallback",
					"%zu %s servers: at most %d are possible", fallback, family,
					SNP_FALLBACKS_MAX);
		if (never > NEVER_MAX)
			conf_diag_error(d, place(d, "observe.never_learn"), "observe.never_learn",
					"%zu %s prefixes: at most %d are possible", never, family,
					NEVER_MAX);
	}
}

static void check_proxy(const struct snp_conf *c, struct conf_diag *d)
{
	if (c->proxy.n_addresses && !c->proxy.n_fallback)
		conf_diag_warning(d, place(d, "proxy.addresses"), "proxy.addresses",
				  "no proxy.fallback: names stop resolving when the proxy dies");
	if (!c->proxy.n_addresses && c->proxy.n_fallback)
		conf_diag_warning(d, place(d, "proxy.fallback"), "proxy.fallback",
				  "no proxy.addresses: nothing will ever fall back");
	if (!c->proxy.n_addresses && c->proxy.cgroup)
		conf_diag_warning(d, place(d, "proxy.cgroup"), "proxy.cgroup",
				  "no proxy.addresses: without effect");
	check_fallback(c, d);
}

static void check_limits(const struct snp_conf *c, struct conf_diag *d)
{
	const struct {
		const char *path;
		uint32_t value;
	} parts[] = {
		{"limits.addresses_per_name", c->limits.addresses_per_name},
		{"limits.names_per_address", c->limits.names_per_address},
		{"limits.per_endpoint", c->limits.per_endpoint},
	};
	uint32_t ring = c->limits.ring_bytes;

	if (ring & (ring - 1))
		conf_diag_error(d, place(d, "limits.ring"), "limits.ring",
				"%u bytes are not a power of two", ring);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].value > c->limits.facts && conf_diag_was_set(d, parts[i].path))
			conf_diag_warning(d, place(d, parts[i].path), parts[i].path,
					  "%u is above limits.facts (%u), and never reached",
					  parts[i].value, c->limits.facts);
	}
}

static bool is_tcp(const char *listen)
{
	return listen && strncmp(listen, "unix:", 5) != 0;
}

static void check_ha(const struct snp_conf *c, struct conf_diag *d)
{
	const char *needs = is_tcp(c->ha.listen) ? "ha.listen" : NULL;

	for (size_t i = 0; i < c->ha.n_peers && !needs; i++)
		needs = is_tcp(c->ha.peers[i]) ? "ha.peers" : NULL;
	if (conf_diag_was_set(d, "ha.insecure") && conf_diag_was_set(d, "ha.tls"))
		conf_diag_error(d, place(d, "ha.insecure"), "ha.insecure",
				"excludes ha.tls: keep one of them");
	else if (needs && !c->ha.insecure && !conf_diag_was_set(d, "ha.tls"))
		conf_diag_error(d, place(d, needs), needs,
				"needs ha.tls (ca, certificate, key), or 'tls: insecure'");
}

static void check_export(const struct snp_conf *c, struct conf_diag *d)
{
	bool tls = conf_diag_was_set(d, "export.tls");

	if (c->export.listen && !tls)
		conf_diag_error(d, place(d, "export.listen"), "export.listen",
				"needs export.tls (ca, certificate, key)");
	if (!c->export.listen && tls)
		conf_diag_warning(d, place(d, "export.tls"), "export.tls",
				  "no export.listen: without effect");
}

void conf_check(const struct snp_conf *c, struct conf_diag *d)
{
	check_ttl(c, d);
	check_cgroups(c, d);
	check_proxy(c, d);
	check_room(c, d);
	check_limits(c, d);
	check_ha(c, d);
	check_export(c, d);
}
