/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * name.h - domain names between wire and presentation form.
 *
 * core: pure. Canonical wire form: uncompressed, ASCII letters in lower case,
 * with the root's zero byte, at most 255 bytes. Presentation form: no final
 * dot, "." for the root; '.' and '\' inside a label as \. and \\, bytes outside
 * 0x21..0x7e as \DDD (RFC 4343 2.1), so that no name can break a line or a log.
 */
#ifndef SNP_NAME_H
#define SNP_NAME_H

#include <stddef.h>
#include <stdint.h>

/* Worst case: every byte of every label as \DDD. */
#define NAME_TEXT_MAX 1024

/*
 * Write the presentation form of wire (len bytes) to text. Returns its length,
 * or -EINVAL when wire is no well-formed uncompressed name of exactly len bytes.
 */
int name_to_text(const uint8_t *wire, size_t len, char text[static NAME_TEXT_MAX]);

/*
 * Canonical wire form of a presentation name (final dot optional, escapes as
 * above). Returns its length with the root's zero, or -EINVAL.
 */
int name_from_text(const char *text, uint8_t wire[static 256]);

#endif
