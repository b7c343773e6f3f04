/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cgroup_glob.h - does a cgroup's path match a glob, as the kernel side has it (bpf/snp_glob.h)?
 *
 * core: pure. Both are absolute, from the root of cgroup v2, without a final or
 * doubled slash, and shorter than SNP_GLOB_PATH_BYTES; longer ones never match.
 */
#ifndef SNP_CGROUP_GLOB_H
#define SNP_CGROUP_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/snp_glob.h"

/* GLOB_NO, GLOB_MATCH, or GLOB_ABOVE: something below path may match. */
enum glob_found cgroup_glob(const char *glob, const char *path);

/* Components of a path: 0 for "/", 2 for "/a/b". */
unsigned int cgroup_level(const char *path);

/* What can be said of a path, or a glob, before the two are compared. */
struct cgroup_gist {
	unsigned int level;
	size_t fixed; /* bytes before the first wildcard; of a path all of it */
};
struct cgroup_gist cgroup_glob_gist(const char *glob);
struct cgroup_gist cgroup_path_gist(const char *path);

/* Can cgroup_glob() say anything but GLOB_NO? Of many globs, hardly one of each path. */
bool cgroup_glob_may(const char *glob, const struct cgroup_gist *of_glob, const char *path,
		     const struct cgroup_gist *of_path);

#endif
