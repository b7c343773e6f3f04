/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_status.c - of status what is about policy: what is in force, how verdicts fell. */
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_endpoint.h"
#include "snooper/core/policy_why.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/maps_policy.h"

struct counting {
	struct daemon *d;
	size_t at
		[SNP_ENDPOINTS_MAX]; /* of endpoints, by place: which of the configuration, from 1 */
};

static void on_verdict(void *ctx, const struct snp_verdict_key *key, uint64_t n)
{
	const struct counting *c = ctx;
	struct daemon *d = c->d;
	size_t at = c->at[SNP_ENDPOINT_PLACE(key->endpoint)];
	struct snp_status_verdict *more;

	/* Of an endpoint that is not configured any more: its place may be another's. */
	if (!at || endpoints_number(d->endpoints, at - 1) != key->endpoint)
		return;
	if (d->n_verdict_rows == d->room_verdict_rows) {
		size_t room = d->room_verdict_rows ? d->room_verdict_rows * 2 : 32;

		more = realloc(d->verdict_rows, room * sizeof(*more));
		if (!more)
			return;
		d->verdict_rows = more;
		d->room_verdict_rows = room;
	}
	d->verdict_rows[d->n_verdict_rows++] = (struct snp_status_verdict){
		.endpoint = d->conf->endpoints[at - 1].name,
		.verdict = policy_verdict_name(key->verdict),
		.flows = n,
	};
}

static int by_endpoint(const void *a, const void *b)
{
	const struct snp_status_verdict *x = a, *y = b;
	int r = strcmp(x->endpoint, y->endpoint);

	return r ? r : strcmp(x->verdict, y->verdict);
}

void daemon_policy_status(struct daemon *d, struct snp_status *st, uint64_t now_ns)
{
	const struct daemon_policy *p = &d->policy;
	struct counting counting = {.d = d};

	st->policy.generation = p->in_force;
	st->policy.specs = p->policy ? p->policy->n_specs : 0;
	st->policy.selectors = p->made.names.of[p->side];
	maps_rows_held(d->maps, &st->policy.rows, &st->policy.slots);
	if (p->loaded_ns)
		st->policy.loaded_ms_ago = daemon_ms_between(p->loaded_ns, now_ns);
	st->policy.load_us = p->load_took_ns / 1000;
	d->n_verdict_rows = 0;
	for (size_t i = 0; i < d->conf->n_endpoints; i++)
		counting.at[SNP_ENDPOINT_PLACE(endpoints_number(d->endpoints, i))] = i + 1;
	maps_verdicts(d->maps, on_verdict, &counting);
	if (d->n_verdict_rows)
		qsort(d->verdict_rows, d->n_verdict_rows, sizeof(*d->verdict_rows), by_endpoint);
	st->verdicts = d->verdict_rows;
	st->n_verdicts = d->n_verdict_rows;
}
