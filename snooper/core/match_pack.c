/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * match_pack.c - the states' rows, laid into each other in a region.
 *
 * First fit, in the order of a walk in depth: what a name meets in a row lies in a row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/match_priv.h"

#define FIRST_SLOT (sizeof(struct snp_match_head) / 4)
/* No row begins here, lest its end be outside. */
#define END_SLOT (MATCH_SLOTS - MATCH_SYMS)
#define WORDS	 (MATCH_SLOTS / 64 + 1)
/* Rows of as many entries go on looking where the last one found its place. */
#define WIDTHS (MATCH_SYMS + 2)

struct packing {
	const struct match_dfa *d;
	uint32_t *order; /* states as they are met */
	size_t n;
	uint32_t *place;     /* of a state: its slot; 0: not met */
	uint32_t floor, dot; /* where most lead by default, and by a dot */
	uint64_t *taken;     /* a bit for each slot: has an entry */
	uint64_t *begun;     /* is the place of a state */
	uint32_t look_from[WIDTHS];
	size_t end, entries;
};

static int meet(struct packing *p, uint32_t **stack, size_t *n, size_t *room, uint32_t state)
{
	uint32_t *at;

	if (!state || p->place[state])
		return 0;
	at = match_room(*stack, sizeof(*at), *n + 1, room);
	if (!at)
		return -ENOMEM;
	*stack = at;
	at[(*n)++] = state;
	return 0;
}

/* States that a name can reach, in depth first. */
static int put_in_order(struct packing *p)
{
	uint32_t *stack = NULL;
	size_t n = 0, room = 0;
	int err = meet(p, &stack, &n, &room, p->d->start);

	while (!err && n) {
		uint32_t i = stack[--n];
		const struct dfa_state *state = &p->d->states[i];

		if (p->place[i])
			continue;
		p->place[i] = 1;
		p->order[p->n++] = i;
		err = meet(p, &stack, &n, &room, state->fallback);
		if (!err && state->inside)
			err = meet(p, &stack, &n, &room, state->dot);
		for (uint32_t k = 0; !err && k < state->n_row; k++)
			err = meet(p, &stack, &n, &room,
				   p->d->rows[state->row + k] & MATCH_ROW_STATE);
	}
	free(stack);
	return err;
}

/* What most states have in common is no entry of theirs. */
static int choose_floor(struct packing *p)
{
	uint32_t *n = calloc(p->d->sets.n, sizeof(*n)), *n_dot = calloc(p->d->sets.n, sizeof(*n));

	for (size_t i = 0; n && n_dot && i < p->n; i++) {
		const struct dfa_state *state = &p->d->states[p->order[i]];

		if (++n[state->fallback] > n[p->floor])
			p->floor = state->fallback;
		if (state->inside && ++n_dot[state->dot] > n_dot[p->dot])
			p->dot = state->dot;
	}
	free(n);
	free(n_dot);
	return n && n_dot ? 0 : -ENOMEM;
}

/* Which entries a state has; a dot never follows a dot. */
static uint64_t row_mask(const struct packing *p, const struct dfa_state *state)
{
	uint64_t mask = state->fallback != p->floor;

	if (state->inside && state->dot != p->dot)
		mask |= MATCH_ON(MATCH_DOT);
	for (uint32_t k = 0; k < state->n_row; k++)
		mask |= MATCH_ON(p->d->rows[state->row + k] >> 24);
	if (state->ends && state->out)
		mask |= MATCH_ON(MATCH_SYMS);
	return mask;
}

static uint64_t bits_from(const uint64_t *bits, uint32_t at)
{
	uint64_t low = bits[at / 64] >> (at % 64);

	return at % 64 ? low | bits[at / 64 + 1] << (64 - at % 64) : low;
}

static int place_row(struct packing *p, uint32_t state, uint64_t mask)
{
	unsigned int width = (unsigned int)__builtin_popcountll(mask);
	uint32_t at = p->look_from[width];

	while (at < END_SLOT &&
	       (bits_from(p->taken, at) & mask || p->begun[at / 64] & 1ull << (at % 64)))
		at++;
	if (at >= END_SLOT)
		return -E2BIG;
	p->look_from[width] = at;
	p->begun[at / 64] |= 1ull << (at % 64);
	p->taken[at / 64] |= mask << (at % 64);
	if (at % 64)
		p->taken[at / 64 + 1] |= mask >> (64 - at % 64);
	p->place[state] = at;
	p->entries += width;
	if (at + MATCH_SYMS + 1 > p->end)
		p->end = at + MATCH_SYMS + 1;
	return 0;
}

static int place_all(struct packing *p)
{
	int err = 0;

	p->end = FIRST_SLOT;
	for (size_t i = 0; i < WIDTHS; i++)
		p->look_from[i] = FIRST_SLOT;
	for (size_t i = 0; !err && i < p->n; i++)
		err = place_row(p, p->order[i], row_mask(p, &p->d->states[p->order[i]]));
	return err;
}

static uint32_t offset(const struct packing *p, uint32_t state)
{
	return state ? p->place[state] * 4 : 0;
}

static void write_row(const struct packing *p, uint32_t *slots, uint32_t i)
{
	const struct dfa_state *state = &p->d->states[i];
	uint64_t mask = row_mask(p, state);
	uint32_t *row = slots + p->place[i];

	if (mask & 1)
		row[0] = SNP_MATCH_ENTRY(offset(p, state->fallback), 0);
	if (mask & MATCH_ON(MATCH_DOT))
		row[MATCH_DOT] = SNP_MATCH_ENTRY(offset(p, state->dot), SNP_SYM_DOT);
	for (uint32_t k = 0; k < state->n_row; k++) {
		uint32_t element = p->d->rows[state->row + k], s = element >> 24;

		row[s] = SNP_MATCH_ENTRY(offset(p, element & MATCH_ROW_STATE), s * 4);
	}
	if (mask & MATCH_ON(MATCH_SYMS))
		row[MATCH_SYMS] = SNP_MATCH_ENTRY(state->out, SNP_SYM_OUT);
}

static int write_region(const struct packing *p, struct match_bank *bank)
{
	/* What is free says a symbol that nobody asks for. */
	uint32_t *slots = malloc(p->end * 4), nothing = SNP_MATCH_ENTRY(0, 0xff);
	struct snp_match_head *head = (struct snp_match_head *)slots;

	if (!slots)
		return -ENOMEM;
	for (size_t i = FIRST_SLOT; i < p->end; i++)
		slots[i] = nothing;
	*head = (struct snp_match_head){
		.magic = SNP_MATCH_MAGIC,
		.start = offset(p, p->d->start),
		.floor = SNP_MATCH_ENTRY(offset(p, p->floor), 0),
		.dot = SNP_MATCH_ENTRY(offset(p, p->dot), 0),
		.bytes = (uint32_t)p->end * 4,
	};
	for (unsigned int c = 0; c < 256; c++)
		head->symbol[c] = (uint8_t)(match_symbol((uint8_t)c) * 4);
	for (size_t i = 0; i < p->n; i++)
		write_row(p, slots, p->order[i]);
	bank->region = (uint8_t *)slots;
	bank->bytes = p->end * 4;
	bank->n_states = p->n;
	bank->n_entries = p->entries;
	return 0;
}

int match_pack(const struct match_dfa *d, struct match_bank *bank)
{
	struct packing p = {.d = d};
	int err = -ENOMEM;

	p.order = calloc(d->sets.n, sizeof(*p.order));
	p.place = calloc(d->sets.n, sizeof(*p.place));
	p.taken = calloc(WORDS, sizeof(*p.taken));
	p.begun = calloc(WORDS, sizeof(*p.begun));
	if (p.order && p.place && p.taken && p.begun) {
		err = put_in_order(&p);
		if (!err)
			err = choose_floor(&p);
		if (!err)
			err = place_all(&p);
		if (!err)
			err = write_region(&p, bank);
	}
	free(p.order);
	free(p.place);
	free(p.taken);
	free(p.begun);
	return err;
}
