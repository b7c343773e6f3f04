/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * conf_value.h - the words a configuration is made of: durations, sizes, addresses, paths.
 *
 * io, but pure. A parser takes the whole of text or nothing. It returns NULL
 * and its value, or what is wrong, as the rest of a sentence that begins with
 * the text ("'5x' has a unit that ..."); then the output is untouched.
 */
#ifndef SNP_CONF_VALUE_H
#define SNP_CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "snooper/core/conf.h"

/* One number and one unit: ns us ms s m h d. Only 0 may go without. */
const char *conf_value_duration(const char *text, uint64_t *ns);

/* Plain bytes, or KiB, MiB, GiB. */
const char *conf_value_size(const char *text, uint64_t *bytes);

/* Decimal digits, no sign, no leading zero. */
const char *conf_value_number(const char *text, uint64_t *n);

/* 192.0.2.1 or 2001:db8::1, without port, prefix or zone. */
const char *conf_value_addr(const char *text, struct snp_addr *addr);

/* 192.0.2.1:53 or [2001:db8::1]:53. Padding is zero: two equal ones are equal bytes. */
const char *conf_value_endpoint(const char *text, struct snp_endpoint *e);

/*
 * 192.0.2.0/24 or 2001:db8::/32. Bits behind the prefix are an error too, of
 * which *c is told nevertheless: what was meant, with those bits cleared.
 * Padding is zero.
 */
const char *conf_value_cidr(const char *text, struct snp_cidr *c);

/* An absolute path without . and .. in it. See conf_value_clean_path(). */
const char *conf_value_path(const char *text);
/* ... of a cgroup, with * and ? for bytes of one component. */
const char *conf_value_glob(const char *text);
/* ... that also fits into a sockaddr_un. */
const char *conf_value_socket(const char *text);
/* IP:PORT, or unix:PATH for a socket. */
const char *conf_value_listen(const char *text);
/* IP:PORT, the wildcard address allowed; or off, or nothing. */
const char *conf_value_metrics(const char *text);
/* A group's name. */
const char *conf_value_group(const char *text);
/* What we call a node, a cluster or an endpoint. */
const char *conf_value_id(const char *text);
/* The common name in the subject of a certificate. */
const char *conf_value_common_name(const char *text);
/* A domain name, "." for the root. */
const char *conf_value_dns_name(const char *text);
/* A word of a label, empty allowed. */
const char *conf_value_label(const char *text);

/* Take doubled and trailing slashes out of a path that conf_value_path() took. */
void conf_value_clean_path(char *path);

bool conf_addr_is_v4(const struct snp_addr *addr);
/* Neither unspecified, nor multicast, nor the broadcast address. */
bool conf_addr_is_host(const struct snp_addr *addr);

/* For messages. Both return buf. */
#define CONF_ADDR_TEXT 64
const char *conf_addr_text(const struct snp_addr *addr, char buf[static CONF_ADDR_TEXT]);
#define CONF_DURATION_TEXT 32
const char *conf_duration_text(uint64_t ns, char buf[static CONF_DURATION_TEXT]);

#endif
