/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 512

void grpc_reader_init(struct grpc_reader *r, size_t max)
{
	memset(r, 0, sizeof(*r));
	r->max = max;
}

void grpc_reader_fini(struct grpc_reader *r)
{
	free(r->message);
	grpc_reader_init(r, r->max);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int read_prefix(struct grpc_reader *r)
{
	const uint8_t *p = r->prefix;

	if (p[0] > 1)
		return -EPROTO;
	r->want = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (r->want > r->max)
		return -EMSGSIZE;
	return p[0] ? -EOPNOTSUPP : 0;
}

/* Room grows with what has come: an announced length alone costs nothing. */
static int make_room(struct grpc_reader *r, size_t n)
{
	size_t room = r->room ? r->room : ROOM_FIRST;
	uint8_t *p;

	while (room < n)
		room *= 2;
	if (room == r->room)
		return 0;
	p = realloc(r->message, room);
	if (!p)
		return -ENOMEM;
	r->message = p;
	r->room = room;
	return 0;
}

long grpc_reader_feed(struct grpc_reader *r, const uint8_t *bytes, size_t n)
{
	size_t taken = 0, part;
	int err;

	if (r->prefix_len < GRPC_PREFIX) {
		taken = least(n, (size_t)(GRPC_PREFIX - r->prefix_len));
		memcpy(r->prefix + r->prefix_len, bytes, taken);
		r->prefix_len += (uint8_t)taken;
		if (r->prefix_len < GRPC_PREFIX)
			return (long)taken;
		err = read_prefix(r);
		if (err)
			return err;
	}
	part = least(n - taken, r->want - r->len);
	err = make_room(r, r->len + part);
	if (err)
		return err;
	memcpy(r->message + r->len, bytes + taken, part);
	r->len += part;
	return (long)(taken + part);
}

int grpc_reader_whole(const struct grpc_reader *r)
{
	return r->prefix_len == GRPC_PREFIX && r->len == r->want;
}

void grpc_reader_next(struct grpc_reader *r)
{
	r->prefix_len = 0;
	r->len = r->want = 0;
}

int grpc_reader_empty(const struct grpc_reader *r)
{
	return r->prefix_len == 0;
}

void grpc_prefix_put(uint8_t prefix[static GRPC_PREFIX], uint32_t message_len)
{
	prefix[0] = 0;
	prefix[1] = (uint8_t)(message_len >> 24);
	prefix[2] = (uint8_t)(message_len >> 16);
	prefix[3] = (uint8_t)(message_len >> 8);
	prefix[4] = (uint8_t)message_len;
}
