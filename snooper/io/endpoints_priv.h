/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_priv.h - what the endpoints*.c files share. Nobody else includes it. */
#ifndef SNP_ENDPOINTS_PRIV_H
#define SNP_ENDPOINTS_PRIV_H

#include "snooper/io/endpoints.h"
#include "snooper/io/maps_endpoints.h"

#define STRAYS_LISTED 64

struct endpoints {
	size_t n;
	char **names;
	struct snp_glob *globs; /* one each, in the order of the configuration */
	struct snp_status_endpoint *shown;
	char *root;	   /* of cgroup v2; NULL: no endpoints */
	bool tell_overlap; /* the configuration is new */
	int settle_error;  /* of the last reading of the tree */
	/* as of the last audit */
	struct snp_stray strays[STRAYS_LISTED];
	size_t n_listed;
	uint64_t n_strays;
};

/* Which of ours has the number, e->n: none. */
size_t endpoints_find(const struct endpoints *e, uint32_t number);

#endif
