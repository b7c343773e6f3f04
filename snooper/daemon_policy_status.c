/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy_status.c - of status what is about policy: what is in force, how verdicts fell. */
#include <stdlib.h>
#include <string.h>

#include "snooper/core/policy_why.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/maps_policy.h"

static void on_verdict(void *ctx, const struct snp_verdict_key *key, uint64_t n)
{
	struct daemon *d = ctx;
	const struct snp_endpoint_conf *of = daemon_endpoint_of(d, key->endpoint);
	struct snp_status_verdict *more;

	if (!of)
		return; /* it is not configured any more */
	if (d->n_verdict_rows == d->room_verdict_rows) {
		size_t room = d->room_verdict_rows ? d->room_verdict_rows * 2 : 32;

		more = realloc(d->verdict_rows, room * sizeof(*more));
		if (!more) {
			d->verdicts_untold++;
			return;
		}
		d->verdict_rows = more;
		d->room_verdict_rows = room;
	}
	d->verdict_rows[d->n_verdict_rows++] = (struct snp_status_verdict){
		.endpoint = of->name,
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

	st->policy.generation = p->in_force;
	st->policy.specs = p->policy ? p->policy->n_specs : 0;
	st->policy.selectors = p->made.names.of[p->side];
	maps_rows_held(d->maps, &st->policy.rows, &st->policy.slots);
	if (p->loaded_ns)
		st->policy.loaded_ms_ago = daemon_ms_between(p->loaded_ns, now_ns);
	st->policy.load_us = p->load_took_ns / 1000;
	st->policy.connections_ended = p->cut;
	st->policy.connections_not_ended = p->not_cut;
	st->policy.not_given = p->not_given;
	st->policy.not_followed = p->not_followed;
	d->n_verdict_rows = 0;
	maps_verdicts(d->maps, on_verdict, d);
	if (d->n_verdict_rows)
		qsort(d->verdict_rows, d->n_verdict_rows, sizeof(*d->verdict_rows), by_endpoint);
	st->verdicts = d->verdict_rows;
	st->n_verdicts = d->n_verdict_rows;
	st->policy.verdicts_untold = d->verdicts_untold;
}
