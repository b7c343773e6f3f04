/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps_sockets.c - the kernel goes through all open sockets for us, and writes what it finds. */
#include <errno.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"
#include "snooper/io/maps_endpoints.h"
#include "snooper/io/maps_priv.h"

/* What the program writes, and whoever takes it. */
struct reading {
	size_t size; /* of a record */
	void (*tell)(struct reading *to, const void *record);
	maps_stray_fn stray;
	maps_open_fn open;
	void *ctx;
};

static int read_records(int fd, struct reading *to)
{
	_Alignas(8) char records[128 * sizeof(struct snp_stray)];
	const size_t most = sizeof(records) - sizeof(records) % to->size;
	ssize_t n;

	/* The kernel hands out whole records, and stops now and then where there are none. */
	for (;;) {
		n = read(fd, records, most);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		for (size_t at = 0; at + to->size <= (size_t)n; at += to->size)
			to->tell(to, records + at);
	}
}

static int run(struct bpf_program *program, struct reading *to)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	int r;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	r = fd < 0 ? -errno : read_records(fd, to);
	bpf_link__destroy(link);
	return r;
}

static void tell_stray(struct reading *to, const void *record)
{
	to->stray(to->ctx, record);
}

int maps_read_sockets(struct maps *m, maps_stray_fn tell, void *ctx)
{
	struct reading to = {
		.size = sizeof(struct snp_stray), .tell = tell_stray, .stray = tell, .ctx = ctx};

	return run(m->skel->progs.snp_sockets, &to);
}

static void tell_open(struct reading *to, const void *record)
{
	to->open(to->ctx, record);
}

int maps_read_open(struct maps *m, maps_open_fn tell, void *ctx)
{
	struct reading to = {
		.size = sizeof(struct snp_open), .tell = tell_open, .open = tell, .ctx = ctx};

	return run(m->skel->progs.snp_opened, &to);
}
