/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/policy_why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"

#define NS_PER_MS 1000000u
#define ICMP	  1

static const struct {
	const char *name, *text;
} verdicts[] = {
#define VERDICT(name, text, help) {text, help},
	SNP_VERDICTS(VERDICT)
#undef VERDICT
};

const char *policy_verdict_name(enum snp_verdict v)
{
	return (unsigned int)v < SNP_VERDICT_MAX ? verdicts[v].name : "unknown";
}

const char *policy_verdict_text(enum snp_verdict v)
{
	return (unsigned int)v < SNP_VERDICT_MAX ? verdicts[v].text : "unknown";
}

/* A slot of the address's rows under an identity that the class has something of. */
struct slot {
	uint32_t identity, ports;
	uint64_t end_ms;
	bool alive;
};

struct why {
	const uint8_t *tables;
	const struct policy_question *q;
	const struct snp_class *class;
	uint32_t class_number;
	uint32_t sets; /* of ports, at the address: denied below, allowed above bit 16 */
	struct slot slots[POLICY_ANSWER_IDENTITIES];
	size_t n_slots;
};

/* --- what stands in the rows --- */

static void read_slot(struct why *w, uint64_t slot, uint64_t alive_ms)
{
	uint32_t identity = SNP_SLOT_IDENTITY(slot);
	uint32_t ports = identity ? snp_allowed(w->tables, w->class_number, identity) : 0;

	if (ports)
		w->slots[w->n_slots++] = (struct slot){
			.identity = identity,
			.ports = ports,
			.end_ms = SNP_SLOT_END_MS(slot),
			.alive = SNP_SLOT_END_MS(slot) > alive_ms,
		};
}

static void read_rows(struct why *w, policy_row_fn row, void *ctx, bool given)
{
	uint64_t grace_ns = snp_policy_head(w->tables)->grace_ns;
	uint64_t alive_ms = (w->q->now_ns - grace_ns) / NS_PER_MS;
	struct snp_row_key key = {.addr = w->q->to.addr, .scope = w->q->scope};
	struct snp_row r;

	for (; key.chunk < SNP_ROW_CHUNKS && !row(ctx, given, &key, &r); key.chunk++)
		for (unsigned int i = 0; i < SNP_SLOTS; i++)
			read_slot(w, r.slot[i], alive_ms);
}

/* --- one flow --- */

static bool is_resolver(const struct policy_question *q, const struct snp_flow_to *to)
{
	if (to->no_ports || (to->protocol != 6 && to->protocol != 17))
		return false;
	for (size_t i = 0; i < q->n_resolver_ports; i++)
		if (q->resolver_ports[i] == to->port)
			return true;
	return false;
}

static enum snp_verdict judge(const struct why *w, const struct snp_flow_to *to)
{
	bool over = false, other_port = false;

	if (!w->class_number)
		return SNP_VERDICT_NONE;
	if (is_resolver(w->q, to))
		return SNP_VERDICT_RESOLVER;
	if (addr_is_loopback(&to->addr))
		return SNP_VERDICT_LOOPBACK;
	if (snp_ports_hold(w->tables, w->sets & 0xffff, to))
		return SNP_VERDICT_DENY_CIDR;
	for (size_t i = 0; i < w->n_slots; i++) {
		const struct slot *s = &w->slots[i];

		if (!s->alive)
			over = true;
		else if (snp_ports_hold(w->tables, s->ports, to))
			return SNP_VERDICT_NAME;
		else
			other_port = true;
	}
	if (snp_ports_hold(w->tables, w->sets >> 16, to))
		return SNP_VERDICT_CIDR;
	if (!(w->class->flags & SNP_CLASS_DEFAULT_DENY))
		return SNP_VERDICT_UNSELECTED;
	if (other_port)
		return SNP_VERDICT_DENY_PORT;
	return over ? SNP_VERDICT_DENY_EXPIRED : SNP_VERDICT_DENY_NO_NAME;
}

/* --- whatever port --- */

/* Of the verdicts of several ports, the one that says most. */
static int rank_of(enum snp_verdict v)
{
	static const enum snp_verdict least_first[] = {
		SNP_VERDICT_NONE,	  SNP_VERDICT_DENY_CIDR, SNP_VERDICT_DENY_NO_NAME,
		SNP_VERDICT_DENY_EXPIRED, SNP_VERDICT_DENY_PORT, SNP_VERDICT_UNSELECTED,
		SNP_VERDICT_LOOPBACK,	  SNP_VERDICT_RESOLVER,	 SNP_VERDICT_CIDR,
		SNP_VERDICT_NAME,
	};

	for (size_t i = 0; i < sizeof(least_first) / sizeof(least_first[0]); i++)
		if (least_first[i] == v)
			return (int)i;
	return -1;
}

/* Ports at which the verdict may change. */
struct points {
	uint32_t *at;
	size_t n, room;
};

static int add_point(struct points *p, uint32_t port)
{
	uint32_t *more;

	if (port > UINT16_MAX)
		return 0;
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;

		more = realloc(p->at, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->at = more;
		p->room = room;
	}
	p->at[p->n++] = port;
	return 0;
}

static int add_set(const struct why *w, struct points *p, uint32_t number, unsigned int kind)
{
	const struct snp_ports *set = snp_table_at(
		w->tables, struct snp_ports,
		snp_policy_head(w->tables)->ports_at + number * (uint32_t)sizeof(struct snp_ports));
	int r = 0;

	if (!number || set->all)
		return 0;
	for (uint32_t i = 0; i < set->n[kind] && !r; i++)
		r = add_point(p, *snp_table_at(w->tables, uint32_t, set->at[kind] + i * 4));
	return r;
}

static bool is_in_slot_before(const struct why *w, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (w->slots[j].ports == w->slots[i].ports)
			return true;
	return false;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int find_points(const struct why *w, struct points *p, unsigned int kind)
{
	int r = add_point(p, 0);

	if (!r)
		r = add_set(w, p, w->sets & 0xffff, kind);
	if (!r)
		r = add_set(w, p, w->sets >> 16, kind);
	for (size_t i = 0; i < w->n_slots && !r; i++)
		if (!is_in_slot_before(w, i))
			r = add_set(w, p, w->slots[i].ports, kind);
	for (size_t i = 0; i < w->q->n_resolver_ports && !r; i++) {
		r = add_point(p, w->q->resolver_ports[i]);
		if (!r)
			r = add_point(p, w->q->resolver_ports[i] + 1);
	}
	if (!r)
		qsort(p->at, p->n, sizeof(*p->at), by_number);
	return r;
}

struct summary {
	struct policy_answer *out;
	bool refused; /* some port is */
};

static void
sum_up(struct summary *s, enum snp_verdict v, uint8_t protocol, uint16_t first, uint16_t last)
{
	struct policy_answer *out = s->out;
	struct policy_run *before = out->n_runs ? &out->runs[out->n_runs - 1] : NULL;

	if (rank_of(v) > rank_of(out->verdict))
		out->verdict = v;
	if (SNP_VERDICT_IS_DENY(v))
		s->refused = true;
	else if (before && before->protocol == protocol && before->last + 1 == first)
		before->last = last;
	else if (out->n_runs < POLICY_ANSWER_RUNS)
		out->runs[out->n_runs++] = (struct policy_run){protocol, first, last};
}

static int judge_ports(const struct why *w, struct summary *s, unsigned int kind, uint8_t protocol)
{
	struct snp_flow_to to = {.addr = w->q->to.addr, .protocol = protocol};
	struct points p = {.n = 0};
	int r = find_points(w, &p, kind);

	for (size_t i = 0; i < p.n && !r; i++) {
		uint32_t end = i + 1 < p.n ? p.at[i + 1] : UINT16_MAX + 1;

		if (end == p.at[i])
			continue;
		to.port = (uint16_t)p.at[i];
		sum_up(s, judge(w, &to), protocol, to.port, (uint16_t)(end - 1));
	}
	free(p.at);
	return r;
}

static int judge_any(const struct why *w, struct policy_answer *out)
{
	static const uint8_t protocols[SNP_PORTS_PROTOCOLS] = {
		[SNP_PORTS_TCP] = 6,
		[SNP_PORTS_UDP] = 17,
		[SNP_PORTS_SCTP] = 132,
	};
	struct snp_flow_to icmp = {.addr = w->q->to.addr, .protocol = ICMP, .no_ports = 1};
	struct summary s = {.out = out};
	int r = 0;

	out->verdict = SNP_VERDICT_NONE;
	for (unsigned int kind = 0; kind < SNP_PORTS_PROTOCOLS && !r; kind++)
		r = judge_ports(w, &s, kind, protocols[kind]);
	if (!r)
		sum_up(&s, judge(w, &icmp), ICMP, 0, 0);
	if (!s.refused)
		out->n_runs = 0;
	return r;
}

/* --- the whole --- */

static void note_identities(const struct why *w, struct policy_answer *out)
{
	uint64_t grace_ms = snp_policy_head(w->tables)->grace_ns / NS_PER_MS;
	bool want_alive = out->verdict != SNP_VERDICT_DENY_EXPIRED;

	if (out->verdict != SNP_VERDICT_NAME && out->verdict != SNP_VERDICT_DENY_PORT && want_alive)
		return;
	for (size_t i = 0; i < w->n_slots; i++) {
		const struct slot *s = &w->slots[i];

		if (s->alive != want_alive)
			continue;
		if (out->verdict == SNP_VERDICT_NAME && !w->q->any &&
		    !snp_ports_hold(w->tables, s->ports, &w->q->to))
			continue;
		out->identities[out->n_identities++] = s->identity;
		if (s->end_ms + grace_ms > out->end_ms)
			out->end_ms = s->end_ms + grace_ms;
	}
}

int policy_why(const uint8_t *tables, const struct policy_question *q, policy_row_fn row, void *ctx,
	       struct policy_answer *out)
{
	SNP_CLEANUP(snp_freep)
	struct why *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	if (!tables || snp_policy_head(tables)->magic != SNP_POLICY_MAGIC)
		return 0;
	out->generation = snp_policy_head(tables)->generation;
	out->mode = snp_policy_head(tables)->mode;
	w->tables = tables;
	w->q = q;
	w->class_number = q->endpoint ? snp_policy_class(tables, q->endpoint) : 0;
	w->class = snp_class_at(tables, w->class_number);
	w->sets = snp_class_sets(tables, w->class, &q->to.addr);
	read_rows(w, row, ctx, false);
	read_rows(w, row, ctx, true);
	if (q->any)
		r = judge_any(w, out);
	else
		out->verdict = judge(w, &q->to);
	if (!r)
		note_identities(w, out);
	return r;
}
