/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"

#define LINK_PREFIX   "link-"
#define PROGRAMS_MAX  32
#define LINK_NAME_MAX 64

struct wanted {
	char (*names)[LINK_NAME_MAX];
	size_t n, room;
};

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;
}

int links_cgroup(const char *path, uint64_t *id, uint32_t *level)
{
	SNP_CLEANUP(snp_freep)
	char *at = realpath(path, NULL);
	struct stat st;
	uint32_t depth = 0;

	if (!at)
		return -errno;
	if (!is_cgroup2(at))
		return -EINVAL;
	if (stat(at, &st))
		return -errno;
	/* On a 64-bit kernel a cgroup's id is its directory's inode number. */
	*id = st.st_ino;
	for (;;) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			break;
		*slash = 0;
		if (!is_cgroup2(at))
			break;
		depth++;
	}
	*level = depth;
	return 0;
}

static int remember(struct wanted *w, const char *name)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		void *names = realloc(w->names, room * sizeof(*w->names));

		if (!names)
			return -ENOMEM;
		w->names = names;
		w->room = room;
	}
	snprintf(w->names[w->n++], LINK_NAME_MAX, "%s", name);
	return 0;
}

/* Put prog in place of what the pinned link runs. -ENOENT: there is no such link, or its cgroup is gone. */
static int replace(const char *pin, struct bpf_program *prog)
{
	SNP_CLEANUP(snp_closep)
	int fd = bpf_obj_get(pin);
	LIBBPF_OPTS(bpf_link_update_opts, opts);

	if (fd < 0)
		return -ENOENT;
	if (!bpf_link_update(fd, bpf_program__fd(prog), &opts))
		return 0;
	if (errno != ENOLINK)
		return -errno;
	unlink(pin);
	return -ENOENT;
}

/* NULL, with errno, is taken too: as an error. */
static int pin_taken(struct bpf_link *link, const char *pin)
{
	int r;

	if (!link)
		return -errno;
	r = bpf_link__pin(link, pin);
	if (r)
		bpf_link__destroy(link);
	else
		bpf_link__disconnect(link), bpf_link__destroy(link);
	return r;
}

/* Does the pinned link run this very program? */
static bool runs(const char *pin, const struct bpf_program *prog)
{
	SNP_CLEANUP(snp_closep)
	int fd = bpf_obj_get(pin);
	struct bpf_link_info link = {0};
	struct bpf_prog_info ours = {0};
	__u32 link_len = sizeof(link), prog_len = sizeof(ours);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &link, &link_len) &&
	       !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &ours, &prog_len) &&
	       link.prog_id == ours.id;
}

/* For a moment the old program runs beside the new one: both write the same. */
static int attach_tracing(struct maps *m, const struct maps_program *p, struct wanted *wanted,
			  struct maps_problem *why)
{
	char name[LINK_NAME_MAX], pin[4096], fresh[4096];
	int r = 0;

	snprintf(name, sizeof(name), LINK_PREFIX "%s", p->name);
	snprintf(pin, sizeof(pin), "%s/%s", maps_directory(m), name);
	snprintf(fresh, sizeof(fresh), "%s/" LINK_PREFIX "new-%s", maps_directory(m), p->name);
	if (!runs(pin, p->prog)) {
		unlink(fresh); /* of one that died here */
		r = pin_taken(bpf_program__attach(p->prog), fresh);
		if (!r && rename(fresh, pin))
			r = -errno;
	}
	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "cannot attach %s: %s", p->name,
			 strerror(-r));
		return r;
	}
	return remember(wanted, name);
}

static int attach_one(struct maps *m, const struct maps_program *p, const char *cgroup,
		      struct wanted *wanted, struct maps_problem *why)
{
	SNP_CLEANUP(snp_closep)
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[LINK_NAME_MAX], pin[4096];
	uint64_t id;
	uint32_t level;
	int r = fd < 0 ? -errno : links_cgroup(cgroup, &id, &level);

	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "cgroup %s: %s", cgroup,
			 r == -EINVAL ? "not in a cgroup v2 hierarchy" : strerror(-r));
		return r;
	}
	snprintf(name, sizeof(name), LINK_PREFIX "%s-%" PRIu64, p->name, id);
	snprintf(pin, sizeof(pin), "%s/%s", maps_directory(m), name);
	r = replace(pin, p->prog);
	if (r == -ENOENT)
		r = pin_taken(bpf_program__attach_cgroup(p->prog, fd), pin);
	if (r < 0) {
		snprintf(why->text, sizeof(why->text), "cannot attach %s to %s: %s", p->name,
			 cgroup, strerror(-r));
		return r;
	}
	return remember(wanted, name);
}

/* Links that nothing in the configuration asks for any more. */
static void remove_others(const char *dir, const struct wanted *wanted)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t i = 0;

		if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)))
			continue;
		while (i < wanted->n && strcmp(wanted->names[i], entry->d_name))
			i++;
		if (i == wanted->n && !unlinkat(dirfd(d), entry->d_name, 0))
			log_info("event=link-removed name=%s", entry->d_name);
	}
	if (d)
		closedir(d);
}

/*
 * The hooks of connect and its kin are paid for by every socket of the host, ours
 * or not, as soon as anything uses them anywhere: only where they have work.
 */
static bool is_needed(const struct snp_conf *conf, enum maps_place place)
{
	if (place == MAPS_PACKETS || conf->proxy.n_addresses ||
	    (place == MAPS_ASKING && conf->n_endpoints))
		return true;
	for (size_t i = 0; place == MAPS_ASKING && i < conf->observe.n_resolvers; i++)
		if (addr_is_loopback(&conf->observe.resolvers[i]))
			return true;
	return false;
}

int links_attach(struct maps *m, const struct snp_conf *conf, struct maps_problem *why)
{
	struct maps_program programs[PROGRAMS_MAX];
	size_t n = maps_programs(m, programs, PROGRAMS_MAX);
	struct wanted wanted = {0};
	int r = 0;

	why->kernel = false;
	/* Whose a new cgroup is, before anything asks. */
	for (size_t i = 0; i < n && !r && conf->n_endpoints; i++)
		if (programs[i].place == MAPS_TRACING)
			r = attach_tracing(m, &programs[i], &wanted, why);
	for (size_t i = 0; i < n && !r; i++) {
		if (programs[i].place == MAPS_TRACING || programs[i].place == MAPS_READING)
			continue;
		if (programs[i].place == MAPS_PROXY) {
			if (conf->proxy.cgroup && !access(conf->proxy.cgroup, F_OK))
				r = attach_one(m, &programs[i], conf->proxy.cgroup, &wanted, why);
			continue;
		}
		if (!is_needed(conf, programs[i].place))
			continue;
		for (size_t k = 0; k < conf->observe.n_cgroups && !r; k++)
			r = attach_one(m, &programs[i], conf->observe.cgroups[k], &wanted, why);
	}
	if (!r)
		remove_others(maps_directory(m), &wanted);
	free(wanted.names);
	return r;
}

int maps_uninstall(const char *dir, struct maps_problem *why)
{
	DIR *d;
	struct dirent *entry;

	why->kernel = false;
	/* Links first: no packet meets a program whose maps are half gone. */
	for (int links = 1; links >= 0; links--) {
		d = opendir(dir);
		if (!d && errno == ENOENT)
			return 0;
		while (d && (entry = readdir(d))) {
			bool link = !strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX));

			if (link == links &&
			    !strncmp(entry->d_name, link ? LINK_PREFIX : "snp_", link ? 5 : 4))
				unlinkat(dirfd(d), entry->d_name, 0);
		}
		if (d)
			closedir(d);
	}
	if (rmdir(dir) && errno != ENOENT) {
		int r = -errno;

		snprintf(why->text, sizeof(why->text), "cannot remove %s: %s", dir,
			 strerror(errno));
		return r;
	}
	return 0;
}
