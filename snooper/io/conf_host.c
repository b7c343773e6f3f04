/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/conf_mounts.h"
#include "snooper/io/conf_resolv.h"

#define DNS_PORT 53

static const struct conf_place nowhere;

static void mounts_freep(struct conf_mounts **m)
{
	conf_mounts_free(*m);
}

static int default_cgroup(struct snp_conf *c, const struct conf_mounts *m, const char *table,
			  struct conf_diag *d)
{
	const char *dir = conf_mounts_cgroup2(m);

	if (!dir) {
		conf_diag_error(d, nowhere, "observe.cgroups", "no cgroup v2 is mounted (by %s)",
				table);
		return 0;
	}
	c->observe.cgroups = calloc(1, sizeof(*c->observe.cgroups));
	if (!c->observe.cgroups)
		return -ENOMEM;
	c->observe.cgroups[0] = strdup(dir);
	if (!c->observe.cgroups[0])
		return -ENOMEM;
	c->observe.n_cgroups = 1;
	return 0;
}

/*
 * The observed must be there when programs are attached. The proxy's may come
 * with its service, but what is there already must be of the right kind.
 */
static int check_cgroup(const char *path, const char *key, int index, const struct conf_mounts *m,
			struct conf_diag *d)
{
	struct conf_place at = conf_diag_place(d, key, index);
	SNP_CLEANUP(snp_freep)
	char *real = realpath(path, NULL);
	char shown[CONF_SHOWN_MAX];

	if (real) {
		if (!conf_mounts_is_cgroup2(m, real))
			conf_diag_error(d, at, key, "'%s' is not in a cgroup v2 mount",
					conf_shown(path, shown));
		return 0;
	}
	if (errno == ENOMEM)
		return -ENOMEM;
	conf_diag_add(d, index == CONF_WHOLE ? CONF_WARNING : CONF_ERROR, at, key, "'%s': %s",
		      conf_shown(path, shown), strerror(errno));
	return 0;
}

/* The cgroup itself may come later, but not what it is to come in. */
static void check_endpoint(const struct snp_endpoint_conf *e, size_t index,
			   const struct conf_mounts *m, struct conf_diag *d)
{
	char shown[CONF_SHOWN_MAX];

	if (e->cgroup && !conf_mounts_is_cgroup2(m, e->cgroup))
		conf_diag_error(d, conf_diag_place(d, "endpoints", CONF_WHOLE), "endpoints",
				"the cgroup of entry %zu, '%s', is not below a cgroup v2 mount",
				index + 1, conf_shown(e->cgroup, shown));
}

static int fill_cgroups(struct snp_conf *c, const char *table, struct conf_diag *d)
{
	SNP_CLEANUP(mounts_freep)
	struct conf_mounts *m = NULL;
	int r;

	r = conf_mounts_read(table, &m);
	if (r < 0) {
		conf_diag_error(d, nowhere, "observe.cgroups", "%s cannot be read: %s", table,
				strerror(-r));
		return r;
	}
	if (!c->observe.n_cgroups) {
		r = default_cgroup(c, m, table, d);
	} else {
		for (size_t i = 0; i < c->observe.n_cgroups && r == 0; i++)
			r = check_cgroup(c->observe.cgroups[i], "observe.cgroups", (int)i, m, d);
	}
	for (size_t i = 0; i < c->n_endpoints && r == 0; i++)
		check_endpoint(&c->endpoints[i], i, m, d);
	if (r == 0 && c->proxy.cgroup)
		r = check_cgroup(c->proxy.cgroup, "proxy.cgroup", CONF_WHOLE, m, d);
	return r;
}

/* Not twice: the proxy is in resolv.conf as a rule. */
static void add_resolver(struct snp_conf *c, const struct snp_addr *addr)
{
	for (size_t i = 0; i < c->observe.n_resolvers; i++) {
		if (!memcmp(&c->observe.resolvers[i], addr, sizeof(*addr)))
			return;
	}
	c->observe.resolvers[c->observe.n_resolvers++] = *addr;
}

static int default_resolvers(struct snp_conf *c, const struct conf_resolv *host)
{
	size_t most = host->n + c->proxy.n_addresses + c->proxy.n_fallback;

	c->observe.resolvers = calloc(most, sizeof(*c->observe.resolvers));
	if (!c->observe.resolvers)
		return -ENOMEM;
	for (size_t i = 0; i < host->n; i++)
		add_resolver(c, &host->addrs[i]);
	for (size_t i = 0; i < c->proxy.n_addresses; i++)
		add_resolver(c, &c->proxy.addresses[i].addr);
	for (size_t i = 0; i < c->proxy.n_fallback; i++)
		add_resolver(c, &c->proxy.fallback[i].addr);
	return 0;
}

static int default_servers(struct snp_conf *c, const struct conf_resolv *host)
{
	size_t n = c->proxy.n_fallback ? c->proxy.n_fallback : host->n;

	c->reconcile.servers = calloc(n, sizeof(*c->reconcile.servers));
	if (!c->reconcile.servers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (c->proxy.n_fallback)
			c->reconcile.servers[i] = c->proxy.fallback[i];
		else
			c->reconcile.servers[i] =
				(struct snp_endpoint){.addr = host->addrs[i], .port = DNS_PORT};
	}
	c->reconcile.n_servers = n;
	return 0;
}

static int fill_servers(struct snp_conf *c, const char *resolv_conf, struct conf_diag *d)
{
	bool resolvers = !c->observe.n_resolvers, servers = !c->reconcile.n_servers;
	struct conf_resolv host = {.n = 0};
	int r = 0;

	if (resolvers || (servers && !c->proxy.n_fallback))
		r = conf_resolv_read(resolv_conf, &host, d);
	if (r == 0 && resolvers)
		r = default_resolvers(c, &host);
	if (r == 0 && servers)
		r = default_servers(c, &host);
	return r;
}

/* Whether they are certificates is for TLS to say; that they are there can be said with a place. */
static void check_tls_files(const struct snp_conf *c, struct conf_diag *d)
{
	const struct {
		const char *key, *path;
	} files[] = {
		{"export.tls.ca", c->export.tls_ca},
		{"export.tls.certificate", c->export.tls_certificate},
		{"export.tls.key", c->export.tls_key},
	};
	struct stat st;

	for (size_t i = 0; c->export.listen && i < 3; i++) {
		if (files[i].path && access(files[i].path, R_OK))
			conf_diag_error(d, conf_diag_place(d, files[i].key, CONF_WHOLE),
					files[i].key, "the file cannot be read: %s",
					strerror(errno));
	}
	if (c->export.listen && c->export.tls_key && !stat(c->export.tls_key, &st) &&
	    st.st_mode & S_IROTH)
		conf_diag_warning(d, conf_diag_place(d, "export.tls.key", CONF_WHOLE),
				  "export.tls.key", "everybody can read this key");
}

int conf_fill_from_files(struct snp_conf *c, const struct conf_host_files *files,
			 struct conf_diag *d)
{
	int cgroups, servers, finished;

	cgroups = fill_cgroups(c, files->mounts, d);
	servers = fill_servers(c, files->resolv_conf, d); /* all errors at once */
	check_tls_files(c, d);
	finished = conf_diag_finish(d);
	if (cgroups < 0)
		return cgroups;
	return servers < 0 ? servers : finished;
}

int conf_fill_from_host(struct snp_conf *c, struct conf_diag *d)
{
	static const struct conf_host_files files = {"/proc/mounts", "/etc/resolv.conf"};

	return conf_fill_from_files(c, &files, d);
}
