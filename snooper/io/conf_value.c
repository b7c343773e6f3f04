/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *word;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", 1000000000ull},
	{"m", 60 * 1000000000ull},
	{"h", 3600 * 1000000000ull},
	{"d", 86400 * 1000000000ull},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
	{NULL, 0},
};

/* Digits at the start of text; *end is behind them. */
static const char *take_digits(const char *text, uint64_t *out, const char **end)
{
	const char *p = text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return "is too large";
	}
	if (p == text)
		return "does not begin with a digit";
	if (*text == '0' && p - text > 1)
		return "has a leading zero";
	*out = n;
	*end = p;
	return NULL;
}

static const struct unit *find_unit(const struct unit *units, const char *word)
{
	for (; units->word; units++) {
		if (!strcmp(units->word, word))
			return units;
	}
	return NULL;
}

const char *conf_value_duration(const char *text, uint64_t *ns)
{
	const struct unit *unit;
	const char *end, *why;
	uint64_t n;

	why = take_digits(text, &n, &end);
	if (why)
		return why;
	if (!*end) {
		if (n)
			return "has no unit: ns, us, ms, s, m, h or d";
		*ns = 0;
		return NULL;
	}
	unit = find_unit(time_units, end);
	if (!unit)
		return "is not one number and one unit: ns, us, ms, s, m, h or d";
	if (__builtin_mul_overflow(n, unit->factor, &n))
		return "is too large";
	*ns = n;
	return NULL;
}

const char *conf_value_size(const char *text, uint64_t *bytes)
{
	const struct unit *unit;
	const char *end, *why;
	uint64_t n;

	why = take_digits(text, &n, &end);
	if (why)
		return why;
	if (*end) {
		unit = find_unit(size_units, end);
		if (!unit)
			return "is not one number and one unit: KiB, MiB or GiB, or plain bytes";
		if (__builtin_mul_overflow(n, unit->factor, &n))
			return "is too large";
	}
	*bytes = n;
	return NULL;
}

const char *conf_value_number(const char *text, uint64_t *n)
{
	const char *end, *why;
	uint64_t value;

	why = take_digits(text, &value, &end);
	if (why)
		return why;
	if (*end)
		return "is not a whole decimal number";
	*n = value;
	return NULL;
}

/* False: no address. *v6 tells how it was written. */
static bool take_addr(const char *text, struct snp_addr *addr, bool *v6)
{
	struct snp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, a.b + 12) == 1)
		*v6 = false;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		*v6 = true;
	else
		return false;
	*addr = a;
	return true;
}

const char *conf_value_addr(const char *text, struct snp_addr *addr)
{
	struct snp_endpoint with_port;
	bool v6;

	if (take_addr(text, addr, &v6))
		return NULL;
	if (strchr(text, '%'))
		return "has a zone: addresses that are local to a link are not supported";
	if (!conf_value_endpoint(text, &with_port))
		return "has a port: only an address is wanted";
	return "is not an IP address";
}

/* text up to end, as a string of its own. False: longer than any address. */
static bool copy_part(const char *text, const char *end, char buf[static CONF_ADDR_TEXT])
{
	size_t len = (size_t)(end - text);

	if (len >= CONF_ADDR_TEXT)
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

const char *conf_value_endpoint(const char *text, struct snp_endpoint *e)
{
	const char *colon = strrchr(text, ':');
	char host[CONF_ADDR_TEXT];
	struct snp_addr addr;
	uint64_t port;
	bool v6;

	if (take_addr(text, &addr, &v6))
		return v6 ? "has no port: write [ADDRESS]:PORT" : "has no port: write ADDRESS:PORT";
	if (!colon)
		return "is not IP:PORT";
	if (*text == '[' && colon > text && colon[-1] == ']') {
		if (!copy_part(text + 1, colon - 1, host) || !take_addr(host, &addr, &v6) || !v6)
			return "is not [IPv6]:PORT";
	} else if (!copy_part(text, colon, host) || !take_addr(host, &addr, &v6) || v6) {
		return "is not IP:PORT";
	}
	if (conf_value_number(colon + 1, &port) || port < 1 || port > 65535)
		return "has a port that is not between 1 and 65535";
	memset(e, 0, sizeof(*e));
	e->addr = addr;
	e->port = (uint16_t)port;
	return NULL;
}

/* Clear what is behind the prefix. True: something was there. */
static bool mask(struct snp_addr *addr, unsigned int prefix)
{
	bool had = false;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int keep = prefix < 8 * i ? 0 : prefix - 8 * i;
		uint8_t m = keep >= 8 ? 0xff : (uint8_t)(0xff00 >> keep);

		had = had || (addr->b[i] & ~m);
		addr->b[i] &= m;
	}
	return had;
}

const char *conf_value_cidr(const char *text, struct snp_cidr *c)
{
	const char *slash = strchr(text, '/');
	char host[CONF_ADDR_TEXT];
	struct snp_addr addr;
	uint64_t prefix;
	bool v6;

	if (!slash)
		return take_addr(text, &addr, &v6) ? "has no prefix length: write ADDRESS/LENGTH"
						   : "is not ADDRESS/LENGTH";
	if (!copy_part(text, slash, host) || !take_addr(host, &addr, &v6))
		return "is not ADDRESS/LENGTH";
	if (conf_value_number(slash + 1, &prefix) || prefix > (v6 ? 128 : 32))
		return v6 ? "has a prefix length that is not between 0 and 128"
			  : "has a prefix length that is not between 0 and 32";
	memset(c, 0, sizeof(*c));
	c->addr = addr;
	c->prefix = (uint8_t)(v6 ? prefix : prefix + 96);
	c->ipv6 = v6;
	return mask(&c->addr, c->prefix) ? "has bits set behind its prefix" : NULL;
}

bool conf_addr_is_v4(const struct snp_addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(addr->b, mapped, sizeof(mapped));
}

bool conf_addr_is_host(const struct snp_addr *addr)
{
	static const struct snp_addr none;

	if (!conf_addr_is_v4(addr))
		return memcmp(addr, &none, sizeof(none)) && addr->b[0] != 0xff;
	return addr->b[12] != 0 && addr->b[12] < 224;
}

const char *conf_addr_text(const struct snp_addr *addr, char buf[static CONF_ADDR_TEXT])
{
	if (conf_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + 12, buf, CONF_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, addr->b, buf, CONF_ADDR_TEXT);
	return buf;
}

const char *conf_duration_text(uint64_t ns, char buf[static CONF_DURATION_TEXT])
{
	const struct unit *best = &time_units[3]; /* of nothing: 0s */

	for (const struct unit *u = time_units; ns && u->word; u++) {
		if (ns % u->factor == 0)
			best = u;
	}
	snprintf(buf, CONF_DURATION_TEXT, "%llu%s", (unsigned long long)(ns / best->factor),
		 best->word);
	return buf;
}
