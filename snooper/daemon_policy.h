/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon_policy.h - the policy in force: read, compiled, published; and what it says of a name.
 *
 * A reload goes in two steps (core/policy_compile.h), and what is learned is looked at again
 * between them: an address that both policies allow is usable throughout.
 */
#ifndef SNP_DAEMON_POLICY_H
#define SNP_DAEMON_POLICY_H

#include "bpf/snp_verdict.h"
#include "snooper/core/policy_compile.h"
#include "snooper/io/conf_diag.h"
#include "snooper/io/maps.h"

struct daemon;

struct daemon_policy {
	struct policy *policy; /* in force; NULL: none */
	struct policy *before; /* what was, for a reload that fails later */
	struct policy_ids *ids;
	struct policy_names names;    /* of it, and of the one before */
	struct match_tables automata; /* of names */
	struct snp_addr *host;	      /* our own addresses, as it was compiled with */
	size_t n_host;
	uint32_t generation; /* the last that was put in force, by us or an earlier daemon */
	uint32_t in_force;   /* 0: none is */
	uint8_t *tables;     /* ... region SNP_POLICY_TABLES of it, all of it; NULL: none is */
	size_t n_selectors;  /* of the policy in force */
	bool unread; /* the files could not be read at start: what an earlier daemon put in force stays */
	bool locked; /* it could not be read at start: its endpoints may do nothing (policy.on_error) */
	int destroy_fd;	       /* sock_destroy.h, from 1; 0: none */
	uint64_t cut, not_cut; /* connections ended; those of other network namespaces, or gone */
	uint64_t followed_ns;  /* when our own addresses were last looked at */
	uint64_t load_took_ns; /* the last time that one was put in force */
	uint64_t loaded_ns, given, not_given; /* when; rows written for what was known before */
};

/* What is to be put in force: NULL: it could not be read. */
struct policy_change {
	struct policy *take;
	bool applied; /* out: it was put in force, and can be undone */
};

/* What conf's directory holds, checked whole. 0 and *out; else as policy_yaml.h, told in diag. */
int daemon_policy_read(const struct snp_conf *conf, struct policy **out, struct conf_diag *diag);

/* Put a policy in force; NULL: it could not be read, at start. 0; -errno and *why: what was stays. */
int daemon_policy_apply(struct daemon *d, struct policy *take, struct maps_problem *why);

/* The one before the last that was applied, again. */
void daemon_policy_undo(struct daemon *d);

/* Our own addresses may have changed: what toEntities means follows them. Now and then. */
void daemon_policy_follow(struct daemon *d, uint64_t now_ns);

/* Look at all that is known again: what was learned under an older generation, or before us. */
void daemon_policy_look_again(struct daemon *d);
/* A fact of another origin than the kernel: what policy makes of it. */
void daemon_policy_grant(struct daemon *d, const struct snp_name_key *key,
			 const struct snp_addr *addr, uint64_t expiry_ns);

/* The kernel refuses a connection that was there: have its owner know at once. */
void daemon_policy_cut(void *ctx, const struct snp_event_cut *cut);

/* The toFQDNs selectors, as written, that a name matches: up to room of them. Borrowed. */
size_t daemon_policy_selectors(const struct daemon *d, const uint8_t *wire, size_t len,
			       const char **out, size_t room);
/* Is there a policy that selects names at all? Else every name is as needed as another. */
bool daemon_policy_exists(const struct daemon *d);
/* Does it need a name: of an endpoint, and matched by toFQDNs? */
bool daemon_policy_needs(const struct daemon *d, const struct snp_name_key *key,
			 const uint8_t *wire, size_t len);
/* What a canonical name matches in bank `bank`, by index in policy.names: NULL: nothing. */
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
