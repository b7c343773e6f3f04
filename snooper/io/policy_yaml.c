/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/policy_yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"
#include "snooper/io/conf_file.h"
#include "snooper/io/policy_reader.h"

#define FILE_KEY "file" /* stands where a line names the key, when none is to blame */

static const struct conf_place nowhere;

/* A selector is two values; its list, keys and neighbours a few more. */
static const struct conf_tree_bounds bounds = {
	.depth = CONF_TREE_DEPTH, .map = 256, .list = POLICY_SELECTORS_MAX, .nodes = 500000};

static void policy_freep(struct policy **p)
{
	policy_free(*p);
}

static int take_document(void *arg, const struct conf_node *root)
{
	return policy_take_document(arg, root);
}

/* The policy keeps the name: places point to it. Whoever may write files may not write to terminals. */
static int begin_file(struct policy_reader *r, const char *name)
{
	struct policy *p = r->policy;
	char **more = policy_grown(p->files, p->n_files, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->files = more;
	more[p->n_files] = strdup(name);
	if (!more[p->n_files])
		return -ENOMEM;
	text_make_utf8(more[p->n_files]);
	r->file = more[p->n_files++];
	conf_diag_file(r->diag, r->file);
	return 0;
}

/* A name that begin_file() took. */
static int take_text(struct policy_reader *r, const char *buf, size_t len)
{
	int res;

	if (len > POLICY_BYTES_MAX) {
		conf_diag_error(r->diag, nowhere, FILE_KEY, "larger than 16MiB");
		return 0;
	}
	res = conf_tree_read_each(buf, len, &bounds, r->diag, take_document, r);
	return res == -EINVAL ? 0 : res; /* noted; other files have errors of their own */
}

static int refuse_file(struct policy_reader *r, int err)
{
	conf_diag_error(r->diag, nowhere, FILE_KEY, "cannot be read: %s", strerror(-err));
	return err;
}

/* A name that begin_file() took. -errno when it cannot be read, which is noted. */
static int take_file(struct policy_reader *r, const char *path)
{
	SNP_CLEANUP(snp_freep)
	char *buf = NULL;
	ssize_t len;

	len = conf_file_read(path, POLICY_BYTES_MAX, &buf);
	if (len == -ENOMEM)
		return -ENOMEM;
	if (len < 0)
		return refuse_file(r, (int)len);
	return take_text(r, buf, (size_t)len);
}

/* In a directory that others fill, a pipe would be waited on for ever. */
static int take_regular_file(struct policy_reader *r, const char *path)
{
	struct stat st;
	int res = begin_file(r, path);

	if (res < 0)
		return res;
	if (stat(path, &st) < 0)
		return refuse_file(r, -errno);
	if (S_ISREG(st.st_mode))
		return take_file(r, path);
	conf_diag_error(r->diag, nowhere, FILE_KEY, "is no regular file");
	return 0;
}

static int is_policy_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int in_byte_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file is looked at, and the first failure told. */
static int take_files(struct policy_reader *r, const char *path, struct dirent **entries, int n)
{
	int failed = 0;

	for (int i = 0; i < n && failed != -ENOMEM; i++) {
		SNP_CLEANUP(snp_freep)
		char *file = NULL;
		int res;

		if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		res = take_regular_file(r, file);
		if (res == -ENOMEM || !failed)
			failed = res;
	}
	return failed;
}

static int take_directory(struct policy_reader *r, const char *path)
{
	struct dirent **entries;
	int n, res;

	n = scandir(path, &entries, is_policy_file, in_byte_order);
	if (n < 0) {
		res = -errno;
		if (res == -ENOMEM)
			return res;
		conf_diag_file(r->diag, path);
		return refuse_file(r, res);
	}
	if (n > POLICY_FILES_MAX) {
		conf_diag_file(r->diag, path);
		conf_diag_error(r->diag, nowhere, "directory", "%d files: at most %d are possible",
				n, POLICY_FILES_MAX);
		res = 0;
	} else {
		res = take_files(r, path, entries, n);
	}
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return res;
}

/* What is read: a directory; a file, or text that stands for it; or nothing. */
struct source {
	const char *directory;
	const char *name, *buf;
	size_t len;
};

static int take_source(struct policy_reader *r, const struct source *s)
{
	int res;

	if (s->directory)
		return take_directory(r, s->directory);
	if (!s->name)
		return 0;
	res = begin_file(r, s->name);
	if (res < 0)
		return res;
	return s->buf ? take_text(r, s->buf, s->len) : take_file(r, s->name);
}

static int read_source(const struct source *s, struct policy **out, struct conf_diag *diag)
{
	SNP_CLEANUP(policy_freep)
	struct policy *p = calloc(1, sizeof(*p));
	struct policy_reader r = {.policy = p, .diag = diag};
	int res, finished;

	if (!p)
		return -ENOMEM;
	res = take_source(&r, s);
	policy_forget_names(&r);
	finished = conf_diag_finish(diag);
	if (res < 0)
		return res;
	if (finished < 0)
		return finished;
	*out = snp_take(&p);
	return 0;
}

int policy_read_directory(const char *path, struct policy **out, struct conf_diag *diag)
{
	struct source s = {.directory = path};

	return read_source(&s, out, diag);
}

int policy_read_file(const char *path, struct policy **out, struct conf_diag *diag)
{
	struct source s = {.name = path};

	return read_source(&s, out, diag);
}

int policy_read_text(const char *name, const char *buf, size_t len, struct policy **out,
		     struct conf_diag *diag)
{
	struct source s = {.name = name, .buf = len ? buf : "", .len = len};

	return read_source(&s, out, diag);
}

int policy_read_configured(const struct snp_conf *conf, struct policy **out, struct conf_diag *diag)
{
	const char *key = "policy.directory", *path = conf->policy.directory;
	struct conf_place at = conf_diag_place(diag, key, CONF_WHOLE);
	struct source nothing = {0};
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return policy_read_directory(path, out, diag);
	if (!at.line && access(path, F_OK) && errno == ENOENT)
		return read_source(&nothing, out, diag);
	conf_diag_error(diag, at, key, "'%s' is no directory that can be read", path);
	conf_diag_finish(diag);
	return -EINVAL;
}
