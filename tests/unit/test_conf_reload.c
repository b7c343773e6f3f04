/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every key is live, or waits for a restart or an uninstall, and the manual says which. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snooper/io/conf_keys.h"
#include "snooper/io/conf_reload.h"
#include "snooper/io/conf_yaml.h"

#define MANUAL "snooper/man/snooper.yaml.5"

static struct snp_conf *read_text(const char *yaml)
{
	struct conf_diag d = {0};
	struct snp_conf *c = NULL;

	conf_read_text("f", yaml, strlen(yaml), &c, &d);
	if (!c)
		fail_msg("%s", d.text);
	conf_diag_fini(&d);
	return c;
}

/* One text that sets every key which is not live to something else than its default. */
static const char other[] =
	"ha: {node: n, cluster: c, listen: '0.0.0.0:1', peers: ['unix:/peer'],\n"
	"  tls: {ca: /ca, certificate: /crt, key: /key}}\n"
	"state: {directory: /s, bpffs: /b, snapshot_interval: 10s, keep_on_stop: false}\n"
	"export: {socket: /sock, socket_group: g, metrics: '127.0.0.1:2',\n"
	"  listen: '127.0.0.1:3', tls: {ca: /ca, certificate: /crt, key: /key, admins: [me]}}\n"
	"limits: {names: 11, addresses_per_name: 12, names_per_address: 13, rows: 14,\n"
	"  facts: 15, per_endpoint: 10, ring: 8KiB}\n"
	"log: {level: debug}\n";

static const char *told[64];
static size_t n_told;

static void note(const char *path, enum conf_reload how)
{
	assert_int_not_equal(how, CONF_RELOAD_LIVE);
	assert_true(n_told < 64);
	told[n_told++] = path;
}

static bool was_told(const char *path)
{
	for (size_t i = 0; i < n_told; i++)
		if (!strcmp(told[i], path))
			return true;
	return false;
}

static void every_key_has_one_row_and_every_row_a_key(void **state)
{
	size_t n_keys, n_rows, n_values = 0;
	const struct conf_key *keys = conf_key_all(&n_keys);
	const struct conf_reload_row *rows = conf_reload_all(&n_rows);

	for (size_t i = 0; i < n_keys; i++) {
		size_t found = 0;

		if (keys[i].kind == CONF_KEY_SECTION)
			continue;
		n_values++;
		for (size_t k = 0; k < n_rows; k++)
			found += !strcmp(rows[k].path, keys[i].path);
		print_message("%s\n", keys[i].path);
		assert_int_equal(found, 1);
	}
	assert_int_equal(n_rows, n_values);
}

static void what_is_not_live_keeps_its_running_value_and_is_named(void **state)
{
	struct snp_conf *now = read_text(""), *next = read_text(other);
	size_t n;
	const struct conf_reload_row *rows = conf_reload_all(&n);

	n_told = 0;
	conf_reload_keep(now, next, note);
	for (size_t i = 0; i < n; i++) {
		/* The other word for it is not written here. */
		if (!strcmp(rows[i].path, "ha.tls") || !strcmp(rows[i].path, "ha.insecure"))
			continue;
		print_message("%s\n", rows[i].path);
		assert_int_equal(was_told(rows[i].path), rows[i].how != CONF_RELOAD_LIVE);
	}
	assert_string_equal(next->state.bpffs, "/sys/fs/bpf/snooper");
	assert_null(next->export.socket_group);
	assert_int_equal(next->ha.n_peers, 0);
	assert_int_equal(next->limits.ring_bytes, 16777216);
	assert_int_equal(next->limits.per_endpoint, 10);
	assert_int_equal(next->log.level, SNP_LOG_DEBUG);
	assert_false(next->state.keep_on_stop);
	/* Undone, as when the kernel refuses what is live. */
	conf_reload_keep(now, next, NULL);
	assert_string_equal(next->state.bpffs, "/b");
	assert_int_equal(next->ha.n_peers, 1);
	assert_int_equal(now->ha.n_peers, 0);
	assert_int_equal(now->limits.names, 262144);
	snp_conf_free(now);
	snp_conf_free(next);
}

static void the_same_file_again_names_nothing(void **state)
{
	struct snp_conf *now = read_text(other), *next = read_text(other);

	n_told = 0;
	conf_reload_keep(now, next, note);
	assert_int_equal(n_told, 0);
	snp_conf_free(now);
	snp_conf_free(next);
}

#define PEERS(second) "ha: {node: n, tls: insecure, peers: ['192.0.2.1:7946', '" second "']}\n"
static void a_list_that_differs_in_one_entry_is_seen(void **state)
{
	struct snp_conf *now = read_text(PEERS("192.0.2.2:7946")),
			*next = read_text(PEERS("192.0.2.3:7946"));

	n_told = 0;
	conf_reload_keep(now, next, note);
	assert_int_equal(n_told, 1);
	assert_string_equal(next->ha.peers[1], "192.0.2.2:7946");
	snp_conf_free(now);
	snp_conf_free(next);
}

static void insecure_replication_is_told_once(void **state)
{
	const char *yaml = "ha: {node: n, listen: '127.0.0.1:1', tls: insecure}\n";
	struct snp_conf *now = read_text(""), *next = read_text(yaml);

	n_told = 0;
	conf_reload_keep(now, next, note);
	assert_true(was_told("ha.insecure"));
	assert_int_equal(n_told, 3); /* node, listen, and this */
	assert_false(next->ha.insecure);
	snp_conf_free(now);
	snp_conf_free(next);
}

/* From its heading to the next one. */
static char *section_of_manual(const char *heading)
{
	FILE *f = fopen(MANUAL, "r");
	char *text = calloc(1, 65536), *at, *end;

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	at = strstr(text, heading);
	if (!at)
		fail_msg("no %s in the manual", heading);
	end = strstr(at + 1, "\n.S");
	if (end)
		*end = '\0';
	memmove(text, at, strlen(at) + 1);
	return text;
}

static void the_manual_lists_what_is_not_live(void **state)
{
	char *restart = section_of_manual(".SS After a restart"),
	     *uninstall = section_of_manual(".SS After an uninstall");
	size_t n;
	const struct conf_reload_row *rows = conf_reload_all(&n);

	for (size_t i = 0; i < n; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n.B %s\n", rows[i].path);
		print_message("%s\n", rows[i].path);
		assert_int_equal(!!strstr(restart, line), rows[i].how == CONF_RELOAD_RESTART);
		assert_int_equal(!!strstr(uninstall, line), rows[i].how == CONF_RELOAD_UNINSTALL);
	}
	free(restart);
	free(uninstall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_one_row_and_every_row_a_key),
		cmocka_unit_test(what_is_not_live_keeps_its_running_value_and_is_named),
		cmocka_unit_test(the_same_file_again_names_nothing),
		cmocka_unit_test(a_list_that_differs_in_one_entry_is_seen),
		cmocka_unit_test(insecure_replication_is_told_once),
		cmocka_unit_test(the_manual_lists_what_is_not_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
