/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_method.h"

#define GROUPS_FIRST 64
#define PREFIX_BYTES 8 /* of an IPv6 address: a /64 */

/* Supplementary groups: SO_PEERCRED has the primary one only. */
static bool in_peer_groups(int fd, gid_t group)
{
	socklen_t len = GROUPS_FIRST * sizeof(gid_t);
	SNP_CLEANUP(snp_freep)
	gid_t *groups = malloc(len);

	if (!groups)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
		void *more = errno == ERANGE ? realloc(groups, len) : NULL; /* len: what it takes */

		if (!more)
			return false;
		groups = more;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
			return false;
	}
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static unsigned int rights_of(int fd, const struct ucred *cred, gid_t group)
{
	if (cred->uid == 0 || cred->uid == geteuid())
		return GRPC_MAY_READ | GRPC_MAY_CHANGE;
	return cred->gid == group || in_peer_groups(fd, group) ? GRPC_MAY_READ : 0;
}

void grpc_peer_unix(int fd, gid_t group, struct grpc_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(out, 0, sizeof(*out));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
		snprintf(out->name, sizeof(out->name), "unknown");
		memset(out->key, 0xff, sizeof(out->key));
		return;
	}
	snprintf(out->name, sizeof(out->name), "uid=%u pid=%d", cred.uid, cred.pid);
	memcpy(out->key, &cred.uid, sizeof(cred.uid));
	out->rights = rights_of(fd, &cred, group);
}

void grpc_peer_tcp(const struct sockaddr *addr, struct grpc_peer *out)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;
	bool mapped = addr->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
	char text[INET6_ADDRSTRLEN] = "unknown";

	memset(out, 0, sizeof(*out));
	if (addr->sa_family == AF_INET || mapped) {
		const void *v4 = mapped ? (const void *)(in6->sin6_addr.s6_addr + 12)
					: (const void *)&in->sin_addr;

		inet_ntop(AF_INET, v4, text, sizeof(text));
		snprintf(out->name, sizeof(out->name), "%s:%u", text,
			 ntohs(mapped ? in6->sin6_port : in->sin_port));
		memcpy(out->key + 12, v4, 4);
		return;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	snprintf(out->name, sizeof(out->name), "[%s]:%u", text, ntohs(in6->sin6_port));
	memcpy(out->key, &in6->sin6_addr, PREFIX_BYTES);
}

bool grpc_peer_same(const struct grpc_peer *a, const struct grpc_peer *b)
{
	return !memcmp(a->key, b->key, sizeof(a->key));
}
