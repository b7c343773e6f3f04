/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps.h - the kernel side as the daemon holds it: programs, pinned maps, typed access.
 *
 * io: includes base, core, bpf. Loop thread only. No other file of the daemon
 * names a map. Every row has one writer: of what is
 * here, the daemon writes the configuration, the proxy's seeds, granted facts and
 * collected tallies; it reads the rest, takes away learned rows that expired
 * more than SNP_COLLECT_AFTER_NS ago, and those of untrusted servers that were silent for long.
 *
 * Life cycle: maps_open() adopts what is pinned or makes it, maps_configure()
 * writes the configuration, links_attach() (links.h) lets packets in.
 * maps_close() lets go and leaves everything pinned.
 */
#ifndef SNP_MAPS_H
#define SNP_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/snp_event.h"
#include "bpf/snp_fact.h"
#include "bpf/snp_kconf.h"
#include "bpf/snp_proxy.h"
#include "bpf/snp_stat.h"
#include "bpf/snp_verdict.h"
#include "snooper/core/conf.h"
#include "snooper/core/metrics.h"
#include "snooper/core/status.h"
#include "snooper/core/untrusted.h"

struct maps; /* opaque; maps_open.c */
struct bpf_program;

struct maps_problem {
	char text[512]; /* for a person */
	bool kernel;	/* the kernel lacks what is needed, or refused a program: exit 6 */
};

/*
 * Adopt the set pinned under conf->state.bpffs, or make it; load this build's
 * programs over its maps. Nothing is attached or replaced yet. Returns 0 and
 * *out, or -errno and *why: -EBUSY when another snooperd holds the set, -EPROTO
 * when what is pinned is not ours or of another layout. A set that was there
 * is untouched on failure; one that was begun is removed.
 */
int maps_open(const struct snp_conf *conf, struct maps **out, struct maps_problem *why);
void maps_close(struct maps *m);

/* Was the set there before us? */
bool maps_adopted(const struct maps *m);
/* Does a pinned map keep another size than limits asks for? */
bool maps_limits_differ(const struct maps *m);

/* The programs, by attach point, and the directory of the set (borrowed). */
struct maps_program {
	struct bpf_program *prog;
	const char *name;
	enum maps_place {
		MAPS_PACKETS, /* on observe.cgroups, always */
		MAPS_ASKING, /* on observe.cgroups, for a proxy, a loopback resolver, or endpoints */
		MAPS_SHOWING, /* on observe.cgroups, for a proxy */
		MAPS_PROXY,   /* on proxy.cgroup */
		MAPS_TRACING, /* on the kernel, for endpoints */
		MAPS_READING, /* on nothing: run when it is wanted */
	} place;
};
size_t maps_programs(struct maps *m, struct maps_program *out, size_t room);
const char *maps_directory(const struct maps *m);

/* Put *conf in force as one whole. conf->key is set from the set's own secret. */
int maps_configure(struct maps *m, struct snp_kconf *conf);

/*
 * News: the ring's epoll descriptor; consume calls event() for each record, and
 * returns how many there were, or -EAGAIN after `most` of them: call again.
 */
typedef void (*maps_event_fn)(void *ctx, const struct snp_event *e);
/* Connections that are to be ended (snp_verdict.h): told to cut(), with the ctx of maps_ring_start(). */
typedef void (*maps_cut_fn)(void *ctx, const struct snp_event_cut *cut);
void maps_ring_cuts(struct maps *m, maps_cut_fn cut);
int maps_ring_fd(const struct maps *m);
/* A refusal. Nobody is woken for one: look often while somebody wants to know. */
typedef void (*maps_verdict_event_fn)(void *ctx, const struct snp_event_verdict *e);
int maps_ring_start(struct maps *m, maps_event_fn event, maps_verdict_event_fn verdict, void *ctx);
/* At least one record, and no more after `most` of them and their facts. -EAGAIN: there may be more. */
int maps_ring_consume(struct maps *m, int most);

enum maps_table { MAPS_LEARNED, MAPS_GRANTED };

/* A name's row, a fact's row. -ENOENT when there is none. */
int maps_name(struct maps *m, const struct snp_name_key *key, struct snp_name_row *row);
int maps_fact(struct maps *m, enum maps_table table, const struct snp_fact_key *key,
	      struct snp_fact *fact);

/* Write a fact of another origin than the kernel. -ENOSPC: the table is full. */
int maps_grant(struct maps *m, const struct snp_fact_key *key, const struct snp_fact *fact);

/*
 * Walk a table in slices. *pos is 0 at first; visit() is called for up to about
 * `budget` rows. Returns 1 when there is more, 0 at the end (*pos is 0 again), or
 * -errno. Rows that come or go meanwhile may or may not be seen. The kernel goes over
 * empty buckets without a bound: a nearly empty table with room for 2 million rows takes 7 ms.
 */
typedef void (*maps_name_fn)(void *ctx, const struct snp_name_key *key,
			     const struct snp_name_row *row);
typedef void (*maps_fact_fn)(void *ctx, const struct snp_fact_key *key,
			     const struct snp_fact *fact);
struct maps_pos {
	bool started;
	uint32_t rows; /* seen so far */
	uint32_t token[8];
};
int maps_walk_names(struct maps *m, struct maps_pos *pos, uint32_t budget, maps_name_fn visit,
		    void *ctx);
int maps_walk_facts(struct maps *m, enum maps_table table, struct maps_pos *pos, uint32_t budget,
		    maps_fact_fn visit, void *ctx);

/* How full the tables are, as of the last walk of each to its end. No walk: no rows. */
#define MAPS_FILLS 3
void maps_fill(const struct maps *m, struct snp_metrics_map out[MAPS_FILLS]);

/*
 * Take away a learned fact that expired more than SNP_COLLECT_AFTER_NS before
 * now_ns, by lookup-and-delete. What came back alive after all is put back as
 * granted. Returns 1 collected, 0 put back (alive), -ENOENT.
 */
int maps_collect_fact(struct maps *m, const struct snp_fact_key *key, uint64_t now_ns);
int maps_collect_granted(struct maps *m, const struct snp_fact_key *key, uint64_t now_ns);
int maps_collect_name(struct maps *m, const struct snp_name_key *key, uint64_t now_ns);

/* Counters, summed over CPUs. */
int maps_stats(struct maps *m, uint64_t stats[SNP_STAT_MAX]);
/* Up to room untrusted servers, most answers first. Returns how many. */
size_t maps_untrusted(struct maps *m, struct snp_status_server *out, size_t room);
/*
 * Take away the row of one that was silent, as it was read. 1: it is gone, with *answers;
 * 0: it had answered since, and is put back; -errno.
 */
int maps_collect_untrusted(struct maps *m, const struct snp_status_server *row, uint64_t *answers);

int maps_proxy(struct maps *m, uint32_t index, struct snp_proxy_row *row);
/*
 * Count a proxy's socket that was bound before its programs were attached:
 * fd is a descriptor of it. 0, or -EEXIST when it is counted already.
 */
int maps_seed_proxy(struct maps *m, int fd, const struct snp_proxy_mark *mark,
		    uint64_t netns_cookie);

/* Remove everything pinned under dir: links first, then maps. 0, or -errno and *why. */
int maps_uninstall(const char *dir, struct maps_problem *why);

#endif
