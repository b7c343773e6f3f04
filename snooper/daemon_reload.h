/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_reload.h - put a configuration in force, at start and on SIGHUP. */
#ifndef SNP_DAEMON_RELOAD_H
#define SNP_DAEMON_RELOAD_H

#include "snooper/daemon.h"

/*
 * Put d->conf in force in the kernel: its values, the policy (NULL: as it is), then its
 * attachments.
 */
int daemon_apply(struct daemon *d, struct policy_change *policy, struct maps_problem *why);

/*
 * Read the file again and apply what can change live; say what cannot. A file
 * with errors changes nothing: -EINVAL, and *errors (malloc'd) has them all.
 */
int daemon_reload(void *ctx, char **errors);

#endif
