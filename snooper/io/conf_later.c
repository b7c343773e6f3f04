/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Keys whose feature this version does not have. They are read and checked like
 * all others, so that a file can be written for the next version; who writes
 * one is told that it does nothing. A feature that arrives takes its row away.
 */
#include "snooper/io/conf_check.h"

#include <stddef.h>

#define LATER "not in this version: accepted, without effect"

struct later {
	const char *path; /* a key, or a whole section, told once */
	const char *problem;
	bool (*is_true)(const struct snp_conf *c); /* what is written is so all the same */
};

static bool tcp_is_off(const struct snp_conf *c)
{
	return c->observe.tcp == SNP_TCP_OFF;
}

static const struct later rows[] = {
	{"observe.tcp", LATER " (answers over TCP are not learned yet)", tcp_is_off},
	{"proxy.mute_after", LATER " (a proxy that hangs is not noticed)", NULL},
	{"proxy.probe", LATER, NULL},
	{"proxy.dwell", LATER, NULL},
	{"ha", LATER " (nothing is replicated)", NULL},
	{"state.directory", LATER, NULL},
	{"state.snapshot_interval", LATER, NULL},
};

void conf_warn_later(const struct snp_conf *c, struct conf_diag *d)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct later *row = &rows[i];

		if (!conf_diag_was_set(d, row->path) || (row->is_true && row->is_true(c)))
			continue;
		conf_diag_warning(d, conf_diag_place(d, row->path, CONF_WHOLE), row->path, "%s",
				  row->problem);
	}
}
