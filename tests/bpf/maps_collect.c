/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps_collect.c - collection against the real maps: what is over goes, what is
 * alive after all comes back, and the tallies follow.
 *
 * Rows are written here as the kernel side would, into a set of our own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "snooper/core/conf.h"
#include "snooper/io/maps.h"

#define NOW (1000 * 1000000000ull)

static struct maps *maps;
static char dir[64];

static int pinned(const char *map)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, map);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

static bool row_in(const char *map, const void *key, void *value)
{
	int fd = pinned(map), r = bpf_map_lookup_elem(fd, key, value);

	close(fd);
	return r == 0;
}

static void write_row(const char *map, const void *key, const void *value)
{
	int fd = pinned(map);

	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
	close(fd);
}

static struct snp_fact_key learned(uint64_t expiry_ns, __u64 under_addr)
{
	struct snp_fact_key key = {.name = {.id = 77}};
	struct snp_fact fact = {.expiry_ns = expiry_ns, .cgroup_id = 5};
	struct snp_tally_key tally = {.kind = SNP_TALLY_ADDR};

	key.addr.b[15] = 9;
	tally.addr = key.addr;
	write_row("snp_learned", &key, &fact);
	write_row("snp_tally", &tally, &under_addr);
	return key;
}

static int setup(void **state)
{
	struct snp_conf *conf = snp_conf_new();
	struct maps_problem why = {.text = ""};
	int r;

	if (!conf)
		return -1;
	snprintf(dir, sizeof(dir), "/sys/fs/bpf/snptest%d", getpid());
	free(conf->state.bpffs);
	conf->state.bpffs = strdup(dir);
	conf->limits.names = conf->limits.rows = conf->limits.facts = 1024;
	r = maps_open(conf, &maps, &why);
	if (r)
		fprintf(stderr, "%s\n", why.text);
	snp_conf_free(conf);
	return r;
}

static int teardown(void **state)
{
	struct maps_problem why;

	maps_close(maps);
	return maps_uninstall(dir, &why) || !access(dir, F_OK);
}

static void what_is_long_over_is_taken_away_with_its_tally(void **state)
{
	struct snp_fact_key key = learned(NOW - SNP_COLLECT_AFTER_NS, 1);
	struct snp_tally_key tally = {.kind = SNP_TALLY_ADDR, .addr = key.addr};
	struct snp_fact fact;
	__u64 n;

	assert_int_equal(maps_collect_fact(maps, &key, NOW), 1);
	assert_false(row_in("snp_learned", &key, &fact));
	assert_false(row_in("snp_granted", &key, &fact));
	assert_false(row_in("snp_tally", &tally, &n));
	assert_false(row_in("snp_collected", &tally, &n));
	assert_int_equal(maps_collect_fact(maps, &key, NOW), -ENOENT);
}

static void what_came_back_alive_is_granted(void **state)
{
	struct snp_fact_key key = learned(NOW + 1, 1);
	struct snp_fact fact;

	assert_int_equal(maps_collect_fact(maps, &key, NOW), 0);
	assert_false(row_in("snp_learned", &key, &fact));
	assert_true(row_in("snp_granted", &key, &fact));
	assert_int_equal(fact.expiry_ns, NOW + 1);
	assert_int_equal(maps_fact(maps, MAPS_GRANTED, &key, &fact), 0);
	/* Granted rows go when they are over, not before. */
	assert_int_equal(maps_collect_granted(maps, &key, NOW), 0);
	assert_int_equal(maps_collect_granted(maps, &key, NOW + 1), 1);
	assert_int_equal(maps_fact(maps, MAPS_GRANTED, &key, &fact), -ENOENT);
}

static void count_row(void *ctx, const struct snp_fact_key *key, const struct snp_fact *fact)
{
	++*(int *)ctx;
}

static int granted_rows(void)
{
	struct maps_pos pos = {0};
	int rows = 0;

	while (maps_walk_facts(maps, MAPS_GRANTED, &pos, 64, count_row, &rows) > 0)
		;
	return rows;
}

/* An empty table is not walked again; whatever comes into it later is found all the same. */
static void granted_rows_are_found_whenever_they_come(void **state)
{
	struct snp_fact_key key = {.name = {.id = 78}};
	struct snp_fact fact = {.expiry_ns = NOW - 1};
	struct maps_pos pos = {0};
	int before = granted_rows(), rows = 0;

	assert_int_equal(maps_grant(maps, &key, &fact), 0);
	assert_int_equal(granted_rows(), before + 1);
	assert_int_equal(maps_collect_granted(maps, &key, NOW), 1);
	assert_int_equal(granted_rows(), before);
	assert_int_equal(granted_rows(), before);
	/* What was written while a walk was on its way counts for the next. */
	assert_int_equal(maps_grant(maps, &key, &fact), 0);
	assert_true(maps_walk_facts(maps, MAPS_GRANTED, &pos, 64, count_row, &rows) >= 0);
	assert_int_equal(maps_grant(maps, &key, &fact), 0);
	assert_int_equal(granted_rows(), before + 1);
	assert_int_equal(maps_collect_granted(maps, &key, NOW), 1);
}

static void a_tally_stays_while_others_hold_it(void **state)
{
	struct snp_fact_key key = learned(NOW - SNP_COLLECT_AFTER_NS, 3);
	struct snp_tally_key tally = {.kind = SNP_TALLY_ADDR, .addr = key.addr};
	__u64 n = 0;

	assert_int_equal(maps_collect_fact(maps, &key, NOW), 1);
	assert_true(row_in("snp_tally", &tally, &n));
	assert_int_equal(n, 3);
	assert_true(row_in("snp_collected", &tally, &n));
	assert_int_equal(n, 1);
}

static void a_name_renewed_meanwhile_stays(void **state)
{
	struct snp_name_key key = {.id = 88};
	struct snp_name_row row = {.expiry_ns = NOW, .wire_len = 1};

	write_row("snp_names", &key, &row);
	assert_int_equal(maps_collect_name(maps, &key, NOW), 0);
	assert_true(row_in("snp_names", &key, &row));
	assert_int_equal(maps_collect_name(maps, &key, NOW + SNP_COLLECT_AFTER_NS), 1);
	assert_false(row_in("snp_names", &key, &row));
}

static void test_2_11_who_is_silent_leaves_the_list_and_who_answers_stays(void **state)
{
	struct snp_status_server row = {.addr = {.w = {0, 0, 0, 5}}, .answers = 3};
	uint64_t answers = 0;
	__u64 n = 3;

	write_row("snp_untrusted", &row.addr, &n);
	assert_int_equal(maps_collect_untrusted(maps, &row, &answers), 1);
	assert_int_equal(answers, 3);
	assert_false(row_in("snp_untrusted", &row.addr, &n));
	assert_int_equal(maps_collect_untrusted(maps, &row, &answers), -ENOENT);
	n = 4; /* it answered after it was read */
	write_row("snp_untrusted", &row.addr, &n);
	assert_int_equal(maps_collect_untrusted(maps, &row, &answers), 0);
	assert_true(row_in("snp_untrusted", &row.addr, &n));
	assert_int_equal(n, 4);
}

static void a_second_snooperd_is_turned_away(void **state)
{
	struct snp_conf *conf = snp_conf_new();
	struct maps_problem why;
	struct maps *other = NULL;

	free(conf->state.bpffs);
	conf->state.bpffs = strdup(dir);
	assert_int_equal(maps_open(conf, &other, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another snooperd"));
	assert_null(other);
	snp_conf_free(conf);
}

static void a_directory_open_to_others_is_not_adopted(void **state)
{
	struct snp_conf *conf = snp_conf_new();
	struct maps_problem why;
	struct maps *other = NULL;
	char open_dir[80];

	snprintf(open_dir, sizeof(open_dir), "%so", dir);
	assert_int_equal(mkdir(open_dir, 0755), 0);
	free(conf->state.bpffs);
	conf->state.bpffs = strdup(open_dir);
	assert_int_equal(maps_open(conf, &other, &why), -EPROTO);
	assert_int_equal(rmdir(open_dir), 0);
	snp_conf_free(conf);
}

static void a_foreign_map_at_our_pin_is_not_adopted(void **state)
{
	struct snp_conf *conf = snp_conf_new();
	struct maps_problem why;
	struct maps *other = NULL;
	char there[80], path[128];
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 8, 1, NULL);

	snprintf(there, sizeof(there), "%sf", dir);
	snprintf(path, sizeof(path), "%s/snp_meta", there);
	assert_int_equal(mkdir(there, 0700), 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	free(conf->state.bpffs);
	conf->state.bpffs = strdup(there);
	assert_int_equal(maps_open(conf, &other, &why), -EPROTO);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(there), 0);
	close(fd);
	snp_conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_long_over_is_taken_away_with_its_tally),
		cmocka_unit_test(what_came_back_alive_is_granted),
		cmocka_unit_test(granted_rows_are_found_whenever_they_come),
		cmocka_unit_test(a_tally_stays_while_others_hold_it),
		cmocka_unit_test(a_name_renewed_meanwhile_stays),
		cmocka_unit_test(test_2_11_who_is_silent_leaves_the_list_and_who_answers_stays),
		cmocka_unit_test(a_second_snooperd_is_turned_away),
		cmocka_unit_test(a_directory_open_to_others_is_not_adopted),
		cmocka_unit_test(a_foreign_map_at_our_pin_is_not_adopted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
