/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fqdn_cache_priv.h - how the cache is made: for the fqdn_*.c beside it only.
 *
 * core: pure.
 */
#ifndef SNP_FQDN_CACHE_PRIV_H
#define SNP_FQDN_CACHE_PRIV_H

#include <sys/queue.h>

#include "snooper/core/fqdn_cache.h"

/* In the order of the last change; between the names, where each reader is. */
struct fqdn_node {
	TAILQ_ENTRY(fqdn_node) order;
	bool is_reader;
};
TAILQ_HEAD(fqdn_order, fqdn_node);

struct fqdn_entry {
	struct fqdn_node node; /* first: a node that is no reader is an entry */
	struct snp_name_key key;
	struct fqdn_entry *next; /* in its bucket */
	struct {
		struct fqdn_entry *before, *behind; /* the same name in other scopes */
		struct fqdn_entry *next_id;	    /* of the first of them: in its bucket */
	} same;
	uint64_t changed;
	union {
		struct {
			uint64_t ns[2];
			uint32_t at[2]; /* in its heap */
		} due;			/* by enum fqdn_due_what */
		TAILQ_ENTRY(fqdn_entry) all_gone;
	};
	uint64_t asked_ns;	 /* when it was last answered */
	struct fqdn_fact *facts; /* room of them, and behind them their index (fqdn_index.c) */
	uint32_t n_facts, room;
	uint32_t n_pending;
	uint32_t lifetime_s;
	uint32_t place; /* of its name, if it holds it */
	uint8_t failures;
	bool waits;  /* is in the heap of those to be asked */
	bool asking; /* was taken out of it, and is not answered yet */
	bool needed, partial;
	bool gone; /* kept until every reader was told */
	uint8_t wire_len;
	uint8_t wire[];
};

/* A binary heap of names, soonest first. */
enum fqdn_due_what {
	FQDN_DUE_OVER, /* when the first of its facts is over */
	FQDN_DUE_ASK,  /* when to reconcile it */
};
struct fqdn_due {
	struct fqdn_entry **at; /* max_names of them: none stands in it twice */
	size_t n;
	enum fqdn_due_what what;
};

struct fqdn_watch {
	struct fqdn_node node;
	LIST_ENTRY(fqdn_watch) all;
	struct fqdn_cache *cache;
	/* Of what is gone it was told what changed until then; at first: what was gone when it began. */
	uint64_t seen;
	bool synced, lost;
	uint8_t wire[256]; /* of the name last read that is gone */
};
LIST_HEAD(fqdn_watches, fqdn_watch);

struct fqdn_cache {
	size_t max_names, max_facts;
	size_t names, facts;
	struct fqdn_cache_counts counts;
	uint64_t changes;
	/* Names stand in numbered places, each once (fqdn_same.c). */
	struct fqdn_entry **places; /* max_names of them */
	size_t n_places;
	size_t hole; /* no place below it is empty */
	/* They are found by chains of a hash table. Their ids are keyed hashes already. */
	struct fqdn_entry **buckets;
	struct fqdn_entry **ids; /* the first entries of names, by id; as many buckets */
	size_t n_buckets;	 /* a power of two */
	struct fqdn_due over[2]; /* by needed */
	struct fqdn_due ask;
	struct fqdn_order order;
	struct fqdn_watches watches;
	TAILQ_HEAD(, fqdn_entry) gone; /* in the order in which they went */
	size_t n_gone;
};

/* fqdn_cache.c: one that is alive, or NULL; it goes; take one that is gone out of the table, and free it. */
struct fqdn_entry *fqdn_entry_find(const struct fqdn_cache *c, const struct snp_name_key *key);
void fqdn_entry_drop(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_entry_free(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_entry_show(const struct fqdn_entry *e, struct fqdn_name *out);

/*
 * fqdn_same.c: e comes into the table, goes out of it, has changed; another entry of its name that
 * is alive, or NULL. Places are for what is alive.
 */
void fqdn_same_join(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_same_leave(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_same_changed(struct fqdn_cache *c, struct fqdn_entry *e);
struct fqdn_entry *fqdn_same_alive(const struct fqdn_entry *e);
void fqdn_place_take(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_place_give(struct fqdn_cache *c, const struct fqdn_entry *e);

/*
 * fqdn_index.c: facts by address. Up to FQDN_FEW are looked through; more have an index,
 * so that one of a name's thousands costs what one of a few does.
 */
#define FQDN_FEW 16
struct fqdn_fact *fqdn_index_find(const struct fqdn_entry *e, const struct snp_addr *addr);
/* A fact of that address, that is not there yet; not set otherwise. NULL when out of memory. */
struct fqdn_fact *fqdn_index_add(struct fqdn_entry *e, const struct snp_addr *addr);
/* The last one takes the place of the one that goes. */
void fqdn_index_remove(struct fqdn_entry *e, struct fqdn_fact *f);
/* Some went: room that would not be used soon is given back. Facts may be elsewhere then. */
void fqdn_index_trim(struct fqdn_entry *e);

/* fqdn_due.c */
void fqdn_due_add(struct fqdn_due *d, struct fqdn_entry *e);
void fqdn_due_moved(struct fqdn_due *d, struct fqdn_entry *e);
void fqdn_due_remove(struct fqdn_due *d, struct fqdn_entry *e);

/*
 * fqdn_watch.c: e has changed; e is gone, and is freed now, or some time after every reader was told;
 * free some of those.
 */
void fqdn_watch_changed(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_watch_gone(struct fqdn_cache *c, struct fqdn_entry *e);
void fqdn_watch_sweep(struct fqdn_cache *c, size_t most);

#endif
