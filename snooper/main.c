/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* main.c - snooperd(8): options and exit statuses. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "snooper/daemon.h"
#include "snooper/io/conf_host.h"
#include "snooper/io/conf_yaml.h"
#include "snooper/daemon_policy.h"

#define DEFAULT_CONF "/etc/snooper/snooper.yaml"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(FILE *to, int status)
{
	fputs("usage: snooperd [-c FILE] [-n | --uninstall]\n"
	      "  -c, --config FILE  configuration (default " DEFAULT_CONF ")\n"
	      "  -n, --check        check the configuration and the policy files, and exit\n"
	      "      --uninstall    remove programs, links and maps from the kernel and exit\n"
	      "  -h, --help\n"
	      "  -V, --version\n",
	      to);
	return status;
}

/*
 * The configuration, whole and checked; or NULL, and everything wrong with it on stderr. The
 * policy's files too if policy is not NULL: *policy stays NULL when something is wrong with
 * them, which with must_have is as bad.
 */
static struct snp_conf *
read_conf(const char *path, struct policy **policy, bool must_have, int *status)
{
	struct conf_diag diag = {0};
	struct snp_conf *conf = NULL;
	const char *wrong = path;
	int r = conf_read(path, &conf, &diag);

	if (!r)
		r = conf_fill_from_host(conf, &diag);
	if (!r && policy) {
		r = daemon_policy_read(conf, policy, &diag);
		wrong = conf->policy.directory;
	}
	if (diag.text)
		fputs(diag.text, stderr);
	if (policy && !must_have && wrong != path)
		r = 0; /* the daemon says what becomes of its endpoints */
	*status = r ? EXIT_USAGE : EXIT_OK;
	if (r && !diag.n_errors) {
		fprintf(stderr, "snooperd: %s: %s\n", wrong, strerror(-r));
		*status = EXIT_FAILED;
	} else if (r) {
		fprintf(stderr, "snooperd: %zu error%s in %s\n", diag.n_errors,
			diag.n_errors == 1 ? "" : "s", wrong);
	}
	if (r) {
		snp_conf_free(conf);
		conf = NULL;
	}
	conf_diag_fini(&diag);
	return conf;
}

/* Works without a configuration too: what is to go may be all that is left. */
static int uninstall(const char *path, bool explicit_path)
{
	struct snp_conf *conf = NULL;
	struct maps_problem why;
	int r, status = EXIT_FAILED;

	if (explicit_path || !access(path, F_OK))
		conf = read_conf(path, NULL, false, &status);
	else
		conf = snp_conf_new();
	if (!conf)
		return status;
	r = maps_uninstall(conf->state.bpffs, &why);
	if (r < 0)
		fprintf(stderr, "snooperd: %s\n", why.text);
	snp_conf_free(conf);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'n'},
		{"uninstall", no_argument, NULL, 'u'},	  {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	  {0}};
	const char *path = DEFAULT_CONF;
	bool check = false, remove = false, explicit_path = false;
	struct policy *policy = NULL;
	struct snp_conf *conf;
	int c, status;

	while ((c = getopt_long(argc, argv, "c:nhV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			explicit_path = true;
			break;
		case 'n':
			check = true;
			break;
		case 'u':
			remove = true;
			break;
		case 'h':
			return usage(stdout, EXIT_OK);
		case 'V':
			puts("snooperd " SNP_VERSION);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc || (check && remove))
		return usage(stderr, EXIT_USAGE);
	if (remove)
		return uninstall(path, explicit_path);
	conf = read_conf(path, &policy, check, &status);
	if (!conf)
		return status;
	if (check) {
		policy_free(policy);
		snp_conf_free(conf);
		return EXIT_OK;
	}
	return daemon_run(path, conf, policy);
}
