/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/untrusted.h"

#include <assert.h>
#include <string.h>

static uint64_t sum(const struct snp_status_server *rows, size_t n)
{
	uint64_t answers = 0;

	for (size_t i = 0; i < n; i++)
		answers += rows[i].answers;
	return answers;
}

void untrusted_begin(struct untrusted *u, const struct snp_status_server *rows, size_t n,
		     uint64_t all)
{
	uint64_t listed = sum(rows, n);

	u->before = all > listed ? all - listed : 0;
}

static const struct untrusted_seen *find(const struct untrusted *u, const struct snp_addr *addr)
{
	for (size_t i = 0; i < u->n; i++)
		if (!memcmp(&u->seen[i].addr, addr, sizeof(*addr)))
			return &u->seen[i];
	return NULL;
}

/* Packets come between one reading and the next: the difference never goes back. */
static void note_unlisted(struct untrusted *u, uint64_t all, uint64_t listed, uint64_t now_ns)
{
	uint64_t known = listed + u->taken + u->before;

	if (all <= known || all - known <= u->unlisted)
		return;
	u->unlisted = all - known;
	u->unlisted_grew = now_ns;
}

size_t untrusted_look(struct untrusted *u, const struct snp_status_server *rows, size_t n,
		      uint64_t all, uint64_t now_ns, struct snp_status_server *over)
{
	uint64_t age_ns = n == UNTRUSTED_ROWS ? UNTRUSTED_FULL_AGE_NS : UNTRUSTED_AGE_NS;
	struct untrusted_seen now[UNTRUSTED_ROWS];
	size_t n_over = 0;

	assert(n <= UNTRUSTED_ROWS);
	note_unlisted(u, all, sum(rows, n), now_ns);
	for (size_t i = 0; i < n; i++) {
		const struct untrusted_seen *then = find(u, &rows[i].addr);

		now[i] = (struct untrusted_seen){rows[i].addr, rows[i].answers, now_ns};
		if (then && then->answers == rows[i].answers)
			now[i].grew_ns = then->grew_ns;
		if (now_ns - now[i].grew_ns >= age_ns)
			over[n_over++] = rows[i];
	}
	memcpy(u->seen, now, n * sizeof(*now));
	u->n = n;
	return n_over;
}

void untrusted_gone(struct untrusted *u, uint64_t answers)
{
	u->aged++;
	u->taken += answers;
}
