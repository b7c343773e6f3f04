/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/text.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

static const unsigned char v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool addr_is_v4(const struct snp_addr *a)
{
	return !memcmp(a->b, v4_mapped, sizeof(v4_mapped));
}

bool addr_is_loopback(const struct snp_addr *a)
{
	static const struct snp_addr six = {.b = {[15] = 1}};

	return addr_is_v4(a) ? a->b[12] == 127 : !memcmp(a, &six, sizeof(six));
}

const char *addr_to_text(const struct snp_addr *a, char text[static ADDR_TEXT_MAX])
{
	_Static_assert(ADDR_TEXT_MAX >= INET6_ADDRSTRLEN, "any address must fit");
	if (addr_is_v4(a))
		return inet_ntop(AF_INET, a->b + sizeof(v4_mapped), text, ADDR_TEXT_MAX);
	return inet_ntop(AF_INET6, a->b, text, ADDR_TEXT_MAX);
}

size_t addr_to_bytes(const struct snp_addr *a, const unsigned char **bytes)
{
	bool v4 = addr_is_v4(a);

	*bytes = a->b + (v4 ? sizeof(v4_mapped) : 0);
	return v4 ? 4 : 16;
}

bool addr_from_bytes(const unsigned char *bytes, size_t n, struct snp_addr *a)
{
	if (n == 4) {
		memcpy(a->b, v4_mapped, sizeof(v4_mapped));
		memcpy(a->b + sizeof(v4_mapped), bytes, 4);
		return true;
	}
	if (n != 16)
		return false;
	memcpy(a->b, bytes, 16);
	return true;
}

/* Bytes of the sequence at p, or 0 when it is not well-formed. */
static size_t utf8_length(const unsigned char *p)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80	     ? 1
		   : p[0] >> 5 == 6  ? 2
		   : p[0] >> 4 == 14 ? 3
		   : p[0] >> 3 == 30 ? 4
				     : 0;
	uint32_t c;

	if (n < 2)
		return n;
	c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2) /* the final NUL too */
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

void text_make_utf8(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p) {
		size_t n = utf8_length(p);

		if (!n || *p < 0x20 || *p == 0x7f) {
			*p++ = '?';
			continue;
		}
		p += n;
	}
}
