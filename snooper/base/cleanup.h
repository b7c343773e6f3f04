/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cleanup.h - what a scope owns, it frees.
 *
 * base. SNP_CLEANUP(fn) calls fn(&variable) when the scope ends; snp_take()
 * is the only way out of the scope alive. A function uses this or goto, never both.
 */
#ifndef SNP_CLEANUP_H
#define SNP_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SNP_CLEANUP(fn) __attribute__((cleanup(fn)))

#define snp_take(pp)                                                                               \
	({                                                                                         \
		__auto_type taken_ = *(pp);                                                        \
		*(pp) = NULL;                                                                      \
		taken_;                                                                            \
	})

static inline void snp_freep(void *p)
{
	free(*(void **)p);
}

static inline void snp_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void snp_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#endif
