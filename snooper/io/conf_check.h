/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_check.h - what single values cannot tell: whether they go together.
 *
 * io, but pure: looks at c and at the places in d, at nothing else. The host
 * has its own checks, in conf_host.h.
 */
#ifndef SNP_CONF_CHECK_H
#define SNP_CONF_CHECK_H

#include "snooper/core/conf.h"
#include "snooper/io/conf_diag.h"

/* Note every contradiction between keys. Refused values count as their defaults. */
void conf_check(const struct snp_conf *c, struct conf_diag *d);

/* Warn of what is written in the file and has no effect in this version (conf_later.c). */
void conf_warn_later(const struct snp_conf *c, struct conf_diag *d);

#endif
