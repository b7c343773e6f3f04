/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* grpc_request.c - what a caller sends: one request, or several that are taken one by one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snooper/rpc/grpc_call.h"

static bool is(const uint8_t *text, size_t n, const char *want)
{
	return n == strlen(want) && !memcmp(text, want, n);
}

/* application/grpc, alone or as protobuf; the rest of the family is not spoken here. */
static bool is_grpc_type(const uint8_t *value, size_t n)
{
	static const char type[] = "application/grpc", codec[] = "+proto";
	size_t len = sizeof(type) - 1;

	if (n < len || memcmp(value, type, len))
		return false;
	if (n - len >= sizeof(codec) - 1 && !memcmp(value + len, codec, sizeof(codec) - 1))
		len += sizeof(codec) - 1;
	return n == len || value[len] == ';' || value[len] == ' ';
}

void grpc_request_header(struct grpc_call *c, const uint8_t *name, size_t name_len,
			 const uint8_t *value, size_t value_len)
{
	if (is(name, name_len, ":method"))
		c->post = is(value, value_len, "POST");
	else if (is(name, name_len, "content-type"))
		c->grpc_type = is_grpc_type(value, value_len);
	else if (is(name, name_len, ":path") && value_len < sizeof(c->path))
		memcpy(c->path, value, value_len); /* the rest is zero from the start */
}

void grpc_request_refuse(struct grpc_call *c, enum grpc_code code, const char *text)
{
	grpc_call_finish(c, code, text);
	grpc_call_flush(c);
}

static void refuse_bytes(struct grpc_call *c, long err)
{
	switch (err) {
	case -EMSGSIZE:
		grpc_request_refuse(c, GRPC_RESOURCE_EXHAUSTED, "request message too large");
		grpc_session_part(c->session, c, GRPC_COUNT_MESSAGE_SIZE);
		break;
	case -EOPNOTSUPP:
		grpc_request_refuse(c, GRPC_UNIMPLEMENTED,
				    "compressed messages are not understood here");
		break;
	case -ENOMEM:
		grpc_request_refuse(c, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		break;
	default:
		grpc_request_refuse(c, GRPC_INTERNAL, "not a gRPC message");
	}
}

void grpc_call_malformed(struct grpc_call *c)
{
	grpc_request_refuse(c, GRPC_INTERNAL, "the request message is malformed");
	grpc_session_part(c->session, c, GRPC_COUNT_MALFORMED);
}

/* To be looked at after the request before it. Never more than the stream's window. */
static bool keep(struct grpc_call *c, const uint8_t *bytes, size_t n)
{
	uint8_t *p = realloc(c->ahead, c->ahead_len + n);

	if (!p)
		return false;
	memcpy(p + c->ahead_len, bytes, n);
	c->ahead = p;
	c->ahead_len += n;
	return true;
}

/* Take what belongs to the current request; the rest waits, or is one too many. Returns what was kept. */
static size_t take(struct grpc_call *c, const uint8_t *bytes, size_t n)
{
	long taken = 0;

	if (!grpc_reader_whole(&c->request))
		taken = grpc_reader_feed(&c->request, bytes, n);
	if (taken < 0)
		refuse_bytes(c, taken);
	else if ((size_t)taken == n)
		return 0;
	else if (!c->method->next)
		grpc_request_refuse(c, GRPC_UNIMPLEMENTED, "more than one request message");
	else if (keep(c, bytes + taken, n - (size_t)taken))
		return n - (size_t)taken;
	else
		refuse_bytes(c, -ENOMEM);
	return 0;
}

/* What is to be done about the request, as it stands. */
static void settle(struct grpc_call *c)
{
	bool whole = grpc_reader_whole(&c->request);

	if (c->finished)
		return;
	if (whole)
		grpc_session_enqueue(c->session, c);
	if (whole || !c->ended)
		return;
	if (!grpc_reader_empty(&c->request))
		grpc_request_refuse(c, GRPC_INTERNAL, "the request message is cut short");
	else if (c->method->next)
		grpc_request_refuse(c, GRPC_OK, NULL); /* every request was answered */
	else
		grpc_request_refuse(c, GRPC_UNIMPLEMENTED, "no request message");
}

int grpc_request_input(struct grpc_call *c, const uint8_t *bytes, size_t n)
{
	size_t kept = c->finished || !n ? 0 : take(c, bytes, n);

	/* Other calls of the connection do not wait for this one to look at its bytes. */
	if (nghttp2_session_consume_connection(c->h2, n) ||
	    nghttp2_session_consume_stream(c->h2, c->stream_id, n - kept))
		return -ENOMEM;
	if (c->method && c->method->next)
		settle(c);
	return 0;
}

void grpc_request_ended(struct grpc_call *c)
{
	c->ended = true;
	settle(c);
}

void grpc_request_next(struct grpc_call *c)
{
	size_t left = c->ahead_len - c->ahead_off;
	long taken = 0;

	grpc_reader_next(&c->request);
	if (c->finished)
		return;
	if (left)
		taken = grpc_reader_feed(&c->request, c->ahead + c->ahead_off, left);
	if (taken < 0) {
		refuse_bytes(c, taken);
		return;
	}
	c->ahead_off += (size_t)taken;
	if (c->ahead_off == c->ahead_len) {
		free(c->ahead);
		c->ahead = NULL;
		c->ahead_off = c->ahead_len = 0;
	}
	if (taken && nghttp2_session_consume_stream(c->h2, c->stream_id, (size_t)taken))
		refuse_bytes(c, -ENOMEM);
	settle(c);
}
