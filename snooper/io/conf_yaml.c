/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/conf_check.h"
#include "snooper/io/conf_tree.h"
#include "snooper/io/conf_walk.h"

#define FILE_KEY "file" /* stands where a line names the key, when none is to blame */

static const struct conf_place nowhere;

static void conf_freep(struct snp_conf **c)
{
	snp_conf_free(*c);
}

static int build(const char *buf, size_t len, struct snp_conf *c, struct conf_diag *diag)
{
	struct conf_node *root = NULL;
	int r;

	if (len > CONF_BYTES_MAX) {
		conf_diag_error(diag, nowhere, FILE_KEY, "larger than 1MiB");
		return -EINVAL;
	}
	r = conf_tree_read(buf, len, diag, &root);
	if (r < 0)
		return r;
	r = conf_walk(diag, root, c);
	conf_tree_free(root);
	if (r < 0)
		return r;
	conf_check(c, diag);
	conf_warn_later(c, diag);
	return 0;
}

int conf_read_text(const char *name, const char *buf, size_t len, struct snp_conf **out,
		   struct conf_diag *diag)
{
	SNP_CLEANUP(conf_freep)
	struct snp_conf *c = snp_conf_new();
	int r, finished;

	if (!c)
		return -ENOMEM;
	conf_diag_file(diag, name);
	r = build(buf, len, c, diag);
	finished = conf_diag_finish(diag);
	if (r < 0)
		return r;
	if (finished < 0)
		return finished;
	*out = snp_take(&c);
	return 0;
}

/* Up to room bytes; a pipe is as good as a file. Returns how many, or -errno. */
static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t have = 0;

	while (have < room) {
		ssize_t n = read(fd, buf + have, room - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int refuse_file(const char *path, struct conf_diag *diag, const char *what, int err)
{
	conf_diag_file(diag, path);
	conf_diag_error(diag, nowhere, FILE_KEY, "%s: %s", what, strerror(err));
	conf_diag_finish(diag);
	return -err;
}

int conf_read(const char *path, struct snp_conf **out, struct conf_diag *diag)
{
	const size_t room = CONF_BYTES_MAX + 1; /* one more, to see what is too large */
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	SNP_CLEANUP(snp_freep)
	char *buf = NULL;
	ssize_t len;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return refuse_file(path, diag, "cannot be opened", errno);
	buf = malloc(room);
	if (!buf)
		return -ENOMEM;
	len = read_all(fd, buf, room);
	if (len < 0)
		return refuse_file(path, diag, "cannot be read", (int)-len);
	return conf_read_text(path, buf, (size_t)len, out, diag);
}
