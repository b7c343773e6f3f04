/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gai_cares.c - gai-cares NAME...: ares_getaddrinfo() of the system's c-ares, an address a line. */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/select.h>

static int failed;

static void on_result(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	char text[INET6_ADDRSTRLEN];

	if (status != ARES_SUCCESS) {
		fprintf(stderr, "%s: %s\n", (const char *)arg, ares_strerror(status));
		failed = 1;
		return;
	}
	for (struct ares_addrinfo_node *n = result->nodes; n; n = n->ai_next) {
		const void *addr =
			n->ai_family == AF_INET
				? (void *)&((struct sockaddr_in *)n->ai_addr)->sin_addr
				: (void *)&((struct sockaddr_in6 *)n->ai_addr)->sin6_addr;

		puts(ares_inet_ntop(n->ai_family, addr, text, sizeof(text)));
	}
	ares_freeaddrinfo(result);
}

int main(int argc, char **argv)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	ares_channel channel;

	if (ares_library_init(ARES_LIB_INIT_ALL) || ares_init(&channel))
		return 2;
	for (int i = 1; i < argc; i++)
		ares_getaddrinfo(channel, argv[i], "80", &hints, on_result, argv[i]);
	for (;;) {
		struct timeval tv;
		fd_set in, out;
		int n;

		FD_ZERO(&in);
		FD_ZERO(&out);
		n = ares_fds(channel, &in, &out);
		if (!n)
			break;
		select(n, &in, &out, NULL, ares_timeout(channel, NULL, &tv));
		ares_process(channel, &in, &out);
	}
	ares_destroy(channel);
	return failed;
}
