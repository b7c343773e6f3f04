/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * listed.h - a name as names and watch both print it.
 *
 * ctl.
 */
#ifndef SNP_CTL_LISTED_H
#define SNP_CTL_LISTED_H

#include "proto/export.pb-c.h"
#include "snooper/ctl/ctl.h"

/* Its fields, into o. */
void listed_put_json(struct json_object *o, const Snooper__V1__Name *m);

#endif
