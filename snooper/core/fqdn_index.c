/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_index.c - the facts of a name by their address: an open hash table behind the
 * array of facts, half full at most. A slot has a fact's number and 1; 0: none.
 */
#include <stdlib.h>
#include <string.h>

#include "snooper/core/fqdn_cache_priv.h"

static uint32_t *slots(const struct fqdn_entry *e)
{
	return (uint32_t *)(e->facts + e->room);
}

static uint32_t mask_of(const struct fqdn_entry *e)
{
	return 2 * e->room - 1;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

/* Keyed by the name's id, a keyed hash itself: who picks the addresses cannot make them meet. */
static uint32_t home_of(const struct fqdn_entry *e, const struct snp_addr *addr)
{
	uint64_t q[2];

	memcpy(q, addr, sizeof(q));
	return (uint32_t)mix(mix(q[0] ^ e->key.id) ^ q[1]) & mask_of(e);
}

/* The slot of an address, or the empty one where it would be. */
static uint32_t *slot_of(const struct fqdn_entry *e, const struct snp_addr *addr)
{
	uint32_t at = home_of(e, addr), *slot = slots(e);

	while (slot[at] && memcmp(&e->facts[slot[at] - 1].addr, addr, sizeof(*addr)) != 0)
		at = (at + 1) & mask_of(e);
	return &slot[at];
}

/* Those behind an emptied slot that were pushed on by it move up. */
static void close_up(struct fqdn_entry *e, uint32_t hole)
{
	uint32_t mask = mask_of(e), *slot = slots(e);

	for (uint32_t at = (hole + 1) & mask; slot[at]; at = (at + 1) & mask) {
		uint32_t home = home_of(e, &e->facts[slot[at] - 1].addr);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		slot[hole] = slot[at];
		hole = at;
	}
	slot[hole] = 0;
}

static bool resize(struct fqdn_entry *e, uint32_t room)
{
	size_t index = room > FQDN_FEW ? 2 * room * sizeof(uint32_t) : 0;
	struct fqdn_fact *facts = realloc(e->facts, room * sizeof(*facts) + index);

	if (!facts)
		return false;
	e->facts = facts;
	e->room = room;
	if (!index)
		return true;
	memset(slots(e), 0, index);
	for (uint32_t i = 0; i < e->n_facts; i++)
		*slot_of(e, &facts[i].addr) = i + 1;
	return true;
}

struct fqdn_fact *fqdn_index_find(const struct fqdn_entry *e, const struct snp_addr *addr)
{
	if (e->room > FQDN_FEW) {
		uint32_t at = *slot_of(e, addr);

		return at ? &e->facts[at - 1] : NULL;
	}
	for (uint32_t i = 0; i < e->n_facts; i++)
		if (!memcmp(&e->facts[i].addr, addr, sizeof(*addr)))
			return &e->facts[i];
	return NULL;
}

struct fqdn_fact *fqdn_index_add(struct fqdn_entry *e, const struct snp_addr *addr)
{
	struct fqdn_fact *f;

	if (e->n_facts == e->room && !resize(e, e->room ? e->room * 2 : 1))
		return NULL;
	if (e->room > FQDN_FEW)
		*slot_of(e, addr) = e->n_facts + 1;
	f = &e->facts[e->n_facts++];
	f->addr = *addr;
	return f;
}

void fqdn_index_remove(struct fqdn_entry *e, struct fqdn_fact *f)
{
	struct fqdn_fact *last = &e->facts[e->n_facts - 1];
	uint32_t *gone = NULL;

	if (e->room > FQDN_FEW) {
		gone = slot_of(e, &f->addr);
		*slot_of(e, &last->addr) = (uint32_t)(f - e->facts) + 1;
	}
	*f = *last;
	e->n_facts--;
	if (gone)
		close_up(e, (uint32_t)(gone - slots(e)));
}

void fqdn_index_trim(struct fqdn_entry *e)
{
	if (e->room > FQDN_FEW && e->n_facts <= e->room / 4)
		resize(e, e->room / 2);
}
