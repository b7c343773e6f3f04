/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_limit.h"

#include <string.h>

#include "snooper/base/clock.h"

#define PREFACE_BYTES	 24
#define HEAD_BYTES	 9
#define FRAME_COST_BYTES 32 /* what a frame costs beyond its bytes */
#define ANSWER_CREDIT	 8  /* PINGs and WINDOW_UPDATEs that one frame of ours may bring about */

/* RFC 9113 6 */
enum {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION
};
enum { FLAG_ACK = 1, FLAG_END_STREAM = 1 };

static const struct {
	struct grpc_rate rate;
	enum grpc_count why;
} limits[GRPC_LIMIT_KINDS] = {
	[GRPC_LIMIT_RESET] = {{50, 200}, GRPC_COUNT_RESETS},
	[GRPC_LIMIT_PING] = {{10, 100}, GRPC_COUNT_PINGS},
	[GRPC_LIMIT_SETTINGS] = {{10, 100}, GRPC_COUNT_SETTINGS},
	[GRPC_LIMIT_PRIORITY] = {{10, 100}, GRPC_COUNT_PRIORITIES},
	[GRPC_LIMIT_WINDOW] = {{200, 1000}, GRPC_COUNT_WINDOW_UPDATES},
	[GRPC_LIMIT_EMPTY_DATA] = {{10, 100}, GRPC_COUNT_EMPTY_DATA},
	[GRPC_LIMIT_OTHER] = {{10, 100}, GRPC_COUNT_OTHER_FRAMES},
	[GRPC_LIMIT_BYTES] = {{4 << 20, 8 << 20}, GRPC_COUNT_BYTES},
};

static uint64_t period_ns(const struct grpc_rate *rate)
{
	return SNP_NS_PER_S / rate->per_s;
}

bool grpc_bucket_take(uint64_t *bucket, const struct grpc_rate *rate, uint64_t n, uint64_t now_ns)
{
	uint64_t full_ns = *bucket > now_ns ? *bucket : now_ns, each_ns = period_ns(rate);

	if (n > rate->burst || full_ns - now_ns > (rate->burst - n) * each_ns)
		return false;
	*bucket = full_ns + n * each_ns;
	return true;
}

static void give_back(struct grpc_limit *l, enum grpc_limit_kind kind, uint64_t n)
{
	uint64_t ns = n * period_ns(&limits[kind].rate);

	l->buckets[kind] = l->buckets[kind] > ns ? l->buckets[kind] - ns : 0;
}

void grpc_limit_init(struct grpc_limit *l)
{
	memset(l, 0, sizeof(*l));
	l->skip = PREFACE_BYTES;
}

static bool take(struct grpc_limit *l, enum grpc_limit_kind kind, uint64_t n, uint64_t now_ns,
		 enum grpc_count *why)
{
	if (grpc_bucket_take(&l->buckets[kind], &limits[kind].rate, n, now_ns))
		return true;
	*why = limits[kind].why;
	return false;
}

static bool block_goes_on(struct grpc_limit *l, uint32_t len, enum grpc_count *why)
{
	l->block_bytes += len;
	*why = l->continuations > GRPC_MAX_CONTINUATIONS ? GRPC_COUNT_CONTINUATIONS
							 : GRPC_COUNT_HEADERS;
	return l->continuations <= GRPC_MAX_CONTINUATIONS && l->block_bytes <= GRPC_MAX_BLOCK_BYTES;
}

static bool judge(struct grpc_limit *l, uint32_t len, uint64_t now_ns, enum grpc_count *why)
{
	uint8_t flags = l->head[4];

	if (!take(l, GRPC_LIMIT_BYTES, HEAD_BYTES + len + FRAME_COST_BYTES, now_ns, why))
		return false;
	switch (l->head[3]) {
	case FRAME_DATA:
		return len || flags & FLAG_END_STREAM ||
		       take(l, GRPC_LIMIT_EMPTY_DATA, 1, now_ns, why);
	case FRAME_HEADERS:
		l->block_bytes = l->continuations = 0;
		return block_goes_on(l, len, why);
	case FRAME_CONTINUATION:
		l->continuations++;
		return block_goes_on(l, len, why);
	case FRAME_PRIORITY:
		return take(l, GRPC_LIMIT_PRIORITY, 1, now_ns, why);
	case FRAME_RST_STREAM:
		return take(l, GRPC_LIMIT_RESET, 1, now_ns, why);
	case FRAME_SETTINGS: /* an ACK belongs to ours, and there is one of them */
		return take(l, GRPC_LIMIT_SETTINGS, 1, now_ns, why);
	case FRAME_PING:
		return flags & FLAG_ACK ? take(l, GRPC_LIMIT_OTHER, 1, now_ns, why)
					: take(l, GRPC_LIMIT_PING, 1, now_ns, why);
	case FRAME_WINDOW_UPDATE:
		return take(l, GRPC_LIMIT_WINDOW, 1, now_ns, why);
	default:
		return take(l, GRPC_LIMIT_OTHER, 1, now_ns, why);
	}
}

bool grpc_limit_feed(struct grpc_limit *l, const uint8_t *bytes, size_t n, uint64_t now_ns,
		     enum grpc_count *why)
{
	while (n) {
		size_t part = l->skip ? l->skip : HEAD_BYTES - (size_t)l->head_len;

		if (part > n)
			part = n;
		if (l->skip) {
			l->skip -= (uint32_t)part;
		} else {
			memcpy(l->head + l->head_len, bytes, part);
			l->head_len += (uint8_t)part;
		}
		bytes += part;
		n -= part;
		if (l->head_len == HEAD_BYTES) {
			uint32_t len =
				(uint32_t)l->head[0] << 16 | (uint32_t)l->head[1] << 8 | l->head[2];

			l->head_len = 0;
			l->skip = len;
			if (!judge(l, len, now_ns, why))
				return false;
		}
	}
	return true;
}

bool grpc_limit_reset(struct grpc_limit *l, uint64_t now_ns)
{
	enum grpc_count why;

	return take(l, GRPC_LIMIT_RESET, 1, now_ns, &why);
}

void grpc_limit_answered(struct grpc_limit *l)
{
	give_back(l, GRPC_LIMIT_PING, ANSWER_CREDIT);
	give_back(l, GRPC_LIMIT_WINDOW, ANSWER_CREDIT);
}
