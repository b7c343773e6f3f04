/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <nghttp2/nghttp2.h>

#include "snooper/base/cleanup.h"
#include "snooper/core/text.h"
#include "snooper/rpc/grpc_frame.h"

#define READ_BYTES    65536
#define CALLER_WINDOW (1 << 20) /* bytes on the way before the server must wait for us */

struct grpc_client {
	int fd;
	int stop_fd; /* -1: none */
	nghttp2_session *h2;
	struct grpc_reader reader;

	/* The call that is under way. */
	const uint8_t *request;
	size_t request_len, request_off; /* its prefix counted in */
	uint8_t prefix[GRPC_PREFIX];
	int32_t stream_id;
	grpc_message_fn on_message;
	void *ctx;
	struct grpc_reply *reply;
	bool has_code; /* grpc-status was there */
	bool over;
	int http_status;
	int err; /* why it cannot go on */
};

static bool is(const uint8_t *text, size_t n, const char *want)
{
	return n == strlen(want) && !memcmp(text, want, n);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct grpc_client *c = user_data;

	if (frame->hd.stream_id != c->stream_id)
		return 0;
	if (is(name, name_len, ":status")) {
		c->http_status = value_len == 3 ? atoi((const char *)value) : 0;
	} else if (is(name, name_len, "grpc-status")) {
		c->reply->code = grpc_code_parse((const char *)value, value_len);
		c->has_code = true;
	} else if (is(name, name_len, "grpc-message")) {
		grpc_text_decode((const char *)value, value_len, c->reply->text,
				 sizeof(c->reply->text));
		text_make_utf8(c->reply->text);
	}
	return 0;
}

static void cancel(struct grpc_client *c)
{
	c->over = c->has_code = true;
	c->reply->code = GRPC_CANCELLED;
	c->reply->text[0] = '\0';
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
		   size_t n, void *user_data)
{
	struct grpc_client *c = user_data;

	if (stream_id != c->stream_id || c->http_status != 200)
		return 0;
	while (!c->over && !c->err && n) {
		long taken = grpc_reader_feed(&c->reader, bytes, n);

		if (taken < 0) {
			c->err = taken == -EOPNOTSUPP ? -EPROTO : (int)taken;
			break;
		}
		bytes += taken;
		n -= (size_t)taken;
		if (!grpc_reader_whole(&c->reader))
			continue;
		if (!c->on_message(c->ctx, c->reader.message, c->reader.len))
			cancel(c);
		grpc_reader_next(&c->reader);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream_id, uint32_t code, void *user_data)
{
	struct grpc_client *c = user_data;

	if (stream_id != c->stream_id || c->over)
		return 0;
	c->over = true;
	if (c->has_code)
		return 0;
	if (c->http_status && c->http_status != 200) {
		c->reply->code = GRPC_UNKNOWN;
		snprintf(c->reply->text, sizeof(c->reply->text), "HTTP status %d", c->http_status);
		c->has_code = true;
	} else if (code == NGHTTP2_REFUSED_STREAM) {
		c->reply->code = GRPC_UNAVAILABLE;
		c->has_code = true;
	} else if (!c->err) {
		c->err = -EPROTO;
	}
	return 0;
}

static ssize_t read_request(nghttp2_session *h2, int32_t stream_id, uint8_t *buf, size_t room,
			    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct grpc_client *c = source->ptr;
	size_t n = 0;

	for (; n < room && c->request_off < GRPC_PREFIX; n++)
		buf[n] = c->prefix[c->request_off++];
	if (c->request_off >= GRPC_PREFIX) {
		size_t off = c->request_off - GRPC_PREFIX;
		size_t part = c->request_len - off < room - n ? c->request_len - off : room - n;

		if (part)
			memcpy(buf + n, c->request + off, part);
		n += part;
		c->request_off += part;
		if (off + part == c->request_len)
			*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	return (ssize_t)n;
}

static void free_callbacks(nghttp2_session_callbacks **cb)
{
	nghttp2_session_callbacks_del(*cb);
}

static int open_h2(struct grpc_client *c)
{
	SNP_CLEANUP(free_callbacks)
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CALLER_WINDOW},
	};

	if (nghttp2_session_callbacks_new(&cb))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	if (nghttp2_session_client_new(&c->h2, cb, c))
		return -ENOMEM;
	if (nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, 2) ||
	    nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, CALLER_WINDOW))
		return -ENOMEM;
	return 0;
}

static void freep(struct grpc_client **c)
{
	grpc_client_free(*c);
}

int grpc_client_open(const char *path, int timeout_ms, struct grpc_client **out)
{
	SNP_CLEANUP(freep)
	struct grpc_client *c = calloc(1, sizeof(*c));
	struct timeval patience = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int err;

	if (!c)
		return -ENOMEM;
	c->fd = c->stop_fd = -1;
	grpc_reader_init(&c->reader, GRPC_CLIENT_MAX_MESSAGE);
	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	/* A full backlog is waited for, by connect(2) itself. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return -errno;
	if (connect(c->fd, (const struct sockaddr *)&un, sizeof(un)))
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	err = open_h2(c);
	if (err)
		return err;
	*out = snp_take(&c);
	return 0;
}

void grpc_client_free(struct grpc_client *c)
{
	if (!c)
		return;
	nghttp2_session_del(c->h2);
	grpc_reader_fini(&c->reader);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

void grpc_client_stop_on(struct grpc_client *c, int fd)
{
	c->stop_fd = fd;
}

/* Blocks until the socket is ready for what. 0, -ETIMEDOUT, -ECANCELED or -errno. */
static int wait_for(const struct grpc_client *c, short what, int timeout_ms)
{
	struct pollfd p[] = {{.fd = c->fd, .events = what}, {.fd = c->stop_fd, .events = POLLIN}};
	int n;

	do
		n = poll(p, 2, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (p[1].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

static int send_all(struct grpc_client *c, int timeout_ms)
{
	for (;;) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->h2, &bytes);

		if (n <= 0)
			return n ? -EPROTO : 0;
		while (n > 0) {
			ssize_t sent = send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
			int err = 0;

			if (sent >= 0) {
				bytes += sent;
				n -= sent;
			} else if (errno == EAGAIN) {
				err = wait_for(c, POLLOUT, timeout_ms);
			} else if (errno != EINTR) {
				err = -errno;
			}
			if (err)
				return err;
		}
	}
}

static int receive(struct grpc_client *c, int timeout_ms)
{
	uint8_t buf[READ_BYTES];
	int err = wait_for(c, POLLIN, timeout_ms);
	ssize_t n;

	if (err)
		return err;
	n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	return nghttp2_session_mem_recv(c->h2, buf, (size_t)n) < 0 ? -EPROTO : 0;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct grpc_client *c, const char *method)
{
	nghttp2_nv nv[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":path", method),
		header(":authority", "localhost"),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("user-agent", "snooper/" SNP_VERSION),
	};
	nghttp2_data_provider body = {.source.ptr = c, .read_callback = read_request};

	c->stream_id =
		nghttp2_submit_request(c->h2, NULL, nv, sizeof(nv) / sizeof(nv[0]), &body, NULL);
	return c->stream_id < 0 ? -EPROTO : 0;
}

int grpc_client_call(struct grpc_client *c, const char *method, const uint8_t *request, size_t n,
		     int timeout_ms, grpc_message_fn on_message, void *ctx,
		     struct grpc_reply *reply)
{
	struct grpc_reply r = {.code = GRPC_UNKNOWN};
	int err;

	c->request = request;
	c->request_len = n;
	c->request_off = 0;
	grpc_prefix_put(c->prefix, (uint32_t)n);
	c->on_message = on_message;
	c->ctx = ctx;
	c->reply = &r;
	c->has_code = c->over = false;
	c->http_status = c->err = 0;
	grpc_reader_next(&c->reader);
	err = submit(c, method);
	while (!err && !c->over) {
		err = send_all(c, timeout_ms);
		if (err == -EPIPE || err == -ECONNRESET)
			err = 0; /* it may have said why: read that first */
		if (!err)
			err = receive(c, timeout_ms);
		/* Answered, and hung up on before all of the request was there. */
		if (err == -ECONNRESET && c->has_code) {
			c->over = true;
			err = 0;
		}
		if (!err)
			err = c->err;
		if (!err && !c->over && !nghttp2_session_want_read(c->h2))
			err = -ECONNRESET;
	}
	if (!err)
		*reply = r;
	c->reply = NULL;
	c->stream_id = 0;
	return err;
}
