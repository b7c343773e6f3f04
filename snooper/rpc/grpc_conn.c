/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_session.h"

#define READ_BYTES     16384
#define FILL_BYTES     32768  /* a buffer with less takes another chunk of the session's */
#define TURN_BYTES     262144 /* written in one turn of the loop at most */
#define BACKLOG_FRAMES 64     /* a client that lets more wait is not read from */

struct grpc_conn {
	struct grpc_conn_conf conf;
	int fd;
	struct grpc_session *session;
	struct event *readable, *writable, *work, *deadline;
	uint8_t *out; /* bytes of the session that the socket has not taken yet */
	size_t out_off, out_len, out_room;
	bool hello; /* the client speaks HTTP/2 */
};

static struct timeval ms(unsigned int n)
{
	return (struct timeval){n / 1000, (suseconds_t)(n % 1000) * 1000};
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
		ssize_t n;

		if (err)
			return err;
		if (c->out_off == c->out_len)
			return 0;
		n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		c->out_off += (size_t)n;
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

/* Write, and decide what to wait for next. The connection may be gone afterwards. */
static void pump(struct grpc_conn *c)
{
	struct timeval now = {0, 0};
	int blocked = drain(c);

	if (blocked < 0 || (!blocked && !grpc_session_alive(c->session))) {
		c->conf.on_end(c->conf.ctx, c);
		return;
	}
	want(c->writable, blocked);
	want(c->readable, !blocked || grpc_session_backlog(c->session) < BACKLOG_FRAMES);
	/* By a timer: other clients' sockets are looked at between two slices. */
	if (!blocked && grpc_session_has_work(c->session))
		event_add(c->work, &now);
}

/* Something moved: the time of silence starts again, once the client has said hello. */
static void touch(struct grpc_conn *c)
{
	struct timeval idle = ms(c->conf.idle_ms);

	c->hello = c->hello || grpc_session_ready(c->session);
	if (c->hello)
		event_add(c->deadline, &idle);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;
	uint8_t buf[READ_BYTES];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || grpc_session_input(c->session, buf, (size_t)n)) {
		c->conf.on_end(c->conf.ctx, c);
		return;
	}
	touch(c);
	pump(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	touch(arg);
	pump(arg);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	grpc_session_work(c->session);
	pump(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_conn *c = arg;

	c->conf.on_end(c->conf.ctx, c);
}

static void freep(struct grpc_conn **c)
{
	grpc_conn_free(*c);
}

int grpc_conn_new_take_fd(int fd, const struct grpc_conn_conf *conf, struct grpc_conn **out)
{
	SNP_CLEANUP(freep)
	struct grpc_conn *c = calloc(1, sizeof(*c));
	struct timeval hello = ms(conf->hello_ms);

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	c->conf = *conf;
	c->readable = event_new(conf->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(conf->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->work = event_new(conf->base, -1, 0, on_work, c);
	c->deadline = event_new(conf->base, -1, 0, on_deadline, c);
	if (!c->readable || !c->writable || !c->work || !c->deadline)
		return -ENOMEM;
	if (grpc_session_new(conf->service, conf->rights, &c->session))
		return -ENOMEM;
	if (event_add(c->readable, NULL) || event_add(c->writable, NULL) ||
	    event_add(c->deadline, &hello))
		return -ENOMEM;
	*out = snp_take(&c);
	return 0;
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
	drop_event(c->work);
	drop_event(c->deadline);
	grpc_session_free(c->session);
	close(c->fd);
	free(c->out);
	free(c);
}
