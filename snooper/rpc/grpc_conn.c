/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/rpc/grpc_rota.h"
#include "snooper/rpc/grpc_session.h"
#include "snooper/rpc/grpc_tls.h"

#define READ_BYTES     16384
#define FILL_BYTES     32768 /* a buffer with less takes another chunk of the session's */
#define TURN_BYTES     65536 /* written in one turn of the loop at most */
#define BACKLOG_FRAMES 64    /* a client that lets more wait is not read from */
#define LEAVE_MS       1000  /* for whom we end to take our GOAWAY */

struct grpc_conn {
	struct grpc_conn_conf conf;
	int fd;
	struct grpc_tls_link *tls;    /* NULL: none */
	struct grpc_session *session; /* NULL: in the handshake */
	struct grpc_rota_place work;
	struct event *readable, *writable, *deadline, *stalled, *round;
	uint8_t *out; /* bytes of the session that the socket has not taken yet */
	size_t out_off, out_len, out_room;
	uint64_t sent;
	bool hello;   /* the client speaks HTTP/2 */
	bool leaving; /* it is told to go */
};

static struct timeval ms(unsigned int n)
{
	return (struct timeval){n / 1000, (suseconds_t)(n % 1000) * 1000};
}

static void end(struct grpc_conn *c)
{
	c->conf.on_end(c->conf.ctx, c);
}

static void refused(void *ctx, enum grpc_count why, const char *detail)
{
	struct grpc_conn *c = ctx;

	grpc_guard_refuse(c->conf.guard, why, c->conf.peer.name, detail, clock_boot_ns());
}

static long receive(struct grpc_conn *c, uint8_t *bytes, size_t room)
{
	ssize_t n;

	if (c->tls)
		return grpc_tls_read(c->tls, bytes, room);
	n = recv(c->fd, bytes, room, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static long transmit(struct grpc_conn *c, const uint8_t *bytes, size_t n)
{
	ssize_t r;

	if (c->tls)
		return grpc_tls_write(c->tls, bytes, n);
	r = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return r < 0 ? -errno : r;
}

static int append(struct grpc_conn *c, const uint8_t *bytes, size_t n)
{
	size_t room = c->out_room ? c->out_room : READ_BYTES;
	uint8_t *p;

	if (c->out_off) {
		memmove(c->out, c->out + c->out_off, c->out_len - c->out_off);
		c->out_len -= c->out_off;
		c->out_off = 0;
	}
	while (room < c->out_len + n)
		room *= 2;
	if (room != c->out_room) {
		p = realloc(c->out, room);
		if (!p)
			return -ENOMEM;
		c->out = p;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, bytes, n);
	c->out_len += n;
	return 0;
}

static int fill(struct grpc_conn *c)
{
	while (c->out_len - c->out_off < FILL_BYTES) {
		const uint8_t *bytes;
		long n = grpc_session_output(c->session, &bytes);
		int err;

		if (n <= 0)
			return (int)n;
		err = append(c, bytes, (size_t)n);
		if (err)
			return err;
	}
	return 0;
}

/* Write what there is. 0: all gone; 1: the rest waits for the socket, or for the next turn. */
static int drain(struct grpc_conn *c)
{
	size_t turn = 0;

	while (turn < TURN_BYTES) {
		int err = fill(c);
		long n;

		if (err)
			return err;
		if (c->out_off == c->out_len)
			return 0;
		n = transmit(c, c->out + c->out_off, c->out_len - c->out_off);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n == -EAGAIN ? 1 : (int)n;
		c->out_off += (size_t)n;
		c->sent += (uint64_t)n;
		turn += (size_t)n;
	}
	return 1;
}

static void want(struct event *ev, bool wanted)
{
	if (wanted)
		event_add(ev, NULL);
	else
		event_del(ev);
}

/* A client that is told to go takes the news soon, or goes without. */
static void leave(struct grpc_conn *c)
{
	struct timeval soon = ms(LEAVE_MS);

	if (c->leaving)
		return;
	c->leaving = true;
	event_add(c->deadline, &soon);
}

/* How long a socket may take nothing, counted anew whenever it takes something. */
static void watch_stall(struct grpc_conn *c, bool blocked, bool moved)
{
	struct timeval stall = ms(c->conf.stall_ms);

	if (!blocked || moved)
		event_del(c->stalled);
	if (blocked && !event_pending(c->stalled, EV_TIMEOUT, NULL))
		event_add(c->stalled, &stall);
}

/* The socket takes bytes, but some call's reader has something waiting. */
static void watch_readers(struct grpc_conn *c)
{
	struct timeval round = ms(c->conf.stall_ms / (GRPC_ROUNDS - 1));

	if (grpc_session_waits(c->session) && !event_pending(c->round, EV_TIMEOUT, NULL))
		event_add(c->round, &round);
}

/* Write, and decide what to wait for next. The connection may be gone afterwards. */
static void pump(struct grpc_conn *c)
{
	uint64_t sent = c->sent;
	int blocked = drain(c);

	if (blocked < 0 || (!blocked && !grpc_session_alive(c->session))) {
		end(c);
		return;
	}
	if (grpc_session_calmed(c->session))
		leave(c);
	watch_stall(c, blocked, c->sent != sent);
	watch_readers(c);
	want(c->writable, blocked);
	want(c->readable,
	     !c->leaving && (!blocked || grpc_session_backlog(c->session) < BACKLOG_FRAMES));
	if (!blocked && grpc_session_has_work(c->session))
		grpc_rota_wait(c->conf.rota, &c->work);
}

/* Something moved: the time of silence starts again, once the client has said hello. */
static void touch(struct grpc_conn *c)
{
	struct timeval idle = ms(c->conf.idle_ms);

	c->hello = c->hello || grpc_session_ready(c->session);
	if (c->hello && !c->leaving)
		event_add(c->deadline, &idle);
}

static void on_wake(void *arg)
{
	struct grpc_conn *c = arg;

	grpc_rota_wait(c->conf.rota, &c->work);
}

static int begin_session(struct grpc_conn *c)
{
	int err = grpc_session_new(c->conf.service, c->conf.peer.rights, &c->session);

	if (!err)
		grpc_session_tell(c->session, refused, on_wake, c);
	return err;
}

/* The connection may be gone afterwards. */
static void shake(struct grpc_conn *c)
{
	char why[GRPC_TLS_TEXT];

	switch (grpc_tls_handshake(c->tls, &c->conf.peer.rights, why)) {
	case GRPC_TLS_WANT_READ:
		want(c->writable, false);
		return;
	case GRPC_TLS_WANT_WRITE:
		want(c->writable, true);
		return;
	case GRPC_TLS_DONE:
		if (begin_session(c))
			end(c);
		else
			pump(c);
		return;
	default:
		refused(c, GRPC_COUNT_TLS_FAILED, why);
		end(c);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;
	uint8_t buf[READ_BYTES];
	long n;

	if (!c->session) {
		shake(c);
		return;
	}
	n = receive(c, buf, sizeof(buf));
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0 || grpc_session_input(c->session, buf, (size_t)n, clock_boot_ns())) {
		end(c);
		return;
	}
	touch(c);
	pump(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	if (!c->session) {
		shake(c);
		return;
	}
	touch(c);
	pump(c);
}

static void on_work(void *arg)
{
	struct grpc_conn *c = arg;

	grpc_session_work(c->session);
	pump(c);
}

static void on_round(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	/* While the socket takes nothing, on_stalled() is its judge. */
	if (c->out_off == c->out_len)
		grpc_session_round(c->session);
	pump(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	/* A call waits for us. That its caller is gone, the socket would tell. */
	if (c->session && c->hello && !c->leaving && grpc_session_sleeps(c->session)) {
		touch(c);
		return;
	}
	if (!c->session)
		refused(c, GRPC_COUNT_TLS_TIMEOUT, "");
	else if (!c->hello && !c->leaving)
		refused(c, GRPC_COUNT_HELLO_TIMEOUT, "");
	else if (!c->leaving)
		c->conf.guard->counts.n[GRPC_COUNT_IDLE]++; /* an honest client's end, too */
	end(c);
}

static void on_stalled(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	refused(c, GRPC_COUNT_STALLED, "");
	end(c);
}

static void freep(struct grpc_conn **c)
{
	grpc_conn_free(*c);
}

static int make_events(struct grpc_conn *c)
{
	struct event_base *base = c->conf.base;
	struct timeval hello = ms(c->conf.hello_ms);

	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->deadline = event_new(base, -1, 0, on_deadline, c);
	c->stalled = event_new(base, -1, 0, on_stalled, c);
	c->round = event_new(base, -1, 0, on_round, c);
	if (!c->readable || !c->writable || !c->deadline || !c->stalled || !c->round)
		return -ENOMEM;
	return event_add(c->readable, NULL) || event_add(c->writable, NULL) ||
			       event_add(c->deadline, &hello)
		       ? -ENOMEM
		       : 0;
}

int grpc_conn_new_take_fd(int fd, const struct grpc_conn_conf *conf, struct grpc_conn **out)
{
	SNP_CLEANUP(freep)
	struct grpc_conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->conf = *conf;
	c->work.work = on_work;
	c->work.ctx = c;
	err = conf->tls ? grpc_tls_link_new(conf->tls, fd, &c->tls) : begin_session(c);
	if (!err)
		err = make_events(c);
	if (err)
		return err;
	*out = snp_take(&c);
	return 0;
}

const struct grpc_peer *grpc_conn_peer(const struct grpc_conn *c)
{
	return &c->conf.peer;
}

static void drop_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

void grpc_conn_free(struct grpc_conn *c)
{
	if (!c)
		return;
	drop_event(c->readable);
	drop_event(c->writable);
	grpc_rota_leave(c->conf.rota, &c->work);
	drop_event(c->deadline);
	drop_event(c->stalled);
	drop_event(c->round);
	grpc_session_free(c->session);
	grpc_tls_link_free(c->tls);
	close(c->fd);
	free(c->out);
	free(c);
}
