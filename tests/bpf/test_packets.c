/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The packet around a message, the scratch it is read in, and the caps behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bpf/rig.h"
#include "tests/bpf/test.skel.h"
#include "tests/walk_rows.h"

#define NAME	   "\3www\7example\0"
#define RECORD(n)  "\300\14\0\1\0\1\0\0\1\54\0\4\300\0\2" n
#define QUESTION   NAME "\0\1\0\1"
#define HEAD(n)	   "\x12\x34\x81\x80\0\1\0" n "\0\0\0\0"
#define ANSWER	   HEAD("\1") QUESTION RECORD("\1")
#define FOUR	   HEAD("\4") QUESTION RECORD("\1") RECORD("\2") RECORD("\3") RECORD("\4")
#define OTHER_NAME HEAD("\1") "\3ftp\7example\0\0\1\0\1" RECORD("\1")
#define BYTES(s)   (s), sizeof(s) - 1
#define IP	   14 /* where the packet begins in a frame */

static struct rig rig;
static struct snp_kconf plain;
static __u8 frame[RIG_FRAME];

static int fresh(void **state)
{
	rig.conf = plain;
	rig_mark(&rig);
	return rig_configure(&rig) || rig_forget(&rig);
}

static __u32 run(size_t len)
{
	struct snp_t_verdict v;

	assert_int_equal(rig_run(&rig, frame, len, &v), 0);
	return v.err;
}

static __u32 answer(const char *msg, size_t len)
{
	assert_int_equal(rig_configure(&rig), 0);
	return run(rig_answer4(frame, msg, len));
}

static void put16(size_t at, unsigned x)
{
	frame[at] = x >> 8;
	frame[at + 1] = x;
}

/* Was the packet passed by without a word? */
static void assert_unseen(size_t len)
{
	__u64 before = rig_stat(&rig, SNP_STAT_PARSED);

	assert_int_equal(run(len), 0);
	assert_int_equal(rig_stat(&rig, SNP_STAT_PARSED), before);
	for (__u32 i = 0; i < SNP_STAT_REFUSALS_END; i++)
		assert_int_equal(rig_added(&rig, i), 0);
}

static void a_udp_length_that_lies_is_refused(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER)), len = sizeof(ANSWER) - 1 + 8;

	put16(IP + 24, len + 1);
	assert_int_equal(run(n), DNS_E(UDP_LENGTH));
	put16(IP + 24, 7);
	assert_int_equal(run(n), DNS_E(UDP_LENGTH));
	put16(IP + 24, 0);
	assert_int_equal(run(n), DNS_E(UDP_LENGTH));
	put16(IP + 24, 8);
	assert_int_equal(run(n), DNS_E(SHORT));
	put16(IP + 24, 65535);
	assert_int_equal(run(n), DNS_E(UDP_LENGTH));
	assert_int_equal(rig_facts(&rig), 0);
	put16(IP + 24, len);
	assert_int_equal(run(n), 0);
	assert_int_equal(rig_facts(&rig), 1);
}

static void bytes_behind_the_udp_length_are_no_part_of_the_message(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER "padding"));

	put16(IP + 24, sizeof(ANSWER) - 1 + 8);
	assert_int_equal(run(n), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_TRAILING), 0);
}

static void ip_options_are_skipped(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER));

	memmove(frame + IP + 24, frame + IP + 20, n - IP - 20);
	memset(frame + IP + 20, 1, 4);
	frame[IP] = 0x46;
	put16(IP + 2, n - IP + 4);
	assert_int_equal(run(n + 4), 0);
	assert_int_equal(rig_facts(&rig), 1);
}

static void a_fragment_has_no_ports(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER));

	put16(IP + 6, 0x2000);
	run(n);
	assert_true(rig_added(&rig, SNP_STAT_FRAGMENT) >= 1);
	put16(IP + 6, 185);
	run(n);
	assert_true(rig_added(&rig, SNP_STAT_FRAGMENT) >= 2);
	assert_int_equal(rig_facts(&rig), 0);
	put16(IP + 6, 0x4000); /* don't fragment */
	assert_int_equal(run(n), 0);
	assert_int_equal(rig_facts(&rig), 1);
}

/* count headers of eight bytes of the given type before UDP. */
static size_t extended(unsigned type, unsigned count)
{
	size_t n = rig_answer6(frame, BYTES(ANSWER)), more = 8 * count;

	memmove(frame + IP + 40 + more, frame + IP + 40, n - IP - 40);
	memset(frame + IP + 40, 0, more);
	for (unsigned i = 0; i < count; i++)
		frame[IP + 40 + 8 * i] = i + 1 < count ? type : 17;
	frame[IP + 6] = count ? type : 17;
	put16(IP + 4, n - IP - 40 + more);
	return n + more;
}

static void extension_headers_are_walked(void **state)
{
	static const unsigned types[] = {0 /* hop-by-hop */, 43 /* routing */, 60 /* options */,
					 44 /* an atomic fragment */};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (unsigned count = 1; count <= 8; count++)
			assert_int_equal(run(extended(types[i], count)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 32);
}

static void more_than_eight_extension_headers_are_refused(void **state)
{
	run(extended(60, 9));
	assert_true(rig_added(&rig, SNP_STAT_EXT_HEADERS) >= 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_PARSED), 0);
}

static void an_authentication_header_counts_in_words(void **state)
{
	size_t n = extended(51, 2); /* one header of 16 bytes */

	frame[IP + 40] = 17;
	frame[IP + 41] = 2;
	assert_int_equal(run(n), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

static void an_ipv6_fragment_has_no_ports(void **state)
{
	size_t n = extended(44, 1);

	frame[IP + 43] = 1; /* more to come */
	run(n);
	assert_true(rig_added(&rig, SNP_STAT_FRAGMENT) >= 1);
	frame[IP + 43] = 8; /* not the first */
	run(n);
	assert_true(rig_added(&rig, SNP_STAT_FRAGMENT) >= 2);
	assert_int_equal(rig_added(&rig, SNP_STAT_PARSED), 0);
}

static void what_is_not_udp_from_an_observed_port_is_not_looked_at(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER));

	put16(IP + 20, 5353);
	assert_unseen(n);
	rig_answer4(frame, BYTES(ANSWER));
	frame[IP + 9] = 6;
	assert_unseen(n);
	frame[IP + 9] = 136; /* UDP-Lite */
	assert_unseen(n);
	n = rig_answer6(frame, BYTES(ANSWER));
	frame[IP + 6] = 50; /* ESP */
	assert_unseen(n);
	n = extended(60, 1);
	frame[IP + 41] = 255; /* past the packet */
	assert_unseen(n);
}

static void several_answers_in_one_buffer_are_refused(void **state)
{
	size_t n = rig_answer4(frame, BYTES(ANSWER));
	const struct bpf_program *prog = rig.skel->progs.snp_t_ingress;

	assert_int_equal(rig_run_program(prog, frame, n, 2), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_SEGMENTED), 1);
	assert_int_equal(rig_run_program(prog, frame, n, 1), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

/* Mark the first n slots of this CPU as taken, the others as free. */
static void take_slots(int n)
{
	int fd = bpf_map__fd(rig.skel->maps.snp_scratch);

	for (int i = 0; i < 4; i++) {
		__u32 at = 4 * rig.cpu + i;

		memset(rig.slot, 0, rig.slot_size);
		*(__u64 *)rig.slot = i < n;
		assert_int_equal(bpf_map_update_elem(fd, &at, rig.slot, BPF_ANY), 0);
	}
}

static void a_taken_slot_is_left_alone(void **state)
{
	take_slots(3);
	assert_int_equal(answer(BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_SLOT_BUSY), 6); /* planting and learning */
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
	assert_int_equal(rig_walk(&rig), 0);
	assert_int_equal(rig.walk->len, 0);
	take_slots(0);
}

static void without_a_slot_the_packet_passes_unparsed(void **state)
{
	take_slots(4);
	answer(BYTES(ANSWER));
	take_slots(0);
	assert_true(rig_added(&rig, SNP_STAT_NO_SCRATCH) >= 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_PARSED), 0);
	assert_int_equal(answer(BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

static void addresses_per_name_keeps_the_first(void **state)
{
	rig.conf.addresses_per_name = 3;
	assert_int_equal(answer(BYTES(FOUR)), 0);
	assert_int_equal(rig_facts(&rig), 3);
	assert_int_equal(rig_added(&rig, SNP_STAT_NAME_CAP), 1);
	assert_int_equal(rig_walk(&rig), 0);
	assert_true(rig_has_fact(&rig, "192.0.2.3") && !rig_has_fact(&rig, "192.0.2.4"));
	assert_int_equal(answer(BYTES(FOUR)), 0); /* the three are renewed */
	assert_int_equal(rig_added(&rig, SNP_STAT_NAME_CAP), 2);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 2);
}

static void names_per_address_refuses_the_next_name(void **state)
{
	rig.conf.names_per_address = 1;
	assert_int_equal(answer(BYTES(ANSWER)), 0);
	assert_int_equal(answer(BYTES(OTHER_NAME)), 0);
	assert_int_equal(rig_facts(&rig), 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_ADDR_CAP), 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

static void per_endpoint_refuses_beyond_the_quota(void **state)
{
	rig.conf.per_endpoint = 2;
	assert_int_equal(answer(BYTES(FOUR)), 0);
	assert_int_equal(rig_facts(&rig), 2);
	assert_int_equal(rig_added(&rig, SNP_STAT_QUOTA), 2);
}

static void two_names_with_one_hash_are_told_apart(void **state)
{
	int fd = bpf_map__fd(rig.skel->maps.snp_names);
	struct snp_name_key key = {.scope = SNP_SCOPE_NONE};
	struct snp_name_row row;

	assert_int_equal(answer(BYTES(ANSWER)), 0);
	assert_int_equal(rig_walk(&rig), 0);
	key.id = rig.walk->hash[0];
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &row), 0);
	assert_int_equal(row.wire_len, sizeof(NAME) - 1);
	assert_memory_equal(row.wire, NAME, sizeof(NAME) - 1);
	row.wire[1] = 'x';
	assert_int_equal(bpf_map_update_elem(fd, &key, &row, BPF_EXIST), 0);
	assert_int_equal(answer(BYTES(FOUR)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_COLLISION), 1);
	assert_int_equal(rig_facts(&rig), 1);
}

static void a_ttl_is_clamped(void **state)
{
	static const struct {
		__u32 min_ttl_s, max_ttl_s, learned_s;
	} rows[] = {{0, 86400, 300}, {600, 86400, 600}, {0, 60, 60}, {300, 300, 300}};
	int fd = bpf_map__fd(rig.skel->maps.snp_learned);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snp_fact_key key;
		struct snp_fact fact;

		assert_int_equal(rig_forget(&rig), 0);
		rig.conf.min_ttl_s = rows[i].min_ttl_s;
		rig.conf.max_ttl_s = rows[i].max_ttl_s;
		assert_int_equal(answer(BYTES(ANSWER)), 0);
		assert_int_equal(bpf_map_get_next_key(fd, NULL, &key), 0);
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &fact), 0);
		assert_int_equal(fact.ttl_s, rows[i].learned_s);
		assert_int_equal((fact.expiry_ns - fact.first_seen_ns) / 1000000000,
				 rows[i].learned_s);
	}
}

/* With maps of four rows: the new is refused and counted, the old stays. */
static void full_maps_keep_what_they_have(void **state)
{
	static struct rig small;
	struct snp_t_verdict v;
	size_t n;

	assert_int_equal(rig_open(&small, 4), 0);
	rig_mark(&small);
	n = rig_answer4(frame, BYTES(HEAD("\6") QUESTION RECORD("\1") RECORD("\2") RECORD("\3")
					     RECORD("\4") RECORD("\5") RECORD("\6")));
	assert_int_equal(rig_run(&small, frame, n, &v), 0);
	assert_int_equal(v.err, 0);
	assert_int_equal(rig_facts(&small) + rig_added(&small, SNP_STAT_MAP_FULL), 6);
	assert_true(rig_facts(&small) >= 1);
	assert_int_equal(rig_added(&small, SNP_STAT_FACTS_NEW), rig_facts(&small));
	for (int i = 0; i < 8; i++) {
		char other[] = OTHER_NAME;

		other[13] = 'a' + i;
		n = rig_answer4(frame, BYTES(other));
		assert_int_equal(rig_run(&small, frame, n, &v), 0);
	}
	assert_int_equal(rig_names(&small), 4);
	assert_true(rig_added(&small, SNP_STAT_NAMES_FULL) >= 5);
	rig_close(&small);
}

static int open_rig(void **state)
{
	int e = rig_open(&rig, 1024);

	plain = rig.conf;
	return e;
}

static int close_rig(void **state)
{
	rig_close(&rig);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_udp_length_that_lies_is_refused),
		TEST(bytes_behind_the_udp_length_are_no_part_of_the_message),
		TEST(ip_options_are_skipped),
		TEST(a_fragment_has_no_ports),
		TEST(extension_headers_are_walked),
		TEST(more_than_eight_extension_headers_are_refused),
		TEST(an_authentication_header_counts_in_words),
		TEST(an_ipv6_fragment_has_no_ports),
		TEST(what_is_not_udp_from_an_observed_port_is_not_looked_at),
		TEST(several_answers_in_one_buffer_are_refused),
		TEST(a_taken_slot_is_left_alone),
		TEST(without_a_slot_the_packet_passes_unparsed),
		TEST(addresses_per_name_keeps_the_first),
		TEST(names_per_address_refuses_the_next_name),
		TEST(per_endpoint_refuses_beyond_the_quota),
		TEST(two_names_with_one_hash_are_told_apart),
		TEST(a_ttl_is_clamped),
		TEST(full_maps_keep_what_they_have),
	};

	return cmocka_run_group_tests(tests, open_rig, close_rig);
}
