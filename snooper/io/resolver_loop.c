/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/resolver_loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "bpf/snp_proxy.h"
#include "snooper/base/cleanup.h"
#include "snooper/base/log.h"
#include "snooper/core/text.h"

#define TRY_MS 1000 /* c-ares doubles it with each try */
#define TRIES  2

struct watched {
	LIST_ENTRY(watched) all;
	struct resolver_loop *loop;
	ares_socket_t fd;
	struct event *event;
};

struct resolver_loop {
	struct event_base *base;
	ares_channel channel;
	struct event *timer;
	LIST_HEAD(, watched) watched;
	bool mark_failed; /* and was logged */
};

/* When c-ares wants to look at its time-outs. */
static void set_timer(struct resolver_loop *l)
{
	struct timeval tv, *wait = ares_timeout(l->channel, NULL, &tv);

	if (wait)
		event_add(l->timer, wait);
	else
		event_del(l->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver_loop *l = ctx;

	ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(l);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver_loop *l = ((struct watched *)ctx)->loop;

	/* ctx may be gone after this. */
	ares_process_fd(l->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(l);
}

static void unwatch(struct watched *w)
{
	LIST_REMOVE(w, all);
	if (w->event)
		event_free(w->event);
	free(w);
}

/* c-ares says what it waits for on a socket; nothing: it is about to close it. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver_loop *l = data;
	short what = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);
	struct watched *w;

	LIST_FOREACH(w, &l->watched, all)
	if (w->fd == fd)
		break;
	if (w)
		unwatch(w);
	if (!what)
		return;
	w = calloc(1, sizeof(*w));
	if (!w)
		return; /* the query times out */
	w->loop = l;
	w->fd = fd;
	LIST_INSERT_HEAD(&l->watched, w, all);
	w->event = event_new(l->base, fd, what | EV_PERSIST, on_socket, w);
	if (w->event)
		event_add(w->event, NULL);
}

static int on_new_socket(ares_socket_t fd, int type, void *data)
{
	struct resolver_loop *l = data;
	int mark = SNP_PROBE_MARK;

	if (!setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return 0;
	if (!l->mark_failed)
		log_warn("event=reconcile-mark-failed errno=%d hint=\"nobody can be asked\"",
			 errno);
	l->mark_failed = true;
	return -1; /* counted as a question that nobody answered */
}

/* address:port,[address]:port */
static char *servers_text(const struct snp_endpoint *servers, size_t n)
{
	char *text = NULL, addr[ADDR_TEXT_MAX];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, addr_is_v4(&servers[i].addr) ? "%s%s:%u" : "%s[%s]:%u", i ? "," : "",
			addr_to_text(&servers[i].addr, addr), servers[i].port);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int open_channel(struct resolver_loop *l, const struct snp_endpoint *servers,
			size_t n_servers, int udp_size)
{
	SNP_CLEANUP(snp_freep)
	char *text = servers_text(servers, n_servers);
	struct ares_options o = {
		/* Our query is as it is: no search list, no hosts file, no EDNS added. */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = TRY_MS,
		.tries = TRIES,
		.ednspsz = udp_size,
		.lookups = (char *)"b",
		.sock_state_cb = on_state,
		.sock_state_cb_data = l,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
		   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;

	if (!text)
		return -ENOMEM;
	if (ares_init_options(&l->channel, &o, mask) != ARES_SUCCESS)
		return -ENOMEM;
	ares_set_socket_configure_callback(l->channel, on_new_socket, l);
	return ares_set_servers_ports_csv(l->channel, text) == ARES_SUCCESS ? 0 : -EINVAL;
}

int resolver_loop_new(struct event_base *base, const struct snp_endpoint *servers, size_t n_servers,
		      int udp_size, struct resolver_loop **out)
{
	struct resolver_loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->base = base;
	LIST_INIT(&l->watched);
	l->timer = event_new(base, -1, 0, on_timer, l);
	r = l->timer ? open_channel(l, servers, n_servers, udp_size) : -ENOMEM;
	if (r < 0) {
		resolver_loop_free(l);
		return r;
	}
	*out = l;
	return 0;
}

void resolver_loop_free(struct resolver_loop *l)
{
	if (!l)
		return;
	if (l->channel)
		ares_destroy(l->channel);
	while (!LIST_EMPTY(&l->watched))
		unwatch(LIST_FIRST(&l->watched));
	if (l->timer)
		event_free(l->timer);
	free(l);
}

void resolver_loop_send(struct resolver_loop *l, const uint8_t *query, size_t n, ares_callback done,
			void *arg)
{
	ares_send(l->channel, query, (int)n, done, arg);
	set_timer(l);
}
