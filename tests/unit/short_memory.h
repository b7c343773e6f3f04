/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * short_memory.h - an allocator in place of libc's, whose memory ends when it is told to.
 *
 * Include in one file of a test. ASan brings an allocator of its own, and its own look at leaks:
 * leave such a test to the other builds (__SANITIZE_ADDRESS__).
 */
#ifndef SNP_TEST_SHORT_MEMORY_H
#define SNP_TEST_SHORT_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

/* volatile: the compiler takes malloc() and free() for functions that read nothing of ours. */
static volatile bool counting;
static volatile long left = -1;	 /* allocations until memory ends; below 0: it does not */
static volatile bool fails_once; /* then it is back: left is as good as endless */
static volatile long held;	 /* allocations not yet freed */

/* May this one succeed? */
static bool grant(void)
{
	if (!counting || left < 0)
		return true;
	if (left == 0) {
		left = fails_once ? -1 : 0;
		return false;
	}
	left--;
	return true;
}

static void *handed_out(void *p)
{
	if (counting && p)
		held++;
	return p;
}

void *malloc(size_t size)
{
	return grant() ? handed_out(__libc_malloc(size)) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return grant() ? handed_out(__libc_calloc(n, size)) : NULL;
}

void *realloc(void *p, size_t size)
{
	void *q;

	if (!grant()) {
		errno = ENOMEM;
		return NULL;
	}
	q = __libc_realloc(p, size);
	return p ? q : handed_out(q);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return realloc(p, n * size);
}

void free(void *p)
{
	if (counting && p)
		held--;
	__libc_free(p);
}

#endif
