/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_status.h"

#include <stdbool.h>

static const char *const names[] = {
#define GRPC_CODE_NAME(number, name) [number] = #name,
	GRPC_CODES(GRPC_CODE_NAME)};
#define N_CODES (sizeof(names) / sizeof(names[0]))

const char *grpc_code_name(int code)
{
	return code >= 0 && (size_t)code < N_CODES ? names[code] : names[GRPC_UNKNOWN];
}

enum grpc_code grpc_code_parse(const char *digits, size_t n)
{
	unsigned int code = 0;

	if (n < 1 || n > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return GRPC_UNKNOWN;
		code = code * 10 + (unsigned int)(digits[i] - '0');
	}
	return code < N_CODES ? (enum grpc_code)code : GRPC_UNKNOWN;
}

size_t grpc_text_encode(const char *text, char *out, size_t room)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c <= 0x7e && c != '%';

		if (n + (plain ? 1 : 3) >= room)
			break;
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return n;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t grpc_text_decode(const char *in, size_t n, char *text, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len + 1 < room; i++) {
		char c = in[i];

		/* A broken escape stands for itself: a text is worth reading in any case. */
		if (c == '%' && n - i > 2 && hex_value(in[i + 1]) >= 0 &&
		    hex_value(in[i + 2]) >= 0) {
			c = (char)(hex_value(in[i + 1]) << 4 | hex_value(in[i + 2]));
			i += 2;
		}
		if (c)
			text[len++] = c;
	}
	text[len] = '\0';
	return len;
}
