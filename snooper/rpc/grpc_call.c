/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/rpc/grpc_session.h"

/* A reader that has drained a stream to here gets its next slice. */
#define LOW_BYTES (GRPC_ROOM / 4)

struct grpc_call *grpc_call_new(struct grpc_session *s, nghttp2_session *h2, int32_t stream_id)
{
	struct grpc_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->session = s;
	c->h2 = h2;
	c->stream_id = stream_id;
	grpc_reader_init(&c->request, GRPC_MAX_REQUEST);
	return c;
}

static void stop_method(struct grpc_call *c)
{
	if (c->streaming && c->method->stop)
		c->method->stop(c->state);
	c->streaming = false;
	c->state = NULL;
}

void grpc_call_free(struct grpc_call *c)
{
	if (!c)
		return;
	stop_method(c);
	grpc_reader_fini(&c->request);
	free(c->ahead);
	free(c->out);
	free(c);
}

const struct grpc_service *grpc_call_service(const struct grpc_call *c)
{
	return grpc_session_service(c->session);
}

static size_t waiting(const struct grpc_call *c)
{
	return c->out_len - c->out_off;
}

bool grpc_call_has_room(const struct grpc_call *c)
{
	return !c->finished && waiting(c) < GRPC_ROOM;
}

bool grpc_call_waits(const struct grpc_call *c)
{
	return waiting(c) > 0;
}

bool grpc_call_wants_work(const struct grpc_call *c)
{
	if (!grpc_call_has_room(c) || !c->method)
		return false;
	if (!c->started || c->method->next)
		return grpc_reader_whole(&c->request) && (c->ended || c->method->next);
	return c->streaming && !c->asleep;
}

static bool make_room(struct grpc_call *c, size_t n)
{
	size_t room = c->out_room ? c->out_room : 1024;
	uint8_t *p;

	if (c->out_off) {
		memmove(c->out, c->out + c->out_off, waiting(c));
		c->out_len -= c->out_off;
		c->out_off = 0;
	}
	if (n > UINT32_MAX || c->out_len + n < n)
		return false;
	while (room < c->out_len + n)
		room *= 2;
	if (room == c->out_room)
		return true;
	p = realloc(c->out, room);
	if (!p)
		return false;
	c->out = p;
	c->out_room = room;
	return true;
}

uint8_t *grpc_call_message(struct grpc_call *c, size_t n)
{
	uint8_t *at;

	if (c->finished)
		return NULL;
	if (!make_room(c, n + GRPC_PREFIX)) {
		grpc_call_finish(c, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return NULL;
	}
	at = c->out + c->out_len;
	grpc_prefix_put(at, (uint32_t)n);
	c->out_len += n + GRPC_PREFIX;
	return at + GRPC_PREFIX;
}

void grpc_call_stream(struct grpc_call *c, void *state)
{
	c->state = state;
	c->streaming = true;
}

void grpc_call_sleep(struct grpc_call *c)
{
	c->asleep = true;
}

void grpc_call_wake(struct grpc_call *c)
{
	if (!c->asleep)
		return;
	c->asleep = false;
	grpc_session_wake(c->session, c);
}

void grpc_call_finish(struct grpc_call *c, enum grpc_code code, const char *text)
{
	if (c->finished)
		return;
	c->finished = true;
	c->code = code;
	snprintf(c->text, sizeof(c->text), "%s", text ? text : "");
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NONE};
}

/* grpc-status and, where there is one, grpc-message. text and code are the caller's buffers. */
static size_t status_headers(const struct grpc_call *c, nghttp2_nv *nv, char code[static 12],
			     char text[static GRPC_TEXT_MAX])
{
	size_t n = 0;

	snprintf(code, 12, "%d", (int)c->code);
	nv[n++] = header("grpc-status", code);
	if (grpc_text_encode(c->text, text, GRPC_TEXT_MAX))
		nv[n++] = header("grpc-message", text);
	return n;
}

static ssize_t read_out(nghttp2_session *h2, int32_t stream_id, uint8_t *buf, size_t room,
			uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct grpc_call *c = source->ptr;
	size_t n = waiting(c) < room ? waiting(c) : room;
	char code[12], text[GRPC_TEXT_MAX];
	nghttp2_nv nv[2];

	if (!n && !c->finished) {
		c->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n) {
		memcpy(buf, c->out + c->out_off, n);
		c->silent = 0;
	}
	c->out_off += n;
	if (c->finished && !waiting(c)) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(h2, stream_id, nv, status_headers(c, nv, code, text)))
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	} else if (!c->finished && waiting(c) <= LOW_BYTES) {
		grpc_session_enqueue(c->session, c);
	}
	return (ssize_t)n;
}

/* gRPC's short form: one block of headers is the whole answer. */
static int respond_without_messages(struct grpc_call *c)
{
	char http[12], code[12], text[GRPC_TEXT_MAX];
	nghttp2_nv nv[4];
	size_t n = 0;

	snprintf(http, sizeof(http), "%d", c->http_status ? c->http_status : 200);
	nv[n++] = header(":status", http);
	if (!c->http_status) {
		nv[n++] = header("content-type", "application/grpc");
		n += status_headers(c, nv + n, code, text);
	}
	return nghttp2_submit_response(c->h2, c->stream_id, nv, n, NULL);
}

static int respond(struct grpc_call *c)
{
	nghttp2_nv nv[] = {header(":status", "200"), header("content-type", "application/grpc")};
	nghttp2_data_provider out = {.source.ptr = c, .read_callback = read_out};

	return nghttp2_submit_response(c->h2, c->stream_id, nv, 2, &out);
}

void grpc_call_flush(struct grpc_call *c)
{
	int err = 0;

	if (c->finished)
		stop_method(c);
	if (!waiting(c) && !c->finished)
		return;
	if (!c->responded) {
		c->responded = true;
		err = waiting(c) ? respond(c) : respond_without_messages(c);
	} else if (c->deferred) {
		c->deferred = false;
		err = nghttp2_session_resume_data(c->h2, c->stream_id);
	}
	if (err)
		nghttp2_submit_rst_stream(c->h2, NGHTTP2_FLAG_NONE, c->stream_id,
					  NGHTTP2_INTERNAL_ERROR);
}

/*
 * What waits is stuck behind the reader's window; trailers are not, and may overtake
 * it. nghttp2 forgets the rest with the stream.
 */
void grpc_call_give_up(struct grpc_call *c, enum grpc_code code, const char *text)
{
	char digits[12], encoded[GRPC_TEXT_MAX];
	nghttp2_nv nv[2];

	c->finished = false;
	grpc_call_finish(c, code, text);
	stop_method(c);
	free(c->out);
	c->out = NULL;
	c->out_off = c->out_len = c->out_room = 0;
	if (nghttp2_submit_trailer(c->h2, c->stream_id, nv, status_headers(c, nv, digits, encoded)))
		nghttp2_submit_rst_stream(c->h2, NGHTTP2_FLAG_NONE, c->stream_id, NGHTTP2_CANCEL);
}
