/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_files.c - what the files say: the configuration, the policy's, and certificates. By any thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/daemon_reload.h"
#include "snooper/io/conf_host.h"
#include "snooper/io/conf_yaml.h"
#include "snooper/io/policy_match.h"
#include "snooper/io/policy_yaml.h"
#include "snooper/rpc/grpc_tls.h"

int daemon_policy_read(const struct snp_conf *conf, struct policy **out, struct conf_diag *diag)
{
	SNP_CLEANUP(policy_matched_fini)
	struct policy_matched matched = {.ids = NULL};
	struct policy *p = NULL;
	int r = policy_read_configured(conf, &p, diag);

	if (!r)
		r = policy_match(p, &matched, diag);
	if (r) {
		policy_free(p);
		return r;
	}
	*out = p;
	return 0;
}

/* The first two of them. What was wrong, or to be said, is printed; *said is a copy of it. */
static int
read_policy(const struct daemon *d, struct snp_conf **conf, struct policy **policy, char **said)
{
	SNP_CLEANUP(conf_diag_fini)
	struct conf_diag diag = {0};
	int r = conf_read(d->conf_path, conf, &diag);

	if (!r)
		r = conf_fill_from_host(*conf, &diag);
	if (!r)
		r = daemon_policy_read(*conf, policy, &diag);
	if (diag.text) {
		fputs(diag.text, stderr);
		*said = strdup(diag.text);
	}
	return r;
}

int daemon_read_files(const struct daemon *d, struct snp_conf **conf, struct policy **policy,
		      struct grpc_tls **tls, char **errors)
{
	SNP_CLEANUP(snp_freep)
	char *said = NULL;
	int r = read_policy(d, conf, policy, &said);

	if (r)
		*errors = snp_take(&said);
	else if (d->conf->export.listen)
		r = daemon_read_tls(*conf, tls, errors);
	return r;
}
