/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps_open.c - adopt or make the pinned set, and load this build's programs over it. */
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/io/maps_priv.h"

static int problem(struct maps_problem *why, int r, bool kernel, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int problem(struct maps_problem *why, int r, bool kernel, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why->text, sizeof(why->text), format, ap);
	va_end(ap);
	why->kernel = kernel;
	return r;
}

/* The last lines of what libbpf said: the verifier's reason is among them. */
static char said[8192];
static size_t said_len;

static int listen_to_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
	char text[4096];
	size_t n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vsnprintf(text, sizeof(text), format, ap);
	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	if (n > sizeof(said) - said_len - 1) {
		size_t keep = sizeof(said) / 2 - 1 < said_len ? sizeof(said) / 2 - 1 : said_len;

		memmove(said, said + said_len - keep, keep);
		said_len = keep;
		if (n > sizeof(said) - said_len - 1)
			n = sizeof(said) - said_len - 1;
	}
	memcpy(said + said_len, text, n);
	said_len += n;
	said[said_len] = 0;
	return 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* The directory of the set: ours alone, on a bpf file system, locked against a second snooperd. */
static int open_dir(struct maps *m, const char *dir, struct maps_problem *why)
{
	SNP_CLEANUP(snp_freep)
	char *parent = strdup(dir);
	struct stat st;
	char *slash;

	m->dir = strdup(dir);
	if (!parent || !m->dir)
		return problem(why, -ENOMEM, false, "out of memory");
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = 0;
	if (!is_bpffs(parent) && !strncmp(dir, "/sys/fs/bpf/", 12)) {
		/* Without systemd nobody may have mounted it; bpftool and iproute2 do the same. */
		if (mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
			return problem(why, -errno, true,
				       "cannot mount a bpf file system at /sys/fs/bpf: %s",
				       strerror(errno));
		log_info("event=bpffs-mounted path=/sys/fs/bpf");
	}
	m->unused = !mkdir(dir, 0700);
	if (!m->unused && errno != EEXIST)
		return problem(why, -errno, false, "state.bpffs: cannot make %s: %s", dir,
			       strerror(errno));
	if (!is_bpffs(dir))
		return problem(why, -EINVAL, false, "state.bpffs: %s is not on a bpf file system",
			       dir);
	m->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->lock_fd < 0 || fstat(m->lock_fd, &st))
		return problem(why, -errno, false, "state.bpffs: cannot open %s: %s", dir,
			       strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return problem(
			why, -EPROTO, false,
			"state.bpffs: %s is open to others (owner %u, mode %o): will not adopt it",
			dir, st.st_uid, st.st_mode & 07777);
	if (flock(m->lock_fd, LOCK_EX | LOCK_NB))
		return problem(why, -EBUSY, false, "state.bpffs: another snooperd holds %s", dir);
	return 0;
}

static int pinned_map(const struct maps *m, const char *name, struct bpf_map_info *info)
{
	char path[4096];
	__u32 len = sizeof(*info);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	if (bpf_obj_get_info_by_fd(fd, info, &len)) {
		close(fd);
		return -EPROTO;
	}
	return fd;
}

/* What is pinned must be a whole set of ours, of this layout. */
static int check_pinned(struct maps *m, struct maps_problem *why)
{
	struct bpf_map_info info;
	struct snp_meta meta = {0};
	__u32 zero = 0;
	int fd = pinned_map(m, "snp_meta", &info), r;

	/* Of a new directory, whatever is wrong shows when the programs are loaded. */
	if (fd == -ENOENT || m->unused)
		return 0;
	/* There may well be a set that works, and that we are not let at. */
	if (fd < 0)
		return problem(why, fd, true, "cannot open %s/snp_meta: %s", m->dir, strerror(-fd));
	r = info.value_size == sizeof(meta) ? bpf_map_lookup_elem(fd, &zero, &meta) : -1;
	close(fd);
	if (r)
		return problem(why, -EPROTO, false,
			       "%s/snp_meta is not snooper's: will not adopt it", m->dir);
	if (!meta.magic) { /* begun, and never finished */
		m->unused = true;
		return 0;
	}
	if (meta.magic != SNP_MAGIC)
		return problem(why, -EPROTO, false,
			       "%s/snp_meta is not snooper's: will not adopt it", m->dir);
	if (meta.layout != SNP_LAYOUT)
		return problem(
			why, -EPROTO, false,
			"%s has layout %u, this snooperd knows %u; snooperd --uninstall removes it",
			m->dir, meta.layout, SNP_LAYOUT);
	m->adopted = true;
	return 0;
}

/* Size a map as limits says, or as it is pinned; let libbpf pin it under its own name. */
static int size_and_pin(struct maps *m, struct bpf_map *map, uint32_t want)
{
	struct bpf_map_info info;
	char path[4096];
	int fd = pinned_map(m, bpf_map__name(map), &info), r;

	if (fd >= 0) {
		close(fd);
		if (want && info.max_entries != want) {
			m->limits_differ = true;
			log_warn("event=limits-kept map=%s now=%u wanted=%u hint=\"snooperd "
				 "--uninstall, then start\"",
				 bpf_map__name(map), info.max_entries, want);
			want = info.max_entries;
		}
	}
	if (want) {
		r = bpf_map__set_max_entries(map, want);
		if (r)
			return r;
	}
	snprintf(path, sizeof(path), "%s/%s", m->dir, bpf_map__name(map));
	return bpf_map__set_pin_path(map, path);
}

/* lockdown(7): BPF may not read the kernel's memory then. */
static bool is_confidential(void)
{
	SNP_CLEANUP(snp_fclosep)
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char modes[128] = "";

	return f && fgets(modes, sizeof(modes), f) && strstr(modes, "[confidentiality]");
}

static bool has_btf(void)
{
	return !access("/sys/kernel/btf/vmlinux", R_OK);
}

/* Where the kernel's structs cannot be read, all but endpoints works. */
static void leave_out_tracing(struct maps *m)
{
	if (has_btf() && !is_confidential())
		return;
	m->skel->rodata->snp_reads_kernel = 0;
	bpf_program__set_autoload(m->skel->progs.snp_cg_made, false);
	bpf_program__set_autoload(m->skel->progs.snp_cg_gone, false);
	bpf_program__set_autoload(m->skel->progs.snp_sockets, false);
	bpf_program__set_autoload(m->skel->progs.snp_opened, false);
}

static int prepare(struct maps *m, const struct snp_conf *conf)
{
	const struct {
		struct bpf_map *map;
		uint32_t want; /* 0: as declared */
	} sizes[] = {
		{m->skel->maps.snp_meta, 0},
		{m->skel->maps.snp_ctl, 0},
		{m->skel->maps.snp_conf, 0},
		{m->skel->maps.snp_names, conf->limits.names},
		{m->skel->maps.snp_learned, conf->limits.facts},
		{m->skel->maps.snp_granted, conf->limits.rows},
		{m->skel->maps.snp_tally, conf->limits.rows},
		{m->skel->maps.snp_collected, conf->limits.rows + conf->limits.names},
		{m->skel->maps.snp_ring, conf->limits.ring_bytes},
		{m->skel->maps.snp_wake, 0},
		{m->skel->maps.snp_stats, 0},
		{m->skel->maps.snp_untrusted, 0},
		{m->skel->maps.snp_questions, 0},
		{m->skel->maps.snp_backlog, 0},
		{m->skel->maps.snp_asker, 0},
		{m->skel->maps.snp_proxy, 0},
		{m->skel->maps.snp_proxy_seed, 0},
		{m->skel->maps.snp_proxy_mark, 0},
		{m->skel->maps.snp_detour, 0},
		{m->skel->maps.snp_members, 0},
		{m->skel->maps.snp_spare, 0},
		{m->skel->maps.snp_endpoints, 0},
		{m->skel->maps.snp_globs, 0},
		{m->skel->maps.snp_endctl, 0},
		{m->skel->maps.snp_missed, 0},
		{m->skel->maps.snp_policy, 0},
		{m->skel->maps.snp_rows, conf->limits.rows},
		{m->skel->maps.snp_rows_given, conf->limits.rows},
		{m->skel->maps.snp_flow, 0},
		{m->skel->maps.snp_stream, 0},
		{m->skel->maps.snp_flows, 0},
		{m->skel->maps.snp_flows_made, 0},
		{m->skel->maps.snp_flows_gone, 0},
		{m->skel->maps.snp_heard, 0},
		{m->skel->maps.snp_verdicts, 0},
		{m->skel->maps.snp_hits, 0},
	};

	leave_out_tracing(m);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int r = size_and_pin(m, sizes[i].map, sizes[i].want);

		if (r)
			return r;
	}
	return bpf_map__set_max_entries(m->skel->maps.snp_scratch,
					bpf_map__max_entries(m->skel->maps.snp_scratch) * m->cpus);
}

static int write_meta(struct maps *m)
{
	struct snp_meta meta;
	__u32 zero = 0;
	int fd = MAP_FD(m, snp_meta);

	if (bpf_map_lookup_elem(fd, &zero, &meta))
		return -errno;
	if (!meta.magic) {
		meta.magic = SNP_MAGIC;
		meta.layout = SNP_LAYOUT;
		if (getrandom(meta.key, sizeof(meta.key), 0) != sizeof(meta.key))
			return -EIO;
		if (bpf_map_update_elem(fd, &zero, &meta, BPF_ANY))
			return -errno;
	}
	memcpy(m->key, meta.key, sizeof(m->key));
	return 0;
}

/* The line of libbpf's that says why, not the hundreds around it. */
static const char *last_reason(void)
{
	static char line[320];
	const char *end = strstr(said, "\nprocessed "), *start;

	if (!end)
		end = said + said_len;
	while (end > said && end[-1] == '\n')
		end--;
	for (start = end; start > said && start[-1] != '\n';)
		start--;
	snprintf(line, sizeof(line), "%.*s", (int)(end - start), start);
	return line;
}

/*
 * libbpf wants the kernel's types as soon as any program of the object names one, also where that
 * program is left out. A file without any will do. Its descriptor, or -1.
 */
static int file_of_no_types(char path[static 32])
{
	struct btf *none = btf__new_empty();
	int fd = memfd_create("btf", MFD_CLOEXEC);
	const void *bytes;
	__u32 n = 0;

	bytes = none ? btf__raw_data(none, &n) : NULL;
	if (fd >= 0 && (!bytes || write(fd, bytes, n) != (ssize_t)n)) {
		close(fd);
		fd = -1;
	}
	btf__free(none);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static int load(struct maps *m, const struct snp_conf *conf, struct maps_problem *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	SNP_CLEANUP(snp_closep)
	int types_fd = -1;
	char types[32];
	int r = open_dir(m, conf->state.bpffs, why);

	if (r < 0)
		return r;
	r = check_pinned(m, why);
	if (r < 0)
		return r;
	m->cpus = libbpf_num_possible_cpus();
	if (!has_btf()) {
		types_fd = file_of_no_types(types);
		opts.btf_custom_path = types;
	}
	m->skel = snooper_bpf__open_opts(&opts);
	if (!m->skel || m->cpus < 1)
		return problem(why, -errno, true, "cannot open the programs: %s", last_reason());
	r = prepare(m, conf);
	if (r)
		return problem(why, r, false, "cannot prepare the maps: %s", strerror(-r));
	r = snooper_bpf__load(m->skel);
	if (r)
		return problem(why, r, true, "the kernel refused the programs (%s): %s",
			       strerror(-r), last_reason());
	r = write_meta(m);
	if (r < 0)
		return problem(why, r, false, "cannot write %s/snp_meta: %s", m->dir, strerror(-r));
	return 0;
}

int maps_open(const struct snp_conf *conf, struct maps **out, struct maps_problem *why)
{
	struct maps *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return problem(why, -ENOMEM, false, "out of memory");
	m->lock_fd = -1;
	m->granted = true; /* of a daemon before us */
	libbpf_set_print(listen_to_libbpf);
	r = load(m, conf, why);
	if (r < 0) {
		struct maps_problem ignored;

		if (m->unused)
			maps_uninstall(m->dir, &ignored);
		maps_close(m);
		return r;
	}
	*out = m;
	return 0;
}

void maps_close(struct maps *m)
{
	if (!m)
		return;
	ring_buffer__free(m->ring);
	snooper_bpf__destroy(m->skel);
	if (m->lock_fd >= 0)
		close(m->lock_fd);
	if (m->generation_fd > 0)
		close(m->generation_fd);
	free(m->dir);
	free(m);
}
