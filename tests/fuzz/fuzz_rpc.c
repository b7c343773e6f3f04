/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_rpc.c - any bytes at the gRPC face: no crash, no leak, no endless work.
 *
 *	make fuzz-targets && build/fuzz/tests/fuzz/fuzz_rpc -max_len=4096 tests/fuzz/corpus/rpc
 *
 * The first byte chooses the way in: 0 the bytes of a connection after its
 * preface (and through the limits alone), 1 the body of a well-formed request, 2 messages in pieces.
 */
#include "proto/export.pb-c.h"
#include "snooper/rpc/export_service.h"
#include "snooper/rpc/grpc_frame.h"
#include "snooper/rpc/grpc_limit.h"
#include "tests/unit/fake_source.h"
#include "tests/unit/h2_loop.h"
#include "tests/fuzz/fuzz.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define TURNS	4000

/* Take what there is, and do what is to be done, as a connection's turns would. */
static bool turns(struct grpc_session *s)
{
	for (int i = 0; i < TURNS; i++) {
		const uint8_t *bytes;
		long n = grpc_session_output(s, &bytes);

		if (n < 0)
			return false;
		if (!n && !grpc_session_has_work(s))
			return true;
		grpc_session_work(s);
	}
	abort(); /* it never comes to rest */
}

/* The limits judge bytes, not pieces of them, and end no later than the bytes do. */
static void limits(const uint8_t *data, size_t size)
{
	enum grpc_count why[2] = {GRPC_COUNT_MAX, GRPC_COUNT_MAX};
	size_t piece = data[0] % 64 + 1u, off = 0;
	struct grpc_limit whole, pieces;

	grpc_limit_init(&whole);
	grpc_limit_init(&pieces);
	grpc_limit_feed(&whole, data, size, 1, &why[0]);
	while (off < size) {
		size_t n = size - off < piece ? size - off : piece;

		if (!grpc_limit_feed(&pieces, data + off, n, 1, &why[1]))
			break;
		off += n;
	}
	require(why[0] == why[1]);
}

static void connection(const struct grpc_service *service, const uint8_t *data, size_t size)
{
	struct grpc_session *s;

	require(!grpc_session_new(service, GRPC_MAY_READ | GRPC_MAY_CHANGE, &s));
	if (!grpc_session_input(s, (const uint8_t *)PREFACE, sizeof(PREFACE) - 1, 0) && turns(s)) {
		/* In pieces of up to 256 bytes, each announced by a byte. */
		while (size > 1) {
			size_t n = data[0] + 1u < size - 1 ? data[0] + 1u : size - 1;

			if (grpc_session_input(s, data + 1, n, 0) || !turns(s))
				break;
			data += n + 1;
			size -= n + 1;
		}
	}
	grpc_session_free(s);
}

static void request(const struct grpc_service *service, const uint8_t *data, size_t size)
{
	struct h2_body body = {data + 1, size - 1, 0, false};
	const char *path = service->methods[data[0] % service->n_methods].path;
	struct h2_loop l;
	int32_t id;

	body.unfinished = data[0] & 0x80;
	h2_loop_init(&l, service, data[0] & 0x40 ? GRPC_MAY_READ : GRPC_MAY_READ | GRPC_MAY_CHANGE,
		     data[0] & 0x20 ? 1000 : 1 << 30);
	id = h2_request(&l, "POST", path, "application/grpc", &body);
	h2_loop_run(&l, TURNS);
	require(!l.broken);
	if (!(data[0] & 0xa0) && !strstr(path, "/Watch"))
		require(h2_answer(&l, id)->closed && h2_answer(&l, id)->code >= 0);
	h2_loop_fini(&l);
}

static void messages(const uint8_t *data, size_t size)
{
	struct grpc_reader r;

	grpc_reader_init(&r, 1000);
	while (size > 1) {
		size_t n = data[0] % 16 + 1u < size - 1 ? data[0] % 16 + 1u : size - 1;
		long taken = grpc_reader_feed(&r, data + 1, n);

		if (taken < 0)
			break;
		require(taken > 0 && (size_t)taken <= n && r.len <= r.want && r.want <= r.max);
		if (grpc_reader_whole(&r)) {
			Snooper__V1__StatusReply *m =
				snooper__v1__status_reply__unpack(NULL, r.len, r.message);

			if (m)
				snooper__v1__status_reply__free_unpacked(m, NULL);
			grpc_reader_next(&r);
		}
		data += taken + 1;
		size -= (size_t)taken + 1;
	}
	grpc_reader_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake fake = {.names = 120, .reload_err = -EINVAL, .reload_text = "a\n\377b\n"};
	struct export_source source = fake_source(&fake);
	struct export_service service;

	if (size < 2)
		return 0;
	export_service_init(&service, &source);
	fake.face = &service;
	switch (data[0] % 3) {
	case 0:
		limits(data + 1, size - 1);
		connection(&service.grpc, data + 1, size - 1);
		break;
	case 1:
		request(&service.grpc, data + 1, size - 1);
		break;
	default:
		messages(data + 1, size - 1);
	}
	return 0;
}
