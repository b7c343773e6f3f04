/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon_why.c - may an endpoint begin a flow to an address now, by which rule, and by which names? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/name.h"
#include "snooper/core/policy_rule.h"
#include "snooper/core/policy_why.h"
#include "snooper/core/text.h"
#include "snooper/daemon.h"
#include "snooper/daemon_lines.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/maps_policy.h"

#define NAMES_SHOWN	 1000
#define SELECTORS_SHOWN	 64
#define RESOLVER_PORTS	 16
#define ENDPOINTS_A_TURN 32
#define RUN_TEXT	 20

/* A name that holds the address. */
struct holder {
	struct snp_name_key key;
	uint8_t wire[SNP_NAME_MAX + 1];
	uint8_t wire_len;
	char text[NAME_TEXT_MAX];
};

struct why_reading {
	struct snp_policy_asked asked;
	char *endpoint; /* NULL: each of them */
	uint64_t cursor;
	bool scanned;
	struct holder *holders;
	size_t n_holders, room;
	size_t next; /* endpoint, of the configuration */
};

const char *const daemon_mode_names[] = {
	[SNP_MODE_OBSERVE] = "observe", [SNP_MODE_AUDIT] = "audit", [SNP_MODE_ENFORCE] = "enforce"};

char *daemon_place_text(const struct policy_place *at)
{
	char *text;

	if (!at || !at->file || asprintf(&text, "%s:%u", at->file, at->line) < 0)
		return NULL;
	text_make_utf8(text);
	return text;
}

static void why_close(void *ctx, void *reading)
{
	struct why_reading *r = reading;

	if (!r)
		return;
	free(r->endpoint);
	free(r->holders);
	free(r);
}

static int why_open(void *ctx, const struct snp_policy_asked *asked, void **reading)
{
	struct daemon *d = ctx;
	struct why_reading *r;
	bool is_known = !asked->endpoint;

	for (size_t i = 0; i < d->conf->n_endpoints && !is_known; i++)
		is_known = !strcmp(d->conf->endpoints[i].name, asked->endpoint);
	if (!is_known)
		return -ENOENT;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->asked = *asked;
	r->asked.to.addr = asked->addr;
	r->endpoint = asked->endpoint ? strdup(asked->endpoint) : NULL;
	if (asked->endpoint && !r->endpoint) {
		free(r);
		return -ENOMEM;
	}
	*reading = r;
	return 0;
}

/* --- the names --- */

static int hold(struct why_reading *r, const struct fqdn_name *name)
{
	struct holder *h;

	if (r->n_holders == r->room) {
		size_t room = r->room ? r->room * 2 : 16;

		h = realloc(r->holders, room * sizeof(*h));
		if (!h)
			return -ENOMEM;
		r->holders = h;
		r->room = room;
	}
	h = &r->holders[r->n_holders];
	h->key = name->key;
	memcpy(h->wire, name->wire, name->wire_len);
	h->wire_len = name->wire_len;
	if (name_to_text(name->wire, name->wire_len, h->text) >= 0)
		r->n_holders++;
	return 0;
}

struct scanning {
	struct daemon *d;
	struct why_reading *reading;
	int error;
};

static void on_scope(void *ctx, const struct fqdn_name *name)
{
	struct scanning *s = ctx;

	if (!s->error && fqdn_cache_has(s->d->cache, &name->key, &s->reading->asked.addr))
		s->error = hold(s->reading, name);
}

/* A slice of the names. 1: there are more; 0; -ENOMEM. */
static int scan(struct daemon *d, struct why_reading *r)
{
	struct scanning s = {d, r, 0};
	struct fqdn_name name;

	for (unsigned int i = 0; i < DAEMON_SLICE && !s.error; i++) {
		if (!fqdn_cache_next(d->cache, &r->cursor, &name))
			return 0;
		fqdn_cache_scopes(d->cache, &name.key, on_scope, &s);
	}
	return s.error ? s.error : 1;
}

/* --- one endpoint --- */

struct case_of {
	struct daemon *d;
	const struct why_reading *reading;
	const struct snp_endpoint_conf *endpoint;
	uint32_t scope;
	struct policy_answer answer;
	/* The selectors that the identities stand for, by number, sorted. */
	uint32_t *numbers;
	size_t n_numbers;
	/* what is shown */
	const struct policy_place *place;
	const char *selectors[SELECTORS_SHOWN];
	size_t n_selectors;
	const char *names[NAMES_SHOWN];
	size_t n_names;
	uint64_t unlisted;
	char runs[POLICY_ANSWER_RUNS][RUN_TEXT];
	const char *ports[POLICY_ANSWER_RUNS];
};

static int row_of(void *ctx, bool given, const struct snp_row_key *key, struct snp_row *row)
{
	struct daemon *d = ctx;

	return maps_row(d->maps, given ? MAPS_GRANTED : MAPS_LEARNED, key, row);
}

static void
add_port(const struct snp_endpoint *e, const struct snp_addr *addr, uint16_t *ports, size_t *n)
{
	if (*n < RESOLVER_PORTS && !memcmp(&e->addr, addr, sizeof(*addr)))
		ports[(*n)++] = e->port;
}

/* On which ports the address is a resolver, as kconf.c tells the kernel. */
static size_t resolver_ports(const struct snp_conf *conf, const struct snp_addr *addr,
			     uint16_t ports[static RESOLVER_PORTS])
{
	size_t n = 0;

	for (size_t i = 0; i < conf->observe.n_resolvers; i++)
		add_port(&(struct snp_endpoint){.addr = conf->observe.resolvers[i],
						.port = conf->observe.port},
			 addr, ports, &n);
	for (size_t i = 0; i < conf->proxy.n_addresses; i++)
		add_port(&conf->proxy.addresses[i], addr, ports, &n);
	for (size_t i = 0; i < conf->proxy.n_fallback; i++)
		add_port(&conf->proxy.fallback[i], addr, ports, &n);
	return n;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_behind(const struct case_of *c, uint32_t selector)
{
	return bsearch(&selector, c->numbers, c->n_numbers, sizeof(selector), by_number);
}

static int gather_numbers(struct case_of *c)
{
	const struct policy_ids *ids = c->d->policy.ids;
	size_t n, room = 0;

	for (size_t i = 0; ids && i < c->answer.n_identities; i++)
		if (policy_ids_set(ids, c->answer.identities[i], &n))
			room += n;
	c->numbers = calloc(room + 1, sizeof(*c->numbers));
	if (!c->numbers)
		return -ENOMEM;
	for (size_t i = 0; ids && i < c->answer.n_identities; i++) {
		const uint32_t *set = policy_ids_set(ids, c->answer.identities[i], &n);

		if (!set)
			continue;
		memcpy(c->numbers + c->n_numbers, set, n * sizeof(*set));
		c->n_numbers += n;
	}
	qsort(c->numbers, c->n_numbers, sizeof(*c->numbers), by_number);
	return 0;
}

static void show_selector(struct case_of *c, const char *text)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		if (!strcmp(c->selectors[i], text))
			return;
	if (c->n_selectors < SELECTORS_SHOWN)
		c->selectors[c->n_selectors++] = text;
}

static void on_selector(void *ctx, const struct policy_selector *s)
{
	struct case_of *c = ctx;
	uint32_t number;

	if (policy_ids_find(c->d->policy.ids, s->kind, s->text, &number) || !is_behind(c, number))
		return;
	if (!c->n_selectors)
		c->place = &s->at;
	show_selector(c, s->text);
}

/* Where it is written. What was in force before us is in no file that we have read. */
static void find_rule(struct case_of *c)
{
	const struct daemon_policy *p = &c->d->policy;
	const struct policy_asker who = {c->endpoint->labels, c->endpoint->n_labels, p->host,
					 p->n_host};
	const struct snp_flow_to *to = c->reading->asked.any ? NULL : &c->reading->asked.to;
	const struct snp_addr *addr = &c->reading->asked.addr;

	switch (c->answer.verdict) {
	case SNP_VERDICT_NAME:
	case SNP_VERDICT_DENY_EXPIRED:
		policy_rule_of_names(p->policy, &who, to, on_selector, c);
		break;
	case SNP_VERDICT_DENY_PORT:
		policy_rule_of_names(p->policy, &who, NULL, on_selector, c);
		break;
	case SNP_VERDICT_CIDR:
		c->place = policy_rule_of_address(p->policy, &who, false, addr, to);
		break;
	case SNP_VERDICT_DENY_CIDR:
		c->place = policy_rule_of_address(p->policy, &who, true, addr, to);
		break;
	case SNP_VERDICT_DENY_NO_NAME:
		c->place = policy_rule_of_default(p->policy, &who);
		break;
	default:
		break;
	}
	for (size_t i = 0; !p->policy && p->ids && i < c->n_numbers; i++) {
		const char *text = policy_ids_text(p->ids, c->numbers[i], NULL);

		if (text)
			show_selector(c, text);
	}
}

/* Is it a target of a CNAME, and has it the identity of the name that led to it? */
static bool has_inherited(const struct case_of *c, const struct holder *h)
{
	struct snp_name_row row;

	if (maps_name(c->d->maps, &h->key, &row))
		return false;
	for (size_t i = 0; i < SNP_INHERITED; i++)
		for (size_t j = 0; j < c->answer.n_identities; j++)
			if (SNP_SLOT_IDENTITY(row.inherited[i]) == c->answer.identities[j])
				return true;
	return false;
}

/* Does the verdict rest on the name? With no selector behind it, on all that the address has. */
static bool is_concerned(const struct case_of *c, const struct holder *h)
{
	const struct daemon_policy *p = &c->d->policy;

	if (h->key.scope != c->scope)
		return false;
	if (!c->n_numbers || !p->policy)
		return true;
	for (size_t b = 0; b < p->automata.n_banks; b++) {
		size_t n = 0;
		const uint32_t *set = daemon_policy_matched(c->d, h->wire, h->wire_len, b, &n);

		for (size_t i = 0; set && i < n; i++)
			if (is_behind(c, p->names.at[set[i]].selector))
				return true;
	}
	return has_inherited(c, h);
}

static void find_names(struct case_of *c)
{
	const struct why_reading *r = c->reading;

	for (size_t i = 0; i < r->n_holders; i++) {
		if (!is_concerned(c, &r->holders[i]))
			continue;
		if (c->n_names < NAMES_SHOWN)
			c->names[c->n_names++] = r->holders[i].text;
		else
			c->unlisted++;
	}
}

static void write_run(const struct policy_run *run, char text[static RUN_TEXT])
{
	const char *protocol = run->protocol == 6    ? "TCP"
			       : run->protocol == 17 ? "UDP"
			       : run->protocol == 1  ? "ICMP"
						     : "SCTP";

	if (run->protocol == 1 || (run->first == 0 && run->last == UINT16_MAX))
		snprintf(text, RUN_TEXT, "%s", protocol);
	else if (run->first == run->last)
		snprintf(text, RUN_TEXT, "%u/%s", run->first, protocol);
	else
		snprintf(text, RUN_TEXT, "%u-%u/%s", run->first, run->last, protocol);
}

static int judge(struct case_of *c, uint32_t number)
{
	const struct snp_policy_asked *asked = &c->reading->asked;
	uint16_t ports[RESOLVER_PORTS];
	const struct policy_question q = {
		.endpoint = number,
		.scope = c->scope,
		.to = asked->to,
		.any = asked->any,
		.resolver_ports = ports,
		.n_resolver_ports = resolver_ports(c->d->conf, &asked->addr, ports),
		.now_ns = clock_boot_ns(),
	};
	int r = policy_why(c->d->policy.tables, &q, row_of, c->d, &c->answer);

	if (!r)
		r = gather_numbers(c);
	if (r)
		return r;
	find_rule(c);
	find_names(c);
	for (size_t i = 0; i < c->answer.n_runs; i++) {
		write_run(&c->answer.runs[i], c->runs[i]);
		c->ports[i] = c->runs[i];
	}
	return 0;
}

static bool show(struct case_of *c, export_line_fn emit, void *emit_ctx)
{
	uint64_t now_ms = clock_boot_ns() / SNP_NS_PER_MS;
	const struct policy_answer *a = &c->answer;
	SNP_CLEANUP(snp_freep)
	char *place = daemon_place_text(c->place);
	struct snp_policy_line line = {.kind = SNP_LINE_WHY};

	line.why = (struct snp_why_line){
		.endpoint = c->endpoint->name,
		.addr = c->reading->asked.addr,
		.verdict = a->verdict,
		.mode = daemon_mode_names[a->generation ? (unsigned int)a->mode
							: (unsigned int)c->d->conf->policy.mode],
		.generation = a->generation,
		.names = c->names,
		.n_names = c->n_names,
		.unlisted = c->unlisted,
		.selectors = c->selectors,
		.n_selectors = c->n_selectors,
		.policy = place,
		.ends = a->verdict == SNP_VERDICT_NAME,
		.expires_in_ms = a->verdict == SNP_VERDICT_NAME && a->end_ms > now_ms
					 ? a->end_ms - now_ms
					 : 0,
		.ports = c->ports,
		.n_ports = a->n_runs,
	};
	return emit(emit_ctx, &line);
}

static int
answer(struct daemon *d, struct why_reading *r, size_t i, export_line_fn emit, void *emit_ctx)
{
	struct case_of *c = calloc(1, sizeof(*c));
	int e;

	if (!c)
		return -ENOMEM;
	c->d = d;
	c->reading = r;
	c->endpoint = &d->conf->endpoints[i];
	c->scope = daemon_endpoint_scope(d, i);
	e = judge(c, endpoints_number(d->endpoints, i));
	if (!e)
		e = show(c, emit, emit_ctx);
	free(c->numbers);
	free(c);
	return e;
}

/* Some endpoints, all by one generation. */
static int answer_some(struct daemon *d, struct why_reading *r, export_line_fn emit, void *emit_ctx)
{
	unsigned int done = 0;
	int e = 1;

	for (; r->next < d->conf->n_endpoints && done < ENDPOINTS_A_TURN && e > 0; r->next++) {
		if (r->endpoint && strcmp(d->conf->endpoints[r->next].name, r->endpoint) != 0)
			continue;
		e = answer(d, r, r->next, emit, emit_ctx);
		done++;
	}
	return e < 0 ? e : r->next < d->conf->n_endpoints;
}

static int why_next(void *ctx, void *reading, export_line_fn emit, void *emit_ctx)
{
	struct daemon *d = ctx;
	struct why_reading *r = reading;

	if (!r->scanned) {
		int e = scan(d, r);

		if (e)
			return e;
		r->scanned = true;
	}
	return answer_some(d, r, emit, emit_ctx);
}

const struct export_lines daemon_why = {why_open, why_next, why_close};
