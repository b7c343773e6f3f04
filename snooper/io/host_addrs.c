/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/host_addrs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"

struct list {
	struct snp_addr *at;
	size_t n, room;
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

/* "|-- ADDRESS", and below it what kind it is. */
static int read_v4(struct list *l)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("/proc/self/net/fib_trie", "re");
	char line[256], text[64] = "";
	struct in_addr in;
	int r = 0;

	if (!f)
		return -errno;
	while (!r && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " |-- %63s", text) == 1 || !strstr(line, "/32 host LOCAL"))
			continue;
		if (inet_pton(AF_INET, text, &in) == 1) {
			struct snp_addr a = {.w = {0, 0, htonl(0xffff), in.s_addr}};

			r = add(l, &a);
		}
	}
	return r;
}

static int read_v6(struct list *l)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("/proc/self/net/if_inet6", "re");
	char line[256];
	int r = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno; /* IPv6 is off */
	while (!r && fgets(line, sizeof(line), f)) {
		struct snp_addr a;
		bool whole = true;

		for (size_t i = 0; i < sizeof(a.b) && whole; i++)
			whole = sscanf(line + 2 * i, "%2hhx", &a.b[i]) == 1;
		if (whole)
			r = add(l, &a);
	}
	return r;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct snp_addr));
}

int host_addrs_read(struct snp_addr **out, size_t *n)
{
	struct list l = {.n = 0};
	size_t kept = 0;
	int r = read_v4(&l);

	if (!r)
		r = read_v6(&l);
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
