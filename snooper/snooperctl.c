/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snooperctl: ask the daemon, over its socket. One file a verb in ctl/. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "snooper/ctl/ctl.h"

static const struct ctl_verb verbs[] = {
	{"names", "[PATTERN]", "names that are known now, with their addresses", ctl_names},
	{"watch", "[PATTERN]", "those names, then every change of them, until interrupted",
	 ctl_watch},
	{"why", "ADDRESS", "may endpoints begin a flow to it now, by which rule and names",
	 ctl_why},
	{"policy", "", "the policy in force: endpoints, selectors, what they let go", ctl_policy},
	{"status", "", "how the daemon and its kernel part are doing", ctl_status},
	{"proxy", "[status]", "is the proxy asked, or bypassed", ctl_proxy},
	{"reload", "", "read the configuration again", ctl_reload},
	{"match", "-f FILE NAME...", "which selectors of a policy names match; no daemon is asked",
	 ctl_match},
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(struct ctl *ctl)
{
	ctl_printf(ctl,
		   "snooperctl [-s SOCKET] [--json] VERB: ask the snooper daemon of this host\n\n");
	for (size_t i = 0; i < N_VERBS; i++)
		ctl_printf(ctl, "  %-8s%-17s%s\n", verbs[i].name, verbs[i].args, verbs[i].help);
	ctl_printf(ctl,
		   "\n  -s, --socket SOCKET  default %s\n"
		   "  -f, --file FILE      the policy of match\n"
		   "      --endpoint NAME  of why: this one only\n"
		   "      --port N/PROTO   of why: to this port (443/TCP, ICMP), not any\n"
		   "      --verdicts       of watch: refusals as they happen, not names\n"
		   "      --json           one JSON object a line, errors too\n"
		   "  -h, --help\n"
		   "      --version\n\n"
		   "exit: 0 ok, 1 failed, 2 usage or configuration, 3 daemon unreachable,\n"
		   "      4 not permitted, 5 degraded (status only)\n",
		   CTL_SOCKET);
}

static int run(struct ctl *ctl, int n, char **args)
{
	if (!n)
		return ctl_error(ctl, CTL_USAGE, "no verb; --help lists them");
	if (ctl->file && strcmp(args[0], "match") != 0)
		return ctl_error(ctl, CTL_USAGE, "-f is for match");
	if ((ctl->endpoint || ctl->port) && strcmp(args[0], "why") != 0)
		return ctl_error(ctl, CTL_USAGE, "--endpoint and --port are for why");
	if (ctl->verdicts && strcmp(args[0], "watch") != 0)
		return ctl_error(ctl, CTL_USAGE, "--verdicts is for watch");
	for (size_t i = 0; i < N_VERBS; i++)
		if (!strcmp(args[0], verbs[i].name))
			return verbs[i].run(ctl, n - 1, args + 1);
	return ctl_error(ctl, CTL_USAGE, "unknown verb '%s'; --help lists them", args[0]);
}

/* Returns -1 to go on, or an exit code. */
static int options(struct ctl *ctl, int argc, char **argv)
{
	enum { JSON = 256, VERSION, ENDPOINT, PORT, VERDICTS };
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"file", required_argument, NULL, 'f'},
		{"endpoint", required_argument, NULL, ENDPOINT},
		{"port", required_argument, NULL, PORT},
		{"verdicts", no_argument, NULL, VERDICTS},
		{"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	int o;

	/* Known first, so that a wrong option is reported in the form that was asked for. */
	for (int i = 1; i < argc; i++)
		ctl->json = ctl->json || !strcmp(argv[i], "--json");
	opterr = 0;
	while ((o = getopt_long(argc, argv, ":s:f:h", longs, NULL)) != -1) {
		switch (o) {
		case 's':
			ctl->socket = optarg;
			break;
		case 'f':
			ctl->file = optarg;
			break;
		case ENDPOINT:
			ctl->endpoint = optarg;
			break;
		case PORT:
			ctl->port = optarg;
			break;
		case VERDICTS:
			ctl->verdicts = true;
			break;
		case JSON:
			ctl->json = true;
			break;
		case 'h':
			help(ctl);
			return CTL_OK;
		case VERSION:
			ctl_printf(ctl, "snooperctl %s\n", SNP_VERSION);
			return CTL_OK;
		case ':':
			return ctl_error(ctl, CTL_USAGE, "%s needs a value", argv[optind - 1]);
		default:
			return ctl_error(ctl, CTL_USAGE, "unknown option '%s'", argv[optind - 1]);
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.socket = CTL_SOCKET};
	int code;

	code = options(&ctl, argc, argv);
	if (code < 0)
		code = run(&ctl, argc - optind, argv + optind);
	if (fflush(stdout) && !ctl.out_err)
		ctl.out_err = errno;
	/* Where SIGPIPE is ignored, a reader that has seen enough ends us without a word all the same. */
	if (ctl.out_err == EPIPE)
		return CTL_FAILED;
	if (ctl.out_err)
		return ctl_error(&ctl, CTL_FAILED, "cannot write: %s", strerror(ctl.out_err));
	return code;
}
