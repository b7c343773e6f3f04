/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_policy.h - the policy in force, what it says of a name, and how another one comes in force.
 *
 * Loop thread only, but for what says otherwise. A change of policy goes in two steps
 * (core/policy_change.h), and what is learned is looked at again between them: an address
 * that both policies allow is usable throughout. What a change is made from, nothing but
 * its own steps changes: so a thread may read it.
 */
#ifndef SNP_DAEMON_POLICY_H
#define SNP_DAEMON_POLICY_H

#include "bpf/snp_verdict.h"
#include "snooper/core/policy_change.h"
#include "snooper/io/conf_diag.h"
#include "snooper/io/maps.h"
#include "snooper/io/worker.h"

struct daemon;
struct policy_change;

/* How far all that is known was looked at again (daemon_policy_look.c). */
struct policy_looking {
	uint64_t cursor;
	struct snp_name_key *scopes; /* of the name it is at */
	size_t n, room, next;
	uint32_t facts; /* of that scope, still to be looked at */
	bool is_within; /* it was begun */
};

struct daemon_policy {
	struct policy *policy;	 /* in force; NULL: none, or none that we have read */
	struct policy_made made; /* with it; of its tables, those of `side` are in force */
	enum policy_side side;
	struct snp_addr *host; /* our own addresses, as it was compiled with */
	size_t n_host;
	const struct policy_change *next; /* that is coming in force; NULL: none */
	struct policy_looking looking;
	uint32_t generation; /* the last that was made, by us or an earlier daemon */
	uint32_t in_force;   /* 0: none is */
	bool unread; /* the files could not be read at start: what an earlier daemon put in force stays */
	bool locked; /* it could not be read at start: its endpoints may do nothing (policy.on_error) */
	int destroy_fd;	       /* sock_destroy.h, from 1; 0: none */
	uint64_t cut, not_cut; /* connections ended; those of other network namespaces, or gone */
	uint64_t followed_ns;  /* when our own addresses were last looked at */
	bool is_following;     /* ... and are being looked at */
	int follow_error;      /* of the last time: logged once */
	uint64_t not_followed; /* times */
	uint64_t load_took_ns; /* the last time that one was put in force */
	uint64_t loaded_ns, given, not_given; /* when; rows written for what was known before */
};

/* --- daemon_policy_change.c --- */

/* From the policy in force to another one. */
struct policy_change {
	struct policy *take; /* the next; NULL: it could not be read, at start */
	uint64_t began_ns;
	bool locked, nobody; /* nothing is allowed; there is nobody to be judged */
	bool has_step;	     /* the one in force is put in force once more, with names of both */
	struct policy_made made;
	struct snp_addr *host;
	size_t n_host;
	int fd[POLICY_SIDES]; /* generations in the kernel, from 1; 0: none */
	uint32_t generation[POLICY_SIDES];
	/* what it took the place of */
	struct policy *old;
	struct policy_made old_made;
};

/* daemon_files.c: what conf's directory holds, checked whole. 0 and *out; else as policy_yaml.h, told in diag. */
int daemon_policy_read(const struct snp_conf *conf, struct policy **out, struct conf_diag *diag);

/*
 * Everything that can fail: c->take compiled for conf, and put into the kernel beside what is in
 * force. By any thread. 0, or -errno and *why. c is for policy_change_fini() in any case.
 */
int policy_change_prepare(const struct daemon *d, const struct snp_conf *conf,
			  struct policy_change *c, struct maps_problem *why);
/* By any thread: a side comes in force. 0 or -errno. Then, on the loop's, take note of it. */
int policy_change_publish(const struct daemon *d, const struct policy_change *c,
			  enum policy_side side);
void policy_change_taken(struct daemon *d, struct policy_change *c, enum policy_side side);
/*
 * By any thread, while no change is being made: what is in force once more, under the next number. What was
 * admitted until now is judged again. 1; 0: there is none; -errno. Then, on the loop's, take note of it.
 */
int policy_renumber(const struct daemon *d);
void policy_renumbered(struct daemon *d, int r);
/* By any thread. */
void policy_change_fini(struct policy_change *c);

/* What was tried is in *why. Returns r. */
int policy_change_refuse(struct maps_problem *why, int r, const char *text);

/* --- daemon_policy_start.c --- */

/*
 * At start: c->take comes in force (NULL: it could not be read). Where an earlier snooperd's is, that takes
 * the first step; when all that it learned was looked at, the second is to be taken. 0, or
 * -errno and *why. c has to be there until then.
 */
int daemon_policy_start(struct daemon *d, struct policy_change *c, struct maps_problem *why);
int daemon_policy_started(struct daemon *d, struct policy_change *c, struct maps_problem *why);

/* --- daemon_policy_look.c --- */

/*
 * Look at all that is known again: what was learned under an older generation, or before us. By
 * what is coming in force, or else is. In slices: false when there is no more.
 */
void daemon_policy_look_start(struct daemon *d);
bool daemon_policy_look_step(struct daemon *d);
/* A fact of another origin than the kernel: what policy makes of it. */
void daemon_policy_grant(struct daemon *d, const struct snp_name_key *key,
			 const struct snp_addr *addr, uint64_t expiry_ns);

/* --- daemon_policy_follow.c: now and then --- */

/* Our own addresses may have changed: what toEntities means follows them. */
void daemon_policy_follow(struct daemon *d, uint64_t now_ns);
/* The kernel refuses a connection that was there: have its owner know at once. */
void daemon_policy_cut(void *ctx, const struct snp_event_cut *cut);

/* --- daemon_policy.c: what it says of a name --- */

/* One policy's automata, and what they give out. Borrowed. */
struct policy_view {
	const struct policy_names *names;
	const struct match_tables *automata;
	const uint8_t *tables; /* NULL: none is in force */
	enum policy_side side;
};
struct policy_view daemon_policy_now(const struct daemon *d);
/* What is coming in force; else what is. */
struct policy_view daemon_policy_coming(const struct daemon *d);

/* How many toFQDNs selectors a name matches, and up to room of them, as written. Borrowed. */
size_t daemon_policy_selectors(const struct daemon *d, const uint8_t *wire, size_t len,
			       const char **out, size_t room);
/* Is there a policy that selects names at all? Else every name is as needed as another. */
bool daemon_policy_exists(const struct daemon *d);
/* Does what is coming, or in force, need a name: of an endpoint, and matched by toFQDNs? */
bool daemon_policy_needs(const struct daemon *d, const struct snp_name_key *key,
			 const uint8_t *wire, size_t len);
/* What a canonical name matches in bank `bank`, by index in made.names: NULL: nothing. */
const uint32_t *daemon_policy_matched(const struct daemon *d, const uint8_t *wire, size_t len,
				      size_t bank, size_t *n);
/* The name of the endpoint whose scope it is, NULL: of none, or of all. */
const char *daemon_policy_endpoint(const struct daemon *d, uint32_t scope);

/* The configured endpoint of that number, NULL: there is none. */
const struct snp_endpoint_conf *daemon_endpoint_of(const struct daemon *d, uint32_t number);
/* Under which scope the i-th endpoint's answers are kept. */
uint32_t daemon_endpoint_scope(const struct daemon *d, size_t i);

void daemon_policy_fini(struct daemon *d);

#endif
