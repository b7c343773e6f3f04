/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cgroup_glob.h - does a cgroup's path match a glob, as the kernel side has it (bpf/snp_glob.h)?
 *
 * core: pure. Both are absolute, from the root of cgroup v2, without a final or
 * doubled slash, and shorter than SNP_GLOB_PATH_BYTES; longer ones never match.
 */
#ifndef SNP_CGROUP_GLOB_H
#define SNP_CGROUP_GLOB_H

#include "bpf/snp_glob.h"

/* GLOB_NO, GLOB_MATCH, or GLOB_ABOVE: something below path may match. */
enum glob_found cgroup_glob(const char *glob, const char *path);

/* Components of a path: 0 for "/", 2 for "/a/b". */
unsigned int cgroup_level(const char *path);

#endif
