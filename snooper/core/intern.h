/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * intern.h - strings of bytes and their numbers: the same bytes, the same number, for ever.
 *
 * core: pure. Numbers are given from 1 upwards and never given twice, also when
 * what had one was dropped: whoever still holds a number finds nothing under it,
 * rather than something else.
 */
#ifndef SNP_INTERN_H
#define SNP_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern; /* opaque; intern.c */

struct intern *intern_new(uint32_t last); /* the highest number to be given. NULL: out of memory */
void intern_free(struct intern *t);
struct intern *intern_copy(const struct intern *t); /* NULL: out of memory */

/* The number of the bytes, given now if they are new. 0: out of memory, or of numbers. */
uint32_t intern_add(struct intern *t, const void *bytes, size_t len);
/* As it was once given: 0, or -EEXIST when the number is taken, -EINVAL, -ENOMEM. */
int intern_put(struct intern *t, uint32_t number, const void *bytes, size_t len);
/* Their number, 0: they have none. */
uint32_t intern_find(const struct intern *t, const void *bytes, size_t len);
/* The bytes under a number and *len; NULL: none. Borrowed until it is dropped. */
const void *intern_bytes(const struct intern *t, uint32_t number, size_t *len);
void intern_drop(struct intern *t, uint32_t number);

/* Numbers given so far are below; how many of them hold bytes. */
uint32_t intern_end(const struct intern *t);
size_t intern_count(const struct intern *t);
/* Was the last number given? */
bool intern_full(const struct intern *t);
/* No number below end is given from now on. */
void intern_begin_at(struct intern *t, uint32_t end);

#endif
