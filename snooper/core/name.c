/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/core/name.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bpf/snp_types.h"

#define LABEL_MAX 63

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Bytes that stand for themselves in presentation form. */
static bool plain(uint8_t c)
{
	return c >= 0x21 && c <= 0x7e;
}

static size_t put_byte(char *text, uint8_t c)
{
	c = fold(c);
	if (c == '.' || c == '\\') {
		text[0] = '\\';
		text[1] = (char)c;
		return 2;
	}
	if (plain(c)) {
		text[0] = (char)c;
		return 1;
	}
	text[0] = '\\';
	text[1] = (char)('0' + c / 100);
	text[2] = (char)('0' + c / 10 % 10);
	text[3] = (char)('0' + c % 10);
	return 4;
}

static bool wire_ok(const uint8_t *wire, size_t len)
{
	size_t pos = 0;

	if (len < 1 || len > SNP_NAME_MAX)
		return false;
	while (pos < len && wire[pos]) {
		if (wire[pos] > LABEL_MAX)
			return false;
		pos += 1u + wire[pos];
	}
	return pos + 1 == len;
}

int name_to_text(const uint8_t *wire, size_t len, char text[static NAME_TEXT_MAX])
{
	size_t pos, n = 0;

	/* 254 bytes of at most 4 characters, one of them a dot per label, and the NUL. */
	_Static_assert((SNP_NAME_MAX - 1) * 4 + 1 <= NAME_TEXT_MAX, "the longest name must fit");
	if (!wire_ok(wire, len))
		return -EINVAL;
	for (pos = 0; wire[pos]; pos += 1u + wire[pos]) {
		if (pos)
			text[n++] = '.';
		for (size_t i = 1; i <= wire[pos]; i++)
			n += put_byte(text + n, wire[pos + i]);
	}
	if (!n)
		text[n++] = '.';
	text[n] = '\0';
	return (int)n;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One byte of a label; *text moves past it. Returns the byte or -EINVAL. */
static int take_byte(const char **text)
{
	const char *t = *text;
	int value;

	if (!plain((uint8_t)t[0]))
		return -EINVAL;
	if (t[0] != '\\') {
		*text = t + 1;
		return fold((uint8_t)t[0]);
	}
	if (!digit(t[1])) {
		*text = t + 2;
		return plain((uint8_t)t[1]) ? fold((uint8_t)t[1]) : -EINVAL;
	}
	if (!digit(t[2]) || !digit(t[3]))
		return -EINVAL;
	value = (t[1] - '0') * 100 + (t[2] - '0') * 10 + (t[3] - '0');
	if (value > 255)
		return -EINVAL;
	*text = t + 4;
	return fold((uint8_t)value);
}

int name_from_text(const char *text, uint8_t wire[static 256])
{
	uint8_t out[SNP_NAME_MAX];
	size_t label = 0, n = 1; /* out[label] is the length byte being filled */

	if (text[0] == '.' && !text[1]) {
		wire[0] = 0;
		return 1;
	}
	out[0] = 0;
	while (*text) {
		int c;

		if (*text == '.') {
			if (!out[label] || n == sizeof(out))
				return -EINVAL;
			label = n++;
			out[label] = 0;
			text++;
			continue;
		}
		c = take_byte(&text);
		if (c < 0 || out[label] == LABEL_MAX || n == sizeof(out))
			return -EINVAL;
		out[n++] = (uint8_t)c;
		out[label]++;
	}
	if (out[label]) { /* no final dot: the root's zero is still to come */
		if (n == sizeof(out))
			return -EINVAL;
		out[n++] = 0;
	} else if (n == 1) { /* the empty string */
		return -EINVAL;
	}
	memcpy(wire, out, n);
	return (int)n;
}
