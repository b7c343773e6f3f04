/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/policy_model.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t rng_any(struct rng *r, uint32_t below)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return (uint32_t)((r->x >> 16) % below);
}

#define PICK(r, list) ((list)[rng_any(r, sizeof(list) / sizeof((list)[0]))])

/* Few words, so that selectors meet. */
static const char *const words[] = {"a", "b", "api", "www", "cdn-1", "x_y"};
static const char *const tails[] = {"com", "net", "example.com", "b.example.com"};
/* W is a word, T a tail. */
static const char *const names[] = {"W.T", "W.T", "W.W.T", "W.T."};
static const char *const patterns[] = {"*",   "**.T",  "*.T",	 "W.T",	  "W*.T", "*i*.T",
				       "W.*", "W.*.T", "**.a.T", "*.*.T", "**"};
static const char *const regexes[] = {"W\\.T", "(a|b|W)[0-9]*\\.T", "[^.]+\\.T", ".*\\.T",
				      "W(\\.[a-z]+)+"};

static void fill(struct rng *r, const char *from, char *to)
{
	for (; *from; from++) {
		if (*from == 'W')
			to = stpcpy(to, PICK(r, words));
		else if (*from == 'T')
			to = stpcpy(to, PICK(r, tails));
		else
			*to++ = *from;
	}
	*to = '\0';
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		abort();
	return p;
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		abort();
	return p;
}

static void make_selector(struct rng *r, struct policy_selector *s)
{
	char text[128];

	s->kind = rng_any(r, 5) < 3 ? POLICY_MATCH_PATTERN : POLICY_MATCH_NAME;
	if (!rng_any(r, 8))
		s->kind = POLICY_MATCH_REGEX;
	if (s->kind == POLICY_MATCH_REGEX)
		fill(r, PICK(r, regexes), text);
	else
		fill(r, s->kind == POLICY_MATCH_NAME ? PICK(r, names) : PICK(r, patterns), text);
	if (!rng_any(r, 6) && text[0] >= 'a' && text[0] <= 'z')
		text[0] -= 'a' - 'A';
	s->text = copy(text);
	s->at = (struct policy_place){"random", 1, 1};
}

static struct policy_selector *make_selectors(struct rng *r, uint32_t most, size_t *n)
{
	struct policy_selector *s;

	*n = 1 + rng_any(r, most);
	s = zeroed(*n, sizeof(*s));
	for (size_t i = 0; i < *n; i++)
		make_selector(r, &s[i]);
	return s;
}

static void mask(struct snp_cidr *c)
{
	for (unsigned int bit = c->prefix; bit < 128; bit++)
		c->addr.b[bit / 8] &= ~(0x80 >> bit % 8);
}

/* A place that others are near to. */
static void make_address(struct rng *r, struct snp_addr *a, bool v6)
{
	static const uint8_t v4_first[] = {0, 10, 10, 10, 127, 192, 255};
	static const uint8_t low[] = {0, 0, 1, 2, 127, 128, 255};

	memset(a, 0, sizeof(*a));
	if (!v6) {
		a->b[10] = a->b[11] = 0xff;
		a->b[12] = PICK(r, v4_first);
		for (int i = 13; i < 16; i++)
			a->b[i] = PICK(r, low);
		return;
	}
	switch (rng_any(r, 4)) {
	case 0: /* about the v4-mapped ones */
		a->b[9] = rng_any(r, 2);
		a->b[10] = rng_any(r, 2) ? 0xff : 0;
		a->b[11] = a->b[9] && a->b[10] ? 0xff : 0xfe;
		break;
	case 1:
		memset(a, 0xff, sizeof(*a));
		a->b[15] = PICK(r, low);
		break;
	default:
		memcpy(a->b, "\x20\x01\x0d\xb8", 4);
		a->b[7] = PICK(r, low);
	}
	a->b[15] = PICK(r, low);
}

static void make_prefix(struct rng *r, struct snp_cidr *c, const struct snp_cidr *in)
{
	static const uint8_t v4[] = {0, 1, 8, 9, 15, 16, 24, 31, 32};
	static const uint8_t v6[] = {0, 1, 8, 32, 63, 64, 80, 95, 127, 128};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(c, 0, sizeof(*c));
	c->ipv6 = in ? in->ipv6 : !rng_any(r, 3);
	make_address(r, &c->addr, c->ipv6);
	c->prefix = c->ipv6 ? PICK(r, v6) : 96 + PICK(r, v4);
	for (unsigned int bit = 0; in && bit < in->prefix; bit++) {
		c->addr.b[bit / 8] &= ~(0x80 >> bit % 8);
		c->addr.b[bit / 8] |= in->addr.b[bit / 8] & 0x80 >> bit % 8;
	}
	if (in && c->prefix < in->prefix)
		c->prefix = in->prefix;
	/* The reader refuses IPv4 that is written as IPv6. */
	if (c->ipv6 && c->prefix >= 96 && !memcmp(c->addr.b, mapped, 12))
		c->prefix = in && in->prefix > 95 ? in->prefix : 95;
	mask(c);
}

static void make_cidrs(struct rng *r, struct policy_rule *rule)
{
	rule->n_cidrs = 1 + rng_any(r, 4);
	rule->cidrs = zeroed(rule->n_cidrs, sizeof(*rule->cidrs));
	for (size_t i = 0; i < rule->n_cidrs; i++) {
		struct policy_cidr *c = &rule->cidrs[i];

		make_prefix(r, &c->in, NULL);
		c->n_except = rng_any(r, 2) ? rng_any(r, 5) : 0;
		c->except = zeroed(c->n_except, sizeof(*c->except));
		for (size_t k = 0; k < c->n_except; k++)
			make_prefix(r, &c->except[k], &c->in);
	}
}

static void make_ports(struct rng *r, struct policy_rule *rule)
{
	static const uint8_t protocols[] = {0, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	static const uint16_t first[] = {0, 1, 53, 80, 81, 443, 8000, 65535};

	rule->n_ports = rng_any(r, 4);
	rule->ports = zeroed(rule->n_ports, sizeof(*rule->ports));
	for (size_t i = 0; i < rule->n_ports; i++) {
		struct policy_port *p = &rule->ports[i];

		p->protocol = PICK(r, protocols);
		p->first = PICK(r, first);
		p->last = p->first;
		if (!p->first)
			p->last = UINT16_MAX;
		else if (!rng_any(r, 3))
			p->last = p->first + rng_any(r, UINT16_MAX + 1 - p->first);
	}
}

static void make_dns(struct rng *r, struct policy_rule *rule, uint32_t most)
{
	rule->has_dns = true;
	rule->dns = make_selectors(r, most, &rule->n_dns);
	rule->n_ports = 1;
	rule->ports = realloc(rule->ports, sizeof(*rule->ports));
	rule->ports[0] = (struct policy_port){rng_any(r, 2) ? IPPROTO_UDP : 0, 53, 53};
}

static void make_rule(struct rng *r, const struct model_size *size, struct policy_rule *rule)
{
	rule->deny = !rng_any(r, 5);
	make_ports(r, rule);
	switch (rng_any(r, 8)) {
	case 0: /* nothing */
		break;
	case 1:
		rule->anywhere = rule->n_ports > 0;
		break;
	case 2:
		rule->entities = 1 + rng_any(r, 7);
		break;
	case 3:
	case 4:
		make_cidrs(r, rule);
		break;
	case 5:
		rule->deny = false;
		rule->resolvers = true;
		make_dns(r, rule, size->selectors);
		break;
	default:
		rule->deny = false;
		rule->fqdns = make_selectors(r, size->selectors, &rule->n_fqdns);
		if (!rng_any(r, 6))
			make_dns(r, rule, size->selectors);
	}
}

static const char *const keys[] = {"app", "tier"};
static const char *const values[] = {"red", "green", "blue"};
static const char *const namespaces[] = {"one", "two"};

static void make_expression(struct rng *r, struct policy_expression *x)
{
	x->key = copy(PICK(r, keys));
	x->op = rng_any(r, 3) ? POLICY_IN : rng_any(r, 4);
	if (x->op > POLICY_NOT_IN)
		return;
	x->n_values = 1 + rng_any(r, 2);
	x->values = zeroed(x->n_values, sizeof(*x->values));
	for (size_t i = 0; i < x->n_values; i++)
		x->values[i] = copy(PICK(r, values));
}

static void make_spec(struct rng *r, const struct model_size *size, struct policy_spec *s)
{
	s->name = copy("random");
	if (!rng_any(r, 4))
		s->namespace = copy(PICK(r, namespaces));
	s->n_selects = rng_any(r, 3);
	s->selects = zeroed(s->n_selects, sizeof(*s->selects));
	for (size_t i = 0; i < s->n_selects; i++)
		make_expression(r, &s->selects[i]);
	s->n_rules = rng_any(r, size->rules + 1);
	s->rules = zeroed(s->n_rules, sizeof(*s->rules));
	for (size_t i = 0; i < s->n_rules; i++)
		make_rule(r, size, &s->rules[i]);
	s->default_deny = rng_any(r, 4) && s->n_rules;
}

struct policy *model_policy(struct rng *r, const struct model_size *size)
{
	struct policy *p = zeroed(1, sizeof(*p));

	p->n_specs = 1 + rng_any(r, size->specs);
	p->specs = zeroed(p->n_specs, sizeof(*p->specs));
	for (size_t i = 0; i < p->n_specs; i++)
		make_spec(r, size, &p->specs[i]);
	return p;
}

static void
add_label(struct policy_endpoint *e, struct snp_label *to, const char *key, const char *value)
{
	to[e->n_labels++] = (struct snp_label){(char *)key, (char *)value};
}

void model_world(struct rng *r, struct model_world *w)
{
	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < MODEL_ENDPOINTS; i++) {
		struct policy_endpoint *e = &w->endpoints[i];

		/* Numbers from the first to the last there is. */
		e->number = i == 0 ? 1 : i == 1 ? 4095 : 2 + (uint32_t)i * 290;
		e->labels = w->labels[i];
		e->locked = !rng_any(r, 10);
		if (rng_any(r, 5))
			add_label(e, w->labels[i], keys[0], PICK(r, values));
		if (rng_any(r, 3))
			add_label(e, w->labels[i], keys[1], PICK(r, values));
		if (rng_any(r, 3))
			add_label(e, w->labels[i], POLICY_NAMESPACE_LABEL, PICK(r, namespaces));
	}
	w->n_hosts = rng_any(r, MODEL_HOSTS + 1);
	for (size_t i = 0; i < w->n_hosts; i++)
		make_address(r, &w->hosts[i], rng_any(r, 2));
	if (w->n_hosts == MODEL_HOSTS) /* one of them twice, one the last there is */
		memset(&w->hosts[0], 0xff, sizeof(w->hosts[0]));
	if (w->n_hosts > 3)
		w->hosts[2] = w->hosts[1];
}

/* --- questions --- */

/* A rule of the policy, or NULL. */
static const struct policy_rule *any_rule(struct rng *r, const struct policy *p)
{
	const struct policy_spec *s = &p->specs[rng_any(r, p->n_specs)];

	return s->n_rules ? &s->rules[rng_any(r, s->n_rules)] : NULL;
}

static const char edits[] = {'a', 'b', '-', '9'};
static const char *const asked[] = {"W.T", "W7.T", "W.a.T", "a.W.b.T"};

void model_name(struct rng *r, const struct policy *p, char name[static MODEL_NAME])
{
	const struct policy_rule *rule = any_rule(r, p);
	const struct policy_selector *s = NULL;
	size_t n = 0;

	if (rule && rule->n_fqdns + rule->n_dns) {
		size_t i = rng_any(r, rule->n_fqdns + rule->n_dns);

		s = i < rule->n_fqdns ? &rule->fqdns[i] : &rule->dns[i - rule->n_fqdns];
	}
	if (!s || s->kind == POLICY_MATCH_REGEX || !rng_any(r, 4)) {
		fill(r, PICK(r, asked), name);
		return;
	}
	for (const char *c = s->text; *c; c++)
		if (*c != '*')
			name[n++] = *c;
		else if (rng_any(r, 3) || !n || name[n - 1] == '.')
			n += sprintf(name + n, "%s", PICK(r, words));
	name[n] = '\0';
	if (n && !rng_any(r, 8)) /* one edit away */
		name[rng_any(r, n)] = PICK(r, edits);
	if (name[n - 1] == '.')
		name[n - 1] = '\0';
}

/* By one, up or down. */
static void step(struct snp_addr *a, bool up)
{
	for (int i = 15; i >= 0; i--) {
		a->b[i] += up ? 1 : 0xff;
		if (a->b[i] != (up ? 0 : 0xff))
			return;
	}
}

static void edge_of(struct rng *r, const struct snp_cidr *c, struct snp_addr *a)
{
	bool last = rng_any(r, 2);

	*a = c->addr;
	for (unsigned int bit = c->prefix; last && bit < 128; bit++)
		a->b[bit / 8] |= 0x80 >> bit % 8;
	if (rng_any(r, 2))
		step(a, last);
}

static void any_address(struct rng *r, const struct policy_rule *rule, const struct model_world *w,
			struct snp_addr *a)
{
	make_address(r, a, !rng_any(r, 3));
	if (rule && rule->n_cidrs && rng_any(r, 4)) {
		const struct policy_cidr *c = &rule->cidrs[rng_any(r, rule->n_cidrs)];

		edge_of(r,
			c->n_except && rng_any(r, 2) ? &c->except[rng_any(r, c->n_except)] : &c->in,
			a);
	} else if (w->n_hosts && !rng_any(r, 3)) {
		*a = w->hosts[rng_any(r, w->n_hosts)];
		if (!rng_any(r, 3))
			step(a, rng_any(r, 2));
	} else if (!rng_any(r, 6)) {
		memset(a, rng_any(r, 2) ? 0xff : 0, sizeof(*a));
		step(a, rng_any(r, 2));
	}
}

void model_flow(struct rng *r, const struct policy *p, const struct model_world *w,
		struct snp_flow_to *to)
{
	static const uint8_t protocols[] = {IPPROTO_TCP,  IPPROTO_TCP,	   IPPROTO_TCP,
					    IPPROTO_UDP,  IPPROTO_UDP,	   IPPROTO_SCTP,
					    IPPROTO_ICMP, IPPROTO_UDPLITE, IPPROTO_DCCP};
	static const uint16_t ports[] = {0, 1, 53, 80, 443, 65535};
	const struct policy_rule *rule = any_rule(r, p);

	memset(to, 0, sizeof(*to));
	any_address(r, rule, w, &to->addr);
	to->protocol = PICK(r, protocols);
	to->no_ports = to->protocol == IPPROTO_ICMP || !rng_any(r, 20);
	to->port = rng_any(r, 2) ? PICK(r, ports) : rng_any(r, 65536);
	if (rule && rule->n_ports && rng_any(r, 4)) {
		const struct policy_port *port = &rule->ports[rng_any(r, rule->n_ports)];

		to->port = (rng_any(r, 2) ? port->first : port->last) + rng_any(r, 3) - 1;
	}
	if (to->no_ports)
		to->port = 0;
}
