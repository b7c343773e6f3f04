/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define SNP_DNS_CHECKED
#include "tests/walk_rows.h"

static struct dns_walk walk;
static __u8 message[WALK_MESSAGE_MAX];

static void every_row_is_walked_as_it_says(void **state)
{
	char text[256];
	int wrong = 0;

	for (size_t i = 0; i < n_walk_rows; i++) {
		size_t len = walk_row_message(&walk_rows[i], message);
		__u32 err = walk_answer(&walk, message, len);

		if (walk_row_check(&walk_rows[i], err, &walk, text)) {
			print_error("%s: %s\n", walk_rows[i].why, text);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* The same message in a walker full of another's remains. */
static void nothing_of_the_message_before_shows_through(void **state)
{
	char text[256];

	for (size_t i = 0; i < n_walk_rows; i++) {
		for (int fill = 0; fill < 256; fill += 85) {
			size_t len = walk_row_message(&walk_rows[i], message);

			memset(&walk, fill, sizeof(walk));
			if (walk_row_check(&walk_rows[i], walk_answer(&walk, message, len), &walk,
					   text))
				fail_msg("%s (over %d): %s", walk_rows[i].why, fill, text);
		}
	}
}

/* What a DNAME made is forgotten once the chain went on: behind it lie names of the message before. */
static void a_name_of_the_message_before_is_not_followed(void **state)
{
	static const char dname[] = "\x12\x34\x81\x80\0\1\0\3\0\0\0\0\3www\7example\0\0\1\0\1"
				    "\300\20\0\47\0\1\0\0\1\54\0\5\3net\0"
				    "\300\14\0\5\0\1\0\0\1\54\0\6\3www\300\51"
				    "\2cb\0\0\1\0\1\0\0\1\54\0\4\300\0\2\1";

	assert_int_equal(walk_answer(&walk, message, make_chain_16(message)), 0);
	assert_memory_equal(dns_name(&walk, 2), "\2cb", 4);
	assert_int_equal(walk_answer(&walk, (const __u8 *)dname, sizeof(dname) - 1), 0);
	assert_int_equal(walk.depth, 1);
	assert_int_equal(walk.n_addrs, 0);
	assert_int_equal(walk.off_chain, 1);
}

/* Every row cut at every byte: never a read past the end (dns_touch aborts), never more addresses. */
static void a_message_cut_short_yields_no_more_than_the_whole(void **state)
{
	for (size_t i = 0; i < n_walk_rows; i++) {
		size_t len = walk_row_message(&walk_rows[i], message);
		__u32 whole = walk_answer(&walk, message, len) ? 0 : walk.n_addrs;

		if (walk_rows[i].err || walk.too_many || len > 4096)
			continue;
		for (size_t cut = 0; cut < len - walk.trailing; cut++) {
			struct dns_walk *w = &walk;
			__u32 err = walk_answer(w, message, cut);

			if (err)
				assert_int_equal(err, DNS_E(SHORT));
			else
				assert_true(w->truncated && w->n_addrs <= whole);
			if (!walk_rows[i].truncated)
				assert_int_equal(err, DNS_E(SHORT));
			walk_answer(w, message, len);
		}
	}
}

static void a_query_is_read_and_an_answer_is_none(void **state)
{
	static const __u8 query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3WWW\0\0\34\0\1";

	memset(&walk, 0, sizeof(walk));
	walk.len = sizeof(query) - 1;
	memcpy(walk.msg, query, walk.len);
	assert_int_equal(dns_walk_question(&walk, 0), 0);
	assert_int_equal(walk.id, 0x1234);
	assert_int_equal(walk.qtype, DNS_TYPE_AAAA);
	assert_int_equal(walk.name_len[0], 5);
	assert_memory_equal(walk.names, "\3www", 5);
	assert_int_equal(dns_walk_question(&walk, DNS_FLAG_QR), DNS_E(NOT_ANSWER));
}

static void every_byte_folds_as_ascii_does(void **state)
{
	for (unsigned x = 0; x < 256; x++) {
		unsigned low = x >= 'A' && x <= 'Z' ? x + 32 : x;

		for (unsigned at = 0; at < 64; at += 8) {
			__u64 others = 0x5a41405b7a610080ull & ~(0xffull << at);
			__u64 folded = dns_lower(others | (__u64)x << at);

			assert_int_equal(folded >> at & 0xff, low);
			assert_int_equal(dns_lower(folded), folded);
		}
	}
}

/* Input 00 01 02 ..., key 00 .. 0f: the first is in the reference vectors, each was computed apart. */
static void the_hash_is_siphash_1_3(void **state)
{
	static const __u64 key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	static const struct {
		__u32 len;
		__u64 hash;
	} vectors[] = {
		{1, 0xc9f49bf37d57ca93},  {7, 0xd3927d989bb11140},   {8, 0x369095118d299a8e},
		{9, 0x25a48eb36c063de4},  {15, 0xd320d86d2a519956},  {16, 0xcc4fdd1a7d908b66},
		{63, 0x9d199062b7bbb3a8}, {254, 0xc744003472fc45df}, {255, 0xf76214e3153c4a15},
	};
	__u8 text[320];

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		memset(text, 0, sizeof(text));
		for (unsigned j = 0; j < vectors[i].len; j++)
			text[j] = j;
		assert_true(siphash_name(text, vectors[i].len, key) == vectors[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_walked_as_it_says),
		cmocka_unit_test(nothing_of_the_message_before_shows_through),
		cmocka_unit_test(a_name_of_the_message_before_is_not_followed),
		cmocka_unit_test(a_message_cut_short_yields_no_more_than_the_whole),
		cmocka_unit_test(a_query_is_read_and_an_answer_is_none),
		cmocka_unit_test(every_byte_folds_as_ascii_does),
		cmocka_unit_test(the_hash_is_siphash_1_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
