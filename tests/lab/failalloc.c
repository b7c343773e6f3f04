/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * failalloc.c - preloaded: an allocation fails when a test says so.
 *
 * FAILALLOC names a file of two 64-bit words, shared with the test: how many
 * allocations from now the failing one is (1: the next; 0: none), which counts
 * down, and how many have failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	int64_t left, failed;
} * control;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("FAILALLOC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		control = at;
	if (fd >= 0)
		close(fd);
}

static int fails(void)
{
	if (!control || control->left <= 0 || --control->left)
		return 0;
	control->failed++;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	if (!real_malloc)
		real_malloc = dlsym(RTLD_NEXT, "malloc");
	return fails() ? NULL : real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	static char early[4096]; /* dlsym() itself asks for memory */
	static int busy;

	if (!real_calloc) {
		if (busy)
			return n * size <= sizeof(early) ? memset(early, 0, n * size) : NULL;
		busy = 1;
		real_calloc = dlsym(RTLD_NEXT, "calloc");
		busy = 0;
	}
	return fails() ? NULL : real_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (!real_realloc)
		real_realloc = dlsym(RTLD_NEXT, "realloc");
	return fails() ? NULL : real_realloc(p, n);
}
