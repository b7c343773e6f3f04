/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * net.h - real packets: a client and a server over loopback, in a network
 * namespace and a cgroup of their own, with snp_egress and snp_ingress attached.
 *
 * Once opened the process lives in that namespace and cgroup; net_close() puts
 * it back into its cgroup and removes the new one. Functions return 0 or -errno.
 */
#ifndef SNP_TESTS_NET_H
#define SNP_TESTS_NET_H

#include "tests/bpf/rig.h"

struct net {
	struct rig *rig;
	struct bpf_link *egress, *ingress;
	char cgroup[256], home[256]; /* where it was made, where the process came from */
	int cgroup_fd;
	int server, server6; /* bound to RIG_SERVER4 and RIG_SERVER6, port 53 */
	int other;	     /* RIG_CLIENT4, port 53: a server nobody trusts */
	int client, client6; /* connected to them */
};

int net_open(struct net *n, struct rig *r);
void net_close(struct net *n);

/*
 * The client at fd asks; the server at from answers with msg; the client gets
 * it. -EBADMSG: other bytes than were sent. -ETIMEDOUT: nothing in 5 s.
 * query NULL: unasked.
 */
int net_exchange(struct net *n, int client, int server, const void *query, size_t query_len,
		 const void *msg, size_t len);

/* Send only; receive only, and compare. */
int net_ask(int client, const void *query, size_t len);
int net_expect(int fd, const void *msg, size_t len);

/* A query with the question of msg where it has one, else for "a", with msg's id. Returns its length. */
size_t net_query_for(const void *msg, size_t len, __u8 query[static 512]);

#endif
