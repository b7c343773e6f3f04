/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* endpoints_audit.c - sockets that processes of endpoints hold, and that no hook sees as theirs. */
#include <string.h>
#include <sys/socket.h>

#include "snooper/base/log.h"
#include "snooper/io/endpoints_priv.h"

#define TOLD 16

struct audit {
	const struct endpoints *e;
	struct endpoints_seen *seen;
	struct snp_stray before[STRAYS_LISTED];
	size_t n_before;
	unsigned int told, untold;
};

static const char *family_text(uint16_t family)
{
	return family == AF_INET     ? "inet"
	       : family == AF_INET6  ? "inet6"
	       : family == AF_PACKET ? "packet"
				     : "xdp";
}

static const char *type_text(uint16_t type)
{
	return type == SOCK_STREAM  ? "stream"
	       : type == SOCK_DGRAM ? "dgram"
	       : type == SOCK_RAW   ? "raw"
				    : "other";
}

static bool was_told(const struct audit *a, const struct snp_stray *s)
{
	for (size_t i = 0; i < a->n_before; i++)
		if (a->before[i].pid == s->pid && a->before[i].fd == s->fd &&
		    a->before[i].endpoint == s->endpoint)
			return true;
	return false;
}

/* A process chooses its name: what would break the line is shown as '?'. */
static void make_plain(char *comm)
{
	for (; *comm; comm++)
		if (*comm < ' ' || *comm > '~' || *comm == '"' || *comm == '\\')
			*comm = '?';
}

static void on_stray(void *ctx, const struct snp_stray *stray)
{
	struct audit *a = ctx;
	const struct endpoints *e = a->e;
	struct snp_stray s = *stray;
	size_t at = endpoints_find(e, s.endpoint), owner = endpoints_find(e, s.owner);

	if (at == SIZE_MAX)
		return;
	a->seen->n_strays++;
	a->seen->of[at].outside++;
	if (a->seen->n_listed < STRAYS_LISTED)
		a->seen->strays[a->seen->n_listed++] = s;
	if (was_told(a, &s))
		return;
	if (a->told == TOLD) {
		a->untold++;
		return;
	}
	a->told++;
	s.comm[sizeof(s.comm) - 1] = 0;
	make_plain(s.comm);
	log_warn("event=endpoint-socket-outside endpoint=%s pid=%u comm=\"%s\" fd=%u family=%s "
		 "type=%s belongs_to=%s",
		 e->names[at], s.pid, s.comm, s.fd, family_text(s.family), type_text(s.type),
		 owner != SIZE_MAX ? e->names[owner] : "none");
}

void endpoints_audit(const struct endpoints *e, struct maps *m, struct endpoints_seen *seen)
{
	struct audit a = {.e = e, .seen = seen, .n_before = seen->n_listed};
	int r;

	memcpy(a.before, seen->strays, sizeof(a.before));
	seen->n_listed = 0;
	seen->n_strays = 0;
	for (size_t i = 0; i < e->n; i++)
		seen->of[i].outside = 0;
	if (!e->n)
		return;
	r = maps_read_sockets(m, on_stray, &a);
	if (r < 0)
		log_warn("event=endpoint-audit-failed reason=\"%s\" hint=\"sockets made before are "
			 "judged by their packets only\"",
			 strerror(-r));
	if (a.untold)
		log_warn("event=endpoint-sockets-outside untold=%u", a.untold);
}
