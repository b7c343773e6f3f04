/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/rpc/grpc_guard.h"

#include "snooper/rpc/grpc_limit.h"

#define NAME(id, name, text) [GRPC_COUNT_##id] = (name),
#define TEXT(id, name, text) [GRPC_COUNT_##id] = (text),

static const struct grpc_rate said = {1, 20};

const char *grpc_count_name(enum grpc_count c)
{
	static const char *const names[] = {GRPC_COUNTS(NAME)};

	return names[c];
}

const char *grpc_count_text(enum grpc_count c)
{
	static const char *const texts[] = {GRPC_COUNTS(TEXT)};

	return texts[c];
}

void grpc_guard_refuse(struct grpc_guard *g, enum grpc_count why, const char *peer,
		       const char *detail, uint64_t now_ns)
{
	g->counts.n[why]++;
	if (!g->audit)
		return;
	if (!grpc_bucket_take(&g->buckets[why], &said, 1, now_ns)) {
		g->unsaid[why]++;
		return;
	}
	g->audit(g->ctx, why, peer, detail, g->unsaid[why]);
	g->unsaid[why] = 0;
}
