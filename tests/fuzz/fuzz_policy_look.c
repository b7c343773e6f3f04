/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_policy_look.c - regions of any bytes, read as the kernel reads them; kept numbers of any bytes.
 *
 * The first byte says which: 'k' kept numbers, or else a question and regions. Such a region has the bytes at
 * its beginning and at its end, and is full between: nothing outside of it may be read,
 * whatever it says, and every walk has an end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/snp_policy_look.h"
#include "snooper/core/policy_ids.h"
#include "tests/fuzz/fuzz.h"

struct question {
	struct snp_flow_to to;
	uint32_t endpoint, class, identity, ports, bank;
	uint8_t len, reserved[3];
	uint8_t name[256];
};

/* --- kept numbers --- */

static void check_kept(const uint8_t *data, size_t size)
{
	struct policy_ids *ids = policy_ids_new(), *again = policy_ids_new();
	uint8_t *a = NULL, *b = NULL;
	size_t n_a = 0, n_b = 0;
	int e;

	require(ids && again);
	e = policy_ids_load(ids, data, size);
	require(!e || e == -EPROTO);
	require(!policy_ids_save(ids, &a, &n_a));
	require(!policy_ids_load(again, a, n_a));
	require(!policy_ids_save(again, &b, &n_b));
	require(n_a == n_b && !memcmp(a, b, n_a));
	free(a);
	free(b);
	policy_ids_free(ids);
	policy_ids_free(again);
}

/* --- regions --- */

static uint8_t *region_with(const uint8_t *data, size_t size)
{
	static uint8_t *region;

	if (!region) {
		region = malloc(SNP_REGION_BYTES);
		require(region != NULL);
		memset(region, 0xff, SNP_REGION_BYTES);
	}
	memcpy(region + SNP_REGION_BYTES - size, data, size);
	memcpy(region, data, size);
	return region;
}

static void empty_again(uint8_t *region, size_t size)
{
	memset(region, 0xff, size);
	memset(region + SNP_REGION_BYTES - size, 0xff, size);
}

/* Not to be left out by the compiler. */
static void use(uint64_t sum)
{
	__asm__ volatile("" : : "r"(sum));
}

/* What a reader takes further. */
static uint64_t look(const uint8_t *tables, const struct question *q)
{
	uint32_t class = snp_policy_class(tables, q->endpoint), sets, identity;
	const struct snp_class *c = snp_class_at(tables, class);
	const struct snp_out *out = snp_out_at(tables, q->bank, q->identity);
	uint64_t sum = c->flags + out->identity + out->dns;

	sets = snp_class_sets(tables, c, &q->to.addr);
	sum += snp_ports_hold(tables, sets & 0xffff, &q->to);
	sum += snp_ports_hold(tables, sets >> 16, &q->to);
	sum += snp_ports_hold(tables, q->ports, &q->to);
	identity = snp_allowed(tables, class, q->identity);
	sum += snp_ports_hold(tables, identity, &q->to);
	sum += snp_allowed(tables, q->class, out->identity);
	sum += snp_allowed(tables, class | SNP_ALLOW_DNS, out->dns);
	c = snp_class_at(tables, q->class);
	sum += snp_class_sets(tables, c, &q->to.addr);
	return sum;
}

static uint64_t walk(const uint8_t *region, const struct question *q)
{
	struct snp_match_marks marks;
	struct snp_match_at at;
	unsigned int strides = 1;

	if (!q->len || snp_match_mark(&marks, q->name, q->len))
		return 0;
	snp_match_begin(region, &marks, q->len, &at);
	for (; !snp_match_stride(region, &marks, q->name, &at); strides++)
		require(strides < SNP_MATCH_STRIDES);
	return snp_match_end(region, &at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question q;
	uint8_t *region;

	if (!size)
		return 0;
	data++;
	size--;
	if (data[-1] == 'k') {
		check_kept(data, size);
		return 0;
	}
	if (size < sizeof(q))
		return 0;
	memcpy(&q, data, sizeof(q));
	data += sizeof(q);
	size -= sizeof(q);
	if (size > SNP_REGION_BYTES / 2)
		return 0;
	region = region_with(data, size);
	use(look(region, &q));
	use(walk(region, &q));
	empty_again(region, size);
	return 0;
}
