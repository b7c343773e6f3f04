/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_resolv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/conf_value.h"

#define KEY    "observe.resolvers"
#define BLANKS " \t\r\n"

static const struct conf_place nowhere;
static const struct snp_addr loopback = {.b = {[10] = 0xff, [11] = 0xff, 127, [15] = 1}};

static void add(struct conf_resolv *r, const struct snp_addr *addr)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!memcmp(&r->addrs[i], addr, sizeof(*addr)))
			return;
	}
	r->addrs[r->n++] = *addr;
}

/* Sent to, the unspecified address is this host (and some installers write it). */
static bool is_unspecified(const struct snp_addr *addr)
{
	static const struct snp_addr none;

	return !memcmp(addr, &none, sizeof(none)) ||
	       (conf_addr_is_v4(addr) && !memcmp(addr->b + 12, none.b, 4));
}

static void take_line(struct conf_resolv *r, char *line, const char *where, struct conf_diag *d)
{
	char *rest = NULL, *word = strtok_r(line, BLANKS, &rest), shown[CONF_SHOWN_MAX];
	struct snp_addr addr;
	const char *why;

	if (!word || strcmp(word, "nameserver") != 0)
		return;
	word = strtok_r(NULL, BLANKS, &rest);
	if (!word)
		return;
	why = conf_value_addr(word, &addr);
	if (!why && is_unspecified(&addr))
		addr = loopback;
	if (!why && !conf_addr_is_host(&addr))
		why = "is not the address of a host";
	if (!why && r->n == CONF_RESOLV_MAX)
		why = "is one name server too many";
	if (why)
		conf_diag_warning(d, nowhere, KEY, "%s: '%s' %s: left out", where,
				  conf_shown(word, shown), why);
	else
		add(r, &addr);
}

static int read_lines(FILE *f, const char *path, struct conf_resolv *r, struct conf_diag *d)
{
	SNP_CLEANUP(snp_freep)
	char *line = NULL;
	char where[256];
	size_t room = 0;

	for (unsigned int number = 1; getline(&line, &room, f) >= 0; number++) {
		snprintf(where, sizeof(where), "%s:%u", path, number);
		take_line(r, line, where, d);
	}
	return ferror(f) ? -errno : 0;
}

int conf_resolv_read(const char *path, struct conf_resolv *out, struct conf_diag *d)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen(path, "re");
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (f)
		r = read_lines(f, path, out, d);
	else if (errno != ENOENT)
		r = -errno;
	if (r < 0) {
		conf_diag_error(d, nowhere, KEY, "%s cannot be read: %s", path, strerror(-r));
		return r;
	}
	if (out->n == 0) {
		conf_diag_warning(d, nowhere, KEY,
				  "%s names no name server: 127.0.0.1 is taken, as the host does",
				  path);
		add(out, &loopback);
	}
	return 0;
}
