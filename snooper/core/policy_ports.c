/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A set as interned: struct head, then the limits of TCP, UDP and SCTP, one after the
 * other: of runs [limit 0, limit 1), [limit 2, limit 3) …, sorted, none touching the next.
 */
#include "snooper/core/policy_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/intern.h"

#define LIMITS_MAX (2 * POLICY_PORT_RUNS_MAX)
SNP_ASSERT(LIMITS_MAX >> SNP_TOGGLES_BITS == 0, "the kernel finds the last of them");

struct head {
	uint32_t all;
	uint32_t n[SNP_PORTS_PROTOCOLS];
};

struct set {
	struct head head;
	uint32_t limits[SNP_PORTS_PROTOCOLS * LIMITS_MAX];
};

struct known_union {
	uint32_t a, b;
};

struct policy_ports {
	struct intern *sets;
	struct intern *pairs; /* struct known_union ... */
	uint32_t *unions;     /* ... by the pair's number */
	size_t room;
};

struct policy_ports *policy_ports_new(void)
{
	struct policy_ports *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sets = intern_new(POLICY_PORT_SETS_MAX);
	p->pairs = intern_new(1u << 22);
	if (p->sets && p->pairs)
		return p;
	policy_ports_free(p);
	return NULL;
}

void policy_ports_free(struct policy_ports *p)
{
	if (!p)
		return;
	intern_free(p->sets);
	intern_free(p->pairs);
	free(p->unions);
	free(p);
}

static int
intern_set(struct policy_ports *p, const struct head *h, const uint32_t *limits, uint32_t *number)
{
	size_t n = 0;
	struct set s = {.head = *h};

	for (unsigned int i = 0; i < SNP_PORTS_PROTOCOLS; i++)
		n += h->n[i];
	if (!n && !h->all) {
		*number = 0;
		return 0;
	}
	if (n)
		memcpy(s.limits, limits, n * sizeof(*limits));
	*number = intern_add(p->sets, &s, sizeof(s.head) + n * sizeof(*limits));
	if (*number)
		return 0;
	return intern_full(p->sets) ? -E2BIG : -ENOMEM;
}

static bool is_of(const struct policy_port *port, unsigned int protocol)
{
	static const uint8_t numbers[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	return !port->protocol || port->protocol == numbers[protocol];
}

static int by_first(const void *a, const void *b)
{
	const struct policy_port *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* The runs of the ports, sorted by their first one, of a protocol. How many limits, or -EOVERFLOW. */
static int runs(const struct policy_port *ports, size_t n, unsigned int protocol, uint32_t *limits)
{
	uint32_t got = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t first = ports[i].first, end = ports[i].last + 1u;

		if (!is_of(&ports[i], protocol))
			continue;
		if (got && first <= limits[got - 1]) {
			if (end > limits[got - 1])
				limits[got - 1] = end;
			continue;
		}
		if (got + 2 > LIMITS_MAX)
			return -EOVERFLOW;
		limits[got++] = first;
		limits[got++] = end;
	}
	return got;
}

/* Sorts ports. */
static int of_sorted(struct policy_ports *p, struct policy_port *ports, size_t n, uint32_t *number)
{
	uint32_t limits[SNP_PORTS_PROTOCOLS * LIMITS_MAX];
	struct head h = {.all = 0};
	size_t all = 0;

	qsort(ports, n, sizeof(*ports), by_first);
	for (unsigned int i = 0; i < SNP_PORTS_PROTOCOLS; i++) {
		int got = runs(ports, n, i, limits + all);

		if (got < 0)
			return got;
		h.n[i] = got;
		all += got;
	}
	return intern_set(p, &h, limits, number);
}

int policy_ports_of(struct policy_ports *p, const struct policy_port *ports, size_t n,
		    uint32_t *number)
{
	struct head everything = {.all = 1};
	struct policy_port *sorted;
	int r;

	if (!n)
		return intern_set(p, &everything, NULL, number);
	sorted = malloc(n * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, ports, n * sizeof(*sorted));
	r = of_sorted(p, sorted, n, number);
	free(sorted);
	return r;
}

static const struct head *head_of(const struct policy_ports *p, uint32_t number)
{
	static const struct head none;
	const struct head *h = intern_bytes(p->sets, number, NULL);

	return h ? h : &none;
}

bool policy_ports_all(const struct policy_ports *p, uint32_t number)
{
	return head_of(p, number)->all;
}

const uint32_t *
policy_ports_limits(const struct policy_ports *p, uint32_t number, unsigned int protocol, size_t *n)
{
	const struct head *h = head_of(p, number);
	const uint32_t *limits = (const uint32_t *)(h + 1);

	for (unsigned int i = 0; i < protocol; i++)
		limits += h->n[i];
	*n = h->n[protocol];
	return limits;
}

uint32_t policy_ports_end(const struct policy_ports *p)
{
	return intern_end(p->sets);
}

static size_t add_runs(const struct policy_ports *p, uint32_t number, struct policy_port *to)
{
	static const uint8_t numbers[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	size_t got = 0, n;

	for (unsigned int i = 0; i < SNP_PORTS_PROTOCOLS; i++) {
		const uint32_t *l = policy_ports_limits(p, number, i, &n);

		for (size_t j = 0; j + 1 < n; j += 2)
			to[got++] = (struct policy_port){numbers[i], l[j], l[j + 1] - 1};
	}
	return got;
}

static int work_out(struct policy_ports *p, uint32_t a, uint32_t b, uint32_t *number)
{
	struct policy_port ports[SNP_PORTS_PROTOCOLS * LIMITS_MAX];
	size_t n = add_runs(p, a, ports);

	n += add_runs(p, b, ports + n);
	return of_sorted(p, ports, n, number);
}

/* To be worked out once. Without memory it is again the next time: slower, no worse. */
static void remember(struct policy_ports *p, const struct known_union *pair, uint32_t number)
{
	uint32_t known = intern_end(p->pairs), *more;

	if (known >= p->room) {
		size_t room = p->room ? p->room * 2 : 64;

		more = realloc(p->unions, room * sizeof(*more));
		if (!more)
			return;
		p->unions = more;
		p->room = room;
	}
	known = intern_add(p->pairs, pair, sizeof(*pair));
	if (known)
		p->unions[known] = number;
}

int policy_ports_union(struct policy_ports *p, uint32_t a, uint32_t b, uint32_t *number)
{
	struct known_union pair = {a < b ? a : b, a < b ? b : a};
	uint32_t known;
	int r;

	if (!pair.a || a == b || policy_ports_all(p, pair.b)) {
		*number = pair.b;
		return 0;
	}
	if (policy_ports_all(p, pair.a)) {
		*number = pair.a;
		return 0;
	}
	known = intern_find(p->pairs, &pair, sizeof(pair));
	if (known) {
		*number = p->unions[known];
		return 0;
	}
	r = work_out(p, a, b, number);
	if (!r)
		remember(p, &pair, *number);
	return r;
}
