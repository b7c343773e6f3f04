/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_endpoint.h"
#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/intern.h"
#include "snooper/core/policy_classes.h"

/* --- the region as it grows --- */

struct blob {
	uint8_t *bytes;
	size_t len, room;
	int error; /* the first one; then nothing more is added. -E2BIG: SNP_REGION_BYTES */
};

/* Room for n bytes, zero. Its offset; 0 on error. */
static uint32_t blob_add(struct blob *b, size_t n)
{
	size_t at = (b->len + SNP_TABLE_ALIGN - 1) & ~(size_t)(SNP_TABLE_ALIGN - 1), room = b->room;
	uint8_t *more;

	if (b->error)
		return 0;
	if (n > SNP_REGION_BYTES || at + n > SNP_REGION_BYTES) {
		b->error = -E2BIG;
		return 0;
	}
	while (room < at + n)
		room = room ? room * 2 : 65536;
	if (room != b->room) {
		more = realloc(b->bytes, room);
		if (!more) {
			b->error = -ENOMEM;
			return 0;
		}
		memset(more + b->room, 0, room - b->room);
		b->bytes = more;
		b->room = room;
	}
	b->len = at + n;
	return at;
}

static uint32_t blob_put(struct blob *b, const void *from, size_t n)
{
	uint32_t at = blob_add(b, n);

	if (!b->error && n)
		memcpy(b->bytes + at, from, n);
	return at;
}

/* What was added at `at`; valid until more is. */
#define blob_at(b, type, at) ((type *)((b)->bytes + (at)))

/* What the compilation works with. */
struct making {
	const struct policy_input *in;
	struct policy_ids *ids;
	struct policy_ports *ports;
	struct policy_classes classes;
	struct intern *dns_sets; /* of indices in names */
	struct blob blob;
	/* what goes to snp_allow */
	struct snp_allow *allow;
	size_t n_allow, room_allow;
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
	struct snp_allow *more;

	if (m->n_allow == SNP_REGION_BYTES / sizeof(*more))
		return too_big(m, WHY_TABLES);
	if (m->n_allow == m->room_allow) {
		size_t room = m->room_allow ? m->room_allow * 2 : 256;

		more = realloc(m->allow, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->allow = more;
		m->room_allow = room;
	}
	m->allow[m->n_allow++] = (struct snp_allow){class, identity, ports, 0};
	return 0;
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
	uint32_t at = blob_add(&m->blob, (b->n_sets + 1) * sizeof(struct snp_out));
	uint32_t *room = calloc(m->in->names->n + 1, sizeof(*room));
	int e = room ? blob_error(m) : -ENOMEM;

	for (uint32_t i = 1; i < b->n_sets && !e; i++) {
		size_t n;
		const uint32_t *set = match_set(b, i, &n);

		e = out_of(m, set, n, room, &blob_at(&m->blob, struct snp_out, at)[i]);
	}
	free(room);
	*head_at = at;
	return e;
}

/* --- what identities, and sets of rules.dns, allow a class --- */

static int allow_identities(struct making *m, uint32_t class)
{
	const struct policy_class *c = &m->classes.at[class];
	const struct policy_names *names = m->in->names;
	int e = 0;

	for (uint32_t i = 1; i < policy_ids_end(m->ids) && !e; i++) {
		size_t n;
		const uint32_t *set = policy_ids_set(m->ids, i, &n);
		uint32_t ports = 0;

		for (size_t j = 0; set && j < n && !e; j++)
			if (set[j] < names->n_selectors && names->by_selector[set[j]])
				e = ports_error(m, policy_ports_union(
							   m->ports, ports,
							   c->ports[names->by_selector[set[j]] - 1],
							   &ports));
		if (!e && ports)
			e = add_allow(m, class, i, ports);
	}
	return e;
}

static int allow_dns(struct making *m, uint32_t class)
{
	const struct policy_class *c = &m->classes.at[class];
	int e = 0;

	for (uint32_t i = 1; i < intern_end(m->dns_sets) && !e; i++) {
		size_t len, j;
		const uint32_t *set = intern_bytes(m->dns_sets, i, &len);

		for (j = 0; j < len / sizeof(*set) && !c->dns[set[j]]; j++)
			;
		if (j < len / sizeof(*set))
			e = add_allow(m, class | SNP_ALLOW_DNS, i, 1);
	}
	return e;
}

/* Open addressing, at most half full, and more room until no key is far from its place. */
static bool hash_allow(const struct making *m, struct snp_allow *table, uint32_t mask)
{
	for (size_t i = 0; i < m->n_allow; i++) {
		uint32_t at = snp_hash_allow(m->allow[i].class, m->allow[i].identity), j;

		for (j = 0; j < SNP_ALLOW_PROBES && table[(at + j) & mask].class; j++)
			;
		if (j == SNP_ALLOW_PROBES)
			return false;
		table[(at + j) & mask] = m->allow[i];
	}
	return true;
}

static int put_allow(struct making *m, uint32_t *at, uint32_t *mask)
{
	size_t n = 16;

	while (n < m->n_allow * 2)
		n *= 2;
	for (; n * sizeof(struct snp_allow) <= SNP_REGION_BYTES; n *= 2) {
		SNP_CLEANUP(snp_freep)
		struct snp_allow *table = calloc(n, sizeof(*table));

		if (!table)
			return -ENOMEM;
		if (!hash_allow(m, table, n - 1))
			continue;
		*at = blob_put(&m->blob, table, n * sizeof(*table));
		*mask = n - 1;
		return blob_error(m);
	}
	return too_big(m, WHY_TABLES);
}

/* --- port sets and classes --- */

static int put_ports(struct making *m, uint32_t *head_at)
{
	uint32_t end = policy_ports_end(m->ports), at;

	at = blob_add(&m->blob, end * sizeof(struct snp_ports));
	for (uint32_t i = 1; i < end; i++) {
		struct snp_ports p = {.all = policy_ports_all(m->ports, i)};

		for (unsigned int k = 0; k < SNP_PORTS_PROTOCOLS; k++) {
			size_t n;
			const uint32_t *limits = policy_ports_limits(m->ports, i, k, &n);

			p.n[k] = n;
			p.at[k] = n ? blob_put(&m->blob, limits, n * sizeof(*limits)) : 0;
		}
		if (m->blob.error)
			break;
		blob_at(&m->blob, struct snp_ports, at)[i] = p;
	}
	*head_at = at;
	return blob_error(m);
}

static uint32_t put_v4(struct blob *b, const struct policy_range *r, size_t n)
{
	uint32_t at = blob_add(b, n * sizeof(struct snp_range4));

	for (size_t i = 0; i < n && !b->error; i++)
		blob_at(b, struct snp_range4, at)[i] =
			(struct snp_range4){(uint32_t)r[i].from, r[i].deny, r[i].allow};
	return at;
}

static uint32_t put_v6(struct blob *b, const struct policy_range *r, size_t n)
{
	uint32_t at = blob_add(b, n * sizeof(struct snp_range6));

	for (size_t i = 0; i < n && !b->error; i++)
		blob_at(b, struct snp_range6, at)[i] = (struct snp_range6){
			.from = {(uint64_t)(r[i].from >> 64), (uint64_t)r[i].from},
			.deny = r[i].deny,
			.allow = r[i].allow,
		};
	return at;
}

static int put_classes(struct making *m, uint32_t *head_at)
{
	uint32_t at = blob_add(&m->blob, m->classes.n * sizeof(struct snp_class));

	for (size_t i = 0; i < m->classes.n; i++) {
		const struct policy_class *c = &m->classes.at[i];
		struct snp_class row = {.flags = c->flags, .n4 = c->n_v4, .n6 = c->n_v6};

		if (c->n_v4 >> SNP_RANGES_BITS || c->n_v6 >> SNP_RANGES_BITS)
			return too_big(m, WHY_RANGES);
		row.at4 = put_v4(&m->blob, c->v4, c->n_v4);
		row.at6 = put_v6(&m->blob, c->v6, c->n_v6);
		if (m->blob.error)
			break;
		blob_at(&m->blob, struct snp_class, at)[i] = row;
	}
	*head_at = at;
	return blob_error(m);
}

/* --- the whole --- */

static int compile(struct making *m, struct snp_policy_head *h)
{
	int e = ports_error(m, policy_classes_make(m->in, m->ids, m->ports, &m->classes));

	for (size_t i = 0; i < m->in->automata->n_banks && !e; i++)
		e = put_outs(m, i, &h->outs_at[i]);
	for (uint32_t i = 1; i < m->classes.n && !e; i++) {
		e = allow_identities(m, i);
		if (!e)
			e = allow_dns(m, i);
	}
	if (e)
		return e;
	h->class_of_at =
		blob_put(&m->blob, m->classes.of, SNP_ENDPOINTS_MAX * sizeof(*m->classes.of));
	e = put_classes(m, &h->classes_at);
	if (!e)
		e = put_allow(m, &h->allow_at, &h->allow_mask);
	return e ? e : put_ports(m, &h->ports_at);
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
	blob_add(&m.blob, sizeof(h));
	if (m.ports && m.dns_sets && !m.blob.error)
		e = compile(&m, &h);
	if (!e) {
		memcpy(m.blob.bytes, &h, sizeof(h));
		*tables = m.blob.bytes;
		*len = m.blob.len;
		m.blob.bytes = NULL;
	}
	if (e == -E2BIG)
		*why = m.why;
	free(m.blob.bytes);
	free(m.allow);
	policy_classes_fini(&m.classes);
	policy_ports_free(m.ports);
	intern_free(m.dns_sets);
	return e;
}
