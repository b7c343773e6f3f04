/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The rows of tests/walk_rows.c in the kernel: by BPF_PROG_TEST_RUN, and as packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/bpf/net.h"
#include "tests/walk_rows.h"

static struct rig rig;
static struct net net;
static __u8 message[WALK_MESSAGE_MAX], frame[RIG_FRAME];

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ' '), list = list ? list + 1 : NULL)
		if (strcspn(list, " ") == n && !memcmp(list, word, n))
			return true;
	return false;
}

/* What the maps hold of a row is what the row says. */
static int check_learned(const struct walk_row *row, char text[static 256])
{
	__u32 addrs = row->addrs ? walk_words(row->addrs) : row->n_addrs;
	__u32 depth = row->chain ? walk_words(row->chain) : row->depth;
	__u32 blocked = walk_words(row->blocked), names;
	const char *at = row->addrs;

	/* Of a truncated answer without anything the question's name is left, for the daemon to ask. */
	names = addrs || depth || row->truncated ? depth + 1 : 0;
	if (rig_facts(&rig) != addrs - blocked || rig_names(&rig) != names) {
		snprintf(text, 256, "%zu facts and %zu names, not %u and %u", rig_facts(&rig),
			 rig_names(&rig), addrs - blocked, names);
		return -1;
	}
	for (size_t len; at && *at; at += len + (at[len] == ' ')) {
		char word[64];

		len = strcspn(at, " ");
		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		if (rig_has_fact(&rig, word) == has_word(row->blocked, word)) {
			snprintf(text, 256, "%s: in the maps, or not, against the row", word);
			return -1;
		}
	}
	return 0;
}

static int check_row(const struct walk_row *row, __u32 err, char text[static 256])
{
	__u64 parsed = !row->err;

	if (rig_walk(&rig) || walk_row_check(row, err, rig.walk, text) ||
	    rig_refused_only(&rig, row->err, text))
		return -1;
	if (row->err) {
		/* One refused behind its question leaves the question's name, for the daemon to ask. */
		snprintf(text, 256, "a refused message left rows behind");
		return rig_facts(&rig) || rig_names(&rig) > 1 || rig_added(&rig, SNP_STAT_PARSED)
			       ? -1
			       : 0;
	}
	snprintf(text, 256, "a counter is wrong");
	if (rig_added(&rig, SNP_STAT_PARSED) != parsed ||
	    rig_added(&rig, SNP_STAT_OFF_CHAIN) != row->off_chain ||
	    rig_added(&rig, SNP_STAT_RR_CLASS) != row->rr_class ||
	    rig_added(&rig, SNP_STAT_TOO_MANY) != row->too_many ||
	    rig_added(&rig, SNP_STAT_TRUNCATED) != row->truncated ||
	    rig_added(&rig, SNP_STAT_TRAILING) != !!row->trailing ||
	    rig_added(&rig, SNP_STAT_REBIND) != walk_words(row->blocked))
		return -1;
	return check_learned(row, text);
}

static int test_run_row(const struct walk_row *row, int six, char text[static 256])
{
	struct snp_t_verdict v;
	size_t len = walk_row_message(row, message);
	int e;

	if (rig_forget(&rig))
		return -1;
	rig_mark(&rig);
	len = six ? rig_answer6(frame, message, len) : rig_answer4(frame, message, len);
	e = rig_run(&rig, frame, len, &v);
	snprintf(text, 256, "the run failed: %d", e);
	return e ? -1 : check_row(row, v.err, text);
}

static int packet_row(const struct walk_row *row, int six, char text[static 256])
{
	size_t len = walk_row_message(row, message), query_len;
	__u8 query[512];
	int e;

	if (rig_forget(&rig))
		return -1;
	query_len = net_query_for(message, len, query);
	rig_mark(&rig);
	e = net_exchange(&net, six ? net.client6 : net.client, six ? net.server6 : net.server,
			 query, query_len, message, len);
	snprintf(text, 256, "the exchange failed: %d", e);
	if (e)
		return -1;
	/* The hook returns no verdict: the counters do, and the rows. */
	if (rig_added(&rig, SNP_STAT_QUERIES) != 1) {
		snprintf(text, 256, "the question was not noted");
		return -1;
	}
	return check_row(row, row->err, text);
}

static void every_row_in_a_test_run(void **state)
{
	size_t most = rig_frame_max(&rig), longer = 0;
	char text[256];
	int wrong = 0;

	for (size_t i = 0; i < n_walk_rows; i++)
		for (int six = 0; six < 2; six++) {
			size_t len = walk_row_message(&walk_rows[i], message);

			if (len + 14 + 40 + 8 > most) {
				longer += !six;
				continue;
			}
			if (test_run_row(&walk_rows[i], six, text)) {
				print_error("%s: %s\n", walk_rows[i].why, text);
				wrong++;
			}
		}
	print_message("test runs take frames of %zu bytes; %zu longer rows go as packets only\n",
		      most, longer);
	assert_int_equal(wrong, 0);
}

static void every_row_as_a_packet(void **state)
{
	char text[256];
	int wrong = 0;

	for (size_t i = 0; i < n_walk_rows; i++)
		for (int six = 0; six < 2; six++)
			if (packet_row(&walk_rows[i], six, text)) {
				print_error("%s: %s\n", walk_rows[i].why, text);
				wrong++;
			}
	assert_int_equal(wrong, 0);
}

/* Cut at every byte, with TC=1 and without: what the host says, the kernel says. */
static void a_message_cut_anywhere_is_read_as_on_the_host(void **state)
{
	static struct dns_walk host;
	struct snp_t_verdict v;

	for (size_t i = 0; i < n_walk_rows; i++) {
		size_t len = walk_row_message(&walk_rows[i], message);

		if (len > 200)
			continue;
		for (size_t cut = 1; cut < len; cut++)
			for (int tc = 0; tc < 2; tc++) {
				size_t n;
				__u32 err;

				if (tc)
					message[2] |= 2;
				else
					message[2] &= ~2;
				err = walk_answer(&host, message, cut);
				n = rig_answer4(frame, message, cut);
				assert_int_equal(rig_run(&rig, frame, n, &v), 0);
				assert_int_equal(v.err, err);
				if (err)
					continue;
				assert_int_equal(rig_walk(&rig), 0);
				assert_int_equal(rig.walk->n_addrs, host.n_addrs);
				assert_int_equal(rig.walk->depth, host.depth);
				assert_memory_equal(rig.walk->addrs, host.addrs,
						    host.n_addrs * sizeof(host.addrs[0]));
			}
	}
}

static int open_all(void **state)
{
	int e = rig_open(&rig, 16384);

	if (!e)
		e = net_open(&net, &rig);
	if (e)
		print_error("opening: %s\n", strerror(-e));
	return e;
}

static int close_all(void **state)
{
	net_close(&net);
	rig_close(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_in_a_test_run),
		cmocka_unit_test(every_row_as_a_packet),
		cmocka_unit_test(a_message_cut_anywhere_is_read_as_on_the_host),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
