/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/util.h>

#include "snooper/base/cleanup.h"

#define BACKLOG 64

static int own_group(const char *path, const char *group)
{
	const struct group *g;

	if (!group)
		return 0;
	errno = 0;
	g = getgrnam(group);
	if (!g)
		return errno && errno != ENOENT ? -errno : -ESRCH;
	return chown(path, (uid_t)-1, g->gr_gid) ? -errno : 0;
}

static int prepare(int fd, const struct sockaddr_un *un, const char *group, struct stat *st)
{
	int err;

	if (bind(fd, (const struct sockaddr *)un, sizeof(*un)))
		return -errno;
	err = own_group(un->sun_path, group);
	if (err)
		return err;
	if (chmod(un->sun_path, 0660) || listen(fd, BACKLOG) || lstat(un->sun_path, st))
		return -errno;
	return 0;
}

/*
 * Made beside its place and moved there when owner, mode and backlog are right:
 * nobody connects to less, and a restart leaves no moment without a socket.
 */
int grpc_listen_open(const char *path, const char *group, struct grpc_listen *out)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	struct stat st;
	int err;

	if ((size_t)snprintf(un.sun_path, sizeof(un.sun_path), "%s.new", path) >=
	    sizeof(un.sun_path))
		return -ENAMETOOLONG;
	if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!lstat(un.sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(un.sun_path);
	err = prepare(fd, &un, group, &st);
	if (!err && rename(un.sun_path, path))
		err = -errno;
	if (err) {
		if (err != -EADDRINUSE)
			unlink(un.sun_path);
		return err;
	}
	*out = (struct grpc_listen){.fd = fd, .gid = st.st_gid, .dev = st.st_dev, .ino = st.st_ino};
	fd = -1;
	return 0;
}

int grpc_listen_tcp(const char *address, struct grpc_listen *out)
{
	struct sockaddr_storage addr = {0};
	int len = sizeof(addr), on = 1, off = 0;
	SNP_CLEANUP(snp_closep)
	int fd = -1;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&addr, &len))
		return -EINVAL;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return -errno;
	if (addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)))
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, (socklen_t)len) || listen(fd, BACKLOG))
		return -errno;
	*out = (struct grpc_listen){.fd = fd};
	fd = -1;
	return 0;
}

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

void grpc_listen_tcp_accepted(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, GRPC_TCP_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, GRPC_TCP_PROBE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, GRPC_TCP_PROBES);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	/* The same when something is under way: there are no probes then. */
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, GRPC_TCP_DEAD_S * 1000);
}

void grpc_listen_close(struct grpc_listen *l, const char *path)
{
	struct stat st;

	close(l->fd);
	l->fd = -1;
	if (path && !lstat(path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path);
}
