/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_yaml.h - snooper.yaml into struct snp_conf: whole and checked, or not at all.
 *
 * io. Reads the file and nothing else of the host; what a default takes from
 * the host comes from conf_fill_from_host() (conf_host.h), called next:
 *
 *	struct conf_diag diag = {0};
 *	struct snp_conf *conf = NULL;
 *
 *	r = conf_read(path, &conf, &diag);
 *	if (r == 0)
 *		r = conf_fill_from_host(conf, &diag);
 *	if (diag.text)
 *		fputs(diag.text, stderr);	(errors, and warnings also when r is 0)
 *	conf_diag_fini(&diag);
 *	(on failure too, conf is to be freed if it is not NULL)
 */
#ifndef SNP_CONF_YAML_H
#define SNP_CONF_YAML_H

#include <stddef.h>

#include "snooper/core/conf.h"
#include "snooper/io/conf_diag.h"

/* A file larger than this is no configuration. */
#define CONF_BYTES_MAX (1u << 20)

/*
 * Read the file at path. Returns 0 and *out, the caller's. -EINVAL: there are
 * errors, all of them in diag, in line order. Another -errno: the file could
 * not be read (also told in diag), or -ENOMEM. *out is untouched on failure.
 */
int conf_read(const char *path, struct snp_conf **out, struct conf_diag *diag);

/* The same with len bytes at buf; name stands for the file in messages. */
int conf_read_text(const char *name, const char *buf, size_t len, struct snp_conf **out,
		   struct conf_diag *diag);

#endif
