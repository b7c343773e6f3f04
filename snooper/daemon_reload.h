/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_reload.h - put a configuration in force, at start, on SIGHUP, and when a caller asks.
 *
 *   read, compile, first step of policy (worker) ─► configure, attach ─► look again, in slices ─►
 *   settle, second step of policy (worker) ─► answer
 *
 * Everything that can fail comes before the second step: what goes back then is the configuration and its
 * attachments, and policy is what it was.
 */
#ifndef SNP_DAEMON_RELOAD_H
#define SNP_DAEMON_RELOAD_H

#include "snooper/daemon.h"

struct grpc_tls;

/*
 * Everything that a reload reads. 0; -errno, and *errors (NULL: out of memory) tells all of them. What
 * was read is the caller's in any case.
 */
int daemon_read_files(const struct daemon *d, struct snp_conf **conf, struct policy **policy,
		      struct grpc_tls **tls, char **errors);

/* d->endpoints, which are of d->conf, in place of others (NULL: none). */
int daemon_endpoints_in_force(struct daemon *d, const struct endpoints *before,
			      struct maps_problem *why);
/* Put d->conf in force in the kernel: its values, and its attachments. Endpoints and policy stay. */
int daemon_apply(struct daemon *d, struct maps_problem *why);
/*
 * daemon_settle.c: the cgroups that are there, after the attachment: one made in
 * between is known to the kernel side. By any thread; NULL: out of memory. Taken by the loop's.
 */
struct endpoints_seen *daemon_settle_look(const struct daemon *d);
/* By any thread, when what is coming is in force: the sockets of what was seen (NULL: nothing was), and connections. */
void daemon_settle_audit(const struct daemon *d, struct endpoints_seen *seen);
void daemon_settle_taken(struct daemon *d, struct endpoints_seen *seen_take);
/* A cgroup that found no room may find some later. */
void daemon_settle_missed(struct daemon *d, uint64_t now_ns);
/*
 * All of it at start, with the first policy: c->take, NULL: it could not be read. Then, when all that is
 * known was looked at, what is left to do. c has to be there until then.
 */
int daemon_apply_first(struct daemon *d, struct policy_change *c, struct maps_problem *why);
int daemon_applied(struct daemon *d, struct policy_change *c, struct maps_problem *why);

/*
 * Read the file again and apply what can change live; say what cannot. A file with errors
 * changes nothing. Whoever asks while one is under way is answered by the next one, which
 * is one for all of them. number: of the caller, for export_reloaded(); 0: none waits.
 */
void daemon_reload(void *ctx, uint64_t number);

int daemon_reload_init(struct daemon *d);  /* 0 or -ENOMEM */
void daemon_reload_fini(struct daemon *d); /* when the worker is gone */

#endif
