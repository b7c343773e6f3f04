/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_open.c - the connections that were open when policy was first enforced. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/io/endpoints_priv.h"

struct found {
	struct snp_open *at;
	size_t n, room;
	bool lost; /* out of memory */
};

static void found_freep(struct found *f)
{
	free(f->at);
}

static void on_open(void *ctx, const struct snp_open *o)
{
	struct found *f = ctx;

	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 256;
		struct snp_open *more = reallocarray(f->at, room, sizeof(*more));

		if (!more) {
			f->lost = true;
			return;
		}
		f->at = more;
		f->room = room;
	}
	f->at[f->n++] = *o;
}

static int by_cookie(const void *a, const void *b)
{
	const struct snp_open *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

/* Each connection once, at its endpoint's place. */
static void count(struct found *f, uint64_t *opened)
{
	if (f->n)
		qsort(f->at, f->n, sizeof(*f->at), by_cookie);
	for (size_t i = 0; i < f->n; i++)
		if (!i || f->at[i].cookie != f->at[i - 1].cookie)
			opened[SNP_ENDPOINT_PLACE(f->at[i].endpoint)]++;
}

static int
begin(const struct endpoints *e, struct maps *m, const bool *is_new, struct endpoints_seen *seen)
{
	SNP_CLEANUP(found_freep)
	struct found f = {.n = 0};
	uint64_t opened[SNP_ENDPOINTS_MAX] = {0}, n;
	int r = maps_read_open(m, on_open, &f);

	if (!r && f.lost)
		r = -ENOMEM;
	if (r < 0)
		return r;
	count(&f, opened);
	for (size_t i = 0; i < e->n && !r; i++) {
		if (!is_new[i])
			continue;
		n = opened[SNP_ENDPOINT_PLACE(e->globs[i].member.endpoint)];
		r = maps_endpoint_enforced(m, e->globs[i].member.endpoint, n);
		seen->of[i].open = n;
		if (n)
			log_info("event=endpoint-connections-open endpoint=%s open=%" PRIu64
				 " hint=\"begun before policy was enforced: they go on\"",
				 e->names[i], n);
	}
	return r;
}

void endpoints_enforced(const struct endpoints *e, struct maps *m, const uint8_t *tables,
			struct endpoints_seen *seen)
{
	SNP_CLEANUP(snp_freep)
	bool *is_new = calloc(e->n + 1, sizeof(*is_new));
	struct snp_endpoint_row row;
	bool any = false;
	int r = is_new ? 0 : -ENOMEM;

	for (size_t i = 0; i < e->n && !r; i++) {
		r = maps_endpoint(m, e->globs[i].member.endpoint, &row);
		seen->of[i].open = r ? 0 : row.open;
		is_new[i] = !r && !row.enforced && tables &&
			    snp_policy_head(tables)->mode != SNP_MODE_OBSERVE &&
			    snp_policy_class(tables, e->globs[i].member.endpoint);
		any |= is_new[i];
	}
	if (!r && any)
		r = begin(e, m, is_new, seen);
	if (r < 0)
		log_warn("event=endpoint-connections-uncounted reason=\"%s\" hint=\"the next "
			 "reload counts those still open\"",
			 strerror(-r));
}
