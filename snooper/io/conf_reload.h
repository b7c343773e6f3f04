/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_reload.h - which keys a running snooperd takes over, and which have to wait.
 *
 * io, but pure. Every key of conf_keys.c has its row here; a test compares them.
 */
#ifndef SNP_CONF_RELOAD_H
#define SNP_CONF_RELOAD_H

#include <stddef.h>

#include "snooper/core/conf.h"

enum conf_reload {
	CONF_RELOAD_LIVE,      /* in force with the reload */
	CONF_RELOAD_RESTART,   /* opened once, at start */
	CONF_RELOAD_UNINSTALL, /* the size of something pinned: --uninstall, then start */
};

struct conf_reload_row {
	const char *path; /* as in conf_keys.c */
	enum conf_reload how;
};
const struct conf_reload_row *conf_reload_all(size_t *n);

/*
 * Exchange, between the running configuration and the next one, the values that
 * differ and cannot change live: next can then be put in force as it is. tell
 * (may be NULL) is called once for each such key. Called a second time with the
 * same two, it undoes what it did.
 */
typedef void (*conf_reload_tell_fn)(const char *path, enum conf_reload how);
void conf_reload_keep(struct snp_conf *now, struct snp_conf *next, conf_reload_tell_fn tell);

#endif
