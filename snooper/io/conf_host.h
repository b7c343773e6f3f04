/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_host.h - the defaults that depend on the host, and whether a configuration fits it.
 *
 * io: reads /proc/mounts, resolv.conf, and whether cgroup paths and the files of export.tls exist. Call
 * after conf_read() with the same diagnosis, which knows the places.
 */
#ifndef SNP_CONF_HOST_H
#define SNP_CONF_HOST_H

#include "snooper/core/conf.h"
#include "snooper/io/conf_diag.h"

/*
 * Fill what the file left out:
 *   observe.cgroups    the cgroup v2 mount (hybrid hosts: its "unified" part)
 *   observe.resolvers  resolv.conf's, and those of proxy.addresses and proxy.fallback
 *   reconcile.servers  proxy.fallback, else resolv.conf's at port 53
 * and check that cgroup paths are cgroup v2 directories, and that the files of
 * export.tls can be read. A resolvers list that
 * was written stays as it is: proxy.addresses and proxy.fallback are trusted at
 * their own ports besides it, by whoever loads the kernel side.
 *
 * Returns 0; -EINVAL with the reasons in d; -ENOMEM; another -errno when the
 * mounts cannot be read (told in d). After a failure c is only fit to be freed.
 */
int conf_fill_from_host(struct snp_conf *c, struct conf_diag *d);

/* The same, of a host whose files are elsewhere. */
struct conf_host_files {
	const char *mounts;	 /* /proc/mounts */
	const char *resolv_conf; /* /etc/resolv.conf */
};
int conf_fill_from_files(struct snp_conf *c, const struct conf_host_files *files,
			 struct conf_diag *d);

#endif
