/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * policy_ids.h - the numbers of selectors, and of identities: sets of selectors.
 *
 * core: pure. What a number stands for never changes and is never given to
 * another, over reloads and restarts of the daemon: verdict rows and flows
 * hold identities, and whatever policy is in force later can say what they allow.
 * Kept as bytes beside the tables in force (SNP_POLICY_KEPT).
 *
 * Nor is a number given again when what it stood for was trimmed: the kernel goes on copying
 * identities from names to rows and from rows to flows, which a packet now and then keeps alive for
 * ever, so that no reading of the maps proves that nothing holds one. Nothing is trimmed while
 * POLICY_IDS_BYTES have room: to use up the 4,194,303 numbers takes as many different selectors, or
 * sets of them, each new, and a set made anew (maps_uninstall()) begins at 1.
 */
#ifndef SNP_POLICY_IDS_H
#define SNP_POLICY_IDS_H

#include "bpf/snp_policy.h"
#include "snooper/core/policy.h"

#define POLICY_IDS_BYTES (SNP_REGION_BYTES - 4) /* that are kept at most, behind their number */

struct policy_ids; /* opaque; policy_ids.c */

struct policy_ids *policy_ids_new(void);
void policy_ids_free(struct policy_ids *ids);
struct policy_ids *policy_ids_copy(const struct policy_ids *ids); /* NULL: out of memory */

/* The number of a selector, from 1; 0: out of memory, or of numbers. */
uint32_t
policy_ids_selector(struct policy_ids *ids, enum policy_selector_kind kind, const char *text);
/* The same of one that has a number: 0 and *number; -ENOENT; -ENOMEM. */
int policy_ids_find(const struct policy_ids *ids, enum policy_selector_kind kind, const char *text,
		    uint32_t *number);
/* Its text, as written, and *kind; NULL: no such number. */
const char *
policy_ids_text(const struct policy_ids *ids, uint32_t selector, enum policy_selector_kind *kind);

/* The number of the set of n selectors, sorted upwards, n > 0. 0: out of memory, or of numbers. */
uint32_t policy_ids_identity(struct policy_ids *ids, const uint32_t *selectors, size_t n);
/* The set under a number, and *n; NULL: none. */
const uint32_t *policy_ids_set(const struct policy_ids *ids, uint32_t identity, size_t *n);
/* Was the last number given, so that 0 means: out of numbers? */
bool policy_ids_selectors_full(const struct policy_ids *ids);
bool policy_ids_identities_full(const struct policy_ids *ids);
/* Numbers of identities are below. */
uint32_t policy_ids_end(const struct policy_ids *ids);

/* Forget selectors for which keep() is false, and identities of none but such. */
void policy_ids_trim(struct policy_ids *ids, bool (*keep)(void *ctx, uint32_t selector), void *ctx);

/* What there is: selectors, sets of them, and the bytes that both are as _save writes them. */
struct policy_ids_size {
	size_t selectors, identities, bytes;
};
struct policy_ids_size policy_ids_size(const struct policy_ids *ids);

/*
 * As bytes, and back. _save: *out is the caller's, or -ENOMEM. _load into an empty one: 0, -EPROTO
 * when they do not begin with what _save wrote (a region is larger), -ENOMEM; then it is still empty.
 */
int policy_ids_save(const struct policy_ids *ids, uint8_t **out, size_t *len);
int policy_ids_load(struct policy_ids *ids, const uint8_t *bytes, size_t len);

#endif
