/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Policies of others, directories, bounds, and the manual's table. Run from the top of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "snooper/io/policy_fields.h"
#include "tests/unit/policy_text.h"

#define EXAMPLES "tests/data/policies/"
#define MANUAL	 "snooper/man/snooper-policy.5"
#define LABELS	 " org in empire; class in mediabot;\n"
#define DNS	 "  allow resolvers any:53 dns pattern *\n"

/* --- policies that nobody here wrote ------------------------------------------------ */

static void test_3_2_the_examples_of_cilium_are_read(void **state)
{
	static const struct {
		const char *file, *read;
	} rows[] = {
		{"dns-matchname.yaml", "fqdn denies:" LABELS "  allow api.github.com\n" DNS},
		{"dns-pattern.yaml", "fqdn denies:" LABELS "  allow pattern *.github.com\n" DNS},
		{"dns-port.yaml",
		 "fqdn denies:" LABELS "  allow pattern *.twitter.com tcp:443\n" DNS},
		{"dns.yaml", "tofqdn-dns-visibility denies: org in alliance;\n"
			     "  allow resolvers any:53 dns cilium.io pattern *.cilium.io pattern "
			     "*.api.cilium.io\n"
			     "  allow cilium.io sub.cilium.io service1.api.cilium.io pattern "
			     "special*service.api.cilium.io tcp:80\n"},
		{"fqdn-short.yaml", "to-fqdn-short denies: app in test-app;\n"
				    "  allow resolvers any:53 dns pattern **.cluster.local\n"
				    "  allow pattern **.cilium.io\n"},
		{"fqdn.yaml",
		 "to-fqdn denies: app in test-app;\n" DNS "  allow my-remote-service.com\n"},
	};
	static struct text got;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf_diag d = {0};
		struct policy *p = NULL;
		char path[256];

		snprintf(path, sizeof(path), EXAMPLES "%s", rows[i].file);
		assert_int_equal(policy_read_file(path, &p, &d), 0);
		assert_null(d.text);
		put_policy(&got, p);
		assert_string_equal(got.buf, rows[i].read);
		policy_free(p);
	}
}

static void test_3_2_an_http_rule_is_refused_by_name_with_its_line(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;

	assert_int_equal(policy_read_file(EXAMPLES "dns-port-l7.yaml", &p, &d), -EINVAL);
	assert_null(p);
	assert_string_equal(d.text,
			    EXAMPLES "dns-port-l7.yaml:21:11: error: "
				     "specs[0].egress[0].toPorts[1].rules.http: only dns is read "
				     "here: leaving this out would allow more than is written\n");
	conf_diag_fini(&d);
}

static void test_3_1_a_pipe_is_as_good_as_a_file(void **state)
{
	static const char text[] = SPEC "  egress: [{toEntities: [world]}]\n";
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char path[64];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
	close(fd[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd[0]);
	assert_int_equal(policy_read_file(path, &p, &d), 0);
	assert_int_equal(p->n_specs, 1);
	assert_string_equal(p->specs[0].at.file, path);
	close(fd[0]);
	policy_free(p);
}

/* --- directories ---------------------------------------------------------------------- */

static char dir[64];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/test_policy_XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void put_file(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A policy of this name that allows the world. */
static void put_world(const char *name, const char *policy)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: %s}\n"
		 "spec: {endpointSelector: {}, egress: [{toEntities: [world]}]}\n",
		 policy);
	put_file(name, text);
}

static void test_3_1_a_directory_is_read_in_byte_order_of_its_names(void **state)
{
	static const char *const expected[] = {"B", "a", "b", "z"};
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char path[128];

	put_world("b.yaml", "b");
	put_world("a.yml", "a");
	put_world("B.yaml", "B");
	put_world("z.d.yaml", "z");
	put_file(".hidden.yaml", "not: a policy\n");
	put_file("note.txt", "not a policy\n");
	put_file("c.yaml.bak", "not a policy\n");
	put_file("yaml", "not a policy\n");
	snprintf(path, sizeof(path), "%s/below", dir);
	assert_int_equal(mkdir(path, 0700), 0);

	assert_int_equal(policy_read_directory(dir, &p, &d), 0);
	assert_null(d.text);
	assert_int_equal(p->n_specs, COUNT(expected));
	for (size_t i = 0; i < p->n_specs; i++) {
		assert_string_equal(p->specs[i].name, expected[i]);
		assert_ptr_equal(p->specs[i].at.file, p->files[i]);
	}
	snprintf(path, sizeof(path), "%s/B.yaml", dir);
	assert_string_equal(p->files[0], path);
	policy_free(p);
}

static void test_3_1_the_errors_of_all_files_are_told_at_once_file_by_file(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char expected[2048], path[128];

	put_file("a.yaml", HEAD "\n\nspec: {endpointSelector: {}, egres: []}\n");
	put_file("b.yaml", "kind: List\n");
	put_world("c.yaml", "c");
	put_file("d.yaml", "[\n");
	snprintf(path, sizeof(path), "%s/e.yaml", dir);
	assert_int_equal(mkfifo(path, 0600), 0);

	assert_int_equal(policy_read_directory(dir, &p, &d), -EINVAL);
	assert_null(p);
	snprintf(expected, sizeof(expected),
		 "%s/a.yaml:6:7: warning: spec: has neither egress nor egressDeny, and no effect\n"
		 "%s/a.yaml:6:30: error: spec.egres: unknown field (did you mean 'egress'?)\n"
		 "%s/b.yaml:1:1: error: yaml: has no apiVersion: v1 is wanted\n"
		 "%s/b.yaml:1:1: error: yaml: has no items\n"
		 "%s/d.yaml:2:1: error: yaml: did not find expected node content (while parsing a "
		 "flow node, begun at 2:1)\n"
		 "%s/e.yaml: error: file: is no regular file\n",
		 dir, dir, dir, dir, dir, dir);
	assert_string_equal(d.text, expected);
	conf_diag_fini(&d);
}

static void test_3_1_a_name_that_two_files_use_is_warned_about(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char expected[512];

	put_world("a.yaml", "same");
	put_world("b.yaml", "same");
	assert_int_equal(policy_read_directory(dir, &p, &d), 0);
	snprintf(expected, sizeof(expected),
		 "%s/b.yaml:3:18: warning: metadata.name: 'same' is the name of the policy at "
		 "%s/a.yaml:3 too: both count\n",
		 dir, dir);
	assert_string_equal(d.text, expected);
	assert_int_equal(p->n_specs, 2);
	conf_diag_fini(&d);
	policy_free(p);
}

static void test_3_1_a_file_name_cannot_reach_the_terminal(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;

	put_file("a\n\x1b[2J.yaml", "a: b\n");
	assert_int_equal(policy_read_directory(dir, &p, &d), -EINVAL);
	assert_non_null(strstr(d.text, "/a??[2J.yaml:1:1: error: yaml: has no kind"));
	conf_diag_fini(&d);
}

static void test_3_1_a_directory_that_is_missing_is_an_error_if_it_was_written(void **state)
{
	struct snp_conf *c = snp_conf_new();
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char expected[256];

	assert_non_null(c);
	free(c->policy.directory);
	assert_true(asprintf(&c->policy.directory, "%s/none", dir) > 0);
	assert_int_equal(policy_read_configured(c, &p, &d), 0);
	assert_int_equal(p->n_specs, 0);
	policy_free(p);
	p = NULL;

	conf_diag_file(&d, "snooper.yaml");
	conf_diag_mark(&d, "policy.directory", CONF_WHOLE, (struct conf_place){3, 14});
	assert_int_equal(policy_read_configured(c, &p, &d), -EINVAL);
	snprintf(expected, sizeof(expected),
		 "snooper.yaml:3:14: error: policy.directory: '%s/none' is no directory that can "
		 "be read\n",
		 dir);
	assert_string_equal(d.text, expected);
	conf_diag_fini(&d);
	assert_int_equal(policy_read_directory(c->policy.directory, &p, &d), -ENOENT);
	assert_null(p);
	conf_diag_fini(&d);

	/* there, and no directory */
	put_file("none", "");
	assert_int_equal(policy_read_configured(c, &p, &d), -EINVAL);
	conf_diag_fini(&d);
	snp_conf_free(c);
}

/* --- bounds ------------------------------------------------------------------------------ */

/* A policy of n rules of m names each; the caller's. */
static char *many_names(size_t n, size_t m)
{
	char *text = malloc(1024 + n * (64 + m * 64)), *end;

	assert_non_null(text);
	end = text + sprintf(text, SPEC "  egress:\n");
	for (size_t i = 0; i < n; i++) {
		end += sprintf(end, "  - toFQDNs:\n");
		for (size_t j = 0; j < m; j++)
			end += sprintf(end, "    - matchPattern: '*.x%zu.y%zu.example'\n", j, i);
	}
	return text;
}

static int read_many(size_t n, size_t m, struct policy **p, struct conf_diag *d)
{
	char *text = many_names(n, m);
	int r = policy_read_text("f", text, strlen(text), p, d);

	free(text);
	return r;
}

static void test_3_1_ten_thousand_names_are_one_rule(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;

	assert_int_equal(read_many(1, 10000, &p, &d), 0);
	assert_null(d.text);
	assert_int_equal(p->specs[0].rules[0].n_fqdns, 10000);
	assert_string_equal(p->specs[0].rules[0].fqdns[9999].text, "*.x9999.y0.example");
	assert_int_equal(p->specs[0].rules[0].fqdns[9999].at.line, 7 + 10000);
	policy_free(p);
}

static void test_3_1_the_number_of_names_in_all_is_bounded(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;

	assert_int_equal(read_many(100, POLICY_SELECTORS_MAX / 100, &p, &d), 0);
	policy_free(p);
	p = NULL;
	assert_int_equal(read_many(101, POLICY_SELECTORS_MAX / 100, &p, &d), -EINVAL);
	assert_string_equal(d.text, "f:100107:5: error: spec.egress[100].toFQDNs: more than 100000 "
				    "names and patterns in all\n");
	assert_null(p);
	conf_diag_fini(&d);
}

/* Copies for ports with names of their own count: else 16 MiB could ask for any amount of memory. */
static void test_3_1_destinations_that_multiply_are_bounded(void **state)
{
	char *text = many_names(1, 50000), *end = text + strlen(text);
	struct conf_diag d = {0};
	struct policy *p = NULL;

	sprintf(end, "    toPorts:\n"
		     "    - {ports: [{port: '53'}], rules: {dns: [{matchName: a}]}}\n"
		     "    - {ports: [{port: '53'}], rules: {dns: [{matchName: b}]}}\n"
		     "    - {ports: [{port: '53'}], rules: {dns: [{matchName: c}]}}\n");
	assert_int_equal(policy_read_text("f", text, strlen(text), &p, &d), -EINVAL);
	assert_string_equal(d.text, "f:7:5: error: spec.egress[0]: more than 100000 names and "
				    "patterns in all\n");
	conf_diag_fini(&d);
	free(text);
}

static void test_3_1_a_file_that_is_too_large_is_refused(void **state)
{
	struct conf_diag d = {0};
	struct policy *p = NULL;
	char path[128], expected[256];

	put_world("a.yaml", "a");
	snprintf(path, sizeof(path), "%s/a.yaml", dir);
	assert_int_equal(truncate(path, POLICY_BYTES_MAX + 1), 0);
	assert_int_equal(policy_read_file(path, &p, &d), -EINVAL);
	snprintf(expected, sizeof(expected), "%s: error: file: larger than 16MiB\n", path);
	assert_string_equal(d.text, expected);
	conf_diag_fini(&d);
}

/* Each of them far down its list, which its message must not count from the start. */
static void test_3_1_mistakes_in_their_thousands_are_all_counted(void **state)
{
	const size_t n = 90000;
	char *text = malloc(1024 + n * 8), *end;
	struct conf_diag d = {0};
	struct policy *p = NULL;

	assert_non_null(text);
	end = text + sprintf(text, SPEC "  egress:\n  - toCIDR:\n");
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, "    - x\n");
	assert_int_equal(policy_read_text("f", text, strlen(text), &p, &d), -EINVAL);
	assert_int_equal(d.n_errors, n);
	assert_non_null(
		strstr(d.text, "f:1007:7: error: spec.egress[0].toCIDR[999]: 'x' is not an "));
	conf_diag_fini(&d);
	free(text);
}

static void test_3_1_ten_thousand_policies_of_one_name_are_told_apart(void **state)
{
	const size_t n = 10000;
	char *text = malloc(n * 256), *end = text;
	struct conf_diag d = {0};
	struct policy *p = NULL;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, "---\n" HEAD "spec: {endpointSelector: {}, egress: [{}]}\n");
	assert_int_equal(policy_read_text("f", text, strlen(text), &p, &d), 0);
	assert_int_equal(p->n_specs, n);
	assert_int_equal(d.n_warnings, n - 1);
	assert_non_null(
		strstr(d.text, "f: warning: configuration: 9499 more problems are not shown"));
	conf_diag_fini(&d);
	policy_free(p);
	free(text);
}

/* --- the manual ---------------------------------------------------------------------------- */

static void test_3_2_the_manual_has_the_table_of_every_field(void **state)
{
	static const char *const uses[] = {"read", "refused", "warned", "passed"};
	static char manual[65536], table[65536];
	const struct policy_section *sections;
	size_t n, used = 0;
	char *from, *to;
	FILE *f = fopen(MANUAL, "r");

	assert_non_null(f);
	manual[fread(manual, 1, sizeof(manual) - 1, f)] = '\0';
	fclose(f);
	from = strstr(manual, "l l.\n");
	to = strstr(manual, ".TE\n");
	assert_true(from && to);
	from += strlen("l l.\n");
	*to = '\0';

	sections = policy_sections(&n);
	for (size_t i = 0; i < n; i++) {
		for (const struct policy_field *field = sections[i].fields; field->name; field++)
			used += (size_t)snprintf(table + used, sizeof(table) - used, "%s%s%s\t%s\n",
						 sections[i].path, *sections[i].path ? "." : "",
						 field->name, uses[field->use]);
	}
	assert_string_equal(from, table);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_3_2_the_examples_of_cilium_are_read),
		cmocka_unit_test(test_3_2_an_http_rule_is_refused_by_name_with_its_line),
		cmocka_unit_test(test_3_1_a_pipe_is_as_good_as_a_file),
		IN_DIR(test_3_1_a_directory_is_read_in_byte_order_of_its_names),
		IN_DIR(test_3_1_the_errors_of_all_files_are_told_at_once_file_by_file),
		IN_DIR(test_3_1_a_name_that_two_files_use_is_warned_about),
		IN_DIR(test_3_1_a_file_name_cannot_reach_the_terminal),
		IN_DIR(test_3_1_a_directory_that_is_missing_is_an_error_if_it_was_written),
		cmocka_unit_test(test_3_1_ten_thousand_names_are_one_rule),
		cmocka_unit_test(test_3_1_the_number_of_names_in_all_is_bounded),
		cmocka_unit_test(test_3_1_destinations_that_multiply_are_bounded),
		IN_DIR(test_3_1_a_file_that_is_too_large_is_refused),
		cmocka_unit_test(test_3_1_mistakes_in_their_thousands_are_all_counted),
		cmocka_unit_test(test_3_1_ten_thousand_policies_of_one_name_are_told_apart),
		cmocka_unit_test(test_3_2_the_manual_has_the_table_of_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
