/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * h2_loop.h - an nghttp2 client wired to a grpc_session by memory: no socket, no clock.
 *
 * For the session's tests and its fuzzer. Bytes that a session refuses end the loop.
 */
#ifndef SNP_H2_LOOP_H
#define SNP_H2_LOOP_H

#include <stdlib.h>
#include <string.h>
#include <nghttp2/nghttp2.h>

#include "snooper/rpc/grpc_frame.h"
#include "snooper/rpc/grpc_session.h"

#define H2_LOOP_STREAMS 64

struct h2_answer {
	int http_status;
	int code; /* grpc-status, -1: none came */
	size_t bytes;
	bool closed;
	uint32_t reset; /* HTTP/2 error code the stream was closed with */
};

struct h2_loop {
	struct grpc_session *session;
	nghttp2_session *h2;
	struct h2_answer answers[H2_LOOP_STREAMS]; /* by stream id / 2 */
	bool broken;				   /* the session gave up */
	uint64_t now_ns;			   /* the session's time: stands still */
	/* The messages of one stream, for who wants to see them. */
	int32_t seen_id;
	struct grpc_reader seen;
	void (*on_message)(void *ctx, const uint8_t *message, size_t n);
	void *ctx;
};

/* The body of one request. */
struct h2_body {
	const uint8_t *bytes;
	size_t n, off;
	bool unfinished; /* say no END_STREAM */
};

static inline struct h2_answer *h2_answer(struct h2_loop *l, int32_t stream_id)
{
	return &l->answers[(stream_id / 2) % H2_LOOP_STREAMS];
}

static inline int h2_on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
			       size_t name_len, const uint8_t *value, size_t value_len,
			       uint8_t flags, void *user_data)
{
	struct h2_answer *a = h2_answer(user_data, frame->hd.stream_id);

	if (name_len == 7 && !memcmp(name, ":status", 7))
		a->http_status = atoi((const char *)value);
	if (name_len == 11 && !memcmp(name, "grpc-status", 11))
		a->code = (int)grpc_code_parse((const char *)value, value_len);
	return 0;
}

static inline int h2_on_data(nghttp2_session *h2, uint8_t flags, int32_t stream_id,
			     const uint8_t *bytes, size_t n, void *user_data)
{
	struct h2_loop *l = user_data;

	h2_answer(l, stream_id)->bytes += n;
	while (l->on_message && stream_id == l->seen_id && n) {
		long taken = grpc_reader_feed(&l->seen, bytes, n);

		if (taken < 0)
			abort();
		bytes += taken;
		n -= (size_t)taken;
		if (!grpc_reader_whole(&l->seen))
			continue;
		l->on_message(l->ctx, l->seen.message, l->seen.len);
		grpc_reader_next(&l->seen);
	}
	return 0;
}

static inline int
h2_on_close(nghttp2_session *h2, int32_t stream_id, uint32_t code, void *user_data)
{
	struct h2_answer *a = h2_answer(user_data, stream_id);

	a->closed = true;
	a->reset = code;
	return 0;
}

/* window: bytes of an answer on their way before we make room for more (we never do by ourselves). */
static inline void h2_loop_init(struct h2_loop *l, const struct grpc_service *service,
				unsigned int rights, uint32_t window)
{
	nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;

	memset(l, 0, sizeof(*l));
	grpc_reader_init(&l->seen, 1 << 20);
	for (int i = 0; i < H2_LOOP_STREAMS; i++)
		l->answers[i].code = -1;
	if (grpc_session_new(service, rights, &l->session) || nghttp2_session_callbacks_new(&cb) ||
	    nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_header_callback(cb, h2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_on_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	if (nghttp2_session_client_new2(&l->h2, cb, l, option) ||
	    nghttp2_submit_settings(l->h2, NGHTTP2_FLAG_NONE, &settings, 1) ||
	    nghttp2_session_set_local_window_size(l->h2, NGHTTP2_FLAG_NONE, 0, 1 << 30))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
}

static inline void h2_loop_fini(struct h2_loop *l)
{
	nghttp2_session_del(l->h2);
	grpc_session_free(l->session);
	grpc_reader_fini(&l->seen);
}

static inline ssize_t h2_read_body(nghttp2_session *h2, int32_t stream_id, uint8_t *buf,
				   size_t room, uint32_t *flags, nghttp2_data_source *source,
				   void *user_data)
{
	struct h2_body *b = source->ptr;
	size_t n = b->n - b->off < room ? b->n - b->off : room;

	if (!n && b->unfinished)
		return NGHTTP2_ERR_DEFERRED;
	if (n)
		memcpy(buf, b->bytes + b->off, n);
	b->off += n;
	if (b->off == b->n && !b->unfinished)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static inline nghttp2_nv h2_nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

/* body stays until the stream is closed; NULL: END_STREAM with the headers. Returns the stream. */
static inline int32_t h2_request(struct h2_loop *l, const char *method, const char *path,
				 const char *type, struct h2_body *body)
{
	nghttp2_nv nv[] = {h2_nv(":method", method), h2_nv(":scheme", "http"), h2_nv(":path", path),
			   h2_nv(":authority", "localhost"), h2_nv("content-type", type)};
	nghttp2_data_provider data = {.source.ptr = body, .read_callback = h2_read_body};

	return nghttp2_submit_request(l->h2, NULL, nv, 5, body ? &data : NULL, NULL);
}

static inline bool h2_to_session(struct h2_loop *l)
{
	const uint8_t *bytes;
	ssize_t n = nghttp2_session_mem_send(l->h2, &bytes);

	if (n <= 0)
		return false;
	l->broken = l->broken || grpc_session_input(l->session, bytes, (size_t)n, l->now_ns);
	return true;
}

static inline bool h2_from_session(struct h2_loop *l)
{
	const uint8_t *bytes;
	long n = grpc_session_output(l->session, &bytes);

	if (n < 0)
		l->broken = true;
	if (n > 0 && nghttp2_session_mem_recv(l->h2, bytes, (size_t)n) < 0)
		l->broken = true;
	return n > 0;
}

/* Until neither side has anything to say, or so many turns are over. */
static inline void h2_loop_run(struct h2_loop *l, int turns)
{
	bool busy = true;

	while (busy && !l->broken && turns-- > 0) {
		busy = h2_to_session(l);
		busy = h2_from_session(l) || busy;
		busy = grpc_session_has_work(l->session) || busy;
		grpc_session_work(l->session);
		busy = nghttp2_session_want_write(l->h2) || busy;
	}
}

/* Room for n more bytes of an answer, whose request was sent. */
static inline void h2_make_room(struct h2_loop *l, int32_t stream_id, int32_t n)
{
	nghttp2_submit_window_update(l->h2, NGHTTP2_FLAG_NONE, stream_id, n);
	h2_loop_run(l, 1000000);
}

#endif
