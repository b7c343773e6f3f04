/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who answers, and what was asked: rules 1 and 2, and how questions are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bpf/net.h"
#include "tests/bpf/test.skel.h"
#include "tests/walk_rows.h"

/* www.example A: the id, the flags, then an answer record or none. */
#define MESSAGE(id, flags, an) id flags "\0\1\0" an "\0\0\0\0\3www\7example\0\0\1\0\1"
#define RECORD		       "\300\14\0\1\0\1\0\0\1\54\0\4\300\0\2\1"
#define ANSWER		       MESSAGE("\x12\x34", "\x81\x80", "\1") RECORD
#define QUERY		       MESSAGE("\x12\x34", "\1\0", "\0")
#define BYTES(s)	       (s), sizeof(s) - 1

static struct rig rig;
static struct net net;
static struct snp_kconf plain;
static __u8 frame[RIG_FRAME];

static int fresh(void **state)
{
	rig.conf = plain;
	rig.control = (struct snp_t_control){.plant = 1, .state = SNP_Q_ASKED};
	rig_mark(&rig);
	return rig_configure(&rig) || rig_control(&rig) || rig_forget(&rig);
}

/* The verdict on ANSWER behind the question that rig.control makes. */
static __u32 verdict(void)
{
	struct snp_t_verdict v;
	size_t n = rig_answer4(frame, BYTES(ANSWER));

	assert_int_equal(rig_control(&rig), 0);
	assert_int_equal(rig_configure(&rig), 0);
	assert_int_equal(rig_run(&rig, frame, n, &v), 0);
	return v.err;
}

static void an_answer_to_no_question_is_unasked(void **state)
{
	rig.control.plant = 0;
	assert_int_equal(verdict(), DNS_E(UNASKED));
	assert_int_equal(rig_added(&rig, SNP_STAT_UNASKED), 1);
	assert_int_equal(rig_facts(&rig), 0);
}

static void another_name_type_or_server_is_misdirected(void **state)
{
	rig.control.name_xor = 1;
	assert_int_equal(verdict(), DNS_E(MISDIRECTED));
	rig.control.name_xor = 0;
	rig.control.type_xor = DNS_TYPE_A ^ DNS_TYPE_AAAA;
	assert_int_equal(verdict(), DNS_E(MISDIRECTED));
	rig.control.type_xor = 0;
	rig.control.server_xor = 1;
	assert_int_equal(verdict(), DNS_E(MISDIRECTED));
	assert_int_equal(rig_facts(&rig), 0);
	rig.control.server_xor = 0;
	assert_int_equal(verdict(), 0);
	assert_int_equal(rig_facts(&rig), 1);
}

static void a_question_is_good_for_query_timeout(void **state)
{
	rig.conf.query_timeout_ms = 10000;
	rig.control.age_ms = 9000;
	assert_int_equal(verdict(), 0);
	rig.control.age_ms = 10002;
	assert_int_equal(verdict(), DNS_E(LATE));
}

static void an_answered_question_is_not_learned_from(void **state)
{
	rig.control.state = SNP_Q_ANSWERED;
	assert_int_equal(verdict(), DNS_E(DOUBLED));
	assert_int_equal(rig_facts(&rig), 0);
}

static void a_loopback_server_counts_in_our_namespace_only(void **state)
{
	rig.conf.servers[0].flags = SNP_SERVER_LOOPBACK;
	assert_int_equal(verdict(), 0);
	rig.control.other_netns = 1;
	assert_int_equal(verdict(), DNS_E(UNTRUSTED_NETNS));
	rig.conf.servers[0].flags = 0;
	assert_int_equal(verdict(), 0);
}

static void an_untrusted_server_is_named(void **state)
{
	struct snp_addr server;
	__u64 answers = 0;

	rig.conf.servers[0].at.port = 5353;
	assert_int_equal(verdict(), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_UNTRUSTED_SERVER), 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_PARSED), 0);
	assert_true(rig_addr(RIG_SERVER4, &server));
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.snp_untrusted), &server, &answers),
		0);
	assert_true(answers >= 1);
}

static void only_a_question_is_noted(void **state)
{
	static const struct {
		const char *wire;
		size_t len;
		int noted, shape;
	} rows[] = {
		{BYTES(QUERY), 1, 0},
		{BYTES(QUERY "\0\0\51\4\320\0\0\0\0\0\0"), 1, 0},
		{BYTES(ANSWER), 0, 1},
		{BYTES(MESSAGE("\0\1", "\x10\0", "\0")), 0, 1},
		{BYTES("\0\1\1\0\0\2\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1"), 0, 1},
		{BYTES("\0\1\1\0\0\1\0\0\0\0\0\0\3ww"), 0, 1},
		{BYTES("\0\1\1\0\0\1\0\0\0\0\0\0\300\14\0\1\0\1"), 0, 1},
		{BYTES("\0\1"), 0, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rig_query4(frame, rows[i].wire, rows[i].len);

		rig_mark(&rig);
		assert_int_equal(rig_run_program(rig.skel->progs.snp_egress, frame, n, 0), 0);
		assert_int_equal(rig_added(&rig, SNP_STAT_QUERIES), rows[i].noted);
		assert_int_equal(rig_added(&rig, SNP_STAT_Q_SHAPE), rows[i].shape);
	}
}

static void several_questions_in_one_buffer_are_not_noted(void **state)
{
	size_t n = rig_query4(frame, BYTES(QUERY));

	assert_int_equal(rig_run_program(rig.skel->progs.snp_egress, frame, n, 4), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_QUERIES), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_SEGMENTED), 1);
}

/* As packets from here on. */
static int exchange(const void *query, size_t query_len, const void *msg, size_t len)
{
	return net_exchange(&net, net.client, net.server, query, query_len, msg, len);
}

static void a_second_answer_is_doubled_and_asking_again_is_new(void **state)
{
	assert_int_equal(exchange(BYTES(QUERY), BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
	assert_int_equal(exchange(NULL, 0, BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_DOUBLED), 1);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
	assert_int_equal(exchange(BYTES(QUERY), BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 2);
}

static void an_answer_that_was_refused_leaves_the_question_open(void **state)
{
	static const char cut[] = MESSAGE("\x12\x34", "\x81\x80", "\2") RECORD;

	assert_int_equal(exchange(BYTES(QUERY), BYTES(cut)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_SHORT), 1);
	assert_int_equal(exchange(NULL, 0, BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

static void an_error_closes_its_question(void **state)
{
	static const char nxdomain[] = MESSAGE("\x12\x34", "\x81\x83", "\0");

	assert_int_equal(exchange(BYTES(QUERY), BYTES(nxdomain)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_RCODE), 1);
	assert_int_equal(exchange(NULL, 0, BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_DOUBLED), 1);
	assert_int_equal(rig_facts(&rig), 0);
}

static void a_late_answer_is_not_learned_from(void **state)
{
	struct timespec t;
	__u64 asked, now;

	rig.conf.query_timeout_ms = 20;
	assert_int_equal(rig_configure(&rig), 0);
	assert_int_equal(net_ask(net.client, BYTES(QUERY)), 0);
	clock_gettime(CLOCK_BOOTTIME, &t);
	asked = t.tv_sec * 1000ull + t.tv_nsec / 1000000;
	assert_int_equal(net_expect(net.server, BYTES(QUERY)), 0);
	do {
		clock_gettime(CLOCK_BOOTTIME, &t);
		now = t.tv_sec * 1000ull + t.tv_nsec / 1000000;
	} while (now <= asked + 22);
	assert_int_equal(exchange(NULL, 0, BYTES(ANSWER)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_LATE), 1);
	assert_int_equal(rig_facts(&rig), 0);
}

/* Ids that meet in one line of four, here and in the backlog. */
static void ids_that_meet(__u16 *ids, int n)
{
	for (__u32 id = 7; n; id += SNP_Q_WAYS * SNP_Q_BACKLOG_LINES) {
		assert_true(id <= 0xffff);
		if (SNP_Q_LINE_OF(id) == SNP_Q_LINE_OF(7))
			ids[--n] = htons(id);
	}
}

/* Four and four find room, the ninth takes the oldest's in the backlog. */
static void the_ninth_of_one_line_evicts_the_oldest(void **state)
{
	char query[] = QUERY, answer[] = ANSWER;
	int learned = 0;
	__u16 ids[9];

	ids_that_meet(ids, 9);
	for (int i = 0; i < 9; i++) {
		memcpy(query, &ids[i], 2);
		assert_int_equal(net_ask(net.client, BYTES(query)), 0);
		assert_int_equal(net_expect(net.server, BYTES(query)), 0);
	}
	assert_int_equal(rig_added(&rig, SNP_STAT_QUERIES), 9);
	assert_int_equal(rig_added(&rig, SNP_STAT_Q_EVICTED), 1);
	for (int i = 0; i < 9; i++) {
		memcpy(answer, &ids[i], 2);
		rig_mark(&rig);
		assert_int_equal(exchange(NULL, 0, BYTES(answer)), 0);
		learned += rig_added(&rig, SNP_STAT_LEARNED);
		if (i < 4 || i == 8)
			assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
	}
	assert_int_equal(learned, 8);
}

/* Every question was noted so much later (before: less than 0) than it was. */
static void noted_later(int ms)
{
	int fd = bpf_map__fd(rig.skel->maps.snp_questions);
	struct snp_question_line line;

	for (__u32 i = 0; i < SNP_Q_LINES; i++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &i, &line), 0);
		for (int way = 0; way < SNP_Q_WAYS; way++)
			line.q[way].asked_ms += ms;
		assert_int_equal(bpf_map_update_elem(fd, &i, &line, BPF_ANY), 0);
	}
}

/* Two threads ask on one socket, and the one that looks at the clock first notes its question last. */
static void a_question_of_a_moment_later_is_not_late(void **state)
{
	char query[] = QUERY, answer[] = ANSWER;
	__u16 ids[5];

	ids_that_meet(ids, 5);
	for (int i = 0; i < 5; i++) {
		if (i == 4)
			noted_later(500);
		memcpy(query, &ids[i], 2);
		assert_int_equal(net_ask(net.client, BYTES(query)), 0);
		assert_int_equal(net_expect(net.server, BYTES(query)), 0);
	}
	noted_later(-500);
	for (int i = 0; i < 5; i++) {
		memcpy(answer, &ids[i], 2);
		assert_int_equal(exchange(NULL, 0, BYTES(answer)), 0);
	}
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 5);
}

/* A forwarder's way: 500 questions open on a socket, answered in reverse. */
static void hundreds_wait_on_one_socket(void **state)
{
	char query[] = QUERY, answer[] = ANSWER;

	for (int id = 0; id < 500; id++) {
		query[0] = id >> 8;
		query[1] = id;
		assert_int_equal(net_ask(net.client, BYTES(query)), 0);
		assert_int_equal(net_expect(net.server, BYTES(query)), 0);
	}
	assert_int_equal(rig_added(&rig, SNP_STAT_Q_EVICTED), 0);
	for (int id = 499; id >= 0; id--) {
		answer[0] = id >> 8;
		answer[1] = id;
		assert_int_equal(exchange(NULL, 0, BYTES(answer)), 0);
	}
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 500);
}

static void a_and_aaaa_under_one_id_are_two_questions(void **state)
{
	char query[] = QUERY;
	static const char aaaa[] = "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3www\7example\0\0\34\0\1";

	assert_int_equal(net_ask(net.client, BYTES(query)), 0);
	assert_int_equal(net_expect(net.server, BYTES(query)), 0);
	query[sizeof(query) - 4] = DNS_TYPE_AAAA;
	assert_int_equal(net_ask(net.client, BYTES(query)), 0);
	assert_int_equal(net_expect(net.server, BYTES(query)), 0);
	assert_int_equal(exchange(NULL, 0, BYTES(ANSWER)), 0);
	assert_int_equal(exchange(NULL, 0, BYTES(aaaa)), 0);
	assert_int_equal(rig_added(&rig, SNP_STAT_PARSED), 2);
	assert_int_equal(rig_added(&rig, SNP_STAT_LEARNED), 1);
}

static int open_all(void **state)
{
	int e = rig_open(&rig, 1024);

	plain = rig.conf;
	return e ? e : net_open(&net, &rig);
}

static int close_all(void **state)
{
	net_close(&net);
	rig_close(&rig);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_to_no_question_is_unasked),
		TEST(another_name_type_or_server_is_misdirected),
		TEST(a_question_is_good_for_query_timeout),
		TEST(an_answered_question_is_not_learned_from),
		TEST(a_loopback_server_counts_in_our_namespace_only),
		TEST(an_untrusted_server_is_named),
		TEST(only_a_question_is_noted),
		TEST(several_questions_in_one_buffer_are_not_noted),
		TEST(a_second_answer_is_doubled_and_asking_again_is_new),
		TEST(an_answer_that_was_refused_leaves_the_question_open),
		TEST(an_error_closes_its_question),
		TEST(a_late_answer_is_not_learned_from),
		TEST(the_ninth_of_one_line_evicts_the_oldest),
		TEST(a_question_of_a_moment_later_is_not_late),
		TEST(hundreds_wait_on_one_socket),
		TEST(a_and_aaaa_under_one_id_are_two_questions),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
