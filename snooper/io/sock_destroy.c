/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/sock_destroy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snooper/core/text.h"

#define ALL_STATES 0xffffffffu

int sock_destroy_open(void)
{
	struct timeval soon = {.tv_usec = 100 * 1000};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -errno;
	/* The kernel answers within the call; should it not, the loop goes on. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon))) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static void put_addr(__be32 to[4], const struct snp_addr *a, bool v4)
{
	if (v4)
		to[0] = a->w[3];
	else
		memcpy(to, a, sizeof(*a));
}

static int ask(int fd, const struct snp_event_cut *cut, bool v4)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} m = {
		.head =
			{
				.nlmsg_len = sizeof(m),
				.nlmsg_type = SOCK_DESTROY,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			},
		.req =
			{
				.sdiag_family = v4 ? AF_INET : AF_INET6,
				.sdiag_protocol = IPPROTO_TCP,
				.idiag_states = ALL_STATES,
				.id =
					{
						.idiag_sport = htons(cut->local_port),
						.idiag_dport = htons(cut->remote_port),
						.idiag_cookie = {(__u32)cut->cookie,
								 (__u32)(cut->cookie >> 32)},
					},
			},
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char room[512];
	} reply;
	ssize_t n;

	put_addr(m.req.id.idiag_src, &cut->local, v4);
	put_addr(m.req.id.idiag_dst, &cut->remote, v4);
	if (send(fd, &m, sizeof(m), 0) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(reply.head) + sizeof(reply.error) ||
	    reply.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return reply.error.error == -ESTALE ? -ENOENT : reply.error.error;
}

int sock_destroy(int fd, const struct snp_event_cut *cut)
{
	bool v4 = addr_is_v4(&cut->local);
	int r = ask(fd, cut, v4);

	/* An IPv4 connection of an IPv6 socket is found by either. */
	return r == -ENOENT && v4 ? ask(fd, cut, false) : r;
}
