/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * gai.c - gai 4|6|any NAME...: getaddrinfo() as programs call it, an address a line.
 *
 * Built with gcc (glibc's resolver) and musl-gcc -static (musl's). Exit 1 when
 * a name did not resolve; its reason goes to stderr.
 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>

static int resolve(const char *name, int family)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *ai;
	char text[NI_MAXHOST];
	int r;

	r = getaddrinfo(name, "80", &hints, &list);
	if (r) {
		fprintf(stderr, "%s: %s\n", name, gai_strerror(r));
		return 1;
	}
	for (ai = list; ai; ai = ai->ai_next) {
		r = getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST);
		if (!r)
			puts(text);
	}
	freeaddrinfo(list);
	return 0;
}

int main(int argc, char **argv)
{
	int family = AF_UNSPEC, failed = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: gai 4|6|any NAME...\n");
		return 2;
	}
	if (!strcmp(argv[1], "4"))
		family = AF_INET;
	if (!strcmp(argv[1], "6"))
		family = AF_INET6;
	for (int i = 2; i < argc; i++)
		failed |= resolve(argv[i], family);
	return failed;
}
