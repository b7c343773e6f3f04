/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/daemon_reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/daemon_systemd.h"
#include "snooper/io/conf_host.h"
#include "snooper/io/conf_reload.h"
#include "snooper/io/conf_yaml.h"
#include "snooper/io/endpoints.h"
#include "snooper/io/kconf.h"
#include "snooper/io/links.h"
#include "snooper/io/proxy_seed.h"
#include "snooper/rpc/grpc_tls.h"

/* After endpoints have their numbers, before anything of theirs is seen: no packet goes unjudged. */
static int apply_policy(struct daemon *d, struct policy_change *policy, struct maps_problem *why)
{
	struct policy *take = policy->take;

	int r;

	policy->take = NULL;
	r = daemon_policy_apply(d, take, why);
	policy->applied = !r;
	return r;
}

int daemon_apply(struct daemon *d, struct policy_change *policy, struct maps_problem *why)
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
		r = endpoints_prepare(d->endpoints, d->maps, d->conf, d->policy.tables, why);
	if (!r && policy)
		r = apply_policy(d, policy, why);
	if (!r)
		r = links_attach(d->maps, d->conf, why);
	if (!r) {
		/* After the attachment: a cgroup made in between is known to the kernel side. */
		endpoints_settle(d->endpoints, d->maps);
		endpoints_audit(d->endpoints, d->maps);
		d->settled_ns = clock_boot_ns();
		d->proxy_generation = k->proxy_generation;
		d->proxy_cgroup_id = k->proxy_cgroup_id;
		/* After the attachment: a socket bound in between is counted by its bind. */
		r = proxy_seed(d->maps, d->conf, k->proxy_generation);
		if (r > 0)
			log_info("event=proxy-sockets found=%d", r);
		r = r < 0 ? r : 0;
	}
	if (!r)
		endpoints_enforced(d->endpoints, d->maps, d->policy.tables);
	free(k);
	return r;
}

/* What cannot change while we run keeps its running value, and is named. */
static void tell_kept(const char *key, enum conf_reload how)
{
	if (how == CONF_RELOAD_UNINSTALL)
		log_warn("event=reload-kept key=%s needs=uninstall hint=\"the running value stays "
			 "until snooperd --uninstall and a start\"",
			 key);
	else
		log_warn("event=reload-kept key=%s needs=restart hint=\"the running value stays "
			 "until a restart\"",
			 key);
}

/* The file, and the certificates it names; anything wrong with them changes nothing. */
static int read_next(struct daemon *d, struct snp_conf **next, struct policy **policy,
		     struct grpc_tls **tls, char **errors)
{
	struct conf_diag diag = {0};
	SNP_CLEANUP(snp_freep)
	char *why_tls = NULL;
	int r = conf_read(d->conf_path, next, &diag);

	if (!r)
		r = conf_fill_from_host(*next, &diag);
	if (!r)
		r = daemon_policy_read(*next, policy, &diag);
	if (diag.text) {
		fputs(diag.text, stderr);
		*errors = strdup(diag.text);
	}
	conf_diag_fini(&diag);
	if (r || !d->conf->export.listen)
		return r;
	r = daemon_read_tls(*next, tls, &why_tls);
	if (r) {
		free(*errors);
		*errors = snp_take(&why_tls);
	}
	return r;
}

static int put_in_force(struct daemon *d, struct snp_conf *next, struct policy_change *policy,
			struct grpc_tls **tls, char **errors)
{
	struct snp_conf *was = d->conf;
	struct maps_problem why;
	int r;

	conf_reload_keep(was, next, tell_kept);
	d->conf = next;
	r = daemon_apply(d, policy, &why);
	if (!r) {
		if (*tls)
			export_set_tls_take(d->export, snp_take(tls));
		r = daemon_reconcile_changed(d, was);
		log_set_level((enum log_level)next->log.level);
		log_info("event=reloaded file=%s", d->conf_path);
		snp_conf_free(was);
		return r;
	}
	log_err("event=reload-failed reason=\"%s\" hint=\"the running configuration stays\"",
		why.text);
	free(*errors);
	*errors = strdup(why.text);
	conf_reload_keep(was, next, NULL);
	d->conf = was;
	if (policy->applied)
		daemon_policy_undo(d);
	if (daemon_apply(d, NULL, &why) < 0)
		log_err("event=reload-not-undone reason=\"%s\"", why.text);
	snp_conf_free(next);
	return r;
}

int daemon_reload(void *ctx, char **errors)
{
	struct daemon *d = ctx;
	struct snp_conf *next = NULL;
	struct policy_change policy = {.take = NULL};
	struct grpc_tls *tls = NULL;
	int r;

	*errors = NULL;
	systemd_reloading();
	if (read_next(d, &next, &policy.take, &tls, errors)) {
		snp_conf_free(next);
		log_err("event=reload-refused file=%s hint=\"the running configuration stays\"",
			d->conf_path);
		r = -EINVAL;
	} else {
		r = put_in_force(d, next, &policy, &tls, errors);
	}
	policy_free(policy.take);
	grpc_tls_free(tls);
	systemd_ready();
	return r;
}
