/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/policy_model.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_pattern.h"

/* Every selector, in the order in which all of this goes through them. */
typedef void (*selector_fn)(struct reference *ref, const struct policy_selector *s, void *ctx);

static void each_selector(struct reference *ref, selector_fn fn, void *ctx)
{
	for (size_t i = 0; i < ref->policy->n_specs; i++)
		for (size_t j = 0; j < ref->policy->specs[i].n_rules; j++) {
			const struct policy_rule *rule = &ref->policy->specs[i].rules[j];

			for (size_t k = 0; k < rule->n_fqdns; k++)
				fn(ref, &rule->fqdns[k], ctx);
			for (size_t k = 0; k < rule->n_dns; k++)
				fn(ref, &rule->dns[k], ctx);
		}
}

static void count(struct reference *ref, const struct policy_selector *s, void *ctx)
{
	ref->n_selectors++;
	ref->n_regexes += s->kind == POLICY_MATCH_REGEX;
}

static void compile_regex(struct reference *ref, const struct policy_selector *s, void *ctx)
{
	char text[512];

	if (s->kind != POLICY_MATCH_REGEX)
		return;
	snprintf(text, sizeof(text), "^(%s)$", s->text);
	if (regcomp(&ref->regexes[ref->n_regexes++], text, REG_EXTENDED | REG_ICASE | REG_NOSUB))
		abort();
}

void reference_init(struct reference *ref, const struct policy *p, const struct model_world *w)
{
	*ref = (struct reference){.policy = p, .world = w};
	each_selector(ref, count, NULL);
	ref->matches = calloc(ref->n_selectors + 1, sizeof(*ref->matches));
	ref->regexes = calloc(ref->n_regexes + 1, sizeof(*ref->regexes));
	if (!ref->matches || !ref->regexes)
		abort();
	ref->n_regexes = 0;
	each_selector(ref, compile_regex, NULL);
}

void reference_fini(struct reference *ref)
{
	for (size_t i = 0; i < ref->n_regexes; i++)
		regfree(&ref->regexes[i]);
	free(ref->regexes);
	free(ref->matches);
}

struct by_name {
	const char *name;
	size_t selector, regex;
};

static void match_one(struct reference *ref, const struct policy_selector *s, void *ctx)
{
	struct by_name *by = ctx;
	bool *to = &ref->matches[by->selector++];

	if (s->kind != POLICY_MATCH_REGEX)
		*to = by->name && match_pattern(s->text, by->name);
	else
		*to = !regexec(&ref->regexes[by->regex++], by->name ? by->name : "", 0, NULL, 0) &&
		      by->name;
}

void reference_name(struct reference *ref, const char *name)
{
	each_selector(ref, match_one, &(struct by_name){.name = name});
}

struct by_set {
	const struct policy_ids *ids;
	const uint32_t *set;
	size_t n, selector;
};

static void find_one(struct reference *ref, const struct policy_selector *s, void *ctx)
{
	struct by_set *by = ctx;
	bool *to = &ref->matches[by->selector++];

	*to = false;
	for (size_t i = 0; i < by->n; i++) {
		enum policy_selector_kind kind;
		const char *text = policy_ids_text(by->ids, by->set[i], &kind);

		*to |= text && kind == s->kind && !strcmp(text, s->text);
	}
}

void reference_identity(struct reference *ref, const struct policy_ids *ids, uint32_t identity)
{
	struct by_set by = {.ids = ids};

	by.set = policy_ids_set(ids, identity, &by.n);
	each_selector(ref, find_one, &by);
}

/* --- whom a spec selects --- */

static const char *label(const struct policy_endpoint *e, const char *key)
{
	for (size_t i = 0; i < e->n_labels; i++)
		if (!strcmp(e->labels[i].key, key))
			return e->labels[i].value;
	return NULL;
}

static bool selects(const struct policy_spec *s, const struct policy_endpoint *e)
{
	const char *namespace = label(e, POLICY_NAMESPACE_LABEL);
	bool all = !s->namespace || !namespace || !strcmp(s->namespace, namespace);

	for (size_t i = 0; i < s->n_selects; i++) {
		const struct policy_expression *x = &s->selects[i];
		const char *value = label(e, x->key);
		bool among = false, is_not;

		for (size_t k = 0; value && k < x->n_values; k++)
			among |= !strcmp(x->values[k], value);
		if (x->op == POLICY_EXISTS || x->op == POLICY_DOES_NOT_EXIST)
			among = value;
		is_not = x->op == POLICY_NOT_IN || x->op == POLICY_DOES_NOT_EXIST;
		all &= among != is_not;
	}
	return all;
}

/* --- where a rule allows to go --- */

static bool is_v4(const struct snp_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a->b, mapped, sizeof(mapped));
}

static bool in_prefix(const struct snp_cidr *c, const struct snp_addr *a)
{
	if (c->ipv6 == is_v4(a))
		return false;
	for (unsigned int bit = 0; bit < c->prefix; bit++)
		if ((c->addr.b[bit / 8] ^ a->b[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

static bool in_cidr(const struct policy_cidr *c, const struct snp_addr *a)
{
	for (size_t i = 0; i < c->n_except; i++)
		if (in_prefix(&c->except[i], a))
			return false;
	return in_prefix(&c->in, a);
}

static bool is_host(const struct model_world *w, const struct snp_addr *a)
{
	for (size_t i = 0; i < w->n_hosts; i++)
		if (!memcmp(&w->hosts[i], a, sizeof(*a)))
			return true;
	return false;
}

static bool
to_address(const struct reference *ref, const struct policy_rule *rule, const struct snp_addr *a)
{
	bool yes = rule->anywhere || rule->entities & POLICY_ALL;

	yes |= rule->entities & POLICY_HOST && is_host(ref->world, a);
	yes |= rule->entities & POLICY_WORLD && !is_host(ref->world, a);
	for (size_t i = 0; i < rule->n_cidrs; i++)
		yes |= in_cidr(&rule->cidrs[i], a);
	return yes;
}

static bool to_port(const struct policy_rule *rule, const struct snp_flow_to *to)
{
	uint8_t protocol = to->protocol == IPPROTO_UDPLITE ? IPPROTO_UDP : to->protocol;
	bool has_ports =
		protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;

	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_port *p = &rule->ports[i];

		if (has_ports && !to->no_ports && (!p->protocol || p->protocol == protocol) &&
		    to->port >= p->first && to->port <= p->last)
			return true;
	}
	return !rule->n_ports;
}

/* --- what all that comes to --- */

/* What the rules say that select an endpoint. */
struct said {
	bool selected, default_deny, has_dns, dns;
	bool denied, by_name, by_address, name_elsewhere;
};

static void hear_rule(const struct reference *ref, const struct policy_rule *rule,
		      const bool *matches, const struct snp_flow_to *to, struct said *s)
{
	bool address = to && to_address(ref, rule, &to->addr), port = to && to_port(rule, to);

	s->denied |= rule->deny && address && port;
	s->by_address |= !rule->deny && address && port;
	for (size_t i = 0; i < rule->n_fqdns; i++) {
		s->by_name |= matches[i] && port;
		s->name_elsewhere |= matches[i] && !port;
	}
	s->has_dns |= rule->has_dns;
	for (size_t i = 0; i < rule->n_dns; i++)
		s->dns |= matches[rule->n_fqdns + i];
}

static struct said
hear(const struct reference *ref, const struct policy_endpoint *e, const struct snp_flow_to *to)
{
	const bool *matches = ref->matches;
	struct said s = {.selected = e->locked, .default_deny = e->locked, .has_dns = e->locked};

	for (size_t i = 0; i < ref->policy->n_specs; i++) {
		const struct policy_spec *spec = &ref->policy->specs[i];
		bool applies = !e->locked && selects(spec, e);

		s.selected |= applies;
		s.default_deny |= applies && spec->default_deny;
		for (size_t k = 0; k < spec->n_rules; k++) {
			if (applies)
				hear_rule(ref, &spec->rules[k], matches, to, &s);
			matches += spec->rules[k].n_fqdns + spec->rules[k].n_dns;
		}
	}
	return s;
}

enum snp_verdict reference_judge(const struct reference *ref, const struct policy_endpoint *e,
				 const struct snp_flow_to *to)
{
	struct said s = hear(ref, e, to);

	if (!s.selected)
		return SNP_VERDICT_NONE;
	if (s.denied)
		return SNP_VERDICT_DENY_CIDR;
	if (s.by_name)
		return SNP_VERDICT_NAME;
	if (s.by_address)
		return SNP_VERDICT_CIDR;
	if (!s.default_deny)
		return SNP_VERDICT_UNSELECTED;
	return s.name_elsewhere ? SNP_VERDICT_DENY_PORT : SNP_VERDICT_DENY_NO_NAME;
}

bool reference_may_ask(const struct reference *ref, const struct policy_endpoint *e)
{
	struct said s = hear(ref, e, NULL);

	return !s.has_dns || s.dns;
}
