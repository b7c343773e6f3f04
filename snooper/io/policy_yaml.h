/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_yaml.h - CiliumNetworkPolicy files into struct policy: whole and checked, or not at all.
 *
 * io. snooper-policy(5) has the table of what is read, what is refused and what
 * is warned about; policy_fields.h is that table for programs.
 *
 * Every reader notes in diag all that is wrong, each file's under its name, and
 * calls conf_diag_finish(). It returns 0 and *out, the caller's; -EINVAL when
 * there are errors in diag, also from before; -ENOMEM; another -errno when
 * something could not be read (also told). *out is untouched on failure.
 *
 * The work is bounded: POLICY_FILES_MAX files of POLICY_BYTES_MAX bytes, the
 * bounds of core/policy.h over all of them, and no step grows with the square of its input.
 */
#ifndef SNP_POLICY_YAML_H
#define SNP_POLICY_YAML_H

#include <stddef.h>

#include "snooper/core/conf.h"
#include "snooper/core/policy.h"
#include "snooper/io/conf_diag.h"

#define POLICY_BYTES_MAX (16u << 20)
#define POLICY_FILES_MAX 10000

/*
 * The *.yaml and *.yml files of a directory, in byte order of their names;
 * hidden ones are passed over, as are directories below it.
 */
int policy_read_directory(const char *path, struct policy **out, struct conf_diag *diag);

/*
 * The same for policy.directory. diag is what conf was read with: it knows
 * whether the key was written. A default directory that is not there is an empty policy.
 */
int policy_read_configured(const struct snp_conf *conf, struct policy **out,
			   struct conf_diag *diag);

/* One file, be it a pipe; and one that is in memory: name stands for it in messages. */
int policy_read_file(const char *path, struct policy **out, struct conf_diag *diag);
int policy_read_text(const char *name, const char *buf, size_t len, struct policy **out,
		     struct conf_diag *diag);

#endif
