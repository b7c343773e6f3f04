/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/rpc/grpc_conn.h"
#include "snooper/rpc/grpc_limit.h"
#include "snooper/rpc/grpc_listen.h"
#include "snooper/rpc/grpc_rota.h"
#include "snooper/rpc/grpc_tls.h"

#define ACCEPTS_A_TURN 16
#define ACCEPT_PAUSE_S 1 /* after running out of descriptors or memory */

/* A handshake costs us a millisecond or two, and who fails it nothing. */
static const struct grpc_rate handshakes = {50, 100};

/* A listening socket, and who came in by it. */
struct door {
	struct grpc_server *server;
	struct grpc_listen listen;
	struct grpc_tls *tls; /* owned; NULL: the Unix socket */
	struct event *acceptable, *retry;
	struct grpc_conn **conns; /* n_conns of them, room for all that may be */
	size_t n_conns;
	uint64_t handshakes; /* a bucket */
};

enum { UNIX_DOOR, TCP_DOOR, DOORS };

struct grpc_server {
	struct event_base *base;
	struct grpc_server_conf conf;
	char *path;
	const struct grpc_service *service;
	struct grpc_guard guard;
	struct grpc_rota rota;
	struct door doors[DOORS];
	/*
	 * Descriptors held back, for when there are no others: who may put things right gets
	 * in by them through the Unix socket.
	 */
	int reserve[GRPC_SERVER_SPARE];
	size_t n_reserve;
};

static void hold_reserve(struct grpc_server *s)
{
	while (s->n_reserve < GRPC_SERVER_SPARE) {
		int fd = fcntl(s->doors[UNIX_DOOR].listen.fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return; /* tried again when a connection comes or goes */
		s->reserve[s->n_reserve++] = fd;
	}
}

static void on_end(void *ctx, struct grpc_conn *c)
{
	struct door *d = ctx;

	for (size_t i = 0; i < d->n_conns; i++) {
		if (d->conns[i] == c) {
			d->conns[i] = d->conns[--d->n_conns];
			break;
		}
	}
	grpc_conn_free(c);
	hold_reserve(d->server);
}

/* The last places are kept for who may put things right. */
static bool has_place(const struct door *d, const struct grpc_peer *peer, enum grpc_count *why)
{
	const struct grpc_server_conf *conf = &d->server->conf;
	size_t spare = peer->rights & GRPC_MAY_CHANGE ? GRPC_SERVER_SPARE : 0, same = 0;

	for (size_t i = 0; i < d->n_conns; i++)
		same += grpc_peer_same(grpc_conn_peer(d->conns[i]), peer);
	*why = d->n_conns < conf->max_conns + spare ? GRPC_COUNT_CONNS_PEER : GRPC_COUNT_CONNS_FULL;
	return d->n_conns < conf->max_conns + spare && same < conf->max_peer + spare;
}

static bool is_welcome(struct door *d, const struct grpc_peer *peer)
{
	uint64_t now_ns = clock_boot_ns();
	enum grpc_count why;

	if (!has_place(d, peer, &why)) {
		grpc_guard_refuse(&d->server->guard, why, peer->name, "", now_ns);
		return false;
	}
	if (d->tls && !grpc_bucket_take(&d->handshakes, &handshakes, 1, now_ns)) {
		grpc_guard_refuse(&d->server->guard, GRPC_COUNT_CONNS_RATE, peer->name, "", now_ns);
		return false;
	}
	return true;
}

/* by_reserve: its descriptor is one of those that were held back. */
static void welcome(struct door *d, int fd, const struct sockaddr *from, bool by_reserve)
{
	struct grpc_server *s = d->server;
	struct grpc_conn_conf conf = {
		.base = s->base,
		.service = s->service,
		.tls = d->tls,
		.guard = &s->guard,
		.rota = &s->rota,
		.hello_ms = s->conf.hello_ms,
		.idle_ms = s->conf.idle_ms,
		.stall_ms = s->conf.stall_ms,
		.on_end = on_end,
		.ctx = d,
	};

	if (d->tls) {
		grpc_peer_tcp(from, &conf.peer);
		grpc_listen_tcp_accepted(fd);
	} else {
		grpc_peer_unix(fd, d->listen.gid, &conf.peer);
	}
	if (by_reserve && !(conf.peer.rights & GRPC_MAY_CHANGE))
		grpc_guard_refuse(&s->guard, GRPC_COUNT_ACCEPT_FAILED, conf.peer.name, "",
				  clock_boot_ns());
	else if (is_welcome(d, &conf.peer)) {
		if (!grpc_conn_new_take_fd(fd, &conf, &d->conns[d->n_conns]))
			d->n_conns++;
		return;
	}
	close(fd);
}

/* 0; or -errno: nobody was there, or nobody can be taken. */
static int accept_one(struct door *d, bool by_reserve)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	int fd =
		accept4(d->listen.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	welcome(d, fd, (struct sockaddr *)&from, by_reserve);
	return 0;
}

static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* There is no descriptor, or no memory. False: and no way round it. */
static bool accept_by_reserve(struct door *d, int err)
{
	struct grpc_server *s = d->server;

	grpc_guard_refuse(&s->guard, GRPC_COUNT_ACCEPT_FAILED, "unknown", strerror(-err),
			  clock_boot_ns());
	if (d->tls || !s->n_reserve || (err != -EMFILE && err != -ENFILE))
		return false;
	close(s->reserve[--s->n_reserve]);
	err = accept_one(d, true);
	hold_reserve(s);
	return !err || err == -EAGAIN;
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct timeval pause = {ACCEPT_PAUSE_S, 0};
	struct door *d = arg;

	hold_reserve(d->server);
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int err = accept_one(d, false);

		if (!err)
			continue;
		/* The listener stays readable: without a pause the loop would spin. */
		if (is_shortage(err) && !accept_by_reserve(d, err)) {
			event_del(d->acceptable);
			event_add(d->retry, &pause);
		}
		return;
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;

	event_add(d->acceptable, NULL);
}

static int open_door(struct door *d)
{
	struct grpc_server *s = d->server;

	d->conns = calloc(s->conf.max_conns + GRPC_SERVER_SPARE, sizeof(struct grpc_conn *));
	d->acceptable = event_new(s->base, d->listen.fd, EV_READ | EV_PERSIST, on_acceptable, d);
	d->retry = event_new(s->base, -1, 0, on_retry, d);
	if (!d->conns || !d->acceptable || !d->retry || event_add(d->acceptable, NULL))
		return -ENOMEM;
	return 0;
}

/* Leaves d as it was before it was opened. */
static void close_door(struct door *d, const char *path)
{
	struct grpc_server *s = d->server;

	if (d->acceptable)
		event_free(d->acceptable);
	if (d->retry)
		event_free(d->retry);
	while (d->n_conns)
		grpc_conn_free(d->conns[--d->n_conns]);
	if (d->listen.fd >= 0)
		grpc_listen_close(&d->listen, path);
	grpc_tls_free(d->tls);
	free(d->conns);
	*d = (struct door){.server = s, .listen.fd = -1};
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
	for (int i = 0; i < DOORS; i++)
		s->doors[i] = (struct door){.server = s, .listen.fd = -1};
	s->base = base;
	s->conf = *conf;
	s->service = service;
	s->path = strdup(conf->path);
	if (!s->path)
		return -ENOMEM;
	err = grpc_rota_init(&s->rota, base);
	if (!err)
		err = grpc_listen_open(conf->path, conf->group, &s->doors[UNIX_DOOR].listen);
	if (!err)
		err = open_door(&s->doors[UNIX_DOOR]);
	if (err)
		return err;
	hold_reserve(s);
	s->conf.path = s->conf.group = NULL; /* the caller's; s->path is ours */
	*out = snp_take(&s);
	return 0;
}

int grpc_server_listen_take(struct grpc_server *s, const char *address, struct grpc_tls *tls)
{
	struct door *d = &s->doors[TCP_DOOR];
	int err = grpc_listen_tcp(address, &d->listen);

	if (!err)
		err = open_door(d);
	if (err)
		close_door(d, NULL);
	else
		d->tls = tls;
	return err;
}

void grpc_server_set_tls_take(struct grpc_server *s, struct grpc_tls *tls)
{
	grpc_tls_become_take(s->doors[TCP_DOOR].tls, tls);
}

void grpc_server_audit(struct grpc_server *s, grpc_audit_fn audit, void *ctx)
{
	s->guard.audit = audit;
	s->guard.ctx = ctx;
}

const struct grpc_counts *grpc_server_counts(const struct grpc_server *s)
{
	return &s->guard.counts;
}

void grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	while (s->n_reserve)
		close(s->reserve[--s->n_reserve]);
	close_door(&s->doors[TCP_DOOR], NULL);
	close_door(&s->doors[UNIX_DOOR], s->path);
	grpc_rota_fini(&s->rota);
	free(s->path);
	free(s);
}
