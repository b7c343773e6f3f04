/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_policy.c - what the policy in force says of a name, and whose it is. */
#include "snooper/daemon_policy.h"

#include <stdlib.h>
#include <unistd.h>

#include "bpf/snp_endpoint.h"
#include "snooper/daemon.h"
#include "snooper/io/endpoints.h"

static struct policy_view view_of(const struct policy_made *made, enum policy_side side)
{
	return (struct policy_view){&made->names, &made->automata, made->tables[side], side};
}

struct policy_view daemon_policy_now(const struct daemon *d)
{
	struct policy_view v = view_of(&d->policy.made, d->policy.side);

	if (!d->policy.in_force)
		v.tables = NULL;
	return v;
}

struct policy_view daemon_policy_coming(const struct daemon *d)
{
	const struct policy_change *c = d->policy.next;

	if (!c)
		return daemon_policy_now(d);
	/* Once the first step is taken, what was made is ours. */
	return view_of(c->made.ids ? &c->made : &d->policy.made, POLICY_NEXT);
}

static const uint32_t *
matched(const struct policy_view *v, const uint8_t *wire, size_t len, size_t bank, size_t *n)
{
	uint32_t index[SNP_MATCH_BANKS];

	if (!v->names->n || bank >= v->automata->n_banks ||
	    match_name(v->automata, wire, len, index) || !index[bank])
		return NULL;
	return match_set(&v->automata->banks[bank], index[bank], n);
}

const uint32_t *daemon_policy_matched(const struct daemon *d, const uint8_t *wire, size_t len,
				      size_t bank, size_t *n)
{
	const struct policy_view v = daemon_policy_now(d);

	return matched(&v, wire, len, bank, n);
}

static size_t selectors(const struct policy_view *v, const uint8_t *wire, size_t len,
			const char **out, size_t room)
{
	size_t got = 0;

	for (size_t b = 0; b < v->automata->n_banks; b++) {
		size_t n = 0;
		const uint32_t *set = matched(v, wire, len, b, &n);

		for (size_t i = 0; set && i < n; i++) {
			if (!v->names->at[set[i]].in[v->side].fqdn)
				continue;
			if (got < room)
				out[got] = v->names->at[set[i]].text;
			got++;
		}
	}
	return got;
}

size_t daemon_policy_selectors(const struct daemon *d, const uint8_t *wire, size_t len,
			       const char **out, size_t room)
{
	const struct policy_view v = daemon_policy_now(d);

	return selectors(&v, wire, len, out, room);
}

bool daemon_policy_exists(const struct daemon *d)
{
	return d->policy.policy && d->policy.made.names.n;
}

bool daemon_policy_needs(const struct daemon *d, const struct snp_name_key *key,
			 const uint8_t *wire, size_t len)
{
	const struct policy_view v = daemon_policy_coming(d);
	const char *one;

	return key->scope != SNP_SCOPE_NONE && selectors(&v, wire, len, &one, 1);
}

const char *daemon_policy_endpoint(const struct daemon *d, uint32_t scope)
{
	const struct snp_endpoint_conf *of = daemon_endpoint_of(d, scope);

	return of ? of->name : NULL;
}

const struct snp_endpoint_conf *daemon_endpoint_of(const struct daemon *d, uint32_t number)
{
	size_t i = endpoints_find(d->endpoints, number);

	return i == SIZE_MAX ? NULL : &d->conf->endpoints[i];
}

uint32_t daemon_endpoint_scope(const struct daemon *d, size_t i)
{
	return d->conf->policy.scope_node ? SNP_SCOPE_NODE : endpoints_number(d->endpoints, i);
}

void daemon_policy_fini(struct daemon *d)
{
	struct daemon_policy *p = &d->policy;

	policy_free(p->policy);
	policy_made_fini(&p->made);
	free(p->host);
	free(p->looking.scopes);
	if (p->destroy_fd > 0)
		close(p->destroy_fd);
}
