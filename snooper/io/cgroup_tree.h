/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cgroup_tree.h - a walk over the cgroups of the host, parents first.
 *
 * io. Cgroups that come or go meanwhile may or may not be seen; one that could be
 * seen before the walk began and still is at its end is.
 */
#ifndef SNP_CGROUP_TREE_H
#define SNP_CGROUP_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup_seen {
	uint64_t id;	  /* cgroup v2 id */
	const char *path; /* from the root: "/", "/a", "/a/b" */
	int parent_fd;	  /* its parent directory, -1: it is the root */
	const char *name;
};

/*
 * above: what visit() left in *below for the parent, 0 for the root. Says whether to
 * look at the cgroups below this one.
 */
typedef bool (*cgroup_visit_fn)(void *ctx, const struct cgroup_seen *c, uint64_t above,
				uint64_t *below);

/* 0, or -errno of the first directory that could not be read; the walk goes on past it. */
int cgroup_tree_walk(const char *root, cgroup_visit_fn visit, void *ctx);

/* Has it been removed since? */
bool cgroup_is_gone(const struct cgroup_seen *c);

/*
 * The directory of the root of cgroup v2 that path, existing or not, is below, and in
 * rest (of `room` bytes) the path from there. -EINVAL: below none; -EXDEV: what is mounted
 * there is not the whole of it; -ENAMETOOLONG; -errno. *root is the caller's.
 */
int cgroup_tree_root(const char *path, char **root, char *rest, unsigned int room);

/*
 * Wait for every mkdir(2) of a cgroup that had begun: what it made can be seen then.
 * Asking the kernel for the programs of a cgroup takes the lock that mkdir holds throughout.
 */
int cgroup_tree_barrier(const char *root);

#endif
