/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * text.h - addresses as people write them, and text that is safe to hand on.
 *
 * core: pure. libc only.
 */
#ifndef SNP_TEXT_H
#define SNP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/snp_types.h"

/* Room for any address with its NUL. */
#define ADDR_TEXT_MAX 48

/* A v4-mapped address is an IPv4 address here. */
bool addr_is_v4(const struct snp_addr *a);

/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct snp_addr *a);

/* Dotted quad for a v4-mapped address, RFC 5952 for the rest. Returns text. */
const char *addr_to_text(const struct snp_addr *a, char text[static ADDR_TEXT_MAX]);

/*
 * The short form that goes on the wire: 4 bytes for IPv4, 16 for IPv6.
 * Returns the length; *bytes points into a.
 */
size_t addr_to_bytes(const struct snp_addr *a, const unsigned char **bytes);

/* Its inverse. False when n is neither 4 nor 16; *a is then untouched. */
bool addr_from_bytes(const unsigned char *bytes, size_t n, struct snp_addr *a);

/* Overwrite with '?' control characters and every byte that is not part of well-formed UTF-8 (RFC 3629). */
void text_make_utf8(char *text);

#endif
