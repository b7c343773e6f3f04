/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/core/name.h"
#include "snooper/core/text.h"

#define W(s) (const uint8_t *)(s), sizeof(s) /* the literal's NUL is the root */

static const struct row {
	const char *why;
	const uint8_t *wire;
	size_t len;
	const char *text; /* NULL: refused */
} rows[] = {
	{"the root", W(""), "."},
	{"two labels", W("\3www\7example"), "www.example"},
	{"upper case is folded", W("\3WwW\2DE"), "www.de"},
	{"a dot inside a label", W("\3a.b\1c"), "a\\.b.c"},
	{"a backslash", W("\3a\\b"), "a\\\\b"},
	{"a space, a line end, a byte above ASCII", W("\3 \n\xff"), "\\032\\010\\255"},
	{"a zero byte", W("\1\0\1a"), "\\000.a"},
	{"printable punctuation stays", W("\4_*;\""), "_*;\""},
	{"a label past the end", (const uint8_t *)"\4abc", 4, NULL},
	{"no root", (const uint8_t *)"\3abc", 4, NULL},
	{"bytes after the root", (const uint8_t *)"\1a\0\0", 4, NULL},
	{"a compression pointer", (const uint8_t *)"\300\14", 2, NULL},
	{"nothing", (const uint8_t *)"", 0, NULL},
};

static void wire_reads_as_text(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[NAME_TEXT_MAX] = "untouched";
		int r;

		print_message("%s\n", rows[i].why);
		r = name_to_text(rows[i].wire, rows[i].len, text);
		if (!rows[i].text) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(text, "untouched");
			continue;
		}
		assert_int_equal(r, strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void text_of_a_name_reads_back_as_the_name(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t wire[256];
		char again[NAME_TEXT_MAX];
		int n;

		if (!rows[i].text)
			continue;
		n = name_from_text(rows[i].text, wire);
		assert_int_equal(n, rows[i].len);
		assert_int_equal(name_to_text(wire, (size_t)n, again), strlen(rows[i].text));
		assert_string_equal(again, rows[i].text);
	}
}

static void label_of_64_is_refused(void **state)
{
	uint8_t wire[256] = {64};
	char text[NAME_TEXT_MAX], label[66];

	memset(wire + 1, 'a', 64);
	assert_int_equal(name_to_text(wire, 66, text), -EINVAL);
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_int_equal(name_from_text(label, wire), -EINVAL);
	label[63] = '\0';
	assert_int_equal(name_from_text(label, wire), 65);
}

static void longest_name_of_escapes_fits(void **state)
{
	uint8_t wire[256], back[256];
	char text[NAME_TEXT_MAX];
	size_t n = 0;
	int r;

	memset(wire, 0xfe, sizeof(wire));
	for (int i = 0; i < 3; i++, n += 64)
		wire[n] = 63;
	wire[n] = 61;
	n += 62;
	wire[n++] = 0;
	assert_int_equal(n, 255);
	r = name_to_text(wire, n, text);
	assert_int_equal(r, 250 * 4 + 3);
	assert_int_equal(strlen(text), r);
	assert_int_equal(name_from_text(text, back), 255);
	assert_memory_equal(wire, back, 255);

	/* One byte more is no name. */
	strcat(text, "a");
	assert_int_equal(name_from_text(text, back), -EINVAL);
}

static void text_that_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {"",	   "..",     ".a",	 "a..b", "a..",
					  "a b",   "a\n",    "\303\251", "a\\",	 "a\\1",
					  "a\\12", "a\\256", "a\\1x2"};
	uint8_t wire[256] = {0x55};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("'%s'\n", bad[i]);
		assert_int_equal(name_from_text(bad[i], wire), -EINVAL);
		assert_int_equal(wire[0], 0x55);
	}
}

static void final_dot_is_optional_and_case_is_folded(void **state)
{
	uint8_t a[256], b[256];

	assert_int_equal(name_from_text("WWW.Example.com.", a), 17);
	assert_int_equal(name_from_text("www.example.COM", b), 17);
	assert_memory_equal(a, b, 17);
	assert_memory_equal(a, "\3www\7example\3com", 17);
	/* An escaped dot at the end is part of the label. */
	assert_int_equal(name_from_text("a\\.", a), 4);
	assert_memory_equal(a, "\2a.", 4);
	assert_int_equal(name_from_text("\\065", a), 3);
	assert_memory_equal(a, "\1a", 3);
}

/* 255 bytes exactly, with and without a final dot; 256 never. */
static void text_of_255_bytes_is_the_limit(void **state)
{
	uint8_t wire[256];
	char text[300] = "";

	for (int i = 0; i < 127; i++)
		strcat(text, "a.");
	assert_int_equal(name_from_text(text, wire), 255);
	text[253] = '\0';
	assert_int_equal(name_from_text(text, wire), 255);
	text[253] = 'b';
	assert_int_equal(name_from_text(text, wire), -EINVAL);
}

static void random_bytes_round_trip_or_are_refused(void **state)
{
	unsigned int seed = 7;
	int kept = 0;

	for (int i = 0; i < 200000; i++) {
		uint8_t wire[24], back[256];
		char text[NAME_TEXT_MAX];
		size_t n = 1 + (size_t)rand_r(&seed) % sizeof(wire);
		int r;

		for (size_t k = 0; k < n; k++)
			wire[k] = (uint8_t)(rand_r(&seed) % (rand_r(&seed) % 2 ? 6 : 256));
		r = name_to_text(wire, n, text);
		if (r < 0)
			continue;
		kept++;
		assert_int_equal(name_from_text(text, back), n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(back[k],
					 wire[k] >= 'A' && wire[k] <= 'Z' ? wire[k] + 32 : wire[k]);
	}
	assert_true(kept > 1000);
}

static void addresses_read_as_people_write_them(void **state)
{
	struct snp_addr a;
	const unsigned char *bytes;
	char text[ADDR_TEXT_MAX];

	assert_true(addr_from_bytes((const unsigned char *)"\300\0\2\1", 4, &a));
	assert_true(addr_is_v4(&a));
	assert_string_equal(addr_to_text(&a, text), "192.0.2.1");
	assert_int_equal(addr_to_bytes(&a, &bytes), 4);
	assert_memory_equal(bytes, "\300\0\2\1", 4);
	assert_true(addr_from_bytes((const unsigned char *)"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1",
				    16, &a));
	assert_false(addr_is_v4(&a));
	assert_string_equal(addr_to_text(&a, text), "2001:db8::1");
	assert_int_equal(addr_to_bytes(&a, &bytes), 16);
	assert_false(addr_from_bytes((const unsigned char *)"12345", 5, &a));
	assert_string_equal(addr_to_text(&a, text), "2001:db8::1");
}

static void text_becomes_utf8(void **state)
{
	char text[] =
		"a\303\251\342\202\254\360\237\230\200|\377\303|\300\200|\355\240\200|\n\342\202";

	text_make_utf8(text);
	assert_string_equal(text, "a\303\251\342\202\254\360\237\230\200|??|??|???|???");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_reads_as_text),
		cmocka_unit_test(text_of_a_name_reads_back_as_the_name),
		cmocka_unit_test(label_of_64_is_refused),
		cmocka_unit_test(longest_name_of_escapes_fits),
		cmocka_unit_test(text_that_is_no_name_is_refused),
		cmocka_unit_test(final_dot_is_optional_and_case_is_folded),
		cmocka_unit_test(text_of_255_bytes_is_the_limit),
		cmocka_unit_test(random_bytes_round_trip_or_are_refused),
		cmocka_unit_test(addresses_read_as_people_write_them),
		cmocka_unit_test(text_becomes_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
