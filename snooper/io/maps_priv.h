/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps_priv.h - what the maps_*.c files share. Nobody else includes it. */
#ifndef SNP_MAPS_PRIV_H
#define SNP_MAPS_PRIV_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "snooper/io/maps.h"
#include "snooper.skel.h"

struct maps {
	struct snooper_bpf *skel;
	struct ring_buffer *ring;
	maps_event_fn event;
	maps_cut_fn cut;
	maps_verdict_event_fn verdict;
	void *event_ctx;
	struct maps_seen {
		uint32_t names, learned, granted;
	} seen; /* rows, by the last walk to the end */
	struct maps_rows {
		struct maps_rows_held {
			uint64_t rows, slots;
		} now, last; /* of the reading under way, of the last whole one */
	} rows[2];	     /* learned, given */
	/*
	 * May there be granted rows, of which we are the only writer? A walk over an empty table
	 * looks at each of its buckets, all in one call.
	 */
	bool granted, granted_since; /* ... written since the walk began */
	int ring_left;		     /* records and facts this reading may still take */
	char *dir;
	int lock_fd;	   /* of dir: one snooperd a set */
	int generation_fd; /* of policy, in force, from 1; 0: not looked at yet */
	int cpus;
	bool adopted;
	bool unused; /* the directory is new, or what it held was never attached */
	bool limits_differ;
	uint64_t key[2];
};

/* maps.c: a batch of a hash table's rows, *n of them. 1: there are more; 0: that was the last; -errno. */
int maps_batch(int fd, struct maps_pos *pos, void *keys, void *values, __u32 *n);

#define MAP_FD(m, name) bpf_map__fd((m)->skel->maps.name)

#endif
