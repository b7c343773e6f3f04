/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_why.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/policy_rule.h"
#include "snooper/io/maps_policy.h"

#define RESOLVER_PORTS 16

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

/* Where among the numbers; NULL: nowhere. */
static const uint32_t *behind(const struct why_case *c, uint32_t selector)
{
	return bsearch(&selector, c->numbers, c->n_numbers, sizeof(selector), by_number);
}

/* They are sorted: each once. */
static size_t unique(uint32_t *numbers, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!kept || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	return kept;
}

static int gather_numbers(struct why_case *c)
{
	const struct policy_ids *ids = c->d->policy.made.ids;
	size_t n, room = 0;

	for (size_t i = 0; ids && i < c->answer.n_identities; i++)
		if (policy_ids_set(ids, c->answer.identities[i], &n))
			room += n;
	c->numbers = calloc(room + 1, sizeof(*c->numbers));
	c->told = calloc(room + 1, sizeof(*c->told));
	if (!c->numbers || !c->told)
		return -ENOMEM;
	for (size_t i = 0; ids && i < c->answer.n_identities; i++) {
		const uint32_t *set = policy_ids_set(ids, c->answer.identities[i], &n);

		if (!set)
			continue;
		memcpy(c->numbers + c->n_numbers, set, n * sizeof(*set));
		c->n_numbers += n;
	}
	qsort(c->numbers, c->n_numbers, sizeof(*c->numbers), by_number);
	c->n_numbers = unique(c->numbers, c->n_numbers);
	return 0;
}

/* The selector whose number stands there. One that is written several times is shown once, and each spelling. */
static void show_selector(struct why_case *c, size_t at, const char *text)
{
	if (c->told[at])
		return;
	c->told[at] = true;
	for (size_t i = 0; i < c->n_selectors; i++)
		if (!strcmp(c->selectors[i], text))
			return;
	if (c->n_selectors < WHY_SELECTORS)
		c->selectors[c->n_selectors++] = text;
	else
		c->selectors_more++;
}

static void on_selector(void *ctx, const struct policy_selector *s)
{
	struct why_case *c = ctx;
	const uint32_t *at;
	uint32_t number;

	if (policy_ids_find(c->d->policy.made.ids, s->kind, s->text, &number))
		return;
	at = behind(c, number);
	if (!at)
		return;
	if (!c->n_selectors)
		c->place = &s->at;
	show_selector(c, (size_t)(at - c->numbers), s->text);
}

/* Where it is written. What was in force before us is in no file that we have read. */
static void find_rule(struct why_case *c)
{
	const struct daemon_policy *p = &c->d->policy;
	const struct policy_asker who = {c->endpoint->labels, c->endpoint->n_labels, p->host,
					 p->n_host};
	const struct snp_flow_to *to = c->asked->any ? NULL : &c->asked->to;
	const struct snp_addr *addr = &c->asked->addr;

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
	for (size_t i = 0; !p->policy && p->made.ids && i < c->n_numbers; i++) {
		const char *text = policy_ids_text(p->made.ids, c->numbers[i], NULL);

		if (text)
			show_selector(c, i, text);
	}
}

/* Is it a target of a CNAME, and has it the identity of the name that led to it? */
static bool has_inherited(const struct why_case *c, const struct why_holder *h)
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
static bool is_concerned(const struct why_case *c, const struct why_holder *h)
{
	const struct daemon_policy *p = &c->d->policy;

	if (h->key.scope != c->scope)
		return false;
	if (!c->n_numbers || !p->policy)
		return true;
	for (size_t b = 0; b < p->made.automata.n_banks; b++) {
		size_t n = 0;
		const uint32_t *set = daemon_policy_matched(c->d, h->wire, h->wire_len, b, &n);

		for (size_t i = 0; set && i < n; i++)
			if (behind(c, p->made.names.at[set[i]].selector))
				return true;
	}
	return has_inherited(c, h);
}

static void find_names(struct why_case *c)
{
	for (size_t i = 0; i < c->n_holders; i++) {
		if (!is_concerned(c, &c->holders[i]))
			continue;
		if (c->n_names < WHY_NAMES)
			c->names[c->n_names++] = c->holders[i].text;
		else
			c->unlisted++;
	}
}

static void write_run(const struct policy_run *run, char text[static WHY_RUN_TEXT])
{
	const char *protocol = run->protocol == 6    ? "TCP"
			       : run->protocol == 17 ? "UDP"
			       : run->protocol == 1  ? "ICMP"
						     : "SCTP";

	if (run->protocol == 1 || (run->first == 0 && run->last == UINT16_MAX))
		snprintf(text, WHY_RUN_TEXT, "%s", protocol);
	else if (run->first == run->last)
		snprintf(text, WHY_RUN_TEXT, "%u/%s", run->first, protocol);
	else
		snprintf(text, WHY_RUN_TEXT, "%u-%u/%s", run->first, run->last, protocol);
}

int why_case_judge(struct why_case *c)
{
	const struct snp_policy_asked *asked = c->asked;
	uint16_t ports[RESOLVER_PORTS];
	const struct policy_question q = {
		.endpoint = c->number,
		.scope = c->scope,
		.to = asked->to,
		.any = asked->any,
		.resolver_ports = ports,
		.n_resolver_ports = resolver_ports(c->d->conf, &asked->addr, ports),
		.now_ns = clock_boot_ns(),
	};
	int r = policy_why(daemon_policy_now(c->d).tables, &q, row_of, c->d, &c->answer);

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

void why_case_fini(struct why_case *c)
{
	free(c->numbers);
	free(c->told);
}
