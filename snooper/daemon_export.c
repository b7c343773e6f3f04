/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The gRPC face's outer side: its certificates, and what is said of those who are refused. */
#include "snooper/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/rpc/grpc_tls.h"

void daemon_audit(void *ctx, enum grpc_count why, const char *peer, const char *detail,
		  uint64_t unsaid)
{
	log_warn("event=export-refused reason=%s peer=\"%s\" detail=\"%s\" unsaid=%" PRIu64
		 " hint=\"%s\"",
		 grpc_count_name(why), peer, detail, unsaid, grpc_count_text(why));
}

int daemon_read_tls(const struct snp_conf *conf, struct grpc_tls **out, char **why)
{
	const struct grpc_tls_conf files = {
		.ca = conf->export.tls_ca,
		.certificate = conf->export.tls_certificate,
		.key = conf->export.tls_key,
		.admins = conf->export.tls_admins,
		.n_admins = conf->export.n_tls_admins,
	};
	char text[GRPC_TLS_TEXT];
	int r;

	*out = NULL;
	if (!conf->export.listen)
		return 0;
	r = grpc_tls_new(&files, text, out);
	if (r < 0) {
		log_err("event=export-tls-failed key=export.tls reason=\"%s\"", text);
		if (asprintf(why, "export.tls: %s", text) < 0)
			*why = NULL;
	}
	return r;
}

static void free_tls(struct grpc_tls **tls)
{
	grpc_tls_free(*tls);
}

int daemon_listen(struct daemon *d)
{
	SNP_CLEANUP(free_tls)
	struct grpc_tls *tls = NULL;
	SNP_CLEANUP(snp_freep)
	char *why = NULL;
	int r = daemon_read_tls(d->conf, &tls, &why);

	if (r < 0 || !tls)
		return r;
	r = export_listen_take(d->export, d->conf->export.listen, tls);
	if (r < 0) {
		log_err("event=export-failed key=export.listen address=%s reason=\"%s\"",
			d->conf->export.listen, strerror(-r));
		return r;
	}
	tls = NULL;
	log_info("event=export-listening address=%s tls=1.3", d->conf->export.listen);
	return 0;
}
