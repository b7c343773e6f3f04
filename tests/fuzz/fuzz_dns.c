/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_dns.c - any bytes as a DNS message, through the walker that the kernel loads.
 *
 * Every read is checked against the message's end (SNP_DNS_CHECKED), and each
 * message is walked over two kinds of remains: what lay in the slot before must
 * not show. What the kernel does next with a walk that gave 0 is what is
 * asserted of it here.
 */
#include <stdint.h>

#define SNP_DNS_CHECKED
#include "bpf/dns_load.h"
#include "tests/fuzz/fuzz.h"

static struct dns_walk walks[3];

static __u32 walk(struct dns_walk *w, const uint8_t *msg, size_t len, int remains)
{
	__u32 e;

	memset(w, remains, sizeof(*w));
	w->key[0] = 1;
	w->key[1] = 2;
	w->svcb_hints = 1;
	w->len = len;
	memcpy(w->msg, msg, len);
	e = dns_walk_question(w, DNS_FLAG_QR);
	if (!e)
		e = dns_walk_records(w);
	require(e <= SNP_STAT_REFUSALS_END);
	return e;
}

/* Canonical, of name_len bytes, and followed by the zeros that comparing and hashing rely on. */
static void check_name(struct dns_walk *w, __u32 i)
{
	const __u8 *name = dns_name(w, i);
	__u32 len = w->name_len[i], at = 0;

	require(len >= 1 && len <= SNP_NAME_MAX);
	while (name[at]) {
		require(name[at] < 64 && at + 1 + name[at] < len);
		for (__u32 j = 1; j <= name[at]; j++)
			require(name[at + j] < 'A' || name[at + j] > 'Z');
		at += 1 + name[at];
	}
	require(at + 1 == len);
	for (__u32 j = 0; j < DNS_NAME_PAD; j++)
		require(!name[len + j]);
	require(w->hash[i] == siphash_name(name, len, w->key));
}

static void check_walk(struct dns_walk *w)
{
	__u32 answers = dns_be16(w->msg + 6);

	require(w->depth <= DNS_CHAIN_MAX && w->depth <= 2 * answers);
	for (__u32 i = 0; i <= w->depth; i++) {
		check_name(w, i);
		for (__u32 j = 0; j < i; j++)
			require(w->hash[i] != w->hash[j]);
	}
	require(w->n_addrs <= DNS_ADDRS_MAX);
	for (__u32 i = 0; i < w->n_addrs; i++) {
		const struct dns_addr *a = &w->addrs[i];

		require(a->len == 4 || a->len == 16);
		require(a->off > DNS_HEADER_LEN && (__u32)a->off + a->len <= w->len);
		require(a->ttl_s <= 0x7fffffff);
	}
	require(!w->too_many || w->n_addrs == DNS_ADDRS_MAX);
	require(w->off_chain + w->rr_class <= answers);
	require(w->pos <= w->len && w->trailing <= w->len - DNS_HEADER_LEN);
	require(w->truncated || w->trailing == w->len - w->pos);
}

static void check_same(const struct dns_walk *a, const struct dns_walk *b)
{
	require(a->n_addrs == b->n_addrs && a->depth == b->depth && a->trailing == b->trailing);
	require(a->off_chain == b->off_chain && a->rr_class == b->rr_class);
	require(!memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(a->addrs[0])));
	require(!memcmp(a->hash, b->hash, (a->depth + 1) * sizeof(a->hash[0])));
}

/* Cut somewhere and marked as truncated, a good message gives the first of its addresses, or is refused. */
static void check_cut(const struct dns_walk *whole, uint8_t *msg, size_t len)
{
	struct dns_walk *w = &walks[2];
	size_t cut = len * 40503 % (len + 1);

	msg[2] |= DNS_FLAG_TC >> 8;
	if (walk(w, msg, cut, 0))
		return;
	check_walk(w);
	require(w->n_addrs <= whole->n_addrs && w->depth <= whole->depth);
	require(!memcmp(w->addrs, whole->addrs, w->n_addrs * sizeof(w->addrs[0])));
	require(!memcmp(w->hash, whole->hash, (w->depth + 1) * sizeof(w->hash[0])));
}

static void one(uint8_t *msg, size_t len)
{
	__u32 e = walk(&walks[0], msg, len, 0);

	require(walk(&walks[1], msg, len, 0xff) == e);
	if (e)
		return;
	check_walk(&walks[0]);
	check_same(&walks[0], &walks[1]);
	check_cut(&walks[0], msg, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	size_t len = size < sizeof(msg) ? size : sizeof(msg);

	memcpy(msg, data, len);
	one(msg, len);
	if (len < DNS_HEADER_LEN)
		return 0;
	/* Past the header: an answer to one question. */
	memcpy(msg, data, len);
	memcpy(msg + 2, (const uint8_t[]){0x81, 0x80, 0, 1}, 4);
	one(msg, len);
	/* As a question. */
	walks[0].len = len;
	memcpy(walks[0].msg, data, len);
	if (!dns_walk_question(&walks[0], 0))
		check_name(&walks[0], 0);
	return 0;
}
