/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps_endpoints.h - the maps of endpoints, typed.
 *
 * io. As endpoints.h says. Numbers, globs and what is known of their completeness are
 * the daemon's to write; members are written by the kernel too, the same (snp_endpoint.h).
 */
#ifndef SNP_MAPS_ENDPOINTS_H
#define SNP_MAPS_ENDPOINTS_H

#include "bpf/snp_endpoint.h"
#include "snooper/io/maps.h"

/* Can this kernel tell us of new cgroups? Not without BTF, nor locked down for confidentiality. */
bool maps_can_follow_cgroups(const struct maps *m);

/*
 * The numbers of n distinct names, none the number of another before it (maps_numbers.c), and
 * which names are out of use. tables: of the policy in force, NULL: none that we know of. 0;
 * -ENOSPC: with those in force there would be more than fit; nothing is changed.
 */
int maps_endpoint_numbers(struct maps *m, const uint8_t *tables, const char *const *names, size_t n,
			  uint32_t *numbers);
int maps_endpoint(struct maps *m, uint32_t number, struct snp_endpoint_row *row);
/* A policy is enforced for it from now on; so many of its connections were open before. */
int maps_endpoint_enforced(struct maps *m, uint32_t number, uint64_t open);

/* Put n globs in force, all of them at once. 0: there are no endpoints. */
int maps_set_globs(struct maps *m, const struct snp_glob *globs, size_t n);
/* Sets places[p] for each place whose endpoint has a glob in force. */
int maps_globs_in_force(struct maps *m, bool *places);

/*
 * Members. put: -ENOSPC when there is no room, -EEXIST when it is there and is_new, -ENOENT when not.
 * spare: what a glob matches, when there is no room; maps_members() has those rows too.
 */
struct maps_member {
	uint64_t id;
	struct snp_member of;
};
int maps_member(struct maps *m, uint64_t id, struct snp_member *of);
int maps_member_put(struct maps *m, const struct maps_member *row, bool is_new);
int maps_member_spare(struct maps *m, const struct maps_member *row);
int maps_member_drop(struct maps *m, uint64_t id);
/*
 * The next of them, in no order: *n of them, MAPS_MEMBERS at most. 1: there are more; 0: those were
 * the last; -errno. A millisecond or so, whatever there is.
 */
#define MAPS_MEMBERS 4096
struct maps_members_pos {
	bool spare;
	struct maps_pos pos;
};
int maps_members_next(struct maps *m, struct maps_members_pos *at, struct maps_member *rows,
		      size_t *n);
/* All of them; *out is the caller's. */
int maps_members(struct maps *m, struct maps_member **out, size_t *n);

/* How many new cgroups the kernel could not write a row for, ever. */
int maps_missed(struct maps *m, uint64_t *missed);
/* Is every member in its table, as of a reading that began when `missed_before` were missed? */
int maps_set_incomplete(struct maps *m, bool incomplete, uint64_t missed_before);
/* Has it missed one since that reading began? */
bool maps_has_missed(struct maps *m);

/*
 * Have the kernel go through all open sockets, and note in each whose it is. tell() is
 * called for each that an endpoint's process holds, and that no hook sees as that endpoint's.
 */
typedef void (*maps_stray_fn)(void *ctx, const struct snp_stray *s);
int maps_read_sockets(struct maps *m, maps_stray_fn tell, void *ctx);
/* Each connection that an endpoint has begun, and no policy has judged; more than once, where more than one holds it. */
typedef void (*maps_open_fn)(void *ctx, const struct snp_open *o);
int maps_read_open(struct maps *m, maps_open_fn tell, void *ctx);

#endif
