/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_endpoint.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/intern.h"
#include "snooper/core/policy_allow.h"
#include "snooper/core/policy_blob.h"
#include "snooper/core/policy_classes.h"
#include "snooper/core/policy_groups.h"

/* What the compilation works with. */
struct making {
	const struct policy_input *in;
	struct policy_ids *ids;
	struct policy_ports *ports;
	struct intern *dns_sets; /* of indices in names */
	struct policy_groups *identities, *dns;
	struct snp_class *classes; /* by number */
	size_t n_classes;
	uint32_t class_of[SNP_ENDPOINTS_MAX];
	struct policy_blob blob;
	struct policy_allow allow;
	const char *why; /* of the first -E2BIG */
};

#define WHY_PORT_SETS  "more sets of ports than fit (65,535)"
#define WHY_PORT_RUNS  "more runs of ports towards one destination than fit (255)"
#define WHY_IDENTITIES "more identities than fit (4,194,303): sets of selectors that a name matches"
#define WHY_RANGES     "more ranges of addresses for one endpoint than fit (131,071)"
#define WHY_TABLES     "more selectors, CIDRs and endpoints than fit the tables (4 MiB)"
SNP_ASSERT(POLICY_PORT_SETS_MAX == 65535 && POLICY_PORT_RUNS_MAX == 255 &&
		   SNP_IDENTITY_MAX == 4194303 && SNP_RANGES_BITS == 17 &&
		   SNP_REGION_BYTES == 4u << 20,
	   "as the messages and the manual say");

static int too_big(struct making *m, const char *why)
{
	if (!m->why)
		m->why = why;
	return -E2BIG;
}

/* What core/policy_ports.h returns. */
static int ports_error(struct making *m, int e)
{
	if (e == -EOVERFLOW)
		return too_big(m, WHY_PORT_RUNS);
	return e == -E2BIG ? too_big(m, WHY_PORT_SETS) : e;
}

static int blob_error(struct making *m)
{
	return m->blob.error == -E2BIG ? too_big(m, WHY_TABLES) : m->blob.error;
}

static int add_allow(struct making *m, uint32_t class, uint32_t identity, uint32_t ports)
{
	int e = policy_allow_add(&m->allow, class, identity, ports);

	return e == -E2BIG ? too_big(m, WHY_TABLES) : e;
}

/* --- what automata give out --- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The identity, and the set of rules.dns, of members of names. */
static int
out_of(struct making *m, const uint32_t *members, size_t n, uint32_t *room, struct snp_out *out)
{
	size_t fqdns = 0, dns = 0;

	for (size_t i = 0; i < n; i++)
		if (m->in->names->at[members[i]].fqdn)
			room[fqdns++] = m->in->names->at[members[i]].selector;
	qsort(room, fqdns, sizeof(*room), by_number);
	if (fqdns) {
		out->identity = policy_ids_identity(m->ids, room, fqdns);
		if (!out->identity)
			return policy_ids_identities_full(m->ids) ? too_big(m, WHY_IDENTITIES)
								  : -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		if (m->in->names->at[members[i]].dns)
			room[dns++] = members[i];
	if (dns) {
		out->dns = intern_add(m->dns_sets, room, dns * sizeof(*room));
		if (!out->dns)
			return -ENOMEM;
	}
	return 0;
}

static int put_outs(struct making *m, size_t bank, uint32_t *head_at)
{
	const struct match_bank *b = &m->in->automata->banks[bank];
	uint32_t at = policy_blob_add(&m->blob, (b->n_sets + 1) * sizeof(struct snp_out));
	uint32_t *room = calloc(m->in->names->n + 1, sizeof(*room));
	int e = room ? blob_error(m) : -ENOMEM;

	for (uint32_t i = 1; i < b->n_sets && !e; i++) {
		size_t n;
		const uint32_t *set = match_set(b, i, &n);

		e = out_of(m, set, n, room, &policy_blob_at(&m->blob, struct snp_out, at)[i]);
	}
	free(room);
	*head_at = at;
	return e;
}

/* --- what identities, and sets of rules.dns, allow a class --- */

/* What the group of a thing is allowed, unless it was said before. */
static int say_group(struct making *m, const struct policy_groups *g, uint32_t group, bool *said)
{
	uint32_t step = group, class, ports;
	int e = 0;

	if (said[group])
		return 0;
	said[group] = true;
	while (!e && policy_groups_next(g, &step, &class, &ports))
		e = add_allow(m, class, group, ports);
	return e;
}

/* Every identity there ever was, as far as its selectors are still in names. */
static int add_identities(struct making *m)
{
	const struct policy_names *names = m->in->names;
	int e = 0;

	m->identities = policy_groups_new(m->ports, names->n, policy_ids_end(m->ids));
	if (!m->identities)
		return -ENOMEM;
	for (uint32_t i = 1; i < policy_ids_end(m->ids) && !e; i++) {
		size_t n;
		const uint32_t *set = policy_ids_set(m->ids, i, &n);

		for (size_t j = 0; set && j < n && !e; j++)
			if (set[j] < names->n_selectors && names->by_selector[set[j]])
				e = policy_groups_member(m->identities,
							 names->by_selector[set[j]] - 1, i);
	}
	return e;
}

static int add_dns_sets(struct making *m)
{
	int e = 0;

	m->dns = policy_groups_new(m->ports, m->in->names->n, intern_end(m->dns_sets));
	if (!m->dns)
		return -ENOMEM;
	for (uint32_t i = 1; i < intern_end(m->dns_sets) && !e; i++) {
		size_t len;
		const uint32_t *set = intern_bytes(m->dns_sets, i, &len);

		for (size_t j = 0; j < len / sizeof(*set) && !e; j++)
			e = policy_groups_member(m->dns, set[j], i);
	}
	return e;
}

static int say_identities(struct making *m)
{
	SNP_CLEANUP(snp_freep)
	bool *said = calloc(policy_groups_end(m->identities), sizeof(*said));
	int e = said ? 0 : -ENOMEM;

	for (uint32_t i = 1; i < policy_ids_end(m->ids) && !e; i++) {
		uint32_t group = policy_groups_of(m->identities, i);

		if (group)
			e = add_allow(m, SNP_ALLOW_GROUP, i, group);
		if (group && !e)
			e = say_group(m, m->identities, group, said);
	}
	return e;
}

/* In the tables a set of rules.dns selectors is known by its group: its number was for us only. */
static int say_dns(struct making *m, const struct snp_policy_head *h)
{
	SNP_CLEANUP(snp_freep)
	bool *said = calloc(policy_groups_end(m->dns), sizeof(*said));
	int e = said ? 0 : -ENOMEM;

	for (size_t bank = 0; bank < m->in->automata->n_banks; bank++) {
		struct snp_out *out = policy_blob_at(&m->blob, struct snp_out, h->outs_at[bank]);

		for (size_t i = 1; i < m->in->automata->banks[bank].n_sets && !e; i++) {
			if (out[i].dns)
				out[i].dns = policy_groups_of(m->dns, out[i].dns);
			if (out[i].dns)
				e = say_group(m, m->dns, out[i].dns, said);
		}
	}
	return e;
}

/* --- port sets and classes --- */

static int put_ports(struct making *m, uint32_t *head_at)
{
	uint32_t end = policy_ports_end(m->ports), at;

	at = policy_blob_add(&m->blob, end * sizeof(struct snp_ports));
	for (uint32_t i = 1; i < end; i++) {
		struct snp_ports p = {.all = policy_ports_all(m->ports, i)};

		for (unsigned int k = 0; k < SNP_PORTS_PROTOCOLS; k++) {
			size_t n;
			const uint32_t *limits = policy_ports_limits(m->ports, i, k, &n);

			p.n[k] = n;
			p.at[k] = n ? policy_blob_share(&m->blob,
							policy_blob_put(&m->blob, limits,
									n * sizeof(*limits)))
				    : 0;
		}
		if (m->blob.error)
			break;
		policy_blob_at(&m->blob, struct snp_ports, at)[i] = p;
	}
	*head_at = at;
	return blob_error(m);
}

static uint32_t put_v4(struct policy_blob *b, const struct policy_range *r, size_t n)
{
	uint32_t at = policy_blob_add(b, n * sizeof(struct snp_range4));

	for (size_t i = 0; i < n && !b->error; i++)
		policy_blob_at(b, struct snp_range4, at)[i] =
			(struct snp_range4){(uint32_t)r[i].from, r[i].deny, r[i].allow};
	return policy_blob_share(b, at);
}

static uint32_t put_v6(struct policy_blob *b, const struct policy_range *r, size_t n)
{
	uint32_t at = policy_blob_add(b, n * sizeof(struct snp_range6));

	for (size_t i = 0; i < n && !b->error; i++)
		policy_blob_at(b, struct snp_range6, at)[i] = (struct snp_range6){
			.from = {(uint64_t)(r[i].from >> 64), (uint64_t)r[i].from},
			.deny = r[i].deny,
			.allow = r[i].allow,
		};
	return policy_blob_share(b, at);
}

static int take_class(void *ctx, uint32_t number, const struct policy_class *c)
{
	struct making *m = ctx;
	int e = policy_groups_class(m->identities, number, c->grants, c->n_grants);

	if (!e)
		e = policy_groups_class(m->dns, number | SNP_ALLOW_DNS, c->dns, c->n_dns);
	if (e)
		return ports_error(m, e);
	if (c->n_v4 >> SNP_RANGES_BITS || c->n_v6 >> SNP_RANGES_BITS)
		return too_big(m, WHY_RANGES);
	m->classes[number] = (struct snp_class){
		.flags = c->flags,
		.n4 = c->n_v4,
		.n6 = c->n_v6,
		.at4 = put_v4(&m->blob, c->v4, c->n_v4),
		.at6 = put_v6(&m->blob, c->v6, c->n_v6),
	};
	return blob_error(m);
}

/* --- the whole --- */

static int put_rest(struct making *m, struct snp_policy_head *h)
{
	int e;

	h->class_of_at = policy_blob_put(&m->blob, m->class_of, sizeof(m->class_of));
	h->classes_at = policy_blob_put(&m->blob, m->classes, m->n_classes * sizeof(*m->classes));
	e = policy_allow_put(&m->allow, &m->blob, &h->allow_at, &h->allow_mask);
	if (e)
		return e == -E2BIG ? too_big(m, WHY_TABLES) : e;
	return put_ports(m, &h->ports_at);
}

static int compile(struct making *m, struct snp_policy_head *h)
{
	int e = 0;

	for (size_t i = 0; i < m->in->automata->n_banks && !e; i++)
		e = put_outs(m, i, &h->outs_at[i]);
	if (!e)
		e = add_identities(m);
	if (!e)
		e = add_dns_sets(m);
	if (!e)
		e = ports_error(m, policy_classes_make(m->in, m->ids, m->ports, take_class, m,
						       m->class_of, &m->n_classes));
	if (!e)
		e = say_identities(m);
	if (!e)
		e = say_dns(m, h);
	return e ? e : put_rest(m, h);
}

int policy_compile(const struct policy_input *in, struct policy_ids *ids, uint8_t **tables,
		   size_t *len, const char **why)
{
	struct making m = {.in = in, .ids = ids, .ports = policy_ports_new()};
	struct snp_policy_head h = {
		.magic = SNP_POLICY_MAGIC,
		.generation = in->generation,
		.mode = in->mode,
		.n_banks = in->automata->n_banks,
		.grace_ns = in->grace_ns,
		.idle_ns = in->idle_ns,
		.matched_only = in->matched_only,
	};
	int e = -ENOMEM;

	m.dns_sets = intern_new(1u << 30);
	m.classes = calloc(in->n_endpoints + 1, sizeof(*m.classes));
	policy_blob_init(&m.blob, sizeof(h));
	if (m.ports && m.dns_sets && m.classes && !m.blob.error)
		e = compile(&m, &h);
	if (!e) {
		h.bytes = (uint32_t)m.blob.len;
		memcpy(m.blob.bytes, &h, sizeof(h));
		*tables = snp_take(&m.blob.bytes);
		*len = m.blob.len;
	}
	if (e == -E2BIG)
		*why = m.why;
	policy_blob_fini(&m.blob);
	policy_allow_fini(&m.allow);
	policy_groups_free(m.identities);
	policy_groups_free(m.dns);
	free(m.classes);
	policy_ports_free(m.ports);
	intern_free(m.dns_sets);
	return e;
}
