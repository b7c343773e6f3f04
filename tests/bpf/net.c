/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "snooper/base/cleanup.h"
#include "tests/bpf/net.h"
#include "tests/bpf/test.skel.h"
#include "tests/walk_rows.h"

#define ANSWER_WITHIN_MS 5000

/* nodad: without it an IPv6 address cannot be bound to until the kernel finds time to look at it. */
static int make_netns(void)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	if (system("ip link set lo up && "
		   "ip address add " RIG_SERVER4 "/32 dev lo && "
		   "ip address add " RIG_CLIENT4 "/32 dev lo && "
		   "ip address add " RIG_SERVER6 "/128 dev lo nodad && "
		   "ip address add " RIG_CLIENT6 "/128 dev lo nodad"))
		return -EADDRNOTAVAIL;
	return 0;
}

/* Where cgroup2 is mounted, and where in it this process is. */
static int find_cgroup(char home[static 256])
{
	SNP_CLEANUP(snp_fclosep)
	FILE *mounts = fopen("/proc/mounts", "re");
	SNP_CLEANUP(snp_fclosep)
	FILE *own = fopen("/proc/self/cgroup", "re");
	char line[512], at[128], type[32], path[128];

	at[0] = 0;
	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %127s %31s", at, type) == 2 && !strcmp(type, "cgroup2"))
			break;
		else
			at[0] = 0;
	while (at[0] && own && fgets(line, sizeof(line), own))
		if (sscanf(line, "0::%127s", path) == 1) {
			snprintf(home, 256, "%s%s", at, strcmp(path, "/") ? path : "");
			return 0;
		}
	return -ENOENT;
}

static int move_to(const char *cgroup)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%d\n", getpid()) < 0 || fflush(f))
		return -errno;
	return 0;
}

static int make_cgroup(struct net *n)
{
	int e = find_cgroup(n->home);

	if (e)
		return e;
	snprintf(n->cgroup, sizeof(n->cgroup), "%.200s/snooper-test-%d", n->home, getpid());
	if (mkdir(n->cgroup, 0755)) {
		n->cgroup[0] = 0;
		return -errno;
	}
	n->cgroup_fd = open(n->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return n->cgroup_fd < 0 ? -errno : move_to(n->cgroup);
}

/* A UDP socket bound to addr:port (0: any), and connected to the server when to is given. */
static int udp_socket(const char *addr, unsigned port, const char *to)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	bool six = strchr(addr, ':');
	socklen_t len = six ? sizeof(*in6) : sizeof(*in);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), big = 1 << 21;

	if (fd < 0)
		return -errno;
	ss.ss_family = six ? AF_INET6 : AF_INET;
	for (int turn = 0; turn < (to ? 2 : 1); turn++) {
		inet_pton(ss.ss_family, turn ? to : addr,
			  six ? (void *)&in6->sin6_addr : (void *)&in->sin_addr);
		in->sin_port = htons(turn ? 53 : port); /* at one place in both */
		if (turn ? connect(fd, (void *)&ss, len) : bind(fd, (void *)&ss, len)) {
			close(fd);
			return -errno;
		}
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	return fd;
}

static int attach(struct net *n)
{
	n->egress = bpf_program__attach_cgroup(n->rig->skel->progs.snp_egress, n->cgroup_fd);
	if (!n->egress)
		return -errno;
	n->ingress = bpf_program__attach_cgroup(n->rig->skel->progs.snp_ingress, n->cgroup_fd);
	return n->ingress ? 0 : -errno;
}

int net_open(struct net *n, struct rig *r)
{
	int e;

	memset(n, 0, sizeof(*n));
	n->rig = r;
	n->cgroup_fd = n->server = n->server6 = n->other = n->client = n->client6 = -1;
	e = make_netns();
	if (!e)
		e = make_cgroup(n);
	if (!e)
		e = attach(n);
	if (e)
		goto fail;
	n->server = udp_socket(RIG_SERVER4, 53, NULL);
	n->server6 = udp_socket(RIG_SERVER6, 53, NULL);
	n->other = udp_socket(RIG_CLIENT4, 53, NULL);
	n->client = udp_socket(RIG_CLIENT4, 0, RIG_SERVER4);
	n->client6 = udp_socket(RIG_CLIENT6, 0, RIG_SERVER6);
	if (n->server >= 0 && n->server6 >= 0 && n->other >= 0 && n->client >= 0 && n->client6 >= 0)
		return 0;
	e = -EADDRNOTAVAIL;
fail:
	net_close(n);
	return e;
}

void net_close(struct net *n)
{
	int *fds[] = {&n->server, &n->server6, &n->other, &n->client, &n->client6, &n->cgroup_fd};

	bpf_link__destroy(n->egress);
	bpf_link__destroy(n->ingress);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		snp_closep(fds[i]);
	if (n->cgroup[0] && !move_to(n->home))
		rmdir(n->cgroup);
	memset(n, 0, sizeof(*n));
}

static ssize_t receive(int fd, void *buf, size_t size, struct sockaddr *from, socklen_t *len)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t got;

	if (poll(&p, 1, ANSWER_WITHIN_MS) != 1)
		return -ETIMEDOUT;
	got = recvfrom(fd, buf, size, 0, from, len);
	return got < 0 ? -errno : got;
}

int net_ask(int client, const void *query, size_t len)
{
	return send(client, query, len, 0) < 0 ? -errno : 0;
}

int net_expect(int fd, const void *msg, size_t len)
{
	static __u8 buf[65536];
	ssize_t got = receive(fd, buf, sizeof(buf), NULL, NULL);

	if (got < 0)
		return got;
	return (size_t)got == len && !memcmp(buf, msg, len) ? 0 : -EBADMSG;
}

int net_exchange(struct net *n, int client, int server, const void *query, size_t query_len,
		 const void *msg, size_t len)
{
	struct sockaddr_storage to;
	socklen_t to_len = sizeof(to);
	__u8 asked[512];
	ssize_t got;
	int e;

	if (query) {
		e = net_ask(client, query, query_len);
		if (e)
			return e;
		got = receive(server, asked, sizeof(asked), (struct sockaddr *)&to, &to_len);
		if (got < 0)
			return got;
	} else if (getsockname(client, (struct sockaddr *)&to, &to_len)) {
		return -errno;
	}
	if (sendto(server, msg, len, 0, (struct sockaddr *)&to, to_len) < 0)
		return -errno;
	return net_expect(client, msg, len);
}

size_t net_query_for(const void *msg, size_t len, __u8 query[static 512])
{
	static const __u8 plain[] = "\0\0\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	static struct dns_walk walk;
	size_t n = sizeof(plain) - 1;

	memcpy(query, plain, n);
	if (len >= 2)
		memcpy(query, msg, 2);
	walk.len = len;
	memcpy(walk.msg, msg, len);
	if (!dns_walk_question(&walk, DNS_FLAG_QR)) {
		n = walk.pos;
		memcpy(query + DNS_HEADER_LEN, walk.msg + DNS_HEADER_LEN, n - DNS_HEADER_LEN);
	}
	return n;
}
