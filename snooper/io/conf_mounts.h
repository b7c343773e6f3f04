/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_mounts.h - which directories of the host are cgroup v2.
 *
 * io. Reads a mount table (/proc/mounts) once; the answers are of that moment.
 */
#ifndef SNP_CONF_MOUNTS_H
#define SNP_CONF_MOUNTS_H

#include <stdbool.h>

struct conf_mounts; /* opaque; conf_mounts.c */

/* Returns 0 and *out, the caller's; -ENOMEM; -errno when path cannot be read. */
int conf_mounts_read(const char *path, struct conf_mounts **out);
void conf_mounts_free(struct conf_mounts *m);

/*
 * The cgroup v2 mount that programs attach to: /sys/fs/cgroup, else
 * /sys/fs/cgroup/unified, else the first one. NULL: there is none. Owned by m.
 */
const char *conf_mounts_cgroup2(const struct conf_mounts *m);

/* Is path, absolute and free of symbolic links, on a cgroup v2 mount? */
bool conf_mounts_is_cgroup2(const struct conf_mounts *m, const char *path);

#endif
