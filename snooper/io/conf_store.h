/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_store.h - one value of the document into its field of the configuration.
 *
 * io. What is wrong with a value is noted in d, and its field keeps what it
 * had: the default. What was taken is marked in d with its place.
 */
#ifndef SNP_CONF_STORE_H
#define SNP_CONF_STORE_H

#include "snooper/io/conf_diag.h"
#include "snooper/io/conf_keys.h"
#include "snooper/io/conf_tree.h"

/*
 * Store n as key says into the struct at base. shown is the key as messages
 * name it ("endpoints[2].name"). Not for sections, endpoints and labels.
 * Returns 0, also when n was refused; -ENOMEM.
 */
int conf_store(struct conf_diag *d, const struct conf_key *key, const char *shown, void *base,
	       const struct conf_node *n);

/* Note what n is and what it should have been. */
void conf_refuse_kind(struct conf_diag *d, const char *shown, const struct conf_node *n,
		      const char *wanted);

/* The rest is between conf_store.c and conf_list.c: one call's worth of arguments. */
struct conf_store {
	struct conf_diag *d;
	const struct conf_key *key;
	const char *shown;
	void *field;
	size_t *count; /* of a list */
};

void conf_refuse(const struct conf_store *s, const struct conf_node *n, const char *why);
void conf_taken(const struct conf_store *s, const struct conf_node *n);
int conf_store_list(const struct conf_store *s, const struct conf_node *n);

#endif
