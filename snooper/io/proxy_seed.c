/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/proxy_seed.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"

struct seeding {
	struct maps *maps;
	const struct snp_conf *conf;
	uint32_t generation;
	int counted;
};

static void as_endpoint(const struct sockaddr_storage *ss, struct snp_endpoint *at, bool *any)
{
	memset(at, 0, sizeof(*at));
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ss;

		at->addr.w[2] = htonl(0xffff);
		at->addr.w[3] = in->sin_addr.s_addr;
		at->port = ntohs(in->sin_port);
		*any = !in->sin_addr.s_addr;
	} else {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		memcpy(&at->addr, &in6->sin6_addr, sizeof(at->addr));
		at->port = ntohs(in6->sin6_port);
		*any = !at->addr.q[0] && !at->addr.q[1];
	}
}

/* Which of proxy.addresses does a socket bound to ss serve? The same rule as bound.bpf.c. */
static uint32_t mask_of(const struct snp_conf *conf, const struct sockaddr_storage *ss)
{
	struct snp_endpoint at;
	uint32_t mask = 0;
	bool any;

	as_endpoint(ss, &at, &any);
	for (size_t i = 0; i < conf->proxy.n_addresses && i < SNP_PROXIES_MAX; i++) {
		const struct snp_endpoint *p = &conf->proxy.addresses[i];

		if (p->port != at.port)
			continue;
		if (!memcmp(&p->addr, &at.addr, sizeof(at.addr)) ||
		    (any && (ss->ss_family == AF_INET6 || addr_is_v4(&p->addr))))
			mask |= 1u << i;
	}
	return mask;
}

static void seed_socket(struct seeding *s, int fd)
{
	struct sockaddr_storage ss = {0};
	struct snp_proxy_mark mark = {.generation = s->generation};
	socklen_t len = sizeof(ss), int_len = sizeof(int), cookie_len = sizeof(uint64_t);
	uint64_t cookie = 0;
	int type, listens = 1;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) ||
	    (ss.ss_family != AF_INET && ss.ss_family != AF_INET6) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_len))
		return;
	if (type != SOCK_DGRAM && type != SOCK_STREAM)
		return;
	/* A connection the proxy accepted has the same local address. */
	if (type == SOCK_STREAM && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_len))
		return;
	mark.mask = mask_of(s->conf, &ss);
	mark.proto = type == SOCK_STREAM ? SNP_PROXY_TCP : SNP_PROXY_UDP;
	if (!mark.mask || !listens ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &cookie_len))
		return;
	if (!maps_seed_proxy(s->maps, fd, &mark, cookie))
		s->counted++;
}

/*
 * The names in fdinfo are those in fd, without asking for more than leave to look
 * (CAP_SYS_PTRACE): fd belongs to the process's user, and opens to others by
 * CAP_DAC_READ_SEARCH only, with which one reads every file of the host.
 */
static void seed_process(struct seeding *s, int pid)
{
	char path[64];
	SNP_CLEANUP(snp_closep)
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct dirent *entry;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	d = opendir(path);
	while (d && pidfd >= 0 && (entry = readdir(d))) {
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0)
			continue;
		seed_socket(s, fd);
		close(fd);
	}
	if (d)
		closedir(d);
}

static void seed_cgroup(struct seeding *s, const char *cgroup, int depth)
{
	char path[4096];
	SNP_CLEANUP(snp_fclosep)
	FILE *procs = NULL;
	struct dirent *entry;
	DIR *d;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	procs = fopen(path, "re");
	while (procs && fscanf(procs, "%d", &pid) == 1)
		seed_process(s, pid);
	d = depth < 8 ? opendir(cgroup) : NULL;
	while (d && (entry = readdir(d))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", cgroup, entry->d_name) <
		    (int)sizeof(path))
			seed_cgroup(s, path, depth + 1);
	}
	if (d)
		closedir(d);
}

int proxy_seed(struct maps *m, const struct snp_conf *conf, uint32_t generation)
{
	struct seeding s = {.maps = m, .conf = conf, .generation = generation};

	if (!conf->proxy.cgroup || !conf->proxy.n_addresses)
		return 0;
	seed_cgroup(&s, conf->proxy.cgroup, 0);
	return s.counted;
}
