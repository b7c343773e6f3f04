/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * links.h - the programs on their cgroups, by pinned links.
 *
 * io. A link is pinned as DIR/link-PROGRAM-CGROUPID. Where one is pinned
 * already its program is replaced in place (bpf_link_update): no packet is
 * ever seen by no program. Links of tracepoints (DIR/link-PROGRAM) cannot be
 * updated: the new one is attached before the old one goes. The daemon keeps no descriptor of a link, so that
 * removing the pin removes the program.
 */
#ifndef SNP_LINKS_H
#define SNP_LINKS_H

#include "snooper/io/maps.h"

/*
 * Attach every program of *m where conf says, replace what an earlier snooperd
 * attached, and remove links to cgroups that conf no longer names. A missing
 * proxy.cgroup is no error: it may come later (call again). Returns 0, or
 * -errno and *why; what was attached before stays attached.
 */
int links_attach(struct maps *m, const struct snp_conf *conf, struct maps_problem *why);

/* cgroup v2 id of a cgroup directory, and its depth below the root (root: 0). */
int links_cgroup(const char *path, uint64_t *id, uint32_t *level);

#endif
