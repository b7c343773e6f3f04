/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/cgroup_tree.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"

#define DEEPEST 64 /* an open directory each */

#define ROOT_ID 1 /* of the hierarchy's root, always */

struct walk {
	cgroup_visit_fn visit;
	void *ctx;
	int error;
	char path[PATH_MAX];
};

static void fail(struct walk *w, int error)
{
	if (!w->error && error != -ENOENT && error != -ENODEV)
		w->error = error;
}

static void
visit_dir(struct walk *w, int fd, struct cgroup_seen *c, uint64_t above, unsigned int depth);

static void visit_below(struct walk *w, int fd_take, uint64_t below, unsigned int depth)
{
	size_t len = strlen(w->path), at = len > 1 ? len : 0;
	DIR *d = fdopendir(fd_take);
	struct dirent *entry;

	if (!d) {
		fail(w, -errno);
		close(fd_take);
		return;
	}
	while ((errno = 0, entry = readdir(d))) {
		struct cgroup_seen c = {.parent_fd = dirfd(d), .name = entry->d_name};
		int fd;

		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (depth == DEEPEST || at + 2 + strlen(entry->d_name) > sizeof(w->path)) {
			fail(w, -ENAMETOOLONG);
			continue;
		}
		fd = openat(dirfd(d), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			fail(w, -errno);
			continue;
		}
		snprintf(w->path + at, sizeof(w->path) - at, "/%s", entry->d_name);
		visit_dir(w, fd, &c, below, depth + 1);
		w->path[len] = 0;
	}
	if (errno)
		fail(w, -errno);
	closedir(d);
}

static void
visit_dir(struct walk *w, int fd_take, struct cgroup_seen *c, uint64_t above, unsigned int depth)
{
	uint64_t below = 0;
	struct stat st;

	c->path = w->path;
	if (fstat(fd_take, &st)) {
		fail(w, -errno);
		close(fd_take);
		return;
	}
	/* On a 64-bit kernel a cgroup's id is its directory's inode number. */
	c->id = st.st_ino;
	if (w->visit(w->ctx, c, above, &below))
		visit_below(w, fd_take, below, depth);
	else
		close(fd_take);
}

int cgroup_tree_walk(const char *root, cgroup_visit_fn visit, void *ctx)
{
	struct walk w = {.visit = visit, .ctx = ctx, .path = "/"};
	struct cgroup_seen c = {.parent_fd = -1, .name = ""};
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	visit_dir(&w, fd, &c, 0, 0);
	return w.error;
}

bool cgroup_is_gone(const struct cgroup_seen *c)
{
	struct stat st;

	if (c->parent_fd < 0)
		return false;
	return fstatat(c->parent_fd, c->name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != c->id;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The part of a path that exists, without links; what is left of it goes to rest, with its slash. */
static char *existing_part(const char *path, const char **rest)
{
	SNP_CLEANUP(snp_freep)
	char *part = strdup(path);
	char *real = NULL, *slash;

	while (part && !(real = realpath(part, NULL))) {
		slash = errno == ENOENT ? strrchr(part, '/') : NULL;
		if (!slash)
			return NULL;
		*slash = 0;
		if (slash == part)
			strcpy(part, "/");
	}
	if (real)
		*rest = path + (strcmp(part, "/") ? strlen(part) : 0);
	return real;
}

int cgroup_tree_root(const char *path, char **root, char *rest, unsigned int room)
{
	const char *left = NULL;
	SNP_CLEANUP(snp_freep)
	char *real = existing_part(path, &left);
	SNP_CLEANUP(snp_freep)
	char *top = real ? strdup(real) : NULL;
	struct stat st;
	char *slash, was;
	size_t len;

	if (!top)
		return errno ? -errno : -ENOMEM;
	if (!is_cgroup2(top))
		return -EINVAL;
	while ((slash = strrchr(top, '/')) && slash != top) {
		was = *slash;
		*slash = 0;
		if (is_cgroup2(top))
			continue;
		*slash = was;
		break;
	}
	if (stat(top, &st))
		return -errno;
	if (st.st_ino != ROOT_ID)
		return -EXDEV;
	len = strlen(top);
	if (strlen(real) - len + strlen(left) + 2 > room)
		return -ENAMETOOLONG;
	snprintf(rest, room, "%s%s", real + len, left);
	if (!*rest)
		strcpy(rest, "/");
	*root = snp_take(&top);
	return 0;
}

int cgroup_tree_barrier(const char *root)
{
	SNP_CLEANUP(snp_closep)
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__u32 flags = 0, n = 0;

	if (fd < 0)
		return -errno;
	return bpf_prog_query(fd, BPF_CGROUP_INET_INGRESS, 0, &flags, NULL, &n) ? -errno : 0;
}
