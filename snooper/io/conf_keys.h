/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_keys.h - every key of snooper.yaml: its path, what it takes, its field.
 *
 * io. One table; reading, suggesting and the tests of the manual use it.
 */
#ifndef SNP_CONF_KEYS_H
#define SNP_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_kind {
	CONF_KEY_SECTION,   /* a mapping of further keys */
	CONF_KEY_TLS,	    /* such a mapping, of three files at least */
	CONF_KEY_MAY_TLS,   /* the same, or the word insecure */
	CONF_KEY_ENDPOINTS, /* a list of such mappings */
	CONF_KEY_LABELS,    /* a mapping of free keys */
	CONF_KEY_WORD,	    /* one of .words; the field is an enum */
	CONF_KEY_SWITCH,    /* one of two .words; the field is a bool */
	CONF_KEY_PORT,	    /* uint16_t */
	CONF_KEY_NUMBER,    /* uint32_t */
	CONF_KEY_SIZE,	    /* uint32_t */
	CONF_KEY_DURATION,  /* uint64_t of nanoseconds */
	CONF_KEY_TEXT,	    /* char *, by .check */
	CONF_KEY_PATH,	    /* char *, by .check, slashes cleaned */
	CONF_KEY_TEXTS,	    /* lists from here on */
	CONF_KEY_PATHS,
	CONF_KEY_ADDRS,
	CONF_KEY_CIDRS,
	CONF_KEY_SERVERS, /* struct snp_endpoint */
};

struct conf_key {
	const char *path; /* "section.key", "section.key.part" */
	enum conf_kind kind;
	/* Offsets: in struct snp_conf; below "endpoints." in struct snp_endpoint_conf. */
	size_t field, count;
	uint64_t min, max;	  /* of a value; of a list: its entries */
	const char *const *words; /* by value, ends with NULL */
	const char *(*check)(const char *text);
	bool secret; /* a value is never shown, not even a wrong one */
};

/* The key name in the mapping at path ("" for the outermost), or NULL. */
const struct conf_key *conf_key_find(const char *path, const char *name);

/*
 * The name in that mapping that was perhaps meant, or NULL. *elsewhere is the
 * path of a key of exactly this name in another mapping, or NULL.
 */
const char *conf_key_nearest(const char *path, const char *name, const char **elsewhere);

/* The word that was perhaps meant, or NULL. */
const char *conf_word_nearest(const char *const *words, const char *text);

/* All of them, in the order of the manual. */
const struct conf_key *conf_key_all(size_t *n);

#endif
