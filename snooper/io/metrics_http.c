/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/metrics_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "snooper/base/cleanup.h"
#include "snooper/base/clock.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"
#include "snooper/io/conf_value.h"

#define SWEEP_MS 50
#define BACKLOG	 64
/* Above what evhttp must see at once, and all that is read after it has let go. */
#define READ_AHEAD (2 * METRICS_HEADER_BYTES)

/*
 * evhttp tells neither how many connections it has nor for how long. So each gets a
 * bufferevent of ours, which we hold on to: when evhttp lets go of it, which takes
 * its callbacks away, the connection is over. Until we let go of it too it reads: so
 * it is the one that closes the descriptor, last of all, or it would read what comes
 * for whoever gets a descriptor of the same number.
 */
struct slot {
	struct bufferevent *bev; /* NULL: free */
	uint64_t since_ns;
};

struct metrics_http {
	struct evhttp *http;
	struct evconnlistener *listener; /* owned by http */
	struct event *sweep;		 /* armed while a slot is taken */
	struct slot slots[METRICS_CONNECTIONS];
	struct snp_metrics_http counts;
	metrics_write_fn write;
	void *ctx;
};

static bool is_over(struct bufferevent *bev)
{
	bufferevent_event_cb event = NULL;

	bufferevent_getcb(bev, NULL, NULL, &event, NULL);
	return !event;
}

/* Give back the slots of what is over. Returns how many are taken. */
static unsigned int give_back(struct metrics_http *h)
{
	unsigned int taken = 0;

	for (size_t i = 0; i < METRICS_CONNECTIONS; i++) {
		struct slot *s = &h->slots[i];

		if (s->bev && is_over(s->bev)) {
			bufferevent_decref(s->bev);
			s->bev = NULL;
		}
		taken += s->bev != NULL;
	}
	return taken;
}

static void sweep_soon(struct metrics_http *h)
{
	const struct timeval soon = {.tv_usec = SWEEP_MS * 1000};

	if (!event_pending(h->sweep, EV_TIMEOUT, NULL))
		event_add(h->sweep, &soon);
}

/* End what takes too long: as far as evhttp can tell, by a timeout of its own. */
static void end_slow(struct metrics_http *h)
{
	uint64_t now_ns = clock_boot_ns();

	for (size_t i = 0; i < METRICS_CONNECTIONS; i++) {
		struct slot *s = &h->slots[i];

		if (!s->bev || now_ns - s->since_ns < METRICS_SECONDS * SNP_NS_PER_S)
			continue;
		h->counts.timed_out++;
		bufferevent_trigger_event(s->bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
	struct metrics_http *h = ctx;
	unsigned int taken;

	give_back(h);
	end_slow(h);
	taken = give_back(h);
	if (taken < METRICS_CONNECTIONS)
		evconnlistener_enable(h->listener);
	if (taken)
		sweep_soon(h);
}

/* A connection was accepted. With the last slot taken, the next one waits in the kernel. */
static struct bufferevent *on_connection(struct event_base *base, void *ctx)
{
	struct metrics_http *h = ctx;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	unsigned int taken = give_back(h) + 1;

	if (bev)
		bufferevent_setwatermark(bev, EV_READ, 0, READ_AHEAD);
	for (size_t i = 0; bev && i < METRICS_CONNECTIONS; i++) {
		if (h->slots[i].bev)
			continue;
		bufferevent_incref(bev);
		h->slots[i] = (struct slot){.bev = bev, .since_ns = clock_boot_ns()};
		break;
	}
	if (taken == METRICS_CONNECTIONS) {
		h->counts.waited++;
		evconnlistener_disable(h->listener);
	}
	sweep_soon(h);
	return bev; /* NULL: evhttp makes one, or gives up */
}

/*
 * No descriptor or no memory for a connection: try again in a while, not at once.
 * Said once; how it goes on is counted.
 */
static void on_accept_error(struct evconnlistener *listener, void *ctx)
{
	struct metrics_http *h = ctx;

	if (!h->counts.not_accepted++)
		log_warn("event=metrics-accept-failed errno=%d", EVUTIL_SOCKET_ERROR());
	evconnlistener_disable(listener);
	sweep_soon(h);
}

static void free_text(const void *data, size_t len, void *ctx)
{
	free(ctx);
}

/* Takes text, of len bytes, which is malloc'd. */
static void
reply(struct evhttp_request *req, int code, const char *reason, char *text_take, size_t len)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	char length[24];

	snprintf(length, sizeof(length), "%zu", len);
	evhttp_add_header(headers, "Content-Length", length);
	evhttp_add_header(headers, "Connection", "close");
	if (!body || evbuffer_add_reference(body, text_take, len, free_text, text_take))
		free(text_take);
	/* The answer to HEAD says how long the body would be, and has none. */
	if (body && evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, len);
	evhttp_send_reply(req, code, reason, body);
	if (body)
		evbuffer_free(body);
}

static void reply_line(struct evhttp_request *req, int code, const char *reason)
{
	char *line = NULL;
	int len = asprintf(&line, "%s\n", reason);

	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "text/plain; charset=utf-8");
	reply(req, code, reason, len < 0 ? NULL : line, len < 0 ? 0 : (size_t)len);
}

static void reply_metrics(struct metrics_http *h, struct evhttp_request *req)
{
	struct metrics_text t = {0};

	h->write(h->ctx, &t);
	if (metrics_text_error(&t)) {
		metrics_text_fini(&t);
		reply_line(req, HTTP_SERVUNAVAIL, "Out of memory");
		return;
	}
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "text/plain; version=0.0.4; charset=utf-8");
	reply(req, HTTP_OK, "OK", t.text, t.len);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct metrics_http *h = ctx;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	bool metrics = path && !strcmp(path, "/metrics");

	if (!metrics && (!path || strcmp(path, "/healthz") != 0)) {
		reply_line(req, HTTP_NOTFOUND, "Not Found");
	} else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
		reply_line(req, HTTP_BADMETHOD, "Method Not Allowed");
	} else if (metrics) {
		reply_metrics(h, req);
	} else {
		reply_line(req, HTTP_OK, "OK");
	}
	h->counts.requests++;
}

static int listen_on(struct metrics_http *h, struct event_base *base, const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct snp_endpoint at;
	bool v4;

	if (conf_value_endpoint(address, &at))
		return -EINVAL;
	v4 = addr_is_v4(&at.addr);
	in.sin_port = in6.sin6_port = htons(at.port);
	in.sin_addr.s_addr = at.addr.w[3];
	memcpy(&in6.sin6_addr, &at.addr, sizeof(in6.sin6_addr));
	errno = 0;
	h->listener = evconnlistener_new_bind(
		base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
		BACKLOG, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof(in) : sizeof(in6));
	if (!h->listener)
		return errno ? -errno : -ENOMEM;
	if (!evhttp_bind_listener(h->http, h->listener)) {
		evconnlistener_free(h->listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(h->listener, on_accept_error);
	return 0;
}

int metrics_http_new(struct event_base *base, const char *address, metrics_write_fn write,
		     void *ctx, struct metrics_http **out)
{
	struct metrics_http *h = calloc(1, sizeof(*h));
	int r = -ENOMEM;

	if (!h)
		return -ENOMEM;
	h->write = write;
	h->ctx = ctx;
	h->http = evhttp_new(base);
	h->sweep = event_new(base, -1, 0, on_sweep, h);
	if (h->http && h->sweep)
		r = listen_on(h, base, address);
	if (r < 0) {
		metrics_http_free(h);
		return r;
	}
	evhttp_set_bevcb(h->http, on_connection, h);
	evhttp_set_gencb(h->http, on_request, h);
	/* All of them reach on_request(), which says 405. */
	evhttp_set_allowed_methods(h->http, 0xffff);
	evhttp_set_max_headers_size(h->http, METRICS_HEADER_BYTES);
	evhttp_set_max_body_size(h->http, METRICS_BODY_BYTES);
	/* Ours is the only deadline: it counts, and evhttp's begins anew with every byte. */
	evhttp_set_timeout(h->http, 2 * METRICS_SECONDS);
	*out = h;
	return 0;
}

void metrics_http_free(struct metrics_http *h)
{
	if (!h)
		return;
	if (h->http)
		evhttp_free(h->http);
	for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
		if (h->slots[i].bev)
			bufferevent_decref(h->slots[i].bev);
	if (h->sweep)
		event_free(h->sweep);
	free(h);
}

const struct snp_metrics_http *metrics_http_counts(const struct metrics_http *h)
{
	return &h->counts;
}
