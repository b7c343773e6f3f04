/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_mounts.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mount {
	char *dir;
	bool cgroup2;
};

struct conf_mounts {
	struct mount *mounts; /* in the order of mounting: the last one of a directory counts */
	size_t n;
};

void conf_mounts_free(struct conf_mounts *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->mounts[i].dir);
	free(m->mounts);
	free(m);
}

static int add(struct conf_mounts *m, const struct mntent *entry)
{
	struct mount *more = reallocarray(m->mounts, m->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	m->mounts = more;
	more[m->n].dir = strdup(entry->mnt_dir);
	if (!more[m->n].dir)
		return -ENOMEM;
	more[m->n].cgroup2 = !strcmp(entry->mnt_type, "cgroup2");
	m->n++;
	return 0;
}

int conf_mounts_read(const char *path, struct conf_mounts **out)
{
	struct conf_mounts *m;
	struct mntent entry;
	char line[8192]; /* two paths and options; overlays have long ones, of no interest */
	int r = 0;
	FILE *f;

	f = setmntent(path, "re");
	if (!f)
		return -errno;
	m = calloc(1, sizeof(*m));
	if (!m)
		r = -ENOMEM;
	while (r == 0 && getmntent_r(f, &entry, line, sizeof(line)))
		r = add(m, &entry);
	endmntent(f);
	if (r < 0) {
		conf_mounts_free(m);
		return r;
	}
	*out = m;
	return 0;
}

/* path is dir, or below it. */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1 && *dir == '/')
		return true;
	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

bool conf_mounts_is_cgroup2(const struct conf_mounts *m, const char *path)
{
	const struct mount *best = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct mount *mount = &m->mounts[i];

		if (is_below(path, mount->dir) &&
		    (!best || strlen(mount->dir) >= strlen(best->dir)))
			best = mount;
	}
	return best && best->cgroup2;
}

const char *conf_mounts_cgroup2(const struct conf_mounts *m)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	const char *first = NULL;

	for (size_t i = 0; i < m->n; i++) {
		if (!conf_mounts_is_cgroup2(m, m->mounts[i].dir))
			continue;
		if (!strcmp(m->mounts[i].dir, usual[0]))
			return usual[0];
		if (!first || !strcmp(m->mounts[i].dir, usual[1]))
			first = m->mounts[i].dir;
	}
	return first;
}
