/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/conf_check.h"
#include "snooper/io/conf_file.h"
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

int conf_read(const char *path, struct snp_conf **out, struct conf_diag *diag)
{
	SNP_CLEANUP(snp_freep)
	char *buf = NULL;
	ssize_t len = conf_file_read(path, CONF_BYTES_MAX, &buf);

	if (len == -ENOMEM)
		return -ENOMEM;
	if (len < 0) {
		conf_diag_file(diag, path);
		conf_diag_error(diag, nowhere, FILE_KEY, "cannot be read: %s", strerror((int)-len));
		conf_diag_finish(diag);
		return (int)len;
	}
	return conf_read_text(path, buf, (size_t)len, out, diag);
}
