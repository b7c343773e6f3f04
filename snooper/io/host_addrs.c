/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/host_addrs.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"

static int asking = -1; /* a socket of the process: there is one host */

struct list {
	struct snp_addr *at;
	size_t n, room;
	bool torn; /* they changed while they were listed */
};

static int add(struct list *l, const struct snp_addr *a)
{
	struct snp_addr *more;

	if (addr_is_loopback(a))
		return 0;
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 16;

		more = realloc(l->at, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->at = more;
		l->room = room;
	}
	l->at[l->n++] = *a;
	return 0;
}

/* Its address is the local one, on a link with two ends. */
static int take_addr(struct list *l, struct nlmsghdr *head)
{
	struct ifaddrmsg *of = NLMSG_DATA(head);
	size_t n = of->ifa_family == AF_INET ? 4 : 16;
	int left = (int)IFA_PAYLOAD(head);
	const void *bytes = NULL;
	struct snp_addr a;

	if (of->ifa_family != AF_INET && of->ifa_family != AF_INET6)
		return 0;
	for (struct rtattr *at = IFA_RTA(of); RTA_OK(at, left); at = RTA_NEXT(at, left))
		if (RTA_PAYLOAD(at) == n &&
		    (at->rta_type == IFA_LOCAL || (at->rta_type == IFA_ADDRESS && !bytes)))
			bytes = RTA_DATA(at);
	return bytes && addr_from_bytes(bytes, n, &a) ? add(l, &a) : 0;
}

/* A part of the answer. 0: more follow; 1: that was all; -errno. */
static int take_part(struct list *l, struct nlmsghdr *head, size_t size, uint32_t seq)
{
	int left = (int)size, r = 0;

	for (; !r && NLMSG_OK(head, (unsigned int)left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_seq != seq)
			continue; /* of an answer that was given up */
		l->torn |= head->nlmsg_flags & NLM_F_DUMP_INTR;
		if (head->nlmsg_type == NLMSG_DONE)
			return l->torn ? -EAGAIN : 1;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(head))->error ?: -EPROTO;
		if (head->nlmsg_type == RTM_NEWADDR)
			r = take_addr(l, head);
	}
	return r;
}

static int ask(struct list *l)
{
	static uint32_t seq;
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg all;
	} m = {.head = {.nlmsg_len = sizeof(m),
			.nlmsg_type = RTM_GETADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++seq}};
	static union {
		struct nlmsghdr head;
		char room[32768]; /* the kernel makes no larger part */
	} part;
	int r = 0;

	if (send(asking, &m, sizeof(m), 0) < 0)
		return -errno;
	while (!r) {
		ssize_t n = recv(asking, &part, sizeof(part), 0);

		r = n < 0 ? -errno : take_part(l, &part.head, (size_t)n, seq);
	}
	return r < 0 ? r : 0;
}

int host_addrs_open(void)
{
	struct timeval soon = {.tv_usec = 100 * 1000};
	SNP_CLEANUP(snp_closep)
	int fd = -1;

	if (asking >= 0)
		return 0;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* The kernel answers within the call; should it not, the loop goes on. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)))
		return -errno;
	asking = fd;
	fd = -1;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct snp_addr));
}

int host_addrs_read(struct snp_addr **out, size_t *n)
{
	struct list l = {.n = 0};
	size_t kept = 0;
	int r = host_addrs_open();

	if (!r)
		r = ask(&l);
	if (r) {
		free(l.at);
		return r;
	}
	if (l.n)
		qsort(l.at, l.n, sizeof(*l.at), by_bytes);
	for (size_t i = 0; i < l.n; i++)
		if (!kept || by_bytes(&l.at[kept - 1], &l.at[i]))
			l.at[kept++] = l.at[i];
	if (kept == *n && (!kept || !memcmp(*out, l.at, kept * sizeof(*l.at)))) {
		free(l.at);
		return 0;
	}
	free(*out);
	*out = l.at;
	*n = kept;
	return 1;
}
