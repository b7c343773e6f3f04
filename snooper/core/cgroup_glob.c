/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/cgroup_glob.h"

#include <string.h>

enum glob_found cgroup_glob(const char *glob, const char *path)
{
	struct glob_walk w = {0};
	size_t glob_len = strlen(glob), path_len = strlen(path);
	enum glob_found found;

	if (glob_len >= SNP_GLOB_PATH_BYTES || path_len >= SNP_GLOB_PATH_BYTES)
		return GLOB_NO;
	/* The root is the one path that ends with its slash. */
	if (!strcmp(path, "/"))
		return strcmp(glob, "/") ? GLOB_ABOVE : GLOB_MATCH;
	do
		found = glob_step(&w, glob, glob_len, path, path_len);
	while (found == GLOB_GOING);
	return found;
}

unsigned int cgroup_level(const char *path)
{
	unsigned int level = 0;

	for (; path[0] && path[1]; path++)
		level += *path == '/';
	return level;
}

struct cgroup_gist cgroup_glob_gist(const char *glob)
{
	return (struct cgroup_gist){cgroup_level(glob), strcspn(glob, "*?")};
}

struct cgroup_gist cgroup_path_gist(const char *path)
{
	return (struct cgroup_gist){cgroup_level(path), strlen(path)};
}

bool cgroup_glob_may(const char *glob, const struct cgroup_gist *of_glob, const char *path,
		     const struct cgroup_gist *of_path)
{
	size_t both = of_glob->fixed < of_path->fixed ? of_glob->fixed : of_path->fixed;

	return of_path->level <= of_glob->level && !memcmp(glob, path, both);
}
