/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_resolver.c - any bytes as the answer that c-ares hands over.
 *
 * The first byte chooses the type; the rest is the message. It answers the question
 * it carries, or another one. What the daemon does with it is asserted: addresses of
 * the family asked for only, in order, no more than a message may have.
 */
#include <stdlib.h>
#include <string.h>

#include "snooper/core/text.h"
#include "snooper/io/resolver_msg.h"
#include "tests/fuzz/fuzz.h"

static struct resolver_msg msg;

static void check(const struct reconcile_found *found, uint16_t type)
{
	require(found->reply == RECONCILE_ADDRESSES || found->reply == RECONCILE_NO_NAME ||
		found->reply == RECONCILE_NO_REPLY);
	require(found->n <= DNS_ADDRS_MAX);
	require(found->reply == RECONCILE_ADDRESSES || !found->n);
	for (size_t i = 0; i < found->n; i++)
		require(addr_is_v4(&found->addrs[i]) == (type == DNS_TYPE_A));
	for (size_t i = 1; i < found->n; i++)
		require(reconcile_order(&found->addrs[i - 1], &found->addrs[i]) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t other[] = {5, 'o', 't', 'h', 'e', 'r', 0};
	struct reconcile_found found;
	uint8_t own[SNP_NAME_ROOM];
	size_t own_len;
	uint16_t type;

	if (size < 1)
		return 0;
	type = data[0] & 1 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	data++;
	size--;
	memset(&msg, 0x5a, sizeof(msg.walk.names));
	resolver_answer(&msg, other, sizeof(other), type, data, size, &found);
	check(&found, type);
	/* The name it is about, if it has one. */
	own_len = msg.walk.name_len[0] <= SNP_NAME_MAX ? msg.walk.name_len[0] : 0;
	memcpy(own, msg.walk.names, own_len);
	resolver_answer(&msg, own, own_len, type, data, size, &found);
	check(&found, type);
	return 0;
}
