/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lookups.c - what one DNS lookup over UDP, and one connect(), cost the caller.
 *
 *   lookups ask STYLE ADDRESS COUNT    lookups one after the other, of names n0.repeated.bench and on
 *       connected    one socket, connect() once, send() and recv()
 *       unconnected  one socket, sendto() and recvfrom()
 *       new          as the resolver of a libc does: socket(), connect(), send(), recv(), close()
 *   lookups connect ADDRESS PORT COUNT   connect() of one UDP socket again and again
 *
 * One JSON object on stdout: medians in nanoseconds. Exit 1: an answer was lost
 * or wrong, so the figures would be of something else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAMES	 100
#define BATCH	 100 /* connect() calls between two looks at the clock, which costs a tenth of one */
#define HEADER	 12
#define DNS_PORT 53

enum style { CONNECTED, UNCONNECTED, NEW };
static const char *const style_names[] = {"connected", "unconnected", "new"};

struct asker {
	enum style style;
	struct sockaddr_in server;
	int fd;
	uint64_t send_ns; /* what the last send() or sendto() took */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "lookups: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(1);
}

static size_t put_label(uint8_t *to, const char *label)
{
	size_t len = strlen(label);

	to[0] = (uint8_t)len;
	memcpy(to + 1, label, len);
	return len + 1;
}

/* Question for the A records of n<number>.repeated.bench. Its length. */
static size_t make_query(uint8_t *message, uint16_t id, unsigned int number)
{
	static const uint8_t tail[] = {0, 0, 1, 0, 1}; /* the root, type A, class IN */
	uint8_t *p = message + HEADER;
	char label[16];

	memset(message, 0, HEADER);
	message[0] = (uint8_t)(id >> 8);
	message[1] = (uint8_t)id;
	message[2] = 1; /* RD */
	message[5] = 1; /* QDCOUNT */
	snprintf(label, sizeof(label), "n%u", number % NAMES);
	p += put_label(p, label);
	p += put_label(p, "repeated");
	p += put_label(p, "bench");
	memcpy(p, tail, sizeof(tail));
	return (size_t)(p - message) + sizeof(tail);
}

static int udp_socket(void)
{
	struct timeval patience = {.tv_sec = 2};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	return fd;
}

static void connect_to(int fd, const struct sockaddr_in *to)
{
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connect");
}

/* One lookup; how long it took. */
static uint64_t ask(struct asker *a, uint16_t id, unsigned int number)
{
	uint8_t query[64], answer[512];
	size_t len = make_query(query, id, number);
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint64_t start = now_ns(), before, after;
	ssize_t got;

	if (a->style == NEW) {
		a->fd = udp_socket();
		connect_to(a->fd, &a->server);
	}
	before = a->style == NEW ? now_ns() : start;
	if (a->style == UNCONNECTED)
		got = sendto(a->fd, query, len, 0, (struct sockaddr *)&a->server,
			     sizeof(a->server));
	else
		got = send(a->fd, query, len, 0);
	if (got != (ssize_t)len)
		die("send");
	a->send_ns = now_ns() - before;
	if (a->style == UNCONNECTED)
		got = recvfrom(a->fd, answer, sizeof(answer), 0, (struct sockaddr *)&from,
			       &from_len);
	else
		got = recv(a->fd, answer, sizeof(answer), 0);
	if (got < 0)
		die("no answer");
	if (a->style == NEW)
		close(a->fd);
	after = now_ns();
	errno = 0;
	/* The id, NOERROR, one answer: anything else is not what is measured here. */
	if (got < HEADER || memcmp(answer, query, 2) || answer[3] & 0xf || answer[7] != 1)
		die("answer");
	return after - start;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t at_share(uint64_t *sorted, size_t n, unsigned int percent)
{
	return sorted[n * percent / 100];
}

static uint64_t *room_for(size_t n)
{
	uint64_t *room = n ? calloc(n, sizeof(*room)) : NULL;

	if (!room)
		die("memory");
	return room;
}

static int measure_asking(struct asker *a, size_t n)
{
	uint64_t *whole = room_for(n), *sending = room_for(n);

	if (a->style != NEW)
		a->fd = udp_socket();
	if (a->style == CONNECTED)
		connect_to(a->fd, &a->server);
	for (size_t i = 0; i < n; i++) {
		whole[i] = ask(a, (uint16_t)i, (unsigned int)i);
		sending[i] = a->send_ns;
	}
	qsort(whole, n, sizeof(*whole), by_value);
	qsort(sending, n, sizeof(*sending), by_value);
	printf("{\"p50_ns\":%llu,\"p90_ns\":%llu,\"send_p50_ns\":%llu}\n",
	       (unsigned long long)at_share(whole, n, 50),
	       (unsigned long long)at_share(whole, n, 90),
	       (unsigned long long)at_share(sending, n, 50));
	free(whole);
	free(sending);
	return 0;
}

static int measure_connecting(const struct sockaddr_in *to, size_t n)
{
	size_t batches = n / BATCH;
	uint64_t *took = room_for(batches);
	int fd = udp_socket();

	for (size_t i = 0; i < batches; i++) {
		uint64_t start = now_ns();

		for (int k = 0; k < BATCH; k++)
			connect_to(fd, to);
		took[i] = now_ns() - start;
	}
	qsort(took, batches, sizeof(*took), by_value);
	printf("{\"p50_ns\":%.1f}\n", (double)at_share(took, batches, 50) / BATCH);
	free(took);
	close(fd);
	return 0;
}

static int usage(void)
{
	fputs("usage: lookups ask connected|unconnected|new ADDRESS COUNT\n"
	      "       lookups connect ADDRESS PORT COUNT\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct asker a = {.server = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)}};
	size_t i = 0;

	if (argc != 5)
		return usage();
	if (!strcmp(argv[1], "connect")) {
		a.server.sin_port = htons((uint16_t)atoi(argv[3]));
		if (inet_pton(AF_INET, argv[2], &a.server.sin_addr) != 1)
			return usage();
		return measure_connecting(&a.server, strtoul(argv[4], NULL, 10));
	}
	while (i < sizeof(style_names) / sizeof(*style_names) && strcmp(argv[2], style_names[i]))
		i++;
	if (i > NEW || strcmp(argv[1], "ask") ||
	    inet_pton(AF_INET, argv[3], &a.server.sin_addr) != 1)
		return usage();
	a.style = (enum style)i;
	return measure_asking(&a, strtoul(argv[4], NULL, 10));
}
