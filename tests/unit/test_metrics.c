/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What Prometheus is told, to the byte where the format matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/core/metrics.h"

static void a_family_has_help_type_and_values(void **state)
{
	struct metrics_text t = {0};

	metrics_family(&t, "x_total", METRICS_COUNTER, "What happened.");
	metrics_value(&t, "reason", "a", 0);
	metrics_value(&t, "reason", "b", UINT64_MAX);
	metrics_value_of(&t, (const struct metrics_label[]){{"a", "1\"2"}, {"b", "3"}}, 5);
	metrics_one(&t, "y", METRICS_GAUGE, "What is.", 7);
	assert_int_equal(metrics_text_error(&t), 0);
	assert_string_equal(t.text, "# HELP x_total What happened.\n"
				    "# TYPE x_total counter\n"
				    "x_total{reason=\"a\"} 0\n"
				    "x_total{reason=\"b\"} 18446744073709551615\n"
				    "x_total{a=\"1\\\"2\",b=\"3\"} 5\n"
				    "# HELP y What is.\n"
				    "# TYPE y gauge\n"
				    "y 7\n");
	assert_int_equal(t.len, strlen(t.text));
	metrics_text_fini(&t);
}

static void what_would_end_a_line_or_a_value_is_escaped(void **state)
{
	struct metrics_text t = {0};

	metrics_family(&t, "x", METRICS_GAUGE, "back\\slash, new\nline, \"quotes\"\\");
	metrics_value(&t, "l", "back\\slash, new\nline, \"quotes\"\n", 1);
	metrics_value(&t, "l", "", 2);
	metrics_remark(&t, "a\nb", "c\nx 3");
	assert_string_equal(t.text, "# HELP x back\\\\slash, new\\nline, \"quotes\"\\\\\n"
				    "# TYPE x gauge\n"
				    "x{l=\"back\\\\slash, new\\nline, \\\"quotes\\\"\\n\"} 1\n"
				    "x{l=\"\"} 2\n"
				    "# a\\nb: c\\nx 3\n");
	metrics_text_fini(&t);
}

static void seconds_lose_no_nanosecond(void **state)
{
	static const struct {
		uint64_t ns;
		const char *line;
	} rows[] = {
		{0, "x 0\n"},
		{1, "x 0.000000001\n"},
		{1500000000, "x 1.5\n"},
		{10000000000, "x 10\n"},
		{UINT64_MAX, "x 18446744073.709551615\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics_text t = {.family = "x"};

		metrics_seconds(&t, rows[i].ns);
		assert_string_equal(t.text, rows[i].line);
		metrics_text_fini(&t);
	}
}

static void the_text_grows_as_far_as_needed(void **state)
{
	struct metrics_text t = {0};
	char line[64];
	size_t at = 0;

	metrics_family(&t, "x", METRICS_GAUGE, "");
	at = t.len;
	for (unsigned int i = 0; i < 100000; i++)
		metrics_value(&t, "l", "v", i);
	assert_int_equal(metrics_text_error(&t), 0);
	for (unsigned int i = 0; i < 100000; i++) {
		int len = snprintf(line, sizeof(line), "x{l=\"v\"} %u\n", i);

		assert_memory_equal(t.text + at, line, len);
		at += (size_t)len;
	}
	assert_int_equal(at, t.len);
	metrics_text_fini(&t);
}

/* All numbers different, so that none can stand for another. */
static struct snp_status status;
static const struct snp_metrics_map maps[] = {{"names", 10011, 10012}, {"learned", 10013, 10014}};
static const struct snp_metrics_count counts[] = {{"snooper_a_b_total", "Two words.", 10061},
						  {"snooper_c_total", "One.", 10062}};
static const struct snp_metrics_reason grpc[] = {{"flooded", "Too much.", 10063},
						 {"idle", "Too little.", 10064}};
static const char *const degraded[] = {"cache-full", "names-full"};

static char *write_all(void)
{
	struct snp_metrics m = {
		.status = &status,
		.maps = maps,
		.n_maps = 2,
		.counts = counts,
		.n_counts = 2,
		.grpc_refused = grpc,
		.n_grpc_refused = 2,
		.watches = 10081,
		.watch_lost = 10082,
		.verdict_watches = 10083,
		.reloads_waiting = 10084,
		.untrusted_aged = 10056,
		.no_descriptor = 10091,
		.log_lost = 10092,
		.collected = 10021,
		.put_back = 10022,
		.longest_turn_ns = 10071500,
		.slow_turns = 10072,
		.process = {.resident_bytes = 10031,
			    .virtual_bytes = 10032,
			    .cpu_ns = 10033250000000,
			    .start_unix_ns = 1700000000120000000,
			    .open_fds = 10034,
			    .max_fds = 10035},
		.http = {10041, 10042, 10043},
	};
	struct metrics_text t = {0};

	const struct snp_status_endpoint endpoints[] = {{"a", 10000, 1, 10093},
							{"b", 91, 10091, 10094}};

	static const struct snp_status_verdict verdicts[] = {{"a", "name", 10101},
							     {"b", "deny-cidr", 10102}};

	status = (struct snp_status){
		.policy = {10111, 10112, 10113, 10114, 10115, 10116500, 10117, 10121, 10122, 10123,
			   10124, 10125},
		.verdicts = verdicts,
		.n_verdicts = 2,
		.endpoints = endpoints,
		.n_endpoints = 2,
		.version = "1.2.3",
		.mode = "audit",
		.cache = {10051, 10052, 10001, 10002, 10003},
		.proxy = {.configured = true, .bypassed = true, .since_ms = 10053042},
		.n_untrusted = 10054,
		.untrusted_unlisted = 10055,
		.degraded = degraded,
		.n_degraded = 2,
	};
	for (unsigned int i = 0; i < SNP_STAT_MAX; i++)
		status.stats[i] = 20000 + i;
	metrics_write(&m, &t);
	assert_int_equal(metrics_text_error(&t), 0);
	return t.text;
}

static void assert_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text, whole))
		print_error("missing: %s\n", line);
	assert_non_null(strstr(text, whole));
}

static void every_reason_and_every_counter_is_there(void **state)
{
	char *text = write_all(), line[256];

#define REFUSAL(name, word, help)                                                                  \
	snprintf(line, sizeof(line), "snooper_answers_refused_total{reason=\"%s\"} %u", word,      \
		 20000 + SNP_STAT_##name);                                                         \
	assert_line(text, line);                                                                   \
	assert_line(text, "# " word ": " help);
	SNP_REFUSALS(REFUSAL)
#define COUNTER(name, word, help)                                                                  \
	snprintf(line, sizeof(line), "snooper_%s_total %u", word, 20000 + SNP_STAT_##name);        \
	assert_line(text, line);                                                                   \
	assert_line(text, "# HELP snooper_" word "_total " help);                                  \
	assert_line(text, "# TYPE snooper_" word "_total counter");
	SNP_COUNTERS(COUNTER)
	snprintf(line, sizeof(line), "snooper_evicted_total{cause=\"slots-full\"} %u",
		 20000 + SNP_STAT_SLOT_EVICTED);
	assert_line(text, line);
	snprintf(line, sizeof(line), "snooper_evicted_total{cause=\"questions-full\"} %u",
		 20000 + SNP_STAT_Q_EVICTED);
	assert_line(text, line);
	free(text);
}

static void every_reason_to_be_degraded_is_0_or_1(void **state)
{
	char *text = write_all(), line[256];

#define DEGRADED(name, word, help)                                                                 \
	snprintf(line, sizeof(line), "snooper_degraded{reason=\"%s\"} %d", word,                   \
		 SNP_DEGRADED_##name == SNP_DEGRADED_CACHE_FULL ||                                 \
			 SNP_DEGRADED_##name == SNP_DEGRADED_NAMES_FULL);                          \
	assert_line(text, line);                                                                   \
	assert_string_equal(snp_degraded_text(SNP_DEGRADED_##name), word);
	SNP_DEGRADATIONS(DEGRADED)
	free(text);
}

static void each_number_stands_under_its_own_name(void **state)
{
	static const char *const lines[] = {
		"snooper_build_info{version=\"1.2.3\"} 1",
		"snooper_policy_mode{mode=\"observe\"} 0",
		"snooper_policy_mode{mode=\"audit\"} 1",
		"snooper_policy_mode{mode=\"enforce\"} 0",
		"snooper_cache_names 10051",
		"snooper_cache_addresses 10052",
		"snooper_cache_names_evicted_total 10001",
		"snooper_cache_names_refused_total 10002",
		"snooper_cache_addresses_refused_total 10003",
		"snooper_map_rows{map=\"names\"} 10011",
		"snooper_map_max_rows{map=\"names\"} 10012",
		"snooper_map_rows{map=\"learned\"} 10013",
		"snooper_map_max_rows{map=\"learned\"} 10014",
		"# HELP snooper_a_b_total Two words.",
		"snooper_a_b_total 10061",
		"snooper_c_total 10062",
		"# idle: Too little.",
		"snooper_grpc_refused_total{reason=\"flooded\"} 10063",
		"snooper_grpc_refused_total{reason=\"idle\"} 10064",
		"snooper_grpc_watches 10081",
		"snooper_grpc_watch_lost_total 10082",
		"snooper_grpc_verdict_watches 10083",
		"snooper_grpc_reloads_waiting 10084",
		"snooper_policy_generation 10111",
		"snooper_policy_specs 10112",
		"snooper_policy_selectors 10113",
		"snooper_policy_rows 10114",
		"snooper_policy_slots 10115",
		"snooper_policy_loaded_seconds 10116.5",
		"snooper_policy_load_seconds 0.010117",
		"snooper_connections_ended_total 10121",
		"snooper_connections_not_ended_total 10122",
		"snooper_policy_not_given_total 10123",
		"snooper_policy_not_followed_total 10124",
		"snooper_policy_verdicts_untold_total 10125",
		"snooper_verdicts_total{endpoint=\"a\",verdict=\"name\"} 10101",
		"snooper_verdicts_total{endpoint=\"b\",verdict=\"deny-cidr\"} 10102",
		"# deny-cidr: refused: by egressDeny",
		"snooper_evicted_total{cause=\"cache-full\"} 10001",
		"snooper_endpoints 2",
		"snooper_endpoint_cgroups 10091",
		"snooper_endpoint_sockets_outside 10092",
		"snooper_connections_before_policy_total{endpoint=\"a\"} 10093",
		"snooper_connections_before_policy_total{endpoint=\"b\"} 10094",
		"snooper_untrusted_servers 10054",
		"snooper_untrusted_unlisted_total 10055",
		"snooper_untrusted_aged_total 10056",
		"snooper_rows_collected_total 10021",
		"snooper_rows_put_back_total 10022",
		"snooper_loop_longest_turn_seconds 0.0100715",
		"snooper_loop_slow_turns_total 10072",
		"snooper_proxy_configured 1",
		"snooper_proxy_bypassed 1",
		"snooper_proxy_state_seconds 10053.042",
		"process_cpu_seconds_total 10033.25",
		"snooper_no_descriptor_total 10091",
		"snooper_log_lost_total 10092",
		"process_resident_memory_bytes 10031",
		"process_virtual_memory_bytes 10032",
		"process_open_fds 10034",
		"process_max_fds 10035",
		"process_start_time_seconds 1700000000.12",
		"snooper_metrics_requests_total 10041",
		"snooper_metrics_timeouts_total 10042",
		"snooper_metrics_waits_total 10043",
	};
	char *text = write_all();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_line(text, lines[i]);
	free(text);
}

/* Every sample follows the TYPE line of its own family, and no family comes twice. */
static void families_are_in_one_piece(void **state)
{
	char *text = write_all(), family[128] = "", seen[16384] = " ", *rest = text;
	unsigned int families = 0, samples = 0;

	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		char name[128], word[132];

		if (sscanf(line, "# TYPE %127s", name) == 1) {
			snprintf(word, sizeof(word), " %s ", name);
			assert_null(strstr(seen, word));
			strcat(seen, word + 1);
			strcpy(family, name);
			families++;
		} else if (*line != '#') {
			assert_int_equal(sscanf(line, "%127[^ {]", name), 1);
			assert_string_equal(name, family);
			samples++;
		}
	}
	assert_true(families > 30 && samples > families + 50);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_has_help_type_and_values),
		cmocka_unit_test(what_would_end_a_line_or_a_value_is_escaped),
		cmocka_unit_test(seconds_lose_no_nanosecond),
		cmocka_unit_test(the_text_grows_as_far_as_needed),
		cmocka_unit_test(every_reason_and_every_counter_is_there),
		cmocka_unit_test(every_reason_to_be_degraded_is_0_or_1),
		cmocka_unit_test(each_number_stands_under_its_own_name),
		cmocka_unit_test(families_are_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
