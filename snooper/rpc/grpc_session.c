/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/base/cleanup.h"
#include "snooper/rpc/grpc_call.h"
#include "snooper/rpc/grpc_limit.h"

/* Answers to PING, SETTINGS and bad frames that may wait; a peer that makes more is cut off. */
#define MAX_ACKS	 100
#define MAX_SETTINGS	 32
#define HEADER_OVERHEAD	 32 /* RFC 9113 10.5.1 */
#define DENIED_CHANGE	 "only root, the daemon's own user and export.tls.admins may do that"
#define HTTP_BAD_METHOD	 405
#define HTTP_BAD_CONTENT 415

struct grpc_session {
	nghttp2_session *h2;
	const struct grpc_service *service;
	unsigned int rights;
	struct grpc_calls all, work;
	size_t n_calls;
	struct grpc_limit limit;
	uint64_t now_ns; /* when the last bytes came */
	/* The block of headers that is being unpacked. */
	size_t block_bytes;
	unsigned int block_fields;
	grpc_refused_fn refused;
	void (*woken)(void *ctx);
	void *owner; /* theirs */
	bool ready, calmed;
	int32_t last_words; /* the stream whose answer is the last; 0: none is waited for */
};

static void tell_refused(const struct grpc_session *s, enum grpc_count why, const char *detail)
{
	if (s->refused)
		s->refused(s->owner, why, detail);
}

static void let_go(struct grpc_session *s)
{
	nghttp2_session_terminate_session(s->h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Too much of something: say so, and let go. What is open ends with the connection. */
static void calm(struct grpc_session *s, enum grpc_count why)
{
	if (s->calmed)
		return;
	s->calmed = true;
	tell_refused(s, why, "");
	let_go(s);
}

void grpc_session_part(struct grpc_session *s, const struct grpc_call *c, enum grpc_count why)
{
	if (s->calmed)
		return;
	s->calmed = true;
	tell_refused(s, why, c->path);
	s->last_words = c->stream_id; /* after GOAWAY nghttp2 sends no answer any more */
}

void grpc_session_enqueue(struct grpc_session *s, struct grpc_call *c)
{
	if (c->queued || !grpc_call_wants_work(c))
		return;
	c->queued = true;
	TAILQ_INSERT_TAIL(&s->work, c, work);
}

void grpc_session_wake(struct grpc_session *s, struct grpc_call *c)
{
	grpc_session_enqueue(s, c);
	if (c->queued && s->woken)
		s->woken(s->owner);
}

const struct grpc_service *grpc_session_service(const struct grpc_session *s)
{
	return s->service;
}

static void drop_call(struct grpc_session *s, struct grpc_call *c)
{
	if (c->queued)
		TAILQ_REMOVE(&s->work, c, work);
	TAILQ_REMOVE(&s->all, c, all);
	s->n_calls--;
	grpc_call_free(c);
}

static struct grpc_call *call_of(nghttp2_session *h2, int32_t stream_id)
{
	return stream_id ? nghttp2_session_get_stream_user_data(h2, stream_id) : NULL;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct grpc_session *s = user_data;
	struct grpc_call *c;

	s->block_bytes = s->block_fields = 0;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	c = grpc_call_new(s, h2, frame->hd.stream_id);
	if (!c)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	TAILQ_INSERT_TAIL(&s->all, c, all);
	s->n_calls++;
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, c);
	return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct grpc_call *c = call_of(h2, frame->hd.stream_id);
	size_t bytes = name_len + value_len + HEADER_OVERHEAD;
	struct grpc_session *s = user_data;

	s->block_bytes += bytes;
	if (++s->block_fields > GRPC_MAX_FIELDS || s->block_bytes > GRPC_MAX_UNPACKED_BYTES) {
		calm(s, GRPC_COUNT_HEADERS);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (!c)
		return 0;
	c->header_bytes += bytes;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_request_header(c, name, name_len, value, value_len);
	return 0;
}

static const struct grpc_method *find_method(const struct grpc_service *service, const char *path)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (!strcmp(service->methods[i].path, path))
			return &service->methods[i];
	return NULL;
}

static void deny(struct grpc_session *s, struct grpc_call *c, unsigned int right)
{
	tell_refused(s, GRPC_COUNT_DENIED, c->path);
	grpc_request_refuse(c, GRPC_PERMISSION_DENIED,
			    right & GRPC_MAY_CHANGE ? DENIED_CHANGE : "not permitted to read here");
}

static void headers_done(struct grpc_session *s, struct grpc_call *c)
{
	const struct grpc_method *m = find_method(s->service, c->path);

	if (!c->post || !c->grpc_type)
		c->http_status = c->post ? HTTP_BAD_CONTENT : HTTP_BAD_METHOD;
	if (c->header_bytes > GRPC_MAX_HEADER_BYTES)
		tell_refused(s, GRPC_COUNT_HEADER_SIZE, "");
	if (c->http_status)
		grpc_request_refuse(c, GRPC_UNKNOWN, NULL);
	else if (c->header_bytes > GRPC_MAX_HEADER_BYTES)
		grpc_request_refuse(c, GRPC_RESOURCE_EXHAUSTED, "request headers too large");
	else if (!m)
		grpc_request_refuse(c, GRPC_UNIMPLEMENTED, "unknown method");
	else if ((s->rights & m->right) != m->right)
		deny(s, c, m->right);
	else
		c->method = m;
}

static int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct grpc_session *s = user_data;
	struct grpc_call *c = call_of(h2, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_SETTINGS)
		s->ready = true;
	if (!c || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		headers_done(s, c);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		grpc_request_ended(c);
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
		   size_t n, void *user_data)
{
	struct grpc_call *c = call_of(h2, stream_id);

	if (!c)
		return nghttp2_session_consume(h2, stream_id, n);
	return grpc_request_input(c, bytes, n) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* Streams that we must reset for the caller's faults, or that are too many. */
static void count_reset(struct grpc_session *s, uint32_t code)
{
	if (code != NGHTTP2_NO_ERROR && !grpc_limit_reset(&s->limit, s->now_ns))
		calm(s, code == NGHTTP2_REFUSED_STREAM ? GRPC_COUNT_STREAMS : GRPC_COUNT_RESETS);
}

/* Answered before the request was over: tell the caller to stop (RFC 9113 8.1). */
static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct grpc_call *c = call_of(h2, frame->hd.stream_id);
	bool answer = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
	bool last = answer && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct grpc_session *s = user_data;

	if (answer)
		grpc_limit_answered(&s->limit);
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_reset(s, frame->rst_stream.error_code);
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    !s->calmed)
		tell_refused(s, GRPC_COUNT_PROTOCOL,
			     nghttp2_http2_strerror(frame->goaway.error_code));
	if (c && last && !c->ended)
		return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
						 NGHTTP2_NO_ERROR)
			       ? NGHTTP2_ERR_CALLBACK_FAILURE
			       : 0;
	return 0;
}

/* Called before nghttp2 says GOAWAY by itself; who opens too many streams gets ours. */
static int
on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *user_data)
{
	struct grpc_session *s = user_data;

	if (error == NGHTTP2_ERR_PROTO && frame->hd.type == NGHTTP2_HEADERS &&
	    s->n_calls >= GRPC_MAX_STREAMS)
		calm(s, GRPC_COUNT_STREAMS);
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream_id, uint32_t code, void *user_data)
{
	struct grpc_call *c = call_of(h2, stream_id);
	struct grpc_session *s = user_data;

	if (stream_id == s->last_words)
		let_go(s);
	if (c)
		drop_call(s, c);
	return 0;
}

static void free_callbacks(nghttp2_session_callbacks **cb)
{
	nghttp2_session_callbacks_del(*cb);
}

static void free_option(nghttp2_option **option)
{
	nghttp2_option_del(*option);
}

static int open_h2(struct grpc_session *s)
{
	SNP_CLEANUP(free_callbacks)
	nghttp2_session_callbacks *cb = NULL;
	SNP_CLEANUP(free_option)
	nghttp2_option *option = NULL;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_MAX_STREAMS},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_MAX_HEADER_BYTES},
	};

	if (nghttp2_session_callbacks_new(&cb) || nghttp2_option_new(&option))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	/* Closed streams are kept for their priorities only, which mean nothing here. */
	nghttp2_option_set_no_closed_streams(option, 1);
	/* A caller may send as much as was dealt with: grpc_request.c says when. */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_outbound_ack(option, MAX_ACKS);
	nghttp2_option_set_max_settings(option, MAX_SETTINGS);
	if (nghttp2_session_server_new2(&s->h2, cb, s, option))
		return -ENOMEM;
	return nghttp2_submit_settings(s->h2, NGHTTP2_FLAG_NONE, settings, 2) ? -ENOMEM : 0;
}

static void freep(struct grpc_session **s)
{
	grpc_session_free(*s);
}

int grpc_session_new(const struct grpc_service *service, unsigned int rights,
		     struct grpc_session **out)
{
	SNP_CLEANUP(freep)
	struct grpc_session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->work);
	s->service = service;
	s->rights = rights;
	grpc_limit_init(&s->limit);
	err = open_h2(s);
	if (err)
		return err;
	*out = snp_take(&s);
	return 0;
}

void grpc_session_free(struct grpc_session *s)
{
	struct grpc_call *c;

	if (!s)
		return;
	nghttp2_session_del(s->h2); /* tells nobody about the streams it takes along */
	while ((c = TAILQ_FIRST(&s->all)))
		drop_call(s, c);
	free(s);
}

void grpc_session_tell(struct grpc_session *s, grpc_refused_fn refused, void (*woken)(void *ctx),
		       void *ctx)
{
	s->refused = refused;
	s->woken = woken;
	s->owner = ctx;
}

static int parse_failed(struct grpc_session *s, ssize_t error)
{
	if (error == NGHTTP2_ERR_NOMEM)
		return -ENOMEM;
	tell_refused(s, error == NGHTTP2_ERR_FLOODED ? GRPC_COUNT_FLOODED : GRPC_COUNT_PROTOCOL,
		     "");
	return -EPROTO;
}

int grpc_session_input(struct grpc_session *s, const uint8_t *bytes, size_t n, uint64_t now_ns)
{
	enum grpc_count why;
	ssize_t r;

	s->now_ns = now_ns;
	/* Once nghttp2 has decided to end, it must not be fed. */
	if (s->calmed || !nghttp2_session_want_read(s->h2))
		return 0;
	if (!grpc_limit_feed(&s->limit, bytes, n, now_ns, &why)) {
		calm(s, why);
		return 0;
	}
	r = nghttp2_session_mem_recv(s->h2, bytes, n);
	return r < 0 ? parse_failed(s, r) : 0;
}

long grpc_session_output(struct grpc_session *s, const uint8_t **bytes)
{
	ssize_t n = nghttp2_session_mem_send(s->h2, bytes);

	if (n < 0)
		return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
	return n;
}

bool grpc_session_has_work(const struct grpc_session *s)
{
	return !TAILQ_EMPTY(&s->work);
}

static void start(struct grpc_session *s, struct grpc_call *c)
{
	c->started = true;
	c->method->start(s->service->ctx, c, c->request.message, c->request.len);
	if (!c->finished && !c->streaming)
		grpc_call_finish(c, GRPC_INTERNAL, "no answer");
	if (c->method->next)
		grpc_request_next(c);
	else
		grpc_reader_fini(&c->request);
}

static void go_on(struct grpc_call *c)
{
	if (c->method->next) {
		c->method->next(c->state, c, c->request.message, c->request.len);
		grpc_request_next(c);
	} else {
		c->method->more(c->state, c);
	}
}

bool grpc_session_work(struct grpc_session *s)
{
	struct grpc_call *c = TAILQ_FIRST(&s->work);

	if (!c)
		return false;
	TAILQ_REMOVE(&s->work, c, work);
	c->queued = false;
	if (grpc_call_wants_work(c)) {
		if (c->started)
			go_on(c);
		else
			start(s, c);
	}
	grpc_call_flush(c);
	grpc_session_enqueue(s, c);
	return grpc_session_has_work(s);
}

void grpc_session_round(struct grpc_session *s)
{
	struct grpc_call *c;

	TAILQ_FOREACH(c, &s->all, all)
	{
		/* One given up before, whose trailers do not leave either, waits no more. */
		if (!grpc_call_waits(c) || ++c->silent < GRPC_ROUNDS)
			continue;
		grpc_call_give_up(c, GRPC_RESOURCE_EXHAUSTED, "nothing was read for too long");
		tell_refused(s, GRPC_COUNT_STALLED, c->path);
	}
}

bool grpc_session_waits(const struct grpc_session *s)
{
	const struct grpc_call *c;

	TAILQ_FOREACH(c, &s->all, all)
	if (grpc_call_waits(c))
		return true;
	return false;
}

bool grpc_session_sleeps(const struct grpc_session *s)
{
	const struct grpc_call *c;

	TAILQ_FOREACH(c, &s->all, all)
	if (c->asleep)
		return true;
	return false;
}

bool grpc_session_ready(const struct grpc_session *s)
{
	return s->ready;
}

bool grpc_session_calmed(const struct grpc_session *s)
{
	return s->calmed;
}

bool grpc_session_alive(const struct grpc_session *s)
{
	return nghttp2_session_want_read(s->h2) || nghttp2_session_want_write(s->h2);
}

size_t grpc_session_backlog(const struct grpc_session *s)
{
	return nghttp2_session_get_outbound_queue_size(s->h2);
}
