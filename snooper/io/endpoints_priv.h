/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_priv.h - what the endpoints*.c files share. Nobody else includes it. */
#ifndef SNP_ENDPOINTS_PRIV_H
#define SNP_ENDPOINTS_PRIV_H

#include "snooper/core/cgroup_glob.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/maps_endpoints.h"

#define STRAYS_LISTED 64

struct endpoints {
	size_t n;
	char **names;
	struct snp_glob *globs;		/* one each, in the order of the configuration */
	struct cgroup_gist *gist;	/* of each */
	uint16_t at[SNP_ENDPOINTS_MAX]; /* by place, which of them, from 1; 0: none */
	struct snp_status_endpoint *shown;
	struct endpoints_count {
		struct maps_members_pos at;
		bool under_way;
		uint32_t now[SNP_ENDPOINTS_MAX];  /* so far, by place */
		uint32_t last[SNP_ENDPOINTS_MAX]; /* by the last count to the end */
	} count;
	char *root;		     /* of cgroup v2; NULL: no endpoints */
	struct endpoints_seen *seen; /* by the last look; never NULL */
};

struct endpoints_seen {
	bool told_overlaps; /* with the first reading of the tree */
	int settle_error;   /* of the last one */
	bool moved;	    /* a cgroup was another endpoint's before that */
	/* as of the last audit */
	struct snp_stray strays[STRAYS_LISTED];
	size_t n_listed;
	uint64_t n_strays;
	/* of each endpoint, in the order of the configuration */
	struct endpoint_seen {
		uint64_t outside; /* sockets that are not its own */
		uint64_t open;	  /* connections older than its policy */
	} of[];
};

#endif
