/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_peer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_method.h"

#define GROUPS_FIRST 64

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

unsigned int grpc_peer_rights(int fd, gid_t group)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	if (cred.uid == 0 || cred.uid == geteuid())
		return GRPC_MAY_READ | GRPC_MAY_CHANGE;
	return cred.gid == group || in_peer_groups(fd, group) ? GRPC_MAY_READ : 0;
}
