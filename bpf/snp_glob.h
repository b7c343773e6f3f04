/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * snp_glob.h - does a cgroup's path match a glob? One step of the walk, for kernel and user space.
 *
 * Component by component: `*` is any bytes of one component, `?` one byte of it,
 * every other byte itself; so are [ and \, for systemd writes \x2d into names.
 * Both paths are absolute, without a final or doubled slash. The caller keeps
 * the places in `struct glob_walk`, and calls glob_step() until it says what it found.
 */
#ifndef SNP_GLOB_H
#define SNP_GLOB_H

#include "bpf/snp_endpoint.h"

#define GLOB_MASK (SNP_GLOB_PATH_BYTES - 1)
SNP_ASSERT((SNP_GLOB_PATH_BYTES & GLOB_MASK) == 0, "places in a path are masked");

enum glob_found {
	GLOB_GOING, /* call again */
	GLOB_NO,
	GLOB_MATCH,
	GLOB_ABOVE, /* what the glob names lies below the path */
};

struct glob_walk {
	__u32 p, t;	      /* places in glob and path */
	__u32 star_p, star_t; /* behind the component's last star, and what it has eaten up to */
	__u32 starred;	      /* the component has a star behind us */
	__u32 reserved;
};

static inline __attribute__((always_inline)) enum glob_found
glob_step(struct glob_walk *w, const char *glob, __u32 glob_len, const char *path, __u32 path_len)
{
	__u32 p = w->p, t = w->t;
	char g = p < glob_len ? glob[p & GLOB_MASK] : 0;
	char c;

	if (g == '*') {
		w->star_p = w->p = p + 1;
		w->star_t = t;
		w->starred = 1;
		return GLOB_GOING;
	}
	if (t >= path_len)
		return p >= glob_len ? GLOB_MATCH : g == '/' ? GLOB_ABOVE : GLOB_NO;
	c = path[t & GLOB_MASK];
	if (p < glob_len && (g == c || (g == '?' && c != '/'))) {
		w->p = p + 1;
		w->t = t + 1;
		if (c == '/')
			w->starred = 0;
		return GLOB_GOING;
	}
	if (!w->starred || path[w->star_t & GLOB_MASK] == '/')
		return GLOB_NO;
	w->t = ++w->star_t;
	w->p = w->star_p;
	return GLOB_GOING;
}

#endif
