/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * flows.c - what beginning a flow, sending a datagram, and a stream that goes on cost the caller.
 *
 *   flows CALL FD ADDRESS PORT COUNT
 *       tcp     socket(), connect(), close(): a connection each
 *       send    send() on a connected UDP socket
 *       sendto  sendto() on one that is not connected, always to the same place
 *       new     socket(), sendto(), close(): a datagram each
 *       rr      64 bytes there and 64 back, over one TCP connection
 *       bulk    COUNT MiB over one TCP connection
 *
 * FD is the other end: a listening or receiving socket that the parent opened at ADDRESS:PORT, so
 * that it is of the parent's cgroup. What it gets is taken from it off the clock, by this very
 * process: nobody has to be waited for. Of rr and bulk the other end is a process of its own.
 *
 * One JSON object on stdout: nanoseconds a call (bulk: a MiB), the median of batches (rr and bulk:
 * the mean). Exit 1: something was refused or lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	 50 /* datagrams that fit into the receiver's buffer at once */
#define DATAGRAM 64
#define REQUEST	 64
#define MIB	 (1 << 20)
#define PIECE	 (64 << 10)
#define WINDOW	 (1 << 20) /* fixed: one that grows and shrinks is another stream each time */

static struct sockaddr_in to;
static int other; /* FD */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "flows: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(1);
}

static int socket_of(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static void connect_it(int fd)
{
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
}

static void send_to(int fd)
{
	static const char bytes[DATAGRAM];

	if (sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)) != DATAGRAM)
		die("sendto");
}

/* --- a batch of calls: how long it took --- */

static uint64_t tcp(int unused)
{
	/* Closed by a reset: none is left in TIME_WAIT, and the hundred thousandth finds what the first did. */
	struct linger at_once = {.l_onoff = 1};
	uint64_t took = 0, began;
	int fd, accepted;

	for (int i = 0; i < BATCH; i++) {
		began = now_ns();
		fd = socket_of(SOCK_STREAM);
		connect_it(fd);
		took += now_ns() - began;
		accepted = accept(other, NULL, NULL);
		if (accepted < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)))
			die("accept");
		began = now_ns();
		close(fd);
		took += now_ns() - began;
		close(accepted);
	}
	return took;
}

static uint64_t send_connected(int fd)
{
	static const char bytes[DATAGRAM];
	uint64_t began = now_ns();

	for (int i = 0; i < BATCH; i++)
		if (send(fd, bytes, sizeof(bytes), 0) != DATAGRAM)
			die("send");
	return now_ns() - began;
}

static uint64_t send_unconnected(int fd)
{
	uint64_t began = now_ns();

	for (int i = 0; i < BATCH; i++)
		send_to(fd);
	return now_ns() - began;
}

static uint64_t send_new(int unused)
{
	uint64_t began = now_ns();

	for (int i = 0; i < BATCH; i++) {
		int fd = socket_of(SOCK_DGRAM);

		send_to(fd);
		close(fd);
	}
	return now_ns() - began;
}

static void take_datagrams(void)
{
	char bytes[DATAGRAM];

	for (int i = 0; i < BATCH; i++)
		if (recv(other, bytes, sizeof(bytes), MSG_DONTWAIT) != DATAGRAM)
			die("a datagram did not arrive");
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double batches(uint64_t (*batch)(int), int fd, int datagrams, size_t count)
{
	size_t n = (count + BATCH - 1) / BATCH;
	uint64_t *took = calloc(n, sizeof(*took));
	double middle;

	if (!took)
		die("memory");
	for (size_t i = 0; i < n; i++) {
		took[i] = batch(fd);
		if (datagrams)
			take_datagrams();
	}
	qsort(took, n, sizeof(*took), by_value);
	middle = (double)took[n / 2] / BATCH;
	free(took);
	return middle;
}

/* --- a stream, and a process at its other end --- */

static size_t whole(int fd, char *bytes, size_t n, ssize_t (*step)(int, char *, size_t))
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = step(fd, bytes + done, n - done);

		if (r <= 0)
			break;
		done += (size_t)r;
	}
	return done;
}

static ssize_t get(int fd, char *bytes, size_t n)
{
	return recv(fd, bytes, n, 0);
}

static ssize_t put(int fd, char *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_NOSIGNAL);
}

/* Of rr: all that comes goes back; of bulk: one byte goes back when all has come. */
static void serve(int echo, size_t bytes)
{
	static char room[PIECE];
	int fd = accept(other, NULL, NULL), one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		_exit(1);
	while (echo && whole(fd, room, REQUEST, get) == REQUEST)
		if (whole(fd, room, REQUEST, put) != REQUEST)
			_exit(1);
	for (size_t left = echo ? 0 : bytes; left; left -= PIECE)
		if (whole(fd, room, PIECE, get) != PIECE)
			_exit(1);
	if (!echo && whole(fd, room, 1, put) != 1)
		_exit(1);
	_exit(0);
}

static double stream(int echo, size_t count)
{
	static char room[PIECE];
	uint64_t began;
	int one = 1, window = WINDOW, fd;

	switch (fork()) {
	case -1:
		die("fork");
		break;
	case 0:
		serve(echo, count * MIB);
	}
	fd = socket_of(SOCK_STREAM); /* not the other process's too: it waits for its end */
	connect_it(fd);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &window, sizeof(window)))
		die("options");
	began = now_ns();
	for (size_t i = 0; echo && i < count; i++)
		if (whole(fd, room, REQUEST, put) != REQUEST ||
		    whole(fd, room, REQUEST, get) != REQUEST)
			die("request");
	for (size_t i = 0; !echo && i < count * MIB / PIECE; i++)
		if (whole(fd, room, PIECE, put) != PIECE)
			die("stream");
	if (!echo && whole(fd, room, 1, get) != 1)
		die("end of stream");
	return (double)(now_ns() - began) / (double)count;
}

int main(int argc, char **argv)
{
	size_t count;
	double ns;
	int fd;

	if (argc != 6 || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) {
		fputs("usage: flows tcp|send|sendto|new|rr|bulk FD ADDRESS PORT COUNT\n", stderr);
		return 2;
	}
	other = atoi(argv[2]);
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	count = strtoul(argv[5], NULL, 10);
	if (!strcmp(argv[1], "tcp")) {
		ns = batches(tcp, -1, 0, count);
	} else if (!strcmp(argv[1], "send")) {
		fd = socket_of(SOCK_DGRAM);
		connect_it(fd);
		ns = batches(send_connected, fd, 1, count);
	} else if (!strcmp(argv[1], "sendto")) {
		ns = batches(send_unconnected, socket_of(SOCK_DGRAM), 1, count);
	} else if (!strcmp(argv[1], "new")) {
		ns = batches(send_new, -1, 1, count);
	} else {
		ns = stream(!strcmp(argv[1], "rr"), count);
	}
	printf("{\"ns\":%.1f}\n", ns);
	return 0;
}
