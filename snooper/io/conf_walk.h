/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_walk.h - the whole document, key by key, into the configuration.
 *
 * io. Unknown keys, keys of the wrong kind and refused values are noted in d.
 */
#ifndef SNP_CONF_WALK_H
#define SNP_CONF_WALK_H

#include "snooper/core/conf.h"
#include "snooper/io/conf_diag.h"
#include "snooper/io/conf_tree.h"

/* root NULL: an empty document, in which every key has its default. 0 or -ENOMEM. */
int conf_walk(struct conf_diag *d, const struct conf_node *root, struct snp_conf *c);

#endif
