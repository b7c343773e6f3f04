/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/io/conf_host.h"
#include "snooper/io/conf_yaml.h"
#include "snooper/io/kconf.h"
#include "snooper/io/links.h"
#include "snooper/io/proxy_seed.h"
#include "snooper/rpc/grpc_tls.h"

int daemon_apply(struct daemon *d, struct maps_problem *why)
{
	struct snp_kconf *k = calloc(1, sizeof(*k));
	const char *what = "";
	int r;

	why->kernel = false;
	strcpy(why->text, "out of memory");
	if (!k)
		return -ENOMEM;
	r = kconf_build(d->conf, k, &what);
	if (r < 0)
		snprintf(why->text, sizeof(why->text), "%s: %s", what, strerror(-r));
	if (!r) {
		r = maps_configure(d->maps, k);
		if (r < 0)
			snprintf(why->text, sizeof(why->text), "cannot write the configuration: %s",
				 strerror(-r));
	}
	if (!r)
		r = links_attach(d->maps, d->conf, why);
	if (!r) {
		d->proxy_generation = k->proxy_generation;
		d->proxy_cgroup_id = k->proxy_cgroup_id;
		/* After the attachment: a socket bound in between is counted by its bind. */
		r = proxy_seed(d->maps, d->conf, k->proxy_generation);
		if (r > 0)
			log_info("event=proxy-sockets found=%d", r);
		r = r < 0 ? r : 0;
	}
	free(k);
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void swap_text(char **a, char **b)
{
	char *t = *a;

	*a = *b;
	*b = t;
}

static void tell_restart(const char *key)
{
	log_warn("event=reload-needs-restart key=%s hint=\"the running value stays\"", key);
}

/* What cannot change while we run keeps its running value, and is named. */
static void keep_fixed(struct snp_conf *now, struct snp_conf *next)
{
	char **texts[][2] = {
		{&now->state.bpffs, &next->state.bpffs},
		{&now->export.socket, &next->export.socket},
		{&now->export.socket_group, &next->export.socket_group},
		{&now->export.listen, &next->export.listen},
		{&now->export.metrics, &next->export.metrics},
	};
	static const char *const keys[] = {"state.bpffs", "export.socket", "export.socket_group",
					   "export.listen", "export.metrics"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (same_text(*texts[i][0], *texts[i][1]))
			continue;
		tell_restart(keys[i]);
		swap_text(texts[i][0], texts[i][1]);
	}
	if (now->limits.names != next->limits.names || now->limits.facts != next->limits.facts ||
	    now->limits.rows != next->limits.rows ||
	    now->limits.ring_bytes != next->limits.ring_bytes)
		tell_restart("limits");
}

int daemon_reload(void *ctx, char **errors)
{
	struct daemon *d = ctx;
	struct conf_diag diag = {0};
	struct snp_conf *next = NULL, *was = d->conf;
	struct grpc_tls *tls = NULL;
	struct maps_problem why;
	int r;

	*errors = NULL;
	sd_notify(0, "RELOADING=1");
	r = conf_read(d->conf_path, &next, &diag);
	if (!r)
		r = conf_fill_from_host(next, &diag);
	if (diag.text) {
		fputs(diag.text, stderr);
		*errors = strdup(diag.text);
	}
	conf_diag_fini(&diag);
	if (!r && was->export.listen) { /* before anything is applied: a bad one changes nothing */
		SNP_CLEANUP(snp_freep)
		char *why_tls = NULL;

		r = daemon_read_tls(next, &tls, &why_tls);
		if (r) {
			free(*errors);
			*errors = snp_take(&why_tls);
		}
	}
	if (r) {
		snp_conf_free(next);
		log_err("event=reload-refused file=%s hint=\"the running configuration stays\"",
			d->conf_path);
		sd_notify(0, "READY=1");
		return -EINVAL;
	}
	d->conf = next;
	r = daemon_apply(d, &why);
	if (r < 0) {
		log_err("event=reload-failed reason=\"%s\" hint=\"the running configuration "
			"stays\"",
			why.text);
		free(*errors);
		*errors = strdup(why.text);
		d->conf = was;
		was = next;
		daemon_apply(d, &why);
	} else {
		if (tls)
			export_set_tls_take(d->export, snp_take(&tls));
		keep_fixed(was, next);
		r = daemon_reconcile_changed(d, was);
		log_set_level((enum log_level)next->log.level);
		log_info("event=reloaded file=%s", d->conf_path);
	}
	grpc_tls_free(tls);
	snp_conf_free(was);
	sd_notify(0, "READY=1");
	return r;
}
