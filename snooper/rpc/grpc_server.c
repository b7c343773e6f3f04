/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_conn.h"
#include "snooper/rpc/grpc_listen.h"
#include "snooper/rpc/grpc_peer.h"

#define ACCEPTS_A_TURN 16
#define ACCEPT_PAUSE_S 1 /* after running out of descriptors or memory */

struct grpc_server {
	struct event_base *base;
	struct grpc_server_conf conf;
	char *path;
	const struct grpc_service *service;
	struct grpc_listen listen;
	struct event *acceptable, *retry;
	struct grpc_conn **conns; /* n_conns of them, room for all that may be */
	size_t n_conns;
};

static void on_end(void *ctx, struct grpc_conn *c)
{
	struct grpc_server *s = ctx;

	for (size_t i = 0; i < s->n_conns; i++) {
		if (s->conns[i] == c) {
			s->conns[i] = s->conns[--s->n_conns];
			break;
		}
	}
	grpc_conn_free(c);
}

/* The last places are kept for who may put things right. */
static bool has_place(const struct grpc_server *s, unsigned int rights)
{
	size_t max = s->conf.max_conns + (rights & GRPC_MAY_CHANGE ? GRPC_SERVER_SPARE : 0);

	return s->n_conns < max;
}

static void welcome(struct grpc_server *s, int fd)
{
	struct grpc_conn_conf conf = {
		.base = s->base,
		.service = s->service,
		.rights = grpc_peer_rights(fd, s->listen.gid),
		.hello_ms = s->conf.hello_ms,
		.idle_ms = s->conf.idle_ms,
		.on_end = on_end,
		.ctx = s,
	};

	if (!has_place(s, conf.rights)) {
		close(fd);
		return;
	}
	if (!grpc_conn_new_take_fd(fd, &conf, &s->conns[s->n_conns]))
		s->n_conns++;
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct timeval pause = {ACCEPT_PAUSE_S, 0};
	struct grpc_server *s = arg;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(s, fd);
			continue;
		}
		/* The listener stays readable: without a pause the loop would spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			event_del(s->acceptable);
			event_add(s->retry, &pause);
		}
		return;
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_server *s = arg;

	event_add(s->acceptable, NULL);
}

static void freep(struct grpc_server **s)
{
	grpc_server_free(*s);
}

int grpc_server_new(struct event_base *base, const struct grpc_server_conf *conf,
		    const struct grpc_service *service, struct grpc_server **out)
{
	SNP_CLEANUP(freep)
	struct grpc_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->listen.fd = -1;
	s->base = base;
	s->conf = *conf;
	s->service = service;
	s->path = strdup(conf->path);
	s->conns = calloc(conf->max_conns + GRPC_SERVER_SPARE, sizeof(struct grpc_conn *));
	if (!s->path || !s->conns)
		return -ENOMEM;
	err = grpc_listen_open(conf->path, conf->group, &s->listen);
	if (err)
		return err;
	s->acceptable = event_new(base, s->listen.fd, EV_READ | EV_PERSIST, on_acceptable, s);
	s->retry = event_new(base, -1, 0, on_retry, s);
	if (!s->acceptable || !s->retry || event_add(s->acceptable, NULL))
		return -ENOMEM;
	s->conf.path = s->conf.group = NULL; /* the caller's; s->path is ours */
	*out = snp_take(&s);
	return 0;
}

void grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	if (s->acceptable)
		event_free(s->acceptable);
	if (s->retry)
		event_free(s->retry);
	while (s->n_conns)
		grpc_conn_free(s->conns[--s->n_conns]);
	if (s->listen.fd >= 0)
		grpc_listen_close(&s->listen, s->path);
	free(s->conns);
	free(s->path);
	free(s);
}
