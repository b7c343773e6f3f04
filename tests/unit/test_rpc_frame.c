/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "snooper/rpc/grpc_frame.h"
#include "snooper/rpc/grpc_status.h"

static const uint8_t two[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0};

static void message_in_pieces_is_the_message_whole(void **state)
{
	struct grpc_reader r;

	grpc_reader_init(&r, 100);
	assert_true(grpc_reader_empty(&r));
	for (size_t i = 0; i < 8; i++) {
		assert_false(grpc_reader_whole(&r));
		assert_int_equal(grpc_reader_feed(&r, two + i, 1), 1);
		assert_false(grpc_reader_empty(&r));
	}
	assert_true(grpc_reader_whole(&r));
	assert_int_equal(r.len, 3);
	assert_memory_equal(r.message, "abc", 3);
	grpc_reader_fini(&r);
}

static void feeding_stops_at_the_end_of_a_message(void **state)
{
	struct grpc_reader r;

	grpc_reader_init(&r, 100);
	assert_int_equal(grpc_reader_feed(&r, two, sizeof(two)), 8);
	assert_true(grpc_reader_whole(&r));
	grpc_reader_next(&r);
	assert_true(grpc_reader_empty(&r));
	assert_int_equal(grpc_reader_feed(&r, two + 8, sizeof(two) - 8), 5);
	assert_true(grpc_reader_whole(&r));
	assert_int_equal(r.len, 0);
	grpc_reader_fini(&r);
}

static const struct row {
	const char *why;
	uint8_t prefix[GRPC_PREFIX];
	long want;
} rows[] = {
	{"as long as may be", {0, 0, 0, 0, 100}, 5},
	{"one byte too long", {0, 0, 0, 0, 101}, -EMSGSIZE},
	{"four gigabytes", {0, 255, 255, 255, 255}, -EMSGSIZE},
	{"compressed", {1, 0, 0, 0, 4}, -EOPNOTSUPP},
	{"another flag", {2, 0, 0, 0, 4}, -EPROTO},
};

static void prefixes_are_judged_before_memory_is_taken(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct grpc_reader r;

		print_message("%s\n", rows[i].why);
		grpc_reader_init(&r, 100);
		assert_int_equal(grpc_reader_feed(&r, rows[i].prefix, GRPC_PREFIX), rows[i].want);
		grpc_reader_fini(&r);
	}
}

static void announced_length_takes_no_memory(void **state)
{
	const uint8_t start[] = {0, 0, 0xff, 0, 0, 'x'};
	struct grpc_reader r;

	grpc_reader_init(&r, 1 << 24);
	assert_int_equal(grpc_reader_feed(&r, start, sizeof(start)), sizeof(start));
	assert_true(r.room <= 512);
	grpc_reader_fini(&r);
}

static void prefix_reads_back(void **state)
{
	uint8_t p[GRPC_PREFIX];

	grpc_prefix_put(p, 0x01020304);
	assert_memory_equal(p, "\0\1\2\3\4", 5);
}

static void texts_survive_the_header(void **state)
{
	static const char text[] = "100% of \303\251\nlines";
	char in[64], out[64];
	size_t n = grpc_text_encode(text, in, sizeof(in));

	assert_string_equal(in, "100%25 of %C3%A9%0Alines");
	assert_int_equal(n, strlen(in));
	assert_int_equal(grpc_text_decode(in, n, out, sizeof(out)), strlen(text));
	assert_string_equal(out, text);
	/* Never half an escape, never past the end. */
	assert_int_equal(grpc_text_encode("ab\n", in, 5), 2);
	assert_string_equal(in, "ab");
	assert_int_equal(grpc_text_encode("ab\n", in, 6), 5);
	/* Broken escapes stand for themselves, a NUL for nothing. */
	grpc_text_decode("%4", 2, out, sizeof(out));
	assert_string_equal(out, "%4");
	grpc_text_decode("%zz%00a", 7, out, sizeof(out));
	assert_string_equal(out, "%zza");
	assert_int_equal(grpc_text_decode("abcdef", 6, out, 4), 3);
}

static void codes_have_grpcs_numbers(void **state)
{
	assert_int_equal(GRPC_PERMISSION_DENIED, 7);
	assert_int_equal(GRPC_UNIMPLEMENTED, 12);
	assert_int_equal(GRPC_UNAUTHENTICATED, 16);
	assert_string_equal(grpc_code_name(14), "UNAVAILABLE");
	assert_string_equal(grpc_code_name(17), "UNKNOWN");
	assert_string_equal(grpc_code_name(-1), "UNKNOWN");
	assert_int_equal(grpc_code_parse("12", 2), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_code_parse("0", 1), GRPC_OK);
	assert_int_equal(grpc_code_parse("", 0), GRPC_UNKNOWN);
	assert_int_equal(grpc_code_parse("17", 2), GRPC_UNKNOWN);
	assert_int_equal(grpc_code_parse("000", 3), GRPC_UNKNOWN);
	assert_int_equal(grpc_code_parse("-1", 2), GRPC_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_in_pieces_is_the_message_whole),
		cmocka_unit_test(feeding_stops_at_the_end_of_a_message),
		cmocka_unit_test(prefixes_are_judged_before_memory_is_taken),
		cmocka_unit_test(announced_length_takes_no_memory),
		cmocka_unit_test(prefix_reads_back),
		cmocka_unit_test(texts_survive_the_header),
		cmocka_unit_test(codes_have_grpcs_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
